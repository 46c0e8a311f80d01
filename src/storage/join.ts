/**
 * Several parts as one: all of them happen or none.
 *
 * Each sees what the ones before it change. This is how a delivery and the completion of its queue entry become one commit.
 */

import { scanThrough } from './overlay.ts';
import { type Changes, type Check, CheckFailed, type Key, type Part, type PartReader } from './port.ts';

type Results<P extends readonly Part<unknown>[]> = { -readonly [I in keyof P]: P[I] extends Part<infer T> ? T : never };

/** What the parts so far want, and a reader that shows the state with it. */
class Joined {
  readonly changes = new Map<Key, Uint8Array | null>();
  readonly checks: Check[] = [];
  readonly topics = new Set<string>();
  readonly reader: PartReader;

  constructor(below: PartReader) {
    this.reader = {
      get: (key) => {
        const value = this.changes.get(key);
        return value === undefined ? below.get(key) : Promise.resolve(value ?? undefined);
      },
      getNow: (key) => {
        const value = this.changes.get(key);
        return value === undefined ? below.getNow(key) : (value ?? undefined);
      },
      scan: (range, limit = Number.POSITIVE_INFINITY) =>
        scanThrough([this.changes], range, limit, (within, most) => below.scan(within, Number.isFinite(most) ? most : undefined)),
    };
  }

  add(changes: Changes<unknown>): void {
    for (const check of changes.checks ?? []) this.#check(check);
    for (const key of changes.deletes ?? []) this.changes.set(key, null);
    for (const [key, value] of changes.puts ?? []) this.changes.set(key, value);
    for (const topic of changes.wake ?? []) this.topics.add(topic);
  }

  /** A key an earlier part has changed is judged here; the others at commit. */
  #check(check: Check): void {
    const absent = 'absent' in check;
    const key = absent ? check.absent : check.present;
    const changed = this.changes.get(key);
    if (changed === undefined) this.checks.push(check);
    else if ((changed === null) !== absent) throw new CheckFailed(key);
  }
}

/** One part that runs the given ones in order; its result is theirs. A check of any that does not hold refuses them all. */
export function join<const P extends readonly Part<unknown>[]>(...parts: P): Part<Results<P>> {
  return async (read) => {
    const joined = new Joined(read);
    const results: unknown[] = [];
    for (const part of parts) {
      const changes = await part(joined.reader);
      joined.add(changes);
      results.push(changes.result);
    }
    const puts: [Key, Uint8Array][] = [];
    const deletes: Key[] = [];
    for (const [key, value] of joined.changes) {
      if (value === null) deletes.push(key);
      else puts.push([key, value]);
    }
    return { checks: joined.checks, puts, deletes, wake: [...joined.topics], result: results as Results<P> };
  };
}
