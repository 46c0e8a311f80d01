/**
 * Counting failures of an account from wherever they come, for those who want accounts locked. Off by default: whoever knows an address
 * can lock its owner out.
 *
 * Promise: memory has a bound; nothing is written until an account is to be locked. Whether the account exists makes no difference here.
 */

import type { Clock } from '../../base/index.ts';

interface Count {
  readonly failures: number;
  readonly last: number;
}

const forgetAfter = 15 * 60_000;
const most = 20_000;

export class Lockout {
  readonly #clock: Clock;
  readonly #allowed: () => number;
  readonly #counts = new Map<string, Count>();

  /** `allowed` failures lock; 0 never. */
  constructor(clock: Clock, allowed: () => number) {
    this.#clock = clock;
    this.#allowed = allowed;
  }

  /** Counts a failure; true when it is the one that locks. */
  failed(account: string): boolean {
    const allowed = this.#allowed();
    if (allowed === 0) return false;
    const now = this.#clock.now();
    const known = this.#counts.get(account);
    const failures = known && now - known.last < forgetAfter ? known.failures + 1 : 1;
    this.#counts.delete(account);
    this.#counts.set(account, { failures, last: now });
    if (this.#counts.size > most) {
      for (const oldest of this.#counts.keys()) {
        this.#counts.delete(oldest);
        break;
      }
    }
    return failures === allowed;
  }

  /** Whether the count has been reached: the account is as good as locked, be it written down already or not. */
  isLocked(account: string): boolean {
    const allowed = this.#allowed();
    const known = this.#counts.get(account);
    return allowed > 0 && known !== undefined && known.failures >= allowed && this.#clock.now() - known.last < forgetAfter;
  }

  /** The count begins anew: after a success, and when the lock stands in the entry. */
  forget(account: string): void {
    this.#counts.delete(account);
  }
}
