/**
 * What goes to the peer: text and octets in order, few writes, with back-pressure.
 *
 * Promise: text is collected and written in pieces of some 16 KiB or at `flush`; `room` waits while the peer does not read, so
 * memory does not grow with the answer. After the peer has gone, `room` throws Disconnected and everything else does nothing.
 */

import type { Socket } from 'node:net';
import { Disconnected } from './input.ts';

const pieceSize = 16 * 1024;

export class Output {
  #socket: Socket;
  readonly #onProgress: () => void;
  #text = '';
  #closed = false;
  #onClose: (() => void)[] = [];
  readonly #gone = (): void => {
    this.#closed = true;
    for (const run of this.#onClose.splice(0)) run();
  };

  /** `onProgress` is called when the peer has read on after a wait. */
  constructor(socket: Socket, onProgress: () => void) {
    this.#socket = socket;
    this.#onProgress = onProgress;
    socket.once('close', this.#gone);
  }

  /** Goes on with the encrypted form of the connection. */
  switchTo(socket: Socket): void {
    this.#socket.off('close', this.#gone);
    this.#socket = socket;
    socket.once('close', this.#gone);
  }

  get closed(): boolean {
    return this.#closed || this.#socket.destroyed;
  }

  /** The peer does not take what is waiting for it. */
  get blocked(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Text, sent as UTF-8. */
  text(text: string): void {
    this.#text += text;
    if (this.#text.length >= pieceSize) this.flush();
  }

  octets(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.closed) return;
    this.#socket.cork();
    this.flush();
    this.#socket.write(bytes);
    this.#socket.uncork();
  }

  flush(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    if (!this.closed && this.#socket.writable) this.#socket.write(text);
  }

  /** Resolves when more may be written. */
  async room(): Promise<void> {
    if (!this.closed && !this.#socket.writableNeedDrain) return;
    if (!this.closed) await this.#drained();
    if (this.closed) throw new Disconnected('connection closed');
  }

  #drained(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off('drain', done);
        this.#onClose = this.#onClose.filter((run) => run !== done);
        this.#onProgress();
        resolve();
      };
      socket.on('drain', done);
      this.#onClose.push(done);
    });
  }
}
