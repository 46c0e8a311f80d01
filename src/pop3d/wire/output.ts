/**
 * Replies to a socket: small ones gathered into one write, large ones no faster than the peer takes them.
 *
 * Promise: never more than one chunk and `gather` octets beyond the socket's own buffer; waiting ends when the connection does.
 */

import type { Socket } from 'node:net';
import type { Body } from '../session.ts';
import { DotStuffer } from './dot-stuffer.ts';

const gather = 16 * 1024;

/** The peer is gone. */
export class Gone extends Error {}

export class Output {
  #socket: Socket;
  readonly #onTaken: () => void;
  #waiting: Uint8Array[] = [];
  #size = 0;

  constructor(socket: Socket, onTaken: () => void) {
    this.#socket = socket;
    this.#onTaken = onTaken;
  }

  moveTo(socket: Socket): void {
    this.#socket = socket;
  }

  /** Kept until `flush` or until enough has come together. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#keep(bytes);
    if (this.#full) await this.flush();
  }

  #keep(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#size += bytes.length;
  }

  get #full(): boolean {
    return this.#size >= gather;
  }

  text(text: string): Promise<void> {
    return this.write(Buffer.from(text, 'utf8'));
  }

  async body(body: Body): Promise<void> {
    if ('lines' in body) {
      // No line of ours begins with a dot.
      for (const line of body.lines) {
        this.#keep(Buffer.from(`${line}\r\n`));
        if (this.#full) await this.flush();
      }
      await this.text('.\r\n');
      return;
    }
    const stuffer = new DotStuffer();
    for await (const chunk of body.octets) {
      for (const piece of stuffer.push(chunk)) this.#keep(piece);
      if (this.#full) await this.flush();
    }
    await this.write(stuffer.end());
  }

  /** Resolves when the socket takes more; throws Gone when it never will. */
  async flush(): Promise<void> {
    if (this.#size === 0) return;
    const bytes = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#size = 0;
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable) throw new Gone('connection closed');
    if (socket.write(bytes)) return;
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        socket.off('drain', done);
        socket.off('close', done);
        if (socket.destroyed) reject(new Gone('connection closed'));
        else resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
    });
    this.#onTaken();
  }
}
