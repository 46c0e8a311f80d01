/**
 * A database on trial: everything of another one as it was at one moment, and changes that stand beside it and can be thrown away.
 *
 * Promise: the other database is never written; the changes are on disk, not in memory, so there may be any number of them.
 * What is done with them in the end is the caller's business.
 */

import { Fault } from '../base/index.ts';
import type { LevelKeyValue } from './level-key-value.ts';
import { CheckFailed, type Key, type KeyRange, type KeyValue, type Part, type PartReader, type Snapshot } from './port.ts';

/** First octet of a stored value: something is there, or was removed. */
const here = 1;
const removed = Uint8Array.of(0);

function marked(value: Uint8Array): Uint8Array {
  const octets = new Uint8Array(value.length + 1);
  octets[0] = here;
  octets.set(value, 1);
  return octets;
}

const unmarked = (octets: Uint8Array): Uint8Array | undefined => (octets[0] === here ? octets.subarray(1) : undefined);

type Pair = [Key, Uint8Array];

/** Both in key order; what `top` says counts. */
async function* merged(top: AsyncIterable<Pair> | Iterable<Pair>, below: AsyncIterable<Pair>): AsyncGenerator<Pair> {
  const iterator = below[Symbol.asyncIterator]();
  try {
    let under = await iterator.next();
    const before = (a: Key, b: Key): boolean => Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
    for await (const [key, octets] of top) {
      while (!under.done && before(under.value[0], key)) {
        yield under.value;
        under = await iterator.next();
      }
      if (!under.done && under.value[0] === key) under = await iterator.next();
      const value = unmarked(octets);
      if (value) yield [key, value];
    }
    while (!under.done) {
      yield under.value;
      under = await iterator.next();
    }
  } finally {
    await iterator.return?.();
  }
}

export class ScratchKeyValue implements KeyValue {
  readonly #below: Snapshot;
  readonly #top: LevelKeyValue;

  /** `top` is an empty database for the changes. Closing this closes both. */
  constructor(below: Snapshot, top: LevelKeyValue) {
    this.#below = below;
    this.#top = top;
  }

  transact<T>(part: Part<T>): Promise<T> {
    return this.#top.transact(async (read) => {
      const reader = this.#reader(read);
      const { checks = [], puts = [], deletes = [], wake = [], result } = await part(reader);
      for (const check of checks) {
        const key = 'absent' in check ? check.absent : check.present;
        if (((await reader.get(key)) === undefined) !== 'absent' in check) throw new CheckFailed(key);
      }
      const changed = new Map<Key, Uint8Array>(deletes.map((key) => [key, removed]));
      for (const [key, value] of puts) changed.set(key, marked(value));
      return { puts: [...changed], wake, result };
    }, 'soon');
  }

  #reader(read: PartReader): PartReader {
    const getNow = (key: Key): Uint8Array | undefined => {
      const octets = read.getNow(key);
      return octets ? unmarked(octets) : this.#below.getNow(key);
    };
    return {
      get: async (key) => getNow(key),
      getNow,
      scan: async (range, limit = Number.POSITIVE_INFINITY) => {
        // Removed ones count among what is read but not among what is found: more are read until there are enough.
        for (let most = limit; ; most *= 2) {
          const top = await read.scan(range, most);
          const found: Pair[] = [];
          for await (const pair of merged(top, this.#below.scan(until(range, top, most)))) {
            if (found.length >= limit) break;
            found.push(pair);
          }
          if (found.length >= limit || top.length < most) return found;
        }
      },
    };
  }

  async get(key: Key): Promise<Uint8Array | undefined> {
    return this.getNow(key);
  }

  getNow(key: Key): Uint8Array | undefined {
    const octets = this.#top.getNow(key);
    return octets ? unmarked(octets) : this.#below.getNow(key);
  }

  async getMany(keys: readonly Key[]): Promise<(Uint8Array | undefined)[]> {
    return keys.map((key) => this.getNow(key));
  }

  async *scan(range: KeyRange, options: { reverse?: boolean; limit?: number; keysOnly?: boolean } = {}): AsyncGenerator<Pair> {
    if (options.reverse) throw new Fault('unsupported', 'a database on trial is read forwards only');
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    if (left <= 0) return;
    for await (const pair of merged(this.#top.scan(range), this.#below.scan(range))) {
      yield pair;
      if (--left <= 0) return;
    }
  }

  snapshot(): Snapshot {
    return { getNow: (key) => this.getNow(key), scan: (range, options) => this.scan(range, options), close: async () => {} };
  }

  /** Every change, in key order; undefined is a removal. */
  async *changes(): AsyncGenerator<[Key, Uint8Array | undefined]> {
    await this.#top.flush();
    for await (const [key, octets] of this.#top.scan({ from: '', to: '\u{10ffff}' })) yield [key, unmarked(octets)];
  }

  subscribe(topic: string, listener: () => void): () => void {
    return this.#top.subscribe(topic, listener);
  }

  get healthy(): boolean {
    return this.#top.healthy;
  }

  flush(): Promise<void> {
    return this.#top.flush();
  }

  async close(): Promise<void> {
    await this.#top.close();
    await this.#below.close();
  }
}

/** The part of the range about which `top` says everything. */
function until(range: KeyRange, top: readonly Pair[], most: number): KeyRange {
  const last = top.at(-1)?.[0];
  return top.length < most || last === undefined ? range : { from: range.from, to: `${last}\u0000` };
}
