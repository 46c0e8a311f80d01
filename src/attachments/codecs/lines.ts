/**
 * Octets cut into lines while they go by, for encodings that are made of lines.
 *
 * Promise: a line that is longer than any of them may be is handed over in its beginning alone, so memory does not grow.
 */

const LF = 10;
const CR = 13;
/** No line of an encoding is as long. */
const longest = 1_024;

/** `start` and `next`: where the line begins, and where the one behind it does. `text` is latin1, without the line end. */
export type OnLine = (text: string, start: number, next: number) => void;

export class Lines {
  readonly #on: OnLine;
  #head = '';
  #start = 0;
  #at = 0;

  constructor(on: OnLine) {
    this.#on = on;
  }

  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let from = 0;
    for (;;) {
      const newline = bytes.indexOf(LF, from);
      const to = newline < 0 ? bytes.length : newline;
      if (this.#head.length <= longest) this.#head += bytes.toString('latin1', from, Math.min(to, from + longest + 1 - this.#head.length));
      if (newline < 0) break;
      this.#line(this.#at + newline + 1);
      from = newline + 1;
    }
    this.#at += bytes.length;
  }

  /** The last line, where it has no end. */
  end(): void {
    if (this.#start < this.#at) this.#line(this.#at);
  }

  #line(next: number): void {
    const text = this.#head;
    const start = this.#start;
    this.#head = '';
    this.#start = next;
    this.#on(text.charCodeAt(text.length - 1) === CR ? text.slice(0, -1) : text, start, next);
  }
}
