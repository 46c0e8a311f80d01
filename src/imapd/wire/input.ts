/**
 * The octets of a connection as lines and counted runs, for one reader at a time.
 *
 * Promise: never holds more than a few chunks beyond what is being read: the socket is paused while nobody reads on. A line over
 * its limit is skipped, not kept. Nothing here knows IMAP except that lines end in CRLF (a lone LF is taken too).
 */

import type { Readable } from 'node:stream';

/** `overlong`: the line had more than the allowed octets; `text` is its beginning, `tail` its last few octets. */
export interface Line {
  readonly text: string;
  readonly overlong: boolean;
  readonly tail: string;
}

export interface InputHooks {
  /** Something arrived: the peer is alive. */
  onData(): void;
  /** A read has to wait: time to send what was kept back. */
  onWait(): void;
}

const highWater = 64 * 1024;
const lineFeed = 10;
/** An endless line is skipped this far; then the connection is of no use. */
const skipMost = 1024 * 1024;

/** Long enough for the announcement of a literal. */
const tailLength = 40;

/** The peer is gone, or does not behave as a peer that could be answered. */
export class Disconnected extends Error {
  constructor(why: string, options?: { cause: unknown }) {
    super(why, options);
    this.name = 'Disconnected';
  }
}

export class Input {
  readonly #source: Readable;
  readonly #hooks: InputHooks;
  #chunks: Buffer[] = [];
  #size = 0;
  /** Chunks before this one hold no line feed. */
  #scanned = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  readonly #data = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size >= highWater) this.#source.pause();
    this.#hooks.onData();
    this.#wake?.();
  };
  readonly #end = (): void => {
    this.#ended = true;
    this.#wake?.();
  };

  constructor(source: Readable, hooks: InputHooks) {
    this.#source = source;
    this.#hooks = hooks;
    source.on('data', this.#data);
    for (const event of ['end', 'close', 'error']) source.on(event, this.#end);
  }

  /** Stops reading and forgets what is buffered. The source may be read by somebody else afterwards. */
  detach(): void {
    this.#source.off('data', this.#data);
    for (const event of ['end', 'close', 'error']) this.#source.off(event, this.#end);
    this.#source.pause();
    this.#chunks = [];
    this.#size = 0;
    this.#end();
  }

  /** The next line without its end, one character an octet; undefined when the peer has finished. Throws Disconnected for an endless line. */
  async line(most: number): Promise<Line | undefined> {
    let skipped = 0;
    let head: string | undefined;
    let tail = '';
    for (;;) {
      const length = this.#lineLength();
      if (length > 0) {
        const whole = this.#take(length);
        const end = whole.length > 1 && whole[whole.length - 2] === 13 ? whole.length - 2 : whole.length - 1;
        const last = tail + whole.toString('latin1', Math.max(0, end - tailLength), end);
        if (head !== undefined) return { text: head, overlong: true, tail: last.slice(-tailLength) };
        return { text: whole.toString('latin1', 0, Math.min(end, most)), overlong: end > most, tail: last };
      }
      if (this.#size > most + 1) {
        skipped += this.#size;
        const dropped = this.#take(this.#size);
        tail = (tail + dropped.toString('latin1', Math.max(0, dropped.length - tailLength))).slice(-tailLength);
        head ??= dropped.toString('latin1', 0, Math.min(most, 256));
        if (skipped > skipMost) throw new Disconnected('endless line');
      }
      if (!(await this.#more())) return undefined;
    }
  }

  /** A read is waiting for the peer. */
  get waiting(): boolean {
    return this.#wake !== undefined;
  }

  /** Between one and `most` octets; undefined when the peer has finished. */
  async some(most: number): Promise<Buffer | undefined> {
    while (this.#size === 0) if (!(await this.#more())) return undefined;
    const first = this.#chunks[0]!;
    return this.#take(Math.min(first.length, most));
  }

  /** Waits for data; false at the end. */
  #more(): Promise<boolean> {
    if (this.#ended) return Promise.resolve(false);
    const before = this.#size;
    this.#hooks.onWait();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve(this.#size > before);
      };
      this.#source.resume();
    });
  }

  /** Octets up to and including the first line feed, 0 where there is none yet. */
  #lineLength(): number {
    let before = 0;
    for (let n = 0; n < this.#chunks.length; n++) {
      const chunk = this.#chunks[n]!;
      if (n >= this.#scanned) {
        const at = chunk.indexOf(lineFeed);
        if (at >= 0) return before + at + 1;
        this.#scanned = n + 1;
      }
      before += chunk.length;
    }
    return 0;
  }

  #take(length: number): Buffer {
    this.#size -= length;
    this.#scanned = 0;
    const first = this.#chunks[0];
    if (first && first.length > length) {
      this.#chunks[0] = first.subarray(length);
      return first.subarray(0, length);
    }
    const parts: Buffer[] = [];
    let left = length;
    let used = 0;
    while (left > 0) {
      const chunk = this.#chunks[used]!;
      if (chunk.length > left) {
        parts.push(chunk.subarray(0, left));
        this.#chunks[used] = chunk.subarray(left);
        break;
      }
      parts.push(chunk);
      left -= chunk.length;
      used++;
    }
    this.#chunks.splice(0, used);
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
  }
}
