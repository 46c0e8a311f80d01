/**
 * Command lines from a socket, one at a time.
 *
 * Promise: what is buffered has a bound; a line over the limit is read to its end and reported, never kept; nobody listens to the socket
 * while it is detached.
 * Spec: RFC 2449 §4 (255 octets a command; more is taken, for SASL responses: RFC 5034 §4)
 */

import type { Socket } from 'node:net';

export interface Line {
  /** UTF-8, without the line end. */
  readonly text: string;
  readonly overlong: boolean;
}

const enough = 64 * 1024;

export class LineInput {
  readonly #socket: Socket;
  readonly #longest: number;
  readonly #onData: () => void;
  #buffer: Buffer = Buffer.alloc(0);
  #overlong = false;
  #ended = false;
  #wake: (() => void) | undefined;
  readonly #take = (chunk: Buffer): void => {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    if (this.#buffer.length > enough) this.#socket.pause();
    this.#onData();
    this.#wake?.();
  };
  readonly #end = (): void => {
    this.#ended = true;
    this.#wake?.();
  };

  constructor(socket: Socket, longest: number, onData: () => void) {
    this.#socket = socket;
    this.#longest = longest;
    this.#onData = onData;
    socket.on('data', this.#take);
    socket.on('end', this.#end);
    socket.on('close', this.#end);
  }

  /** Whether a whole line is there already. */
  get ready(): boolean {
    return this.#buffer.includes(10);
  }

  /** Undefined when the peer has finished. A last line without its end is nothing: it may be half a command. */
  async line(): Promise<Line | undefined> {
    for (;;) {
      const newline = this.#buffer.indexOf(10);
      if (newline >= 0) return this.#cut(newline);
      if (this.#buffer.length > this.#longest) {
        this.#overlong = true;
        this.#buffer = Buffer.alloc(0);
      }
      if (this.#ended) return undefined;
      this.#socket.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  #cut(newline: number): Line {
    const end = newline > 0 && this.#buffer[newline - 1] === 13 ? newline - 1 : newline;
    const overlong = this.#overlong || end > this.#longest;
    const text = overlong ? '' : this.#buffer.toString('utf8', 0, end);
    this.#overlong = false;
    this.#buffer = this.#buffer.subarray(newline + 1);
    return { text, overlong };
  }

  /** Stops listening; what is buffered is forgotten. */
  detach(): void {
    this.#socket.pause();
    this.#socket.off('data', this.#take);
    this.#socket.off('end', this.#end);
    this.#socket.off('close', this.#end);
    this.#buffer = Buffer.alloc(0);
    this.#end();
  }
}
