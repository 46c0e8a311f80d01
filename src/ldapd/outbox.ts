/**
 * The way out of a connection: answers collected and written together.
 *
 * Promise: what is ready in one turn of the event loop leaves in one write; a peer that does not read makes `full` true, and
 * whoever produces much waits for `drained`. After `close` nothing is kept and nobody waits.
 */

import type { Socket } from 'node:net';

/** Octets collected before they are written without waiting for the turn to end. */
const flushAt = 65_536;
/** Octets the peer has not taken yet, from which on nothing more is produced: so many where few connections are that far, then fewer. */
const fullAt = { most: 262_144, least: 32_768 } as const;
/** What all that are full may hold together; with very many it is somewhat more. */
const mostUnsent = 33_554_432;

/** How much each connection may hold back, by how many are full. */
export class Unsent {
  #full = 0;

  /** Octets one connection may hold. */
  get share(): number {
    return Math.max(fullAt.least, Math.min(fullAt.most, mostUnsent / (this.#full + 1)));
  }

  count(more: 1 | -1): void {
    this.#full += more;
  }
}

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

  readonly #unsent: Unsent;
  #counted = false;

  constructor(socket: Socket, unsent: Unsent, drainedAll: () => void) {
    this.#socket = socket;
    this.#unsent = unsent;
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
    const held = this.#size + this.#socket.writableLength;
    return held > fullAt.least && held > this.#unsent.share;
  }

  /** The same, and counted among those of all connections from now until it is asked again. */
  stalled(): boolean {
    const full = !this.#closed && this.full;
    if (full !== this.#counted) this.#unsent.count(full ? 1 : -1);
    this.#counted = full;
    return full;
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
    this.stalled();
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
