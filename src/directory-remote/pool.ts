/**
 * Connections to one server: shared ones, over which many short operations go at once, and leased ones, which one user has alone.
 *
 * Promise: never more than `most` of a kind; a lost one is forgotten and made again when it is needed; a leased one that nobody needs
 * for a while is given back. Waiting for a lease has a bound.
 */

import { type Cancel, type Clock, Fault } from '../base/index.ts';
import type { LdapConnection } from './connection.ts';

type Open = () => Promise<LdapConnection>;

/** With more under way on each connection another one is opened. */
const busyFrom = 8;
const mostWaiting = 2_000;
const idleMs = 60_000;

export class Shared {
  readonly #open: Open;
  readonly #most: number;
  readonly #connections = new Set<LdapConnection>();
  #opening: Promise<LdapConnection> | undefined;
  #closed = false;

  constructor(open: Open, most: number) {
    this.#open = open;
    this.#most = most;
  }

  /** The one with the least to do. */
  async get(): Promise<LdapConnection> {
    let best: LdapConnection | undefined;
    for (const each of this.#connections) if (!best || each.outstanding < best.outstanding) best = each;
    if (!best) return this.#another();
    // Whoever finds all of them busy does not wait for the new one.
    if (best.outstanding >= busyFrom && this.#connections.size < this.#most && !this.#opening) this.#another().catch(() => {});
    return best;
  }

  /** For what may be asked twice: a connection that the server closed while nobody used it is no answer. */
  async run<T>(work: (connection: LdapConnection) => Promise<T>): Promise<T> {
    const connection = await this.get();
    try {
      return await work(connection);
    } catch (thrown) {
      if (this.#closed || connection.lost === undefined || thrown !== connection.lost) throw thrown;
      return work(await this.get());
    }
  }

  #another(): Promise<LdapConnection> {
    this.#opening ??= this.#open()
      .then((connection) => {
        if (this.#closed) connection.close();
        this.#connections.add(connection);
        connection.onLost(() => this.#connections.delete(connection));
        return connection;
      })
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  close(): void {
    this.#closed = true;
    for (const connection of [...this.#connections]) leave(connection);
  }
}

export class Leases {
  readonly #open: Open;
  readonly #most: number;
  readonly #clock: Clock;
  readonly #idle: { readonly connection: LdapConnection; readonly forget: Cancel }[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #leased = new Set<LdapConnection>();
  #count = 0;
  #closed = false;

  constructor(open: Open, { most, clock }: { readonly most: number; readonly clock: Clock }) {
    this.#open = open;
    this.#most = most;
    this.#clock = clock;
  }

  /** A connection of one's own until it is given back with `release`. */
  async lease(): Promise<LdapConnection> {
    while (this.#count >= this.#most && !this.#closed) {
      if (this.#waiting.length >= mostWaiting) throw new Fault('busy', 'too many operations wait for the directory');
      await new Promise<void>((go) => this.#waiting.push(go));
    }
    this.#count++;
    try {
      for (let kept = this.#idle.pop(); kept; kept = this.#idle.pop()) {
        kept.forget();
        if (kept.connection.lost) continue;
        this.#leased.add(kept.connection);
        return kept.connection;
      }
      const connection = await this.#open();
      if (this.#closed) connection.close();
      this.#leased.add(connection);
      return connection;
    } catch (thrown) {
      this.#free();
      throw thrown;
    }
  }

  release(connection: LdapConnection): void {
    this.#leased.delete(connection);
    if (!connection.lost) {
      if (this.#closed || connection.outstanding > 0) connection.close();
      else this.#keep(connection);
    }
    this.#free();
  }

  #keep(connection: LdapConnection): void {
    const forget = this.#clock.after(idleMs, () => {
      const at = this.#idle.findIndex((kept) => kept.connection === connection);
      if (at >= 0) this.#idle.splice(at, 1);
      connection.close();
    });
    this.#idle.push({ connection, forget });
  }

  #free(): void {
    this.#count--;
    this.#waiting.shift()?.();
  }

  close(): void {
    this.#closed = true;
    for (const { connection, forget } of this.#idle.splice(0)) {
      forget();
      connection.close();
    }
    for (const connection of [...this.#leased]) leave(connection);
    for (const go of this.#waiting.splice(0)) go();
  }
}

/** What is under way fails: nobody may wait for an answer that cannot come. */
export function leave(connection: LdapConnection): void {
  if (connection.outstanding > 0) connection.destroy(new Error('the server was left'));
  else connection.close();
}
