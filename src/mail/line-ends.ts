/**
 * Line ends as a mail store and SMTP need them, and the question whether bytes need an 8-bit way.
 *
 * Promise: what comes out has CRLF line ends only: no bare CR, no bare LF, so that nobody behind us reads an end of data or a header
 * where we saw none; everything else, NUL included, is kept. Input that is right already is passed on without a copy.
 * Spec: RFC 5321 §2.3.8, §4.1.1.4; RFC 5322 §2.3; RFC 6152
 */

import { isAscii } from 'node:buffer';

const LF = 10;
const CR = 13;
const crlf = Buffer.from('\r\n');
const nothing = new Uint8Array(0);

export class LineEndNormalizer {
  #bareCr = 0;
  #bareLf = 0;
  /** A CR at the end of the last chunk whose LF may still come. */
  #held = false;
  #last = LF;

  /** Line ends that had to be mended so far. */
  get mended(): { readonly bareCr: number; readonly bareLf: number } {
    return { bareCr: this.#bareCr, bareLf: this.#bareLf };
  }

  /** Whether what came out so far ends with a line end (or is empty). */
  get complete(): boolean {
    return this.#last === LF && !this.#held;
  }

  /** The bytes to write for these: the chunk itself where nothing is to be done. */
  push(chunk: Uint8Array): Uint8Array {
    if (chunk.length === 0) return chunk;
    const out = !this.#held && clean(chunk) ? chunk : this.#mend(chunk);
    if (out.length > 0) this.#last = out[out.length - 1]!;
    return out;
  }

  /** What was held back. */
  end(): Uint8Array {
    if (!this.#held) return nothing;
    this.#held = false;
    this.#bareCr++;
    this.#last = LF;
    return crlf;
  }

  #mend(chunk: Uint8Array): Uint8Array {
    const out: Uint8Array[] = [];
    let from = 0;
    let at = 0;
    if (this.#held) {
      this.#held = false;
      out.push(crlf);
      if (chunk[0] === LF) at = from = 1;
      else this.#bareCr++;
    }
    let cr = chunk.indexOf(CR, at);
    let lf = chunk.indexOf(LF, at);
    while (cr >= 0 || lf >= 0) {
      if (cr >= 0 && lf === cr + 1) {
        at = lf + 1;
      } else if (cr >= 0 && (lf < 0 || cr < lf)) {
        out.push(chunk.subarray(from, cr));
        at = from = cr + 1;
        if (at === chunk.length) {
          this.#held = true;
          break;
        }
        out.push(crlf);
        this.#bareCr++;
      } else {
        out.push(chunk.subarray(from, lf), crlf);
        at = from = lf + 1;
        this.#bareLf++;
      }
      if (cr >= 0 && cr < at) cr = chunk.indexOf(CR, at);
      if (lf >= 0 && lf < at) lf = chunk.indexOf(LF, at);
    }
    out.push(chunk.subarray(from));
    return Buffer.concat(out);
  }
}

/** Every CR is followed by LF and every LF preceded by CR, within these bytes. */
function clean(chunk: Uint8Array): boolean {
  let at = 0;
  for (;;) {
    const lf = chunk.indexOf(LF, at);
    const cr = chunk.indexOf(CR, at);
    if (lf < 0) return cr < 0;
    if (cr < 0 || cr !== lf - 1) return false;
    at = lf + 1;
  }
}

/** A whole stream with CRLF line ends. */
export async function* normalizeLineEnds(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const normalizer = new LineEndNormalizer();
  for await (const chunk of source) {
    const out = normalizer.push(chunk);
    if (out.length > 0) yield out;
  }
  const rest = normalizer.end();
  if (rest.length > 0) yield rest;
}

/** Whether these bytes have octets above 127. */
export const needs8bit = (bytes: Uint8Array): boolean => !isAscii(bytes);
