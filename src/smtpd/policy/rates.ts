/**
 * How often a client did something within the current minute.
 *
 * Promise: memory is bounded; a client that is forgotten because too many others came begins anew. IPv6 clients count by /64 network.
 */

import { clientNetwork, Lru } from '../../base/index.ts';

export type RateKind = 'connections' | 'messages' | 'recipients' | 'etrn' | 'etrn-domain';

const windowMs = 60_000;
const mostClients = 50_000;

export class Rates {
  readonly #counts = new Lru<string, { since: number; count: number }>(mostClients);

  /** Counts one more; false, and nothing counted, where that would be more than `most` (0: no limit) within a minute. */
  take(kind: RateKind, address: string, most: number, now: number): boolean {
    if (most === 0) return true;
    const key = `${kind} ${clientNetwork(address)}`;
    const known = this.#counts.get(key);
    // A clock that was put back begins a new minute.
    const running = known && now >= known.since && now - known.since < windowMs ? known : { since: now, count: 0 };
    if (running.count >= most) return false;
    running.count += 1;
    this.#counts.set(key, running);
    return true;
  }
}
