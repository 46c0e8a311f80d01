/**
 * The merger: brings the long lists of the index up to date, many entries at a time.
 *
 * Promise: only the merger writes lists, one merge after the other. A merge is one transaction: the lists and the notes it worked off.
 * An entry that was written again meanwhile keeps its note, with what the lists hold of it now. Readers ask the notes first and the lists
 * afterwards, so an entry is in one of them at any time.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Cancel, Clock, Log } from '../../base/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import { type Indexes, sameValues, without } from './indexes.ts';
import { idText, keys } from './keys.ts';
import { decodePending, encodePending, type PendingEntry } from './pending.ts';
import { decodeHead, editList, type Head } from './postings.ts';

/** Notes from which on a merge begins at once, and how many it takes; more at a time cost less each. */
const begin = 2048;
const many = 2048;
/** Writers wait while there are more notes than this. */
const behind = 8192;
/** The last few notes are merged after a moment of quiet, in milliseconds. */
const quiet = 2000;
/** Entries, and lists, worked off in one turn of the loop. */
const perTurn = 64;

interface Edit {
  readonly add: number[];
  readonly remove: number[];
}

export class Merger {
  readonly #keyValue: KeyValue;
  readonly #indexes: Indexes;
  readonly #clock: Clock;
  readonly #log: Log;
  #running: Promise<void> | undefined;
  #timer: Cancel | undefined;
  #closed = false;

  constructor(parts: { readonly keyValue: KeyValue; readonly indexes: Indexes; readonly clock: Clock; readonly log: Log }) {
    this.#keyValue = parts.keyValue;
    this.#indexes = parts.indexes;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  /** These were committed. Resolves at once unless the merger is far behind. */
  async noted(entries: ReadonlyMap<number, PendingEntry>): Promise<void> {
    const { pending } = this.#indexes;
    pending.note(entries);
    if (this.#closed) return;
    if (pending.size >= begin) this.#start();
    else this.#soon();
    if (pending.size >= behind) await this.#running;
  }

  #soon(): void {
    this.#timer ??= this.#clock.after(quiet, () => {
      this.#timer = undefined;
      this.#start();
    });
  }

  #start(): void {
    this.#running ??= this.#run()
      .catch((thrown: unknown) => {
        if (!this.#closed)
          this.#log.error('the lists of the index could not be brought up to date; searches still find everything', thrown);
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #run(): Promise<void> {
    const { pending } = this.#indexes;
    while (pending.size > 0 && !this.#closed) {
      await this.#merge(pending.oldest(many));
    }
  }

  /** Works everything off. */
  async drain(): Promise<void> {
    await this.#running;
    await this.#run();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.();
    await this.#running;
  }

  async #merge(entries: readonly (readonly [number, PendingEntry])[]): Promise<void> {
    const edits = await this.#edits(entries);
    const puts = new Map<string, Uint8Array | undefined>();
    const records = {
      get: (key: string) => (puts.has(key) ? puts.get(key) : this.#keyValue.getNow(key)),
      put: (key: string, value: Uint8Array | undefined) => void puts.set(key, value),
    };
    let done = 0;
    for (const [list, { add, remove }] of edits) {
      editList(records, list, idText, add, remove);
      if (++done % perTurn === 0) await nextTurn();
    }
    const changed = [...puts];
    await this.#keyValue.transact(async (read) => {
      const left = new Map<string, Uint8Array | undefined>();
      for (const [id, { version, values }] of entries) {
        const key = keys.pending(id);
        const note = read.getNow(key);
        if (!note) continue;
        const now = decodePending(note).version;
        left.set(key, now === version ? undefined : encodePending(now, values));
      }
      const all = [...changed, ...left];
      return {
        puts: all.filter((each): each is [string, Uint8Array] => each[1] !== undefined),
        deletes: all.filter(([, value]) => value === undefined).map(([key]) => key),
        result: undefined,
      };
    }, 'soon');
    for (const [id, { version, values }] of entries) this.#indexes.pending.merged(id, version, values);
  }

  /** What is to be changed in which list. */
  async #edits(entries: readonly (readonly [number, PendingEntry])[]): Promise<ReadonlyMap<string, Edit>> {
    const gathering = new Gathering(this.#keyValue, this.#indexes);
    let done = 0;
    // In the order of ids, so that lists grow at their ends.
    for (const [id, entry] of [...entries].sort(([a], [b]) => a - b)) {
      gathering.take(id, entry);
      if (++done % perTurn === 0) await nextTurn();
    }
    return gathering.edits;
  }
}

/** Gathers what many entries change in each list. */
class Gathering {
  readonly #keyValue: KeyValue;
  readonly #indexes: Indexes;
  readonly edits = new Map<string, Edit>();
  readonly #heads = new Map<string, Head>();

  constructor(keyValue: KeyValue, indexes: Indexes) {
    this.#keyValue = keyValue;
    this.#indexes = indexes;
  }

  take(id: number, { listed, values, beyond }: PendingEntry): void {
    for (const head of beyond ?? []) {
      this.#indexes.noteFull(head);
      this.#edit(keys.listOfHead(head)).add.push(id);
    }
    for (const [attribute, old] of listed) if (!values.has(attribute)) this.#attribute(id, attribute, old, undefined, false);
    for (const [attribute, now] of values) this.#attribute(id, attribute, listed.get(attribute), now, beyond !== undefined);
  }

  #attribute(
    id: number,
    attribute: string,
    old: readonly string[] | undefined,
    now: readonly string[] | undefined,
    headsKnown: boolean,
  ): void {
    const kinds = this.#indexes.kinds.get(attribute);
    if (!kinds) return;
    if (kinds.equality && !headsKnown) this.#equal(id, attribute, old, now);
    if (sameValues(old, now)) return;
    const before = this.#indexes.lists(attribute, old);
    const after = this.#indexes.lists(attribute, now);
    for (const list of before) if (!after.has(list)) this.#edit(list).remove.push(id);
    for (const list of after) if (!before.has(list)) this.#edit(list).add.push(id);
  }

  /** Equal values beyond their heads. */
  #equal(id: number, attribute: string, old: readonly string[] | undefined, now: readonly string[] | undefined): void {
    for (const value of without(old, now)) this.#edit(keys.list('=', attribute, value)).remove.push(id);
    for (const value of now ?? []) {
      const key = keys.head(attribute, value);
      const head = this.#heads.get(key) ?? decodeHead(this.#keyValue.getNow(key));
      this.#heads.set(key, head);
      if (!head.more) continue;
      this.#indexes.noteFull(key);
      // Also where it is no news: it may have left the head and come back since.
      if (!head.ids.includes(id)) this.#edit(keys.list('=', attribute, value)).add.push(id);
    }
  }

  #edit(list: string): Edit {
    const known = this.edits.get(list);
    if (known) return known;
    const made = { add: [], remove: [] };
    this.edits.set(list, made);
    return made;
  }
}
