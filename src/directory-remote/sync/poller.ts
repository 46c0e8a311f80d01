/**
 * Changes below one base where the server tells none by itself: looked for at intervals.
 *
 * Promise: what changed is found by its time of change, what is gone by comparing all UUIDs. Slower than a feed (a change counts after
 * the interval), never wrong: an entry that changed in the second in which it was looked at is told once more.
 * Spec: RFC 4512 §3.4 (modifyTimestamp), RFC 4530 (entryUUID)
 */

import type { Cancel } from '../../base/index.ts';
import { DirectoryFault, type Entry } from '../../directory/index.ts';
import { type Filter, parseFilter } from '../../ldap-wire/index.ts';
import { pagedSearch } from '../search.ts';
import { printOf } from './image.ts';
import { uuidOctets } from './messages.ts';
import { remove, type Source, type SourceParts, upsert } from './source.ts';

const anything = parseFilter('(objectClass=*)');
const stampNames = ['entryUUID', 'entryCSN', 'modifyTimestamp'];
/** Up to so many entries all are compared every time; above, every tenth time. */
const fewEntries = 5_000;
const compareEach = 10;

export class Poller implements Source {
  readonly #parts: SourceParts;
  readonly #stop = new AbortController();
  #cancel: Cancel = () => {};
  #turn = 0;
  #looking = false;
  #onceMore = false;
  /** The latest time of change seen, as the server writes it. */
  #latest = '';

  constructor(parts: SourceParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    await this.#compare();
    this.#parts.replica.filled = true;
    this.#next();
  }

  /** Something was written by ourselves: that counts at once. */
  kick(): void {
    this.#cancel();
    if (this.#looking) this.#onceMore = true;
    else this.#look();
  }

  stop(): void {
    this.#cancel();
    this.#stop.abort();
  }

  #next(): void {
    this.#looking = false;
    if (this.#onceMore) {
      this.#onceMore = false;
      this.#look();
    } else if (!this.#stop.signal.aborted) this.#cancel = this.#parts.clock.after(this.#parts.pollMs, () => this.#look());
  }

  #look(): void {
    this.#looking = true;
    const { replica, upstream } = this.#parts;
    const all = replica.image.size <= fewEntries || ++this.#turn % compareEach === 0;
    (all ? this.#compare() : this.#recent()).then(
      () => this.#next(),
      (thrown: unknown) => {
        if (!this.#stop.signal.aborted) upstream.feed.destroy(thrown);
      },
    );
  }

  /** All UUIDs and times of change: what is new or changed is read, what is gone is told. */
  async #compare(): Promise<void> {
    const { replica } = this.#parts;
    replica.image.beginMarking();
    const changed: Entry[] = [];
    for await (const entry of this.#search(anything, stampNames)) {
      const uuid = this.#uuidOf(entry);
      replica.image.mark(uuid);
      if (replica.filled && this.#same(uuid, entry)) continue;
      if (replica.filled) changed.push(entry);
      else this.#note(uuid, entry);
    }
    for (const uuid of replica.image.unmarked()) remove(this.#parts, uuid);
    for (const { dn } of changed) for await (const entry of this.#search(anything, ['*', '+'], dn)) this.#note(this.#uuidOf(entry), entry);
  }

  /** What has changed since the last look, by its time of change. */
  async #recent(): Promise<void> {
    const filter: Filter = { type: 'greaterOrEqual', attribute: 'modifyTimestamp', value: Buffer.from(this.#latest) };
    for await (const entry of this.#search(filter, ['*', '+'])) this.#note(this.#uuidOf(entry), entry);
  }

  async *#search(filter: Filter, attributes: readonly string[], only?: Entry['dn']): AsyncGenerator<Entry> {
    const { upstream, replica, timeoutMs } = this.#parts;
    const search = { base: only ?? replica.base, scope: only ? 'base' : 'sub', filter, attributes } as const;
    try {
      yield* pagedSearch(upstream, { ...search, signal: this.#stop.signal }, timeoutMs);
    } catch (thrown) {
      // Gone meanwhile, or not there yet.
      if (!(thrown instanceof DirectoryFault) || thrown.result !== 'noSuchObject') throw thrown;
    }
  }

  #uuidOf(entry: Entry): string {
    const uuid = uuidOctets(entry.text('entryUUID'));
    if (uuid === undefined)
      throw new DirectoryFault('constraintViolation', `${entry.dn.toString()} has no entryUUID (or we may not read it): it cannot be used`);
    return uuid;
  }

  #stamp(entry: Entry): number {
    return printOf(entry.dn, `${entry.text('entryCSN') ?? ''} ${entry.text('modifyTimestamp') ?? ''}`);
  }

  /** Whether the entry is as it was; without an entryCSN nobody knows of the second that was looked at last. */
  #same(uuid: string, entry: Entry): boolean {
    if (this.#parts.replica.stamps.get(uuid) !== this.#stamp(entry)) return false;
    return entry.has('entryCSN') || (entry.text('modifyTimestamp') ?? '') < this.#latest;
  }

  #note(uuid: string, entry: Entry): void {
    const { replica } = this.#parts;
    const time = entry.text('modifyTimestamp') ?? '';
    if (time > this.#latest) this.#latest = time;
    replica.stamps.set(uuid, this.#stamp(entry));
    upsert(this.#parts, uuid, entry);
  }
}
