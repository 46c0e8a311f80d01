/**
 * Canonical forms of header fields and bodies, and the hash of a body that passes by in pieces.
 *
 * Promise: linear time and little memory, whatever the body is made of and wherever it is cut: lines of any length, nothing but blanks,
 * a million empty lines. Octets stand in strings, a character each.
 * Spec: RFC 6376 §3.4
 */

import { createHash, type Hash } from 'node:crypto';

export type Canonical = 'simple' | 'relaxed';

/** A field as written, without its last line end, in its canonical form, likewise without. */
export function canonicalField(raw: string, form: Canonical): string {
  if (form === 'simple') return raw;
  const colon = raw.indexOf(':');
  const name = raw.slice(0, colon).replace(/[ \t]+$/, '');
  const value = raw
    .slice(colon + 1)
    .replace(/\r\n/g, '')
    .replace(/[ \t]+/g, ' ');
  return `${name.toLowerCase()}:${value.slice(value.startsWith(' ') ? 1 : 0, value.length > 1 && value.endsWith(' ') ? -1 : undefined)}`;
}

const emptyLines = '\r\n'.repeat(4_096);

export class BodyHash {
  readonly #hash: Hash = createHash('sha256');
  readonly #relaxed: boolean;
  readonly #limit: number;
  /** What the next piece may change the meaning of: a blank, a CR, both. */
  #held = '';
  /** Line ends that count only if something follows. */
  #ends = 0;
  #length = 0;
  #hashed = 0;

  /** `limit`: only so many octets of the canonical body are hashed. */
  constructor(form: Canonical, limit = Number.POSITIVE_INFINITY) {
    this.#relaxed = form === 'relaxed';
    this.#limit = limit;
  }

  update(bytes: Uint8Array): void {
    let text = this.#held + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    if (this.#relaxed) text = text.replace(/[ \t]{2,}|\t/g, ' ').replace(/ \r\n/g, '\r\n');
    const keep = this.#relaxed && text.endsWith(' \r') ? 2 : text.endsWith('\r') || (this.#relaxed && text.endsWith(' ')) ? 1 : 0;
    this.#held = keep > 0 ? text.slice(-keep) : '';
    this.#take(keep > 0 ? text.slice(0, -keep) : text);
  }

  #take(text: string): void {
    let end = text.length;
    while (end >= 2 && text[end - 1] === '\n' && text[end - 2] === '\r') end -= 2;
    if (end > 0) {
      this.#endLines();
      this.#emit(end === text.length ? text : text.slice(0, end));
    }
    this.#ends += (text.length - end) / 2;
  }

  #endLines(): void {
    while (this.#ends > 0) {
      const some = Math.min(this.#ends, emptyLines.length / 2);
      this.#emit(emptyLines.slice(0, some * 2));
      this.#ends -= some;
    }
  }

  #emit(text: string): void {
    this.#length += text.length;
    const room = this.#limit - this.#hashed;
    if (room <= 0) return;
    this.#hash.update(text.length > room ? text.slice(0, room) : text, 'latin1');
    this.#hashed += Math.min(text.length, room);
  }

  /** Once: the hash in base64, and how long the canonical body is. */
  end(): { readonly hash: string; readonly length: number } {
    // A blank at the end of the body is one at the end of a line.
    const last = this.#relaxed ? this.#held.replace(/ $/, '') : this.#held;
    if (last !== '') this.#take(last);
    this.#ends = 0;
    if (this.#length > 0 || !this.#relaxed) this.#emit('\r\n');
    return { hash: this.#hash.digest('base64'), length: this.#length };
  }
}
