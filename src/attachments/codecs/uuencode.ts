/**
 * uuencode, both ways.
 *
 * Promise: the decoder takes what mailers made of it: blanks for back quotes, blanks cut off at the ends of lines, a checksum behind
 * them, text before and after, no `end`; what it had to guess or skip it says (`flaw`). Memory is a line.
 * Spec: POSIX.1-2017, uuencode, "stdout" (historical algorithm)
 */

import type { Codec } from '../bytes.ts';
import { Lines } from './lines.ts';
import type { Decoder } from './transfer.ts';

const begin = /^begin [0-7]{3,5}(?: (.{0,500}))?$/;

/** The name a `begin` line has, empty where it has none; undefined where it is no such line. */
export function uuBegin(line: string): string | undefined {
  const found = line.startsWith('begin ') ? begin.exec(line) : null;
  return found ? (found[1] ?? '').trim() : undefined;
}

export const isUuEnd = (line: string): boolean => line.startsWith('end') && line.trimEnd() === 'end';

/** Octets a line stands for; undefined where it is no line of uuencode. An empty one may have been a blank, which stands for none. */
export function uuLine(line: string): number | undefined {
  if (line === '') return 0;
  const first = line.charCodeAt(0) - 32;
  if (first < 0 || first > 64) return undefined;
  const octets = first & 63;
  const wanted = 1 + Math.ceil(octets / 3) * 4;
  // A checksum may follow, and blanks at the end may be lost.
  if (line.length > wanted + 2) return undefined;
  for (let n = 1; n < line.length; n++) {
    const code = line.charCodeAt(n);
    if (code < 32 || code > 96) return undefined;
  }
  return octets;
}

/** Whether nothing of it was cut off: text for people hardly ever looks like that. */
export function isExactUuLine(line: string): boolean {
  const octets = uuLine(line);
  return octets !== undefined && line.length >= 1 + Math.ceil(octets / 3) * 4;
}

export function uuOctets(line: string, octets: number): Buffer {
  const out = Buffer.allocUnsafe(octets + 2);
  const six = (n: number): number => (n < line.length ? (line.charCodeAt(n) - 32) & 63 : 0);
  for (let at = 0, from = 1; at < octets; at += 3, from += 4) {
    const bits = (six(from) << 18) | (six(from + 1) << 12) | (six(from + 2) << 6) | six(from + 3);
    out[at] = bits >> 16;
    out[at + 1] = (bits >> 8) & 255;
    out[at + 2] = bits & 255;
  }
  return out.subarray(0, octets);
}

export class UuDecoder implements Decoder {
  #state: 'before' | 'inside' | 'after' = 'before';
  #flaw: string | undefined;
  #out: Buffer[] = [];
  #name: string | undefined;
  readonly #lines = new Lines((line) => this.#line(line));

  /** As its `begin` line has it. */
  get name(): string | undefined {
    return this.#name;
  }

  get flaw(): string | undefined {
    if (this.#state === 'before') return 'it has no begin line of uuencode';
    return this.#flaw ?? (this.#state === 'inside' ? 'its uuencode has no end' : undefined);
  }

  push(bytes: Uint8Array): Uint8Array {
    this.#lines.push(bytes);
    return this.#taken();
  }

  end(): Uint8Array {
    this.#lines.end();
    return this.#taken();
  }

  #taken(): Buffer {
    const out = this.#out;
    this.#out = [];
    return Buffer.concat(out);
  }

  #line(line: string): void {
    if (this.#state === 'before') {
      this.#name = uuBegin(line);
      if (this.#name !== undefined) this.#state = 'inside';
    } else if (this.#state === 'after') {
      if (uuBegin(line) !== undefined) this.#flaw ??= 'there is more than one file in it';
    } else if (isUuEnd(line)) this.#state = 'after';
    else {
      const octets = uuLine(line);
      if (octets === undefined) this.#flaw ??= 'it has lines that are no uuencode';
      else if (octets > 0) this.#out.push(uuOctets(line, octets));
    }
  }
}

const octetsOfLine = 45;
const digits = Buffer.from('`!"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_', 'latin1');

/** With `begin` and `end`; back quotes where blanks could stand, which are lost at the ends of lines. */
export class UuEncoder implements Codec {
  #rest: Uint8Array = new Uint8Array(0);
  #begun = false;
  readonly #name: string;

  /** `name`: without line ends; other characters than ASCII are not for old decoders. */
  constructor(name: string) {
    this.#name = name.replace(/[^ -~]/g, '_').trim() || 'file';
  }

  push(bytes: Uint8Array): Uint8Array {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    const lines = Math.floor(all.length / octetsOfLine);
    const out = Buffer.allocUnsafe(lines * 63 + this.#head.length);
    let at = this.#begin(out);
    for (let n = 0; n < lines; n++) at = encodeLine(all, n * octetsOfLine, octetsOfLine, out, at);
    this.#rest = Uint8Array.from(all.subarray(lines * octetsOfLine));
    return out.subarray(0, at);
  }

  end(): Uint8Array {
    const rest = this.#rest;
    const tail = '`\r\nend';
    const out = Buffer.allocUnsafe(this.#head.length + 72 + tail.length);
    let at = this.#begin(out);
    if (rest.length > 0) at = encodeLine(rest, 0, rest.length, out, at);
    return out.subarray(0, at + out.write(tail, at, 'latin1'));
  }

  get #head(): string {
    return `begin 644 ${this.#name}\r\n`;
  }

  #begin(out: Buffer): number {
    if (this.#begun) return 0;
    this.#begun = true;
    return out.write(this.#head, 'latin1');
  }
}

function encodeLine(bytes: Uint8Array, from: number, count: number, out: Buffer, at: number): number {
  let to = at;
  out[to++] = digits[count & 63] as number;
  for (let n = from; n < from + count; n += 3) {
    const [second, third] = [n + 1 < from + count ? (bytes[n + 1] as number) : 0, n + 2 < from + count ? (bytes[n + 2] as number) : 0];
    const bits = ((bytes[n] as number) << 16) | (second << 8) | third;
    for (let shift = 18; shift >= 0; shift -= 6) out[to++] = digits[(bits >> shift) & 63] as number;
  }
  out[to++] = 13;
  out[to++] = 10;
  return to;
}
