/**
 * Octets as lines of ASCII, while they go by.
 *
 * Promise: what is decoded again is what came in, line ends being CRLF; no line is longer than 76 characters; memory does not grow.
 * Spec: RFC 2045 §6.7, §6.8
 */

export interface Encoder {
  push(bytes: Uint8Array): Uint8Array;
  end(): Uint8Array;
}

const nothing = new Uint8Array(0);
const [LF, CR, TAB, SPACE, EQUALS] = [10, 13, 9, 32, 61];
const hex = Buffer.from('0123456789ABCDEF');
/** Without the mark of a soft break. */
const longest = 75;

/** `coded`: the text is quoted-printable already, but for octets that may not stand in it and lines that are too long. */
export class QuotedPrintableEncoder implements Encoder {
  readonly #coded: boolean;
  #column = 0;
  /** A blank that must be encoded if the line ends after it. */
  #blank = 0;
  #cr = false;
  #out: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(coded = false) {
    this.#coded = coded;
  }

  push(bytes: Uint8Array): Uint8Array {
    this.#begin(bytes.length);
    for (let n = 0; n < bytes.length; n++) this.#octet(bytes[n] as number);
    return this.#out.subarray(0, this.#at);
  }

  end(): Uint8Array {
    this.#begin(2);
    if (this.#cr) this.#escape(CR);
    if (this.#blank !== 0) this.#escape(this.#blank);
    this.#cr = false;
    this.#blank = 0;
    return this.#out.subarray(0, this.#at);
  }

  #begin(octets: number): void {
    // Three characters an octet, a held blank and CR, and a soft break for every 25 of them.
    this.#out = Buffer.allocUnsafe((octets + 2) * 4 + 16);
    this.#at = 0;
  }

  #octet(byte: number): void {
    if (byte === LF) {
      if (this.#blank !== 0) this.#escape(this.#blank);
      this.#blank = 0;
      this.#cr = false;
      this.#out[this.#at++] = CR;
      this.#out[this.#at++] = LF;
      this.#column = 0;
      return;
    }
    if (this.#cr) {
      this.#cr = false;
      this.#flushBlank();
      this.#escape(CR);
    }
    if (byte === CR) {
      this.#cr = true;
      return;
    }
    this.#flushBlank();
    if (byte === SPACE || byte === TAB) this.#blank = byte;
    else if (byte === EQUALS && this.#coded) this.#plain(byte, 3);
    else if (byte > SPACE && byte < 127 && byte !== EQUALS) this.#plain(byte, 1);
    else this.#escape(byte);
  }

  #flushBlank(): void {
    if (this.#blank === 0) return;
    this.#plain(this.#blank, 1);
    this.#blank = 0;
  }

  /** `room`: of so many characters none may be cut off from the first. */
  #plain(byte: number, room: number): void {
    if (this.#column + room > longest) this.#break();
    this.#out[this.#at++] = byte;
    this.#column++;
  }

  #escape(byte: number): void {
    if (this.#column + 3 > longest) this.#break();
    this.#out[this.#at++] = EQUALS;
    this.#out[this.#at++] = hex[byte >> 4] as number;
    this.#out[this.#at++] = hex[byte & 15] as number;
    this.#column += 3;
  }

  #break(): void {
    this.#out[this.#at++] = EQUALS;
    this.#out[this.#at++] = CR;
    this.#out[this.#at++] = LF;
    this.#column = 0;
  }
}

const octetsOfLine = 57;

export class Base64Encoder implements Encoder {
  #rest: Uint8Array = nothing;

  push(bytes: Uint8Array): Uint8Array {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const whole = all.length - (all.length % octetsOfLine);
    // The piece is a view of what was read: it will not stay.
    this.#rest = Uint8Array.from(all.subarray(whole));
    const lines: string[] = [];
    for (let at = 0; at < whole; at += octetsOfLine) lines.push(all.toString('base64', at, at + octetsOfLine), '\r\n');
    return Buffer.from(lines.join(''), 'latin1');
  }

  /** The line end before the boundary is not ours to write. */
  end(): Uint8Array {
    return Buffer.from(Buffer.from(this.#rest).toString('base64'), 'latin1');
  }
}

/** Base64 with other octets in it, or on lines that are too long. */
export class Base64Mender implements Encoder {
  #column = 0;

  push(bytes: Uint8Array): Uint8Array {
    const out = Buffer.allocUnsafe(bytes.length + 2 * Math.ceil(bytes.length / 76) + 2);
    let at = 0;
    for (let n = 0; n < bytes.length; n++) {
      const byte = bytes[n] as number;
      if (!inAlphabet[byte]) continue;
      if (this.#column === 76) {
        out[at++] = CR;
        out[at++] = LF;
        this.#column = 0;
      }
      out[at++] = byte;
      this.#column++;
    }
    return out.subarray(0, at);
  }

  end(): Uint8Array {
    return nothing;
  }
}

const inAlphabet = new Uint8Array(256);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=') inAlphabet[character.charCodeAt(0)] = 1;

/** For text that nobody reads, or that may not be encoded: other characters become question marks, too long lines are cut off. */
export class AsciiReplacer implements Encoder {
  #line = 0;

  push(bytes: Uint8Array): Uint8Array {
    const out = Buffer.allocUnsafe(bytes.length);
    let at = 0;
    for (let n = 0; n < bytes.length; n++) {
      const byte = bytes[n] as number;
      if (byte === LF) this.#line = 0;
      else if (byte !== CR && ++this.#line > longestLine) continue;
      out[at++] = byte > 127 ? 63 : byte;
    }
    return out.subarray(0, at);
  }

  end(): Uint8Array {
    return nothing;
  }
}

/** RFC 5321 §4.5.3.1.6, RFC 2045 §2.7: octets of a line without its end. */
export const longestLine = 998;
