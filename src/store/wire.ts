/**
 * Bytes of the store's compact records: unsigned and signed numbers of variable length, and six-octet numbers at fixed places.
 *
 * Promise: a reader never goes past its bytes; a record that ends too early is a Fault, not a wrong number.
 * What the numbers mean is the business of counters.ts, chunk.ts and vanished.ts.
 */

import { Fault } from '../base/index.ts';

/** Largest number of a six-octet field. */
export const largest48 = 2 ** 48 - 1;

export class ByteWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  #room(octets: number): void {
    if (this.#length + octets <= this.#bytes.length) return;
    const wider = Buffer.allocUnsafe((this.#length + octets) * 2);
    this.#bytes.copy(wider, 0, 0, this.#length);
    this.#bytes = wider;
  }

  byte(n: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = n;
  }

  fixed48(n: number): void {
    this.#room(6);
    this.#length = this.#bytes.writeUIntBE(n, this.#length, 6);
  }

  /** A whole number from 0 to 2^53-1, seven bits an octet, low bits first. */
  number(n: number): void {
    this.#room(8);
    const bytes = this.#bytes;
    let at = this.#length;
    let rest = n;
    while (rest > 0x7fffffff) {
      bytes[at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      bytes[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.#length = at;
  }

  /** A whole number of either sign, near zero in few octets. */
  signed(n: number): void {
    this.number(n < 0 ? -2 * n - 1 : 2 * n);
  }

  /** What was written; the writer must not be used any more. */
  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

export const damaged = (cause?: unknown): Fault => new Fault('unavailable', 'a record of the message store is damaged', { cause });

export class ByteReader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  byte(): number {
    const n = this.#bytes[this.#at++];
    if (n === undefined) throw damaged();
    return n;
  }

  number(): number {
    let n = this.byte();
    if (n < 128) return n;
    n &= 127;
    for (let scale = 128; ; scale *= 128) {
      const next = this.byte();
      n += (next & 127) * scale;
      if (next < 128) return n;
    }
  }

  signed(): number {
    const n = this.number();
    return n % 2 === 0 ? n / 2 : -(n + 1) / 2;
  }
}

/** A six-octet number at a fixed place. */
export function fixed48(bytes: Uint8Array, at: number): number {
  let n = 0;
  for (let i = 0; i < 6; i++) n = n * 256 + (bytes[at + i] ?? 0);
  return n;
}

const decoder = new TextDecoder();

export function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

export function fromJson<T>(bytes: Uint8Array): T {
  try {
    return JSON.parse(decoder.decode(bytes)) as T;
  } catch (cause) {
    throw damaged(cause);
  }
}
