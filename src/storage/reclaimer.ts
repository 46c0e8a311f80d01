/**
 * Finds blobs that nobody needs and has them removed.
 *
 * A blob goes through these states, each written down before the next begins, so that a crash at any moment only delays:
 * orphan (lost a reference) → waiting since a time → marked (no reference can be added any more) → removed → forgotten.
 * Between waiting and marked lies the grace period: readers that began before the last reference went may finish, and who has
 * put a blob may commit its first reference. The mark stays for another grace period after removal, so that a reference that
 * comes very late is refused and not left dangling.
 * When it runs is its owner's business.
 */

import type { Clock, Log } from '../base/index.ts';
import type { BlobId, Blobs, Key, KeyRange, KeyValue, Part } from './port.ts';
import { blobOf, markKey, marks, orphanKey, orphans, referencesTo } from './references.ts';

export interface ReclaimerOptions {
  readonly keyValue: KeyValue;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds. Default one day. */
  readonly grace?: number;
  /** Blobs that are needed without a reference: those a retained manifest names. */
  readonly retained?: (blob: BlobId) => boolean | Promise<boolean>;
}

export interface ReclaimReport {
  readonly removed: number;
  /** Waiting for the end of their grace period. */
  readonly waiting: number;
}

/** Blobs looked at together. */
const batchSize = 64;
const sweepBatch = 1024;
const text = (value: Uint8Array): string => Buffer.from(value).toString('latin1');
/** A state and since when, in milliseconds since 1970: `w…` waiting, `m…` marked, `r…` removed. */
const stamp = (state: 'w' | 'm' | 'r', at: number): Uint8Array => Buffer.from(`${state}${at}`);
const timeOf = (value: Uint8Array): number => Number(text(value).slice(1));

export class Reclaimer {
  readonly #keyValue: KeyValue;
  readonly #blobs: Blobs;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #grace: number;
  readonly #retained: (blob: BlobId) => boolean | Promise<boolean>;
  #busy: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(options: ReclaimerOptions) {
    this.#keyValue = options.keyValue;
    this.#blobs = options.blobs;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#grace = options.grace ?? 24 * 3600 * 1000;
    this.#retained = options.retained ?? (() => false);
  }

  /** Takes every orphan a step further and removes what is due. Cheap when nothing lost a reference. */
  run(): Promise<ReclaimReport> {
    return this.#alone(async () => {
      const removedEarlier = await this.#finishMarks();
      const waiting = await this.#visitOrphans();
      const removed = removedEarlier + (await this.#finishMarks());
      if (removed > 0) this.#log.info(`reclaimed ${removed} messages' bytes`);
      return { removed, waiting };
    });
  }

  /** Looks through all blobs for ones that never had a reference, and notes them as orphans. Returns how many. Reads the whole store. */
  sweep(): Promise<number> {
    return this.#alone(async () => {
      let found = 0;
      let batch: BlobId[] = [];
      for await (const blob of this.#blobs.list({ writtenBefore: this.#clock.now() - this.#grace })) {
        if (this.#stopped) return found;
        if (batch.push(blob) < sweepBatch) continue;
        found += await this.#noteUnreferenced(batch);
        batch = [];
      }
      return found + (await this.#noteUnreferenced(batch));
    });
  }

  /** Ends a run or sweep under way at its next step and waits for that; later ones do nothing. For closing. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#busy;
  }

  /** One run at a time. */
  #alone<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#busy.then(run);
    this.#busy = result.catch(() => undefined);
    return result;
  }

  /** Those among the blobs that have a reference: one walk over the range they lie in. */
  async #referenced(blobs: readonly BlobId[]): Promise<Set<BlobId>> {
    const sorted = [...blobs].sort();
    const [first, last] = [sorted[0], sorted.at(-1)];
    const found = new Set<BlobId>();
    if (first === undefined || last === undefined) return found;
    const range: KeyRange = { from: referencesTo(first).from, to: referencesTo(last).to };
    for await (const [key] of this.#keyValue.scan(range, { keysOnly: true })) found.add(blobOf(key));
    return found;
  }

  async #noteUnreferenced(blobs: readonly BlobId[]): Promise<number> {
    const referenced = await this.#referenced(blobs);
    const lonely = blobs.filter((blob) => !referenced.has(blob));
    const known = await this.#keyValue.getMany(lonely.flatMap((blob) => [orphanKey(blob), markKey(blob)]));
    const fresh = lonely.filter((_, n) => !known[2 * n] && !known[2 * n + 1]);
    const puts = fresh.map((blob): [Key, Uint8Array] => [orphanKey(blob), new Uint8Array(0)]);
    if (puts.length > 0) await this.#keyValue.transact(async () => ({ puts, result: undefined }), 'durable');
    return fresh.length;
  }

  /** Returns how many are left to wait. */
  async #visitOrphans(): Promise<number> {
    let waiting = 0;
    for await (const batch of batches(this.#keyValue.scan(orphans))) {
      if (this.#stopped) break;
      const referenced = await this.#referenced(batch.map(([key]) => blobOf(key)));
      const steps = batch.map(async ([key, value]) => {
        const blob = blobOf(key);
        if (await this.#retained(blob)) return 1;
        if (referenced.has(blob)) return await this.#notOrphan(blob, value);
        if (value.length === 0) return await this.#wait(blob);
        if (this.#clock.now() - timeOf(value) < this.#grace) return 1;
        return await this.#mark(blob, value);
      });
      for (const left of await Promise.all(steps)) waiting += left;
    }
    return waiting;
  }

  /** Forgets an orphan that is needed, unless it lost another reference meanwhile. */
  #notOrphan(blob: BlobId, seen: Uint8Array): Promise<number> {
    const part: Part<number> = async (read) => {
      const now = await read.get(orphanKey(blob));
      const needed = (await read.scan(referencesTo(blob), 1)).length > 0;
      return needed && now && text(now) === text(seen) ? { deletes: [orphanKey(blob)], result: 0 } : { result: 1 };
    };
    return this.#keyValue.transact(part, 'soon');
  }

  async #wait(blob: BlobId): Promise<number> {
    const since = stamp('w', this.#clock.now());
    await this.#keyValue.transact(
      async (read) => ({ puts: (await read.get(orphanKey(blob)))?.length === 0 ? [[orphanKey(blob), since]] : [], result: undefined }),
      'soon',
    );
    return 1;
  }

  /** From here on no reference can be added. Only if nothing has happened to the blob since it was looked at. */
  #mark(blob: BlobId, seen: Uint8Array): Promise<number> {
    const at = stamp('m', this.#clock.now());
    return this.#keyValue.transact<number>(async (read) => {
      const now = await read.get(orphanKey(blob));
      const needed = (await read.scan(referencesTo(blob), 1)).length > 0;
      if (needed || !now || text(now) !== text(seen)) return { result: 1 };
      return { deletes: [orphanKey(blob)], puts: [[markKey(blob), at]], result: 0 };
    }, 'durable');
  }

  /** Removes what is marked; forgets marks whose time is over. Returns how many were removed. */
  async #finishMarks(): Promise<number> {
    let removed = 0;
    for await (const batch of batches(this.#keyValue.scan(marks))) {
      if (this.#stopped) break;
      const doomed = batch.filter(([, value]) => text(value).startsWith('m')).map(([key]) => blobOf(key));
      const over = batch.filter(([, value]) => text(value).startsWith('r') && this.#clock.now() - timeOf(value) >= this.#grace);
      if (doomed.length > 0) await this.#blobs.remove(doomed);
      const at = stamp('r', this.#clock.now());
      const puts = doomed.map((blob): [Key, Uint8Array] => [markKey(blob), at]);
      const deletes = over.map(([key]) => key);
      if (puts.length + deletes.length > 0) await this.#keyValue.transact(async () => ({ puts, deletes, result: undefined }), 'soon');
      removed += doomed.length;
    }
    return removed;
  }
}

async function* batches<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    if (batch.push(item) < batchSize) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
