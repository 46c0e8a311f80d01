/**
 * What a log says of connections that are turned away: a line when it begins, a line a minute while it goes on.
 *
 * Promise: ten thousand of them are a few lines; an administrator sees how many there were and where most came from. What is kept
 * is bounded.
 */

import type { Cancel, Clock } from './clock.ts';
import type { Log } from './log.ts';

const everyMs = 60_000;
/** Addresses that are counted apart. */
const mostAddresses = 1_000;

export class TurnedAway {
  readonly #name: string;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #addresses = new Map<string, number>();
  #count = 0;
  #cancel: Cancel | undefined;

  /** `name` begins the lines. */
  constructor(name: string, log: Log, clock: Clock) {
    this.#name = name;
    this.#log = log;
    this.#clock = clock;
  }

  /** One more. `open` are the connections there are; `ofAddress` says that only this address has too many. */
  note(address: string, open: number, ofAddress: boolean): void {
    if (!this.#cancel) {
      const why = ofAddress ? `${address} has as many connections as an address may` : `all ${open} connections are taken`;
      this.#log.warning(`${this.#name}: ${why}; more are turned away, which is told once a minute`);
      this.#arm();
      return;
    }
    this.#count += 1;
    const here = this.#addresses.get(address);
    if (here !== undefined || this.#addresses.size < mostAddresses) this.#addresses.set(address, (here ?? 0) + 1);
  }

  /** Says what was not said yet. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#say();
  }

  #arm(): void {
    this.#cancel = this.#clock.after(everyMs, () => {
      this.#cancel = undefined;
      if (this.#say()) this.#arm();
    });
  }

  #say(): boolean {
    if (this.#count === 0) return false;
    const [most] = [...this.#addresses].sort(([, a], [, b]) => b - a);
    const from = most && most[0] !== '' ? `, ${most[1]} of them from ${most[0]}` : '';
    this.#log.warning(`${this.#name}: ${this.#count} more connections were turned away${from}`);
    this.#count = 0;
    this.#addresses.clear();
    return true;
  }
}
