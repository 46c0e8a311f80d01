/**
 * Slowing down who guesses passwords: per account and address, and per address over all accounts.
 *
 * An IPv6 client is its /64 network, for it has all the addresses in it.
 *
 * Promise: memory has a bound; a stranger elsewhere cannot lock anybody out, for no account is slowed as such. Whether the
 * account exists makes no difference.
 */

import { type Clock, clientNetwork } from '../../base/index.ts';

interface Count {
  failures: number;
  /** Until when further attempts wait (milliseconds since 1970). */
  until: number;
  last: number;
}

const free = 5;
const freePerAddress = 50;
const longest = 60;
const forgetAfter = 15 * 60_000;
const most = 20_000;

export class Failures {
  readonly #clock: Clock;
  readonly #delay: () => number;
  readonly #counts = new Map<string, Count>();

  /** `delay` gives the first delay in seconds; 0 is none at all. */
  constructor(clock: Clock, delay: () => number) {
    this.#clock = clock;
    this.#delay = delay;
  }

  /** Milliseconds to wait before another attempt is looked at; 0 for none. */
  wait(account: string, address: string | undefined): number {
    if (this.#delay() === 0) return 0;
    const now = this.#clock.now();
    const pair = this.#counts.get(pairKey(account, address))?.until ?? 0;
    const whole = address === undefined ? 0 : (this.#counts.get(clientNetwork(address))?.until ?? 0);
    return Math.max(0, pair - now, whole - now);
  }

  /** Whether the account has failed from there and was not let in since. */
  pending(account: string, address: string | undefined): boolean {
    const known = this.#counts.get(pairKey(account, address));
    return known !== undefined && this.#clock.now() - known.last < forgetAfter;
  }

  failed(account: string, address: string | undefined): void {
    this.#count(pairKey(account, address), free);
    if (address !== undefined) this.#count(clientNetwork(address), freePerAddress);
  }

  succeeded(account: string, address: string | undefined): void {
    this.#counts.delete(pairKey(account, address));
  }

  /** Nobody waits for this account any more, from wherever; what an address did to others stays counted. */
  forget(account: string): void {
    for (const key of this.#counts.keys()) if (key.endsWith(`\n${account}`)) this.#counts.delete(key);
  }

  #count(key: string, allowed: number): void {
    const now = this.#clock.now();
    const known = this.#counts.get(key);
    const failures = known && now - known.last < forgetAfter ? known.failures + 1 : 1;
    this.#counts.delete(key);
    const over = failures - allowed;
    const first = this.#delay();
    const seconds = over < 0 ? 0 : Math.min(first * 2 ** Math.min(over, 20), Math.max(longest, first));
    this.#counts.set(key, { failures, until: now + seconds * 1000, last: now });
    if (this.#counts.size > most) {
      for (const oldest of this.#counts.keys()) {
        this.#counts.delete(oldest);
        break;
      }
    }
  }
}

const pairKey = (account: string, address: string | undefined): string => `${clientNetwork(address ?? '')}\n${account}`;
