/**
 * The way out of a connection: answers collected and written together.
 *
 * Promise: what is ready in one turn of the event loop leaves in one write; a peer that does not read makes `full` true, and
 * whoever produces much waits for `drained`. After `close` nothing is kept and nobody waits.
 */

import type { Socket } from 'node:net';

/** Octets collected before they are written without waiting for the turn to end. */
const flushAt = 65_536;
/** Octets the peer has not taken yet, from which on nothing more is produced. */
const fullAt = 262_144;

export class Outbox {
  #socket: Socket;
  #parts: Buffer[] = [];
  #size = 0;
  #scheduled = false;
  #closed = false;
  #waiting: (() => void)[] = [];
  readonly #onDrain = (): void => this.#release();
  /** Called after the peer has taken what made the outbox full. */
  readonly #drainedAll: () => void;

  constructor(socket: Socket, drainedAll: () => void) {
    this.#socket = socket;
    this.#drainedAll = drainedAll;
    socket.on('drain', this.#onDrain);
  }

  /** Goes on over another socket (after StartTLS). */
  moveTo(socket: Socket): void {
    this.#socket.off('drain', this.#onDrain);
    this.#socket = socket;
    socket.on('drain', this.#onDrain);
  }

  get full(): boolean {
    return this.#size + this.#socket.writableLength > fullAt;
  }

  push(octets: Buffer): void {
    if (this.#closed) return;
    this.#parts.push(octets);
    this.#size += octets.length;
    if (this.#size >= flushAt) this.flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      // A tick runs when all that is ready now has been done, and before the loop waits again.
      process.nextTick(() => {
        this.#scheduled = false;
        this.flush();
      });
    }
  }

  flush(): void {
    if (this.#parts.length === 0 || this.#closed) return;
    const all = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.#size);
    this.#parts = [];
    this.#size = 0;
    if (this.#socket.writable) this.#socket.write(all);
  }

  /** Resolves when there is room again, or the connection is gone. */
  drained(): Promise<void> {
    this.flush();
    if (!this.full || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#closed = true;
    this.#parts = [];
    this.#size = 0;
    this.#socket.off('drain', this.#onDrain);
    this.#release();
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
    if (!this.#closed) this.#drainedAll();
  }
}
