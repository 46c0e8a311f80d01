/**
 * What a log says of log-ins that failed: the first few of an address each with its own line, then how many more there were, once a minute.
 *
 * Promise: every address that fails is seen at the default level; a guesser fills no log, however many addresses he has. A name is
 * shown as it was given, cut; no password ever comes here. What is kept is bounded.
 */

import type { Cancel, Clock } from './clock.ts';
import type { Log } from './log.ts';

export interface FailedLogin {
  /** Name as the client gave it. */
  readonly name: string;
  readonly door: string;
  /** Empty or left out: a Unix socket. */
  readonly address?: string | undefined;
  /** What was wrong, for the log alone: whoever tried must not hear it. */
  readonly why?: string | undefined;
}

const everyMs = 60_000;
/** Lines of one address a minute. */
const mostOfAddress = 5;
/** Lines of all addresses a minute. */
const mostLines = 100;
/** Addresses that are counted apart. */
const mostAddresses = 1_000;
const longestName = 200;

export class FailedLogins {
  readonly #log: Log;
  readonly #clock: Clock;
  /** Lines written, and failures that were not, of each address. */
  readonly #addresses = new Map<string, { told: number; more: number }>();
  #lines = 0;
  /** Failures of addresses beyond those counted apart. */
  #others = 0;
  #cancel: Cancel | undefined;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** One more. `putOff`: not even looked at, for the account or the address has to wait. */
  note({ name, door, address, why }: FailedLogin, putOff = false): void {
    const from = address ? `[${address}]` : 'this host';
    this.#cancel ??= this.#clock.after(everyMs, () => this.#minute());
    if (!this.#addresses.has(from) && this.#addresses.size < mostAddresses) this.#addresses.set(from, { told: 0, more: 0 });
    const count = this.#addresses.get(from);
    if (count && count.told < mostOfAddress && this.#lines < mostLines) {
      count.told += 1;
      this.#lines += 1;
      const what = putOff ? 'put off after too many failures' : `refused${why === undefined ? '' : `: ${why}`}`;
      this.#log.warning(`log-in as "${name.slice(0, longestName)}" from ${from} by ${door} ${what}`);
    } else if (count) count.more += 1;
    else this.#others += 1;
  }

  /** Says what was not said yet. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#say();
    this.#addresses.clear();
  }

  #minute(): void {
    this.#cancel = undefined;
    // Who goes on is known already: the count alone is told, until a minute is quiet.
    const going = this.#say();
    for (const [from, { more }] of this.#addresses) {
      if (more === 0) this.#addresses.delete(from);
      else this.#addresses.set(from, { told: mostOfAddress, more: 0 });
    }
    this.#lines = 0;
    if (going || this.#addresses.size > 0) this.#cancel = this.#clock.after(everyMs, () => this.#minute());
  }

  /** One line for each address, of the busiest; one for all the others. */
  #say(): boolean {
    const sorted = [...this.#addresses].filter(([, { more }]) => more > 0).sort(([, a], [, b]) => b.more - a.more);
    const told = sorted.slice(0, mostLines / 10);
    for (const [from, { more }] of told) this.#log.warning(`${more} more log-ins from ${from} failed`);
    const rest = sorted.slice(told.length).reduce((sum, [, { more }]) => sum + more, this.#others);
    if (rest > 0) this.#log.warning(`${rest} more log-ins from other addresses failed`);
    this.#others = 0;
    return told.length > 0 || rest > 0;
  }
}
