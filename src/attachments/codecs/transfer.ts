/**
 * Content-Transfer-Encodings taken off.
 *
 * Promise: any input gives octets; what was wrong with it is said afterwards (`flaw`), where another reader may have read something else.
 * Spec: RFC 2045 §6.7, §6.8
 */

import type { Codec } from '../bytes.ts';
import { UuDecoder } from './uuencode.ts';

export interface Decoder extends Codec {
  /** Known at the end: why what came out may not be what was meant; for people. */
  readonly flaw: string | undefined;
}

const nothing = new Uint8Array(0);

export class Plain implements Decoder {
  readonly flaw = undefined;
  push(bytes: Uint8Array): Uint8Array {
    return bytes;
  }
  end(): Uint8Array {
    return nothing;
  }
}

/** Value of each character; 64 is padding, 65 a blank, 66 no base64. */
const values = new Uint8Array(256).fill(66);
for (const [n, c] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/='].entries()) values[c.charCodeAt(0)] = n;
for (const c of ' \t\r\n') values[c.charCodeAt(0)] = 65;

export class Base64Decoder implements Decoder {
  #bits = 0;
  #count = 0;
  #padded = false;
  #strange = false;
  #behind = false;
  #cut = false;

  get flaw(): string | undefined {
    if (this.#strange) return 'its base64 has characters in it that are none';
    if (this.#behind) return 'its base64 goes on behind its end';
    return this.#cut ? 'its base64 is cut off' : undefined;
  }

  push(bytes: Uint8Array): Uint8Array {
    const out = Buffer.allocUnsafe(Math.ceil((bytes.length * 3) / 4) + 3);
    let at = 0;
    for (let n = 0; n < bytes.length; n++) {
      const value = values[bytes[n] as number] as number;
      if (value < 64) {
        if (this.#padded) {
          this.#behind = true;
          continue;
        }
        this.#bits = (this.#bits << 6) | value;
        if (++this.#count === 4) {
          out[at++] = (this.#bits >> 16) & 255;
          out[at++] = (this.#bits >> 8) & 255;
          out[at++] = this.#bits & 255;
          this.#bits = this.#count = 0;
        }
      } else if (value === 64) this.#padded = true;
      else if (value === 66) this.#strange = true;
    }
    return out.subarray(0, at);
  }

  end(): Uint8Array {
    const [bits, count] = [this.#bits, this.#count];
    this.#bits = this.#count = 0;
    if (count === 1) this.#cut = true;
    if (count === 2) return Uint8Array.of((bits >> 4) & 255);
    return count === 3 ? Uint8Array.of((bits >> 10) & 255, (bits >> 2) & 255) : nothing;
  }
}

const [LF, CR, SPACE, TAB, EQUALS] = [10, 13, 32, 9, 61];
const digit = (byte: number): number => {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte & 0xdf;
  return letter >= 65 && letter <= 70 ? letter - 55 : -1;
};
/** More blanks at the end of a line than this are taken for text: they are not kept. */
const blanksHeld = 1_024;

/** Blanks at the end of a line are no text (§6.7 (3)); what is no escape stands for itself. */
export class QuotedPrintableDecoder implements Decoder {
  readonly flaw = undefined;
  /** Blanks that are text only if the line goes on; an escape that is not complete; a CR whose LF may come. */
  #blanks: number[] = [];
  #escape: number[] = [];
  #out: Buffer = Buffer.alloc(0);
  #at = 0;

  push(bytes: Uint8Array): Uint8Array {
    this.#out = Buffer.allocUnsafe(bytes.length + this.#blanks.length + this.#escape.length);
    this.#at = 0;
    for (let n = 0; n < bytes.length; n++) this.#octet(bytes[n] as number);
    return this.#out.subarray(0, this.#at);
  }

  end(): Uint8Array {
    const rest = this.#escape;
    // A line that goes on at the end of everything does not.
    if (rest.length <= 1 || rest.slice(1).every((byte) => byte === SPACE || byte === TAB || byte === CR)) return nothing;
    return Uint8Array.from([...this.#blanks, ...rest]);
  }

  #put(byte: number): void {
    this.#out[this.#at++] = byte;
  }

  #octet(byte: number): void {
    if (this.#escape.length > 0) this.#escaped(byte);
    else if (byte === EQUALS) this.#escape = [byte];
    else if (byte === SPACE || byte === TAB) {
      if (this.#blanks.length >= blanksHeld) this.#flush();
      this.#blanks.push(byte);
    } else {
      // A CR may be the first half of a line end: blanks before it wait for nothing.
      if (byte === LF || byte === CR) this.#blanks = [];
      else this.#flush();
      this.#put(byte);
    }
  }

  #flush(): void {
    for (const blank of this.#blanks) this.#put(blank);
    this.#blanks = [];
  }

  #escaped(byte: number): void {
    const held = this.#escape;
    const second = held[1];
    if (byte === LF) {
      const soft = held.slice(1).every((one) => one === SPACE || one === TAB || one === CR);
      this.#escape = [];
      this.#flush();
      if (!soft) this.#again([...held, byte]);
      return;
    }
    if (second === undefined ? digit(byte) >= 0 : digit(second) >= 0 && held.length === 2) {
      if (second === undefined) {
        held.push(byte);
        return;
      }
      if (digit(byte) >= 0) {
        this.#flush();
        this.#put(digit(second) * 16 + digit(byte));
        this.#escape = [];
        return;
      }
    } else if ((byte === SPACE || byte === TAB || byte === CR) && held.length < blanksHeld && (second === undefined || digit(second) < 0)) {
      held.push(byte);
      return;
    }
    this.#escape = [];
    this.#again([...held, byte]);
  }

  /** No escape after all: the mark is text, and what is behind it is read once more. */
  #again([mark, ...rest]: readonly number[]): void {
    this.#flush();
    this.#put(mark as number);
    for (const byte of rest) this.#octet(byte);
  }
}

const uu = /^(?:x-)?(?:uu|uue|uuencode)$/;
/** Encodings that say what the part is, too. */
const hqx = /^(?:x-)?(?:mac-)?binhex(?:40)?$/;

export type Encoding = 'plain' | 'base64' | 'quoted-printable' | 'uuencode' | 'binhex';

/** `encoding`: lower case, as of a header. Undefined: not known. */
export function encodingOf(encoding: string): Encoding | undefined {
  if (encoding === 'base64' || encoding === 'quoted-printable') return encoding;
  if (/^(?:7bit|8bit|binary)$/.test(encoding)) return 'plain';
  if (uu.test(encoding)) return 'uuencode';
  return hqx.test(encoding) ? 'binhex' : undefined;
}

/** BinHex is no octets but a file: what is below it is read by `readBinHex`. */
export function decoderOf(encoding: Encoding): Decoder {
  if (encoding === 'base64') return new Base64Decoder();
  if (encoding === 'quoted-printable') return new QuotedPrintableDecoder();
  return encoding === 'uuencode' ? new UuDecoder() : new Plain();
}
