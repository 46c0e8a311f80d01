/**
 * Text for messages that have no MIME to say what it is: lines that every host takes, in the one character set of the message or in ASCII.
 *
 * Promise: any octets give text with CRLF line ends, no line longer than SMTP allows and no NUL. Memory is a line.
 * Spec: RFC 5322 §2.1.1, §2.3; RFC 5321 §4.5.3.1.6
 */

import { LineEndNormalizer, longestLine } from '../../mail/index.ts';
import type { Codec } from '../bytes.ts';
import { transliterated } from './transliterate.ts';

/** Lines that have to be broken are broken for a screen. */
const column = 76;
const [LF, CR, SPACE] = [10, 13, 32];

/** Several codecs, one behind the other. */
export function chain(...codecs: readonly Codec[]): Codec {
  return {
    push: (bytes) => codecs.reduce((octets, codec) => (octets.length > 0 ? codec.push(octets) : octets), bytes),
    end() {
      const pieces: Buffer[] = [];
      for (const [n, codec] of codecs.entries())
        pieces.push(Buffer.from(codecs.slice(n + 1).reduce((octets, one) => one.push(octets), codec.end())));
      return Buffer.concat(pieces);
    },
  };
}

/** Line ends mended, NULs out, long lines broken; a line end at the end. */
export class LineMender implements Codec {
  readonly #ends = new LineEndNormalizer();
  /** Of the line that is not ended yet, and whether it is one that is broken. */
  #line: Buffer = Buffer.alloc(0);
  #broken = false;

  push(bytes: Uint8Array): Uint8Array {
    return this.#lines(this.#ends.push(bytes));
  }

  end(): Uint8Array {
    const rest = this.#lines(this.#ends.end());
    const last = this.#line.length > 0 || this.#broken ? Buffer.concat([this.#line, Buffer.from('\r\n')]) : this.#line;
    this.#line = Buffer.alloc(0);
    return Buffer.concat([rest, last]);
  }

  #lines(bytes: Uint8Array): Buffer {
    const all = Buffer.concat([this.#line, bytes.includes(0) ? bytes.filter((byte) => byte !== 0) : bytes]);
    const out: Uint8Array[] = [];
    let from = 0;
    for (;;) {
      const newline = all.indexOf(LF, from);
      const to = newline < 0 ? all.length : newline + 1;
      const ended = newline < 0 ? 0 : all[newline - 1] === CR ? 2 : 1;
      from = this.#break(all, from, to - ended, out);
      if (newline < 0) break;
      out.push(all.subarray(from, to));
      this.#broken = false;
      from = to;
    }
    // A view of what was read would not stay.
    this.#line = Buffer.from(all.subarray(from));
    return Buffer.concat(out);
  }

  /** Writes the beginning of a line that is too long; where the rest of it begins. */
  #break(all: Buffer, from: number, to: number, out: Uint8Array[]): number {
    let at = from;
    while (to - at > (this.#broken ? column : longestLine - 2)) {
      this.#broken = true;
      const blank = all.lastIndexOf(SPACE, at + column);
      let cut = blank > at ? blank : at + column;
      // Not within a character of UTF-8.
      if (blank <= at) for (let n = 0; n < 3 && ((all[cut] as number) & 0xc0) === 0x80; n++) cut--;
      out.push(all.subarray(at, cut), Buffer.from('\r\n'));
      at = blank > at ? cut + 1 : cut;
    }
    return at;
  }
}

/** Character sets in which ASCII octets are ASCII, or which are ASCII throughout: their octets can stand as they are. */
export const isPlainCharset = (charset: string): boolean =>
  !/^(?:utf-?(?:16|32|7)|ucs-|unicode-1-1|csunicode|iso-10646|ebcdic|cp0?37$)/i.test(charset);

/** Octets of a character set as UTF-8, or as ASCII. */
export class Recoder implements Codec {
  readonly #decoder: InstanceType<typeof TextDecoder>;
  readonly #ascii: boolean;
  /** There were characters for which ASCII has nothing. */
  lost = false;

  constructor(charset: string, ascii: boolean) {
    this.#decoder = decoderFor(charset);
    this.#ascii = ascii;
  }

  push(bytes: Uint8Array): Uint8Array {
    return this.#out(this.#decoder.decode(bytes, { stream: true }));
  }

  end(): Uint8Array {
    return this.#out(this.#decoder.decode());
  }

  #out(text: string): Uint8Array {
    if (!this.#ascii) return Buffer.from(text, 'utf8');
    const { ascii, lost } = transliterated(text);
    this.lost ||= lost;
    return Buffer.from(ascii, 'latin1');
  }
}

/** What this name means, or an octet a character of Western European text. */
export function decoderFor(charset: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(charset);
  } catch {
    return new TextDecoder('windows-1252');
  }
}
