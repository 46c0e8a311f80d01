/**
 * Making the index records anew from the entries, and checking them against the entries.
 *
 * The indexes say what they were built for; when the table of indexed attributes has changed they are rebuilt at the start.
 */

import type { Log } from '../../base/index.ts';
import type { KeyRange, KeyValue } from '../../storage/index.ts';
import { decodeEntry, decodePosting, decodeText, encodeText } from './codec.ts';
import { type Indexes, idsWith, type Term } from './indexes.ts';
import { keys, lastId } from './keys.ts';
import { Transaction } from './transaction.ts';

const batch = 500;
const mostReported = 100;
const termsAtOnce = 1000;

/** Rebuilds the indexes where they were built for another table. */
export async function ensureIndexes(keyValue: KeyValue, indexes: Indexes, log: Log): Promise<void> {
  const octets = keyValue.getNow(keys.meta);
  if (octets && decodeText(octets) === indexes.signature) return;
  const count = await rebuildIndexes(keyValue, indexes);
  if (count > 0) log.info(`the directory's indexes were made anew from ${count} entries`);
}

/** Removes all index records and writes them again. Interrupted, it starts over at the next start. */
export async function rebuildIndexes(keyValue: KeyValue, indexes: Indexes, progress?: (entries: number) => void): Promise<number> {
  await keyValue.transact(async () => ({ deletes: [keys.meta], result: undefined }), 'durable');
  for (const range of keys.indexes) await clear(keyValue, range);
  let count = 0;
  let pending: [number, ReadonlyMap<string, Term>][] = [];
  const write = async (): Promise<void> => {
    const these = pending;
    pending = [];
    await keyValue.transact(async (read) => {
      const tx = new Transaction(read);
      for (const [id, terms] of these) await indexes.update(tx, id, new Map(), terms);
      return tx.changes(undefined);
    }, 'soon');
  };
  for await (const [key, octets] of keyValue.scan(keys.entries)) {
    pending.push([lastId(key), indexes.terms(decodeEntry(octets).attributes)]);
    count += 1;
    if (pending.length >= batch) {
      await write();
      progress?.(count);
    }
  }
  await write();
  await keyValue.transact(async () => ({ puts: [[keys.meta, encodeText(indexes.signature)]], result: undefined }), 'durable');
  return count;
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

/** What is wrong with the indexes, one sentence each (at most 100); an empty list is a sound directory. */
export async function checkIndexes(keyValue: KeyValue, indexes: Indexes): Promise<string[]> {
  const wrong: string[] = [];
  let expected = 0;
  let pending: [number, Term][] = [];
  const look = async (): Promise<void> => {
    const these = pending;
    pending = [];
    for (const [id, term] of await missingTerms(keyValue, these)) {
      if (wrong.length < mostReported) wrong.push(`entry ${id}: not in the ${term.kind} index of ${term.attribute}`);
    }
  };
  for await (const [key, octets] of keyValue.scan(keys.entries)) {
    for (const term of indexes.terms(decodeEntry(octets).attributes).values()) pending.push([lastId(key), term]);
    if (pending.length < termsAtOnce) continue;
    expected += pending.length;
    await look();
  }
  expected += pending.length;
  await look();
  const found = await countTerms(keyValue);
  if (wrong.length === 0 && found !== expected) wrong.push(`the indexes hold ${found} terms, the entries have ${expected}`);
  return wrong;
}

async function missingTerms(keyValue: KeyValue, terms: readonly [number, Term][]): Promise<[number, Term][]> {
  return keyValue.transact(async (read) => {
    const tx = new Transaction(read);
    const missing: [number, Term][] = [];
    for (const [id, term] of terms) if (!(await holds(tx, id, term))) missing.push([id, term]);
    return { result: missing };
  }, 'soon');
}

async function holds(tx: Transaction, id: number, term: Term): Promise<boolean> {
  if (term.kind === 'presence') return (await tx.get(keys.present(term.attribute, id))) !== undefined;
  if (term.kind === 'substring') return (await tx.get(keys.gram(term.attribute, term.value, id))) !== undefined;
  const octets = await tx.get(keys.head(term.attribute, term.value));
  if (!octets) return false;
  if ('ids' in decodePosting(octets)) return (await idsWith(tx, term.attribute, term.value, 1000)).includes(id);
  return (await tx.get(keys.spilled(term.attribute, term.value, id))) !== undefined;
}

/** Index terms that are there: inline ids, and keys of spilled values, presence and substrings. */
async function countTerms(keyValue: KeyValue): Promise<number> {
  let count = 0;
  const [heads, ...rest] = keys.indexes;
  if (heads) {
    for await (const [, octets] of keyValue.scan(heads)) {
      const posting = decodePosting(octets);
      if ('ids' in posting) count += posting.ids.length;
    }
  }
  for (const range of rest) for await (const _ of keyValue.scan(range, { keysOnly: true })) count += 1;
  return count;
}
