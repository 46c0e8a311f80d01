/**
 * Writing BER: definite lengths in their shortest form.
 *
 * Promise: one growing buffer, no recursion. `begin` keeps one octet for the length; `end` moves the content where it turns out
 * to need more.
 * Spec: RFC 4511 §5.1
 */

import { ber } from './ber-read.ts';

/** Octets that a length takes. */
export const lengthSize = (length: number): number =>
  length < 0x80 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : length < 0x1000000 ? 4 : 5;

/** Writes a length at `at`; returns where it ends. */
export function putLength(into: Uint8Array, at: number, length: number): number {
  const size = lengthSize(length);
  if (size === 1) {
    into[at] = length;
    return at + 1;
  }
  into[at] = 0x80 | (size - 1);
  let left = length;
  for (let n = size - 1; n > 0; n--) {
    into[at + n] = left & 0xff;
    left = Math.floor(left / 256);
  }
  return at + size;
}

/** Octets that a whole number from 0 to 2^31-1 takes. */
export const integerSize = (n: number): number => (n < 0x80 ? 1 : n < 0x8000 ? 2 : n < 0x800000 ? 3 : 4);

export class BerWriter {
  #octets: Buffer;
  #at = 0;

  constructor(size = 256) {
    this.#octets = Buffer.allocUnsafe(size);
  }

  #room(needed: number): void {
    if (this.#octets.length - this.#at >= needed) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#octets.length * 2, this.#at + needed));
    this.#octets.copy(grown, 0, 0, this.#at);
    this.#octets = grown;
  }

  /** Opens a constructed element; hand the result to `end`. */
  begin(tag: number = ber.sequence): number {
    this.#room(2);
    this.#octets[this.#at] = tag;
    this.#at += 2;
    return this.#at;
  }

  end(begun: number): this {
    const length = this.#at - begun;
    const size = lengthSize(length);
    if (size > 1) {
      this.#room(size - 1);
      this.#octets.copyWithin(begun + size - 1, begun, this.#at);
      this.#at += size - 1;
    }
    putLength(this.#octets, begun - 1, length);
    return this;
  }

  /** Octets that are encoded already. */
  raw(octets: Uint8Array): this {
    this.#room(octets.length);
    this.#octets.set(octets, this.#at);
    this.#at += octets.length;
    return this;
  }

  octets(octets: Uint8Array, tag: number = ber.octets): this {
    this.#room(octets.length + 6);
    this.#octets[this.#at] = tag;
    this.#at = putLength(this.#octets, this.#at + 1, octets.length);
    this.#octets.set(octets, this.#at);
    this.#at += octets.length;
    return this;
  }

  text(text: string, tag: number = ber.octets): this {
    const length = Buffer.byteLength(text, 'utf8');
    this.#room(length + 6);
    this.#octets[this.#at] = tag;
    this.#at = putLength(this.#octets, this.#at + 1, length);
    this.#at += this.#octets.write(text, this.#at, length, 'utf8');
    return this;
  }

  value(value: string | Uint8Array, tag: number = ber.octets): this {
    return typeof value === 'string' ? this.text(value, tag) : this.octets(value, tag);
  }

  /** A whole number from 0 to 2^31-1. */
  integer(n: number, tag: number = ber.integer): this {
    const size = integerSize(n);
    this.#room(size + 2);
    this.#octets[this.#at] = tag;
    this.#octets[this.#at + 1] = size;
    this.#octets.writeIntBE(n, this.#at + 2, size);
    this.#at += size + 2;
    return this;
  }

  boolean(value: boolean, tag: number = ber.boolean): this {
    this.#room(3);
    this.#octets[this.#at] = tag;
    this.#octets[this.#at + 1] = 1;
    this.#octets[this.#at + 2] = value ? 0xff : 0;
    this.#at += 3;
    return this;
  }

  /** What was written. The writer is used up. */
  done(): Buffer {
    return this.#octets.subarray(0, this.#at);
  }
}
