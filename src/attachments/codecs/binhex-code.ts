/**
 * The text of BinHex 4.0: six bits a character, and runs of one octet shortened.
 *
 * Promise: what comes out may be far larger than what went in (three octets are a run of 255): who decodes sets a limit. Memory is a chunk.
 * Spec: RFC 1741 appendix A
 */

import type { Codec } from '../bytes.ts';
import type { Decoder } from './transfer.ts';

const alphabet = '!"#$%&\'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr';
export const binHexBanner = '(This file must be converted with BinHex 4.0)';
const run = 0x90;
const colon = 58;

/** Value of each character; 65 is a blank, 66 none of them. */
const values = new Uint8Array(256).fill(66);
for (const [n, c] of [...alphabet].entries()) values[c.charCodeAt(0)] = n;
for (const c of ' \t\r\n') values[c.charCodeAt(0)] = 65;

/** Whether a line may stand in BinHex; the first and the last have a colon. */
export function isBinHexLine(line: string): boolean {
  for (let n = 0; n < line.length; n++) {
    const code = line.charCodeAt(n);
    if (code !== colon && (values[code & 255] as number) > 65) return false;
  }
  return true;
}

/** From the first line that begins with a colon to the next colon. */
export class BinHexDecoder implements Decoder {
  #state: 'before' | 'inside' | 'after' = 'before';
  #flaw: string | undefined;
  #lineStart = true;
  #bits = 0;
  #count = 0;
  #last = -1;
  #marked = false;
  #pieces: Buffer[] = [];
  #out: Buffer = Buffer.alloc(0);
  #at = 0;

  get flaw(): string | undefined {
    if (this.#state === 'before') return 'it has no BinHex in it';
    return this.#flaw ?? (this.#state === 'inside' ? 'its BinHex has no end' : undefined);
  }

  push(bytes: Uint8Array): Uint8Array {
    this.#room(bytes.length);
    for (let n = 0; n < bytes.length && this.#state !== 'after'; n++) this.#character(bytes[n] as number);
    this.#pieces.push(this.#out.subarray(0, this.#at));
    const all = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#out = Buffer.alloc(0);
    this.#at = 0;
    return all;
  }

  end(): Uint8Array {
    return new Uint8Array(0);
  }

  #room(octets: number): void {
    if (this.#at + octets <= this.#out.length) return;
    if (this.#at > 0) this.#pieces.push(this.#out.subarray(0, this.#at));
    this.#out = Buffer.allocUnsafe(Math.max(octets, 4_096));
    this.#at = 0;
  }

  #character(code: number): void {
    if (this.#state === 'before') {
      if (code === colon && this.#lineStart) this.#state = 'inside';
      else if (code === 10 || code === 13) this.#lineStart = true;
      else if (code !== 32 && code !== 9) this.#lineStart = false;
      return;
    }
    const value = values[code] as number;
    if (value < 64) {
      this.#bits = ((this.#bits << 6) | value) & 0xffff;
      this.#count += 6;
      if (this.#count >= 8) {
        this.#count -= 8;
        this.#octet((this.#bits >> this.#count) & 255);
      }
    } else if (code === colon) this.#state = 'after';
    else if (value === 66) this.#flaw ??= 'its BinHex has characters in it that are none';
  }

  #octet(byte: number): void {
    if (!this.#marked) {
      if (byte === run) this.#marked = true;
      else this.#put(byte, 1);
      return;
    }
    this.#marked = false;
    if (byte === 0) this.#put(run, 1);
    else if (this.#last < 0) this.#flaw ??= 'its BinHex begins with a run of nothing';
    else this.#put(this.#last, byte - 1);
  }

  #put(byte: number, times: number): void {
    this.#room(times);
    for (let n = 0; n < times; n++) this.#out[this.#at++] = byte;
    this.#last = byte;
  }
}

const lineLength = 64;
/** Runs that are shorter gain nothing. */
const leastRun = 4;

/** With the banner and the colons. */
export class BinHexEncoder implements Codec {
  #bits = 0;
  #count = 0;
  #column = 0;
  #last = -1;
  #times = 0;
  #begun = false;
  #out: Buffer = Buffer.alloc(0);
  #at = 0;

  push(bytes: Uint8Array): Uint8Array {
    this.#room(bytes.length);
    for (let n = 0; n < bytes.length; n++) {
      const byte = bytes[n] as number;
      if (byte === this.#last && this.#times < 255) this.#times++;
      else {
        this.#flush();
        this.#last = byte;
        this.#times = 1;
      }
    }
    return this.#out.subarray(0, this.#at);
  }

  end(): Uint8Array {
    this.#room(0);
    this.#flush();
    if (this.#count > 0) this.#character((this.#bits << (6 - this.#count)) & 63);
    this.#put(colon);
    return this.#out.subarray(0, this.#at);
  }

  /** The octets, those of a run that was held back, and all of them marks. */
  #room(octets: number): void {
    const characters = Math.ceil(((octets + 256) * 2 * 8) / 6) + 8;
    this.#out = Buffer.allocUnsafe(characters + 2 * Math.ceil(characters / lineLength) + binHexBanner.length + 8);
    this.#at = 0;
    if (this.#begun) return;
    this.#begun = true;
    this.#at = this.#out.write(`${binHexBanner}\r\n\r\n`, 'latin1');
    this.#put(colon);
  }

  #flush(): void {
    const [byte, times] = [this.#last, this.#times];
    this.#times = 0;
    if (times === 0) return;
    const single = times < leastRun;
    for (let n = 0; n < (single ? times : 1); n++) {
      this.#octet(byte);
      if (byte === run) this.#octet(0);
    }
    if (single) return;
    this.#octet(run);
    this.#octet(times);
  }

  #octet(byte: number): void {
    this.#bits = ((this.#bits << 8) | byte) & 0xffff;
    this.#count += 8;
    while (this.#count >= 6) {
      this.#count -= 6;
      this.#character((this.#bits >> this.#count) & 63);
    }
  }

  #character(value: number): void {
    this.#put(alphabet.charCodeAt(value));
  }

  #put(code: number): void {
    if (this.#column === lineLength) {
      this.#out[this.#at++] = 13;
      this.#out[this.#at++] = 10;
      this.#column = 0;
    }
    this.#out[this.#at++] = code;
    this.#column++;
  }
}
