/**
 * Reading the subset of BER that LDAP uses: definite lengths, one-octet tags, primitive strings.
 *
 * Promise: never reads outside its octets, never recurses, takes constant work per element. Two sorts of failure:
 * `BrokenBer` where lengths do not fit (nothing behind it can be trusted), a plain Fault `malformed` where an element is
 * sound but not the one that belongs there.
 * Octets handed out are views of the input: copy what is kept.
 * Spec: RFC 4511 §5.1, X.690 §8
 */

import { isUtf8 } from 'node:buffer';
import { Fault } from '../base/index.ts';

/** The encoding itself is broken: there is no telling where the next element begins. */
export class BrokenBer extends Fault {
  constructor(say: string) {
    super('malformed', say);
    this.name = 'BrokenBer';
  }
}

/** Largest length that is read at all (four octets of length, 2^31-1). */
const longest = 0x7fffffff;

/** The universal tags LDAP uses. */
export const ber = { boolean: 0x01, integer: 0x02, octets: 0x04, enumerated: 0x0a, sequence: 0x30, set: 0x31 } as const;

const hex = (tag: number): string => `0x${tag.toString(16).padStart(2, '0')}`;

export class BerReader {
  readonly octetsOfAll: Buffer;
  /** Where the next element begins. */
  at: number;
  /** Where the element that was entered ends. */
  end: number;

  constructor(octets: Uint8Array, at = 0, end = octets.length) {
    this.octetsOfAll = Buffer.isBuffer(octets) ? octets : Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
    this.at = at;
    this.end = end;
  }

  get more(): boolean {
    return this.at < this.end;
  }

  /** The tag of the next element; -1 at the end. */
  get tag(): number {
    return this.at < this.end ? this.octetsOfAll[this.at]! : -1;
  }

  /** Whether the next element has this tag. */
  is(tag: number): boolean {
    return this.at < this.end && this.octetsOfAll[this.at] === tag;
  }

  /** Goes behind tag and length; returns where the content ends. */
  #header(tag: number): number {
    if (this.at >= this.end) throw new Fault('malformed', `an element ${hex(tag)} is missing`);
    const found = this.octetsOfAll[this.at]!;
    if (found !== tag) throw new Fault('malformed', `an element ${hex(tag)} is expected instead of ${hex(found)}`);
    return this.#length();
  }

  /** With `at` on a tag: goes behind the length and returns where the content ends. */
  #length(): number {
    const octets = this.octetsOfAll;
    if ((octets[this.at]! & 0x1f) === 0x1f) throw new BrokenBer('a tag of several octets is not used in LDAP');
    let at = this.at + 1;
    if (at >= this.end) throw new BrokenBer('the encoding ends inside an element');
    let length = octets[at++]!;
    if (length >= 0x80) {
      const size = length & 0x7f;
      if (size === 0) throw new BrokenBer('indefinite lengths are not used in LDAP');
      if (size > 4) throw new BrokenBer('a length of more than four octets');
      if (at + size > this.end) throw new BrokenBer('the encoding ends inside a length');
      length = 0;
      for (let n = 0; n < size; n++) length = length * 256 + octets[at++]!;
      if (length > longest) throw new BrokenBer('an element is too long');
    }
    if (length > this.end - at) throw new BrokenBer('an element is longer than what contains it');
    this.at = at;
    return at + length;
  }

  /** Steps into a constructed element; returns the outer end, for `leave`. */
  enter(tag: number): number {
    const inner = this.#header(tag);
    const outer = this.end;
    this.end = inner;
    return outer;
  }

  /** Steps out. What is left unread are components of a later version: passed over, but they must be sound (RFC 4511 §4). */
  leave(outer: number): void {
    while (this.at < this.end) this.skip();
    this.end = outer;
  }

  /** Passes over one element, whatever it is. */
  skip(): void {
    if (this.at >= this.end) throw new BrokenBer('an element is missing');
    this.at = this.#length();
  }

  /** One whole element, header included. */
  element(): Buffer {
    const from = this.at;
    this.skip();
    return this.octetsOfAll.subarray(from, this.at);
  }

  /** Content octets, as a view. */
  octets(tag: number = ber.octets): Buffer {
    const end = this.#header(tag);
    const found = this.octetsOfAll.subarray(this.at, end);
    this.at = end;
    return found;
  }

  /** Content as text; must be UTF-8. */
  text(tag: number = ber.octets): string {
    const end = this.#header(tag);
    const from = this.at;
    this.at = end;
    const text = utf8(this.octetsOfAll, from, end);
    if (text === undefined) throw new Fault('malformed', 'a string is not UTF-8');
    return text;
  }

  /** Content as text where it is UTF-8, as octets of its own otherwise. */
  value(tag: number = ber.octets): string | Uint8Array {
    const end = this.#header(tag);
    const from = this.at;
    this.at = end;
    return utf8(this.octetsOfAll, from, end) ?? Uint8Array.prototype.slice.call(this.octetsOfAll, from, end);
  }

  /** A whole number of at most four octets, within `min` and `max`. */
  integer(min: number, max: number, tag: number = ber.integer): number {
    const end = this.#header(tag);
    const size = end - this.at;
    if (size === 0 || size > 4) throw new Fault('malformed', 'an integer has one to four octets here');
    const number = this.octetsOfAll.readIntBE(this.at, size);
    this.at = end;
    if (number < min || number > max) throw new Fault('malformed', `the number ${number} is outside ${min} to ${max}`);
    return number;
  }

  boolean(tag: number = ber.boolean): boolean {
    const end = this.#header(tag);
    if (end - this.at !== 1) throw new Fault('malformed', 'a boolean has one octet');
    return this.octetsOfAll[this.at++] !== 0;
  }
}

/** The octets as text, or undefined where they are not UTF-8. Short ASCII, nearly all there is, is checked by hand. */
function utf8(octets: Buffer, from: number, end: number): string | undefined {
  if (end - from <= 48) {
    let at = from;
    while (at < end && octets[at]! < 0x80) at++;
    if (at === end) return octets.toString('latin1', from, end);
  }
  return isUtf8(octets.subarray(from, end)) ? octets.toString('utf8', from, end) : undefined;
}
