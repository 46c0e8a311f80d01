/**
 * What comes after DATA: takes out the stuffed dots and finds the end.
 *
 * Promise: only CRLF "." CRLF ends the data, wherever the chunks are cut; a bare CR or LF around a dot never does, and a dot is
 * taken away only at the start of a line that CRLF began. Every other octet, NUL included, comes out as it went in.
 * Line ends are put right afterwards (docs/smtp-line-ends.md): here a bare CR or LF is content.
 * Spec: RFC 5321 §4.5.2, §2.3.8
 */

const lineDot = Buffer.from('\r\n.');
const lineEnd = Buffer.from('\r\n');
const nothing = Buffer.alloc(0);
const DOT = 0x2e;
const CR = 0x0d;
const LF = 0x0a;

export interface DataStep {
  /** Content, in order. Views into the chunk: to be used before the next one is fed. */
  readonly content: readonly Buffer[];
  /** Present once the data has ended: what the client sent behind it. */
  readonly rest?: Buffer;
}

export class DataReader {
  // The command line before the data ended in CRLF, so a dot at once is at the start of a line. Two octets stand in for it.
  #held: Buffer = lineEnd;
  #virtual = 2;

  feed(chunk: Buffer): DataStep {
    const content: Buffer[] = [];
    if (this.#lineBegins(chunk)) {
      if (this.#virtual < this.#held.length) content.push(this.#held.subarray(this.#virtual));
      this.#held = nothing;
      this.#virtual = 0;
    }
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    let from = this.#virtual;
    let at = 0;
    const emit = (to: number): void => {
      if (to > from) content.push(bytes.subarray(from, to));
    };
    for (;;) {
      const found = bytes.indexOf(lineDot, at);
      if (found < 0) {
        const keep =
          bytes[bytes.length - 1] === CR
            ? 1
            : bytes.length >= 2 && bytes[bytes.length - 1] === LF && bytes[bytes.length - 2] === CR
              ? 2
              : 0;
        emit(bytes.length - keep);
        this.#hold(bytes, bytes.length - keep, from);
        return { content };
      }
      const after = bytes[found + 3];
      if (after === undefined || (after === CR && found + 4 >= bytes.length)) {
        emit(found);
        this.#hold(bytes, found, from);
        return { content };
      }
      emit(found + 2);
      if (after === CR && bytes[found + 4] === LF) {
        this.#held = nothing;
        return { content, rest: bytes.subarray(found + 5) };
      }
      from = found + 3;
      at = found + 3;
    }
  }

  /** Whether what is held is a line end, and no dot comes: then it is content, and the chunk, large as it may be, need not be copied. */
  #lineBegins(chunk: Buffer): boolean {
    return this.#held.length === lineEnd.length && this.#held.equals(lineEnd) && chunk.length > 0 && chunk[0] !== DOT;
  }

  /** Keeps the octets from `start` for the next chunk; those that stand in for the command's CRLF are never content. */
  #hold(bytes: Buffer, start: number, from: number): void {
    this.#held = Buffer.from(bytes.subarray(start));
    this.#virtual = Math.max(0, from - start);
  }
}
