/**
 * Making the index records anew from the entries.
 *
 * The indexes say what they were built for; when the table of indexed attributes, the comparable forms or the records themselves have
 * changed since, they are rebuilt at the start.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Log } from '../../base/index.ts';
import type { KeyRange, KeyValue } from '../../storage/index.ts';
import { decodeEntry, decodeText, encodeText } from './codec.ts';
import type { Indexes } from './indexes.ts';
import { idText, keys, lastId } from './keys.ts';
import { decodeHead, editList, encodeHead, inlineIds } from './postings.ts';

/** Index values (entry and value each) gathered before they are written. */
const gathered = 1_000_000;
/** Records in one transaction. */
const batch = 2000;
/** Entries, or values, worked off in one turn of the loop. */
const perTurn = 200;
const progressEvery = 50_000;

/** Brings the indexes to what this table asks for, and reads what is still to be listed. */
export async function ensureIndexes(keyValue: KeyValue, indexes: Indexes, log: Log): Promise<void> {
  const octets = keyValue.getNow(keys.meta);
  if (octets && decodeText(octets) === indexes.signature) {
    await indexes.pending.load(keyValue, (entry) => indexes.values(entry.attributes));
    return;
  }
  const count = await rebuildIndexes(keyValue, indexes, (done) => log.info(`indexes are made anew: ${done} entries`));
  if (count > 0) log.info(`the directory's indexes were made anew from ${count} entries`);
}

/** Removes all index records and writes them again. Interrupted, it starts over at the next start. */
export async function rebuildIndexes(keyValue: KeyValue, indexes: Indexes, progress: (done: number) => void = () => {}): Promise<number> {
  await keyValue.transact(async () => ({ deletes: [keys.meta], result: undefined }), 'durable');
  indexes.forget();
  for (const range of keys.indexes) await clear(keyValue, range);
  const gathering = new Gathering(keyValue, indexes);
  let count = 0;
  for await (const [key, octets] of keyValue.scan(keys.entries)) {
    gathering.take(lastId(key), indexes.values(decodeEntry(octets).attributes));
    count += 1;
    if (gathering.size >= gathered) await gathering.write();
    if (count % perTurn === 0) await nextTurn();
    if (count % progressEvery === 0) progress(count);
  }
  await gathering.write();
  await keyValue.transact(async () => ({ puts: [[keys.meta, encodeText(indexes.signature)]], result: undefined }), 'durable');
  return count;
}

/** Index values of many entries, by index record, written in the order of keys. */
class Gathering {
  readonly #keyValue: KeyValue;
  readonly #indexes: Indexes;
  #lists = new Map<string, number[]>();
  #heads = new Map<string, number[]>();
  size = 0;

  constructor(keyValue: KeyValue, indexes: Indexes) {
    this.#keyValue = keyValue;
    this.#indexes = indexes;
  }

  take(id: number, values: ReturnType<Indexes['values']>): void {
    const note = (into: Map<string, number[]>, key: string): void => {
      const ids = into.get(key);
      if (ids) ids.push(id);
      else into.set(key, [id]);
      this.size += 1;
    };
    for (const [attribute, forms] of values) {
      for (const list of this.#indexes.lists(attribute, forms)) note(this.#lists, list);
      if (this.#indexes.kinds.get(attribute)?.equality) for (const form of forms) note(this.#heads, keys.head(attribute, form));
    }
  }

  async write(): Promise<void> {
    const [heads, lists] = [this.#heads, this.#lists];
    [this.#heads, this.#lists, this.size] = [new Map(), new Map(), 0];
    const puts = new Map<string, Uint8Array | undefined>();
    const records = {
      get: (key: string) => puts.get(key) ?? this.#keyValue.getNow(key),
      put: (key: string, value: Uint8Array | undefined) => void puts.set(key, value),
    };
    const flush = async (): Promise<void> => {
      const some = [...puts].filter((each): each is [string, Uint8Array] => each[1] !== undefined);
      puts.clear();
      if (some.length > 0) await this.#keyValue.transact(async () => ({ puts: some, result: undefined }), 'soon');
    };
    for (const [key, ids] of heads) {
      const head = decodeHead(this.#keyValue.getNow(key));
      const room = head.more ? 0 : inlineIds - head.ids.length;
      const rest = ids.slice(room);
      if (room > 0 || !head.more) puts.set(key, encodeHead({ ids: [...head.ids, ...ids.slice(0, room)], more: rest.length > 0 }));
      if (rest.length > 0) lists.set(keys.listOfHead(key), rest);
      if (puts.size >= batch) await flush();
    }
    await flush();
    for (const [list, ids] of lists) {
      editList(records, list, idText, ids, []);
      if (puts.size >= batch) await flush();
    }
    await flush();
  }
}

/** Removes all records of a range. */
export async function clear(keyValue: KeyValue, range: KeyRange): Promise<void> {
  let found: string[] = [];
  const remove = async (): Promise<void> => {
    const these = found;
    found = [];
    if (these.length > 0) await keyValue.transact(async () => ({ deletes: these, result: undefined }), 'soon');
  };
  for await (const [key] of keyValue.scan(range, { keysOnly: true })) {
    found.push(key);
    if (found.length >= 5000) await remove();
  }
  await remove();
}
