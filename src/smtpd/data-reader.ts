/**
 * What comes after DATA: takes out the stuffed dots and finds the end.
 *
 * Promise: only CRLF "." CRLF ends the data, wherever the chunks are cut; a bare CR or LF around a dot never does, and a dot is
 * taken away only at the start of a line that CRLF began. Every other octet, NUL included, comes out as it went in.
 * Line ends are put right afterwards (docs/smtp-line-ends.md): here a bare CR or LF is content.
 * Spec: RFC 5321 §4.5.2, §2.3.8
 */

const lineDot = Buffer.from('\r\n.');
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
  #held: Buffer = Buffer.from('\r\n');
  #virtual = 2;

  feed(chunk: Buffer): DataStep {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    const content: Buffer[] = [];
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
        this.#held = Buffer.alloc(0);
        return { content, rest: bytes.subarray(found + 5) };
      }
      from = found + 3;
      at = found + 3;
    }
  }

  /** Keeps the octets from `start` for the next chunk; those that stand in for the command's CRLF are never content. */
  #hold(bytes: Buffer, start: number, from: number): void {
    this.#held = Buffer.from(bytes.subarray(start));
    this.#virtual = Math.max(0, from - start);
  }
}
