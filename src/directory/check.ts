/**
 * Whether a directory's records agree with one another: indexes with entries, names with entries, change log with its counter.
 *
 * Only reads. Meant for a directory that nobody writes to meanwhile; otherwise a difference may be a write under way.
 */

import { parseDn, rootDn } from '../ldap-wire/index.ts';
import type { KeyValue } from '../storage/index.ts';
import { decodeRecord } from './history/change-record.ts';
import { positionOf } from './history/trim.ts';
import { decodeEntry, decodeNumber, decodeText } from './records/codec.ts';
import { defaultIndexes, Indexes, type IndexTable } from './records/indexes.ts';
import { keys, lastId, rootId } from './records/keys.ts';
import { checkIndexes } from './records/rebuild.ts';
import { placeOf, View } from './records/view.ts';
import type { Schema } from './schema/schema.ts';

export interface DirectoryReport {
  /** One sentence for each fault found, at most some hundred; empty: all is well. */
  readonly faults: readonly string[];
  readonly entries: number;
  /** Number of the oldest change that is kept, and of the last one made. */
  readonly firstChange: number;
  readonly lastChange: number;
}

const mostFaults = 100;

/** `indexes` as they were given to `openDirectory`. */
export async function checkDirectory(keyValue: KeyValue, schema: Schema, indexes: IndexTable = {}): Promise<DirectoryReport> {
  const faults = await checkIndexes(keyValue, new Indexes(schema, { ...defaultIndexes, ...indexes }));
  const blame = (text: string): void => {
    if (faults.length < mostFaults) faults.push(text);
  };
  const entries = await checkNames(keyValue, blame);
  return { faults, entries, ...(await checkLog(keyValue, blame)) };
}

/** Every entry stands below its parent under its own name, every name leads to an entry, and children are counted right. */
async function checkNames(keyValue: KeyValue, blame: (text: string) => void): Promise<number> {
  let entries = 0;
  const children = new Map<number, number>();
  for await (const [key, octets] of keyValue.scan(keys.entries)) {
    const id = lastId(key);
    const { parent, rdn } = decodeEntry(octets);
    entries += 1;
    children.set(parent, (children.get(parent) ?? 0) + 1);
    const above = parent === rootId ? await keyValue.get(keys.above(id)) : undefined;
    const named = await keyValue.get(placeOf(parent, (above === undefined ? rootDn : parseDn(decodeText(above))).child(rdn)));
    if (!named || decodeNumber(named) !== id) blame(`entry ${id}: its name does not lead to it`);
  }
  let names = 0;
  for await (const _ of keyValue.scan(keys.allNames, { keysOnly: true })) names += 1;
  if (names !== entries) blame(`there are ${names} names for ${entries} entries`);
  // Entries without a parent are counted nowhere.
  children.delete(rootId);
  for (const [id, count] of children) {
    const counted = decodeNumber(await keyValue.get(keys.children(id)));
    if (counted !== count) blame(`entry ${id}: ${count} children, counted as ${counted}`);
  }
  return entries;
}

/** Change numbers run without gap from the oldest kept to the counter, and every record can be read. */
async function checkLog(keyValue: KeyValue, blame: (text: string) => void): Promise<Pick<DirectoryReport, 'firstChange' | 'lastChange'>> {
  const view = new View(keyValue);
  const last = view.change();
  let first: number | undefined;
  let next = 0;
  for await (const [key, octets] of keyValue.scan(keys.logs)) {
    const number = positionOf(key);
    try {
      const record = decodeRecord(number, octets);
      const from = record.kind === 'import' ? record.from : number;
      if (first !== undefined && from !== next) blame(`change log: change ${number} stands where change ${next} is expected`);
      first ??= from;
    } catch (thrown) {
      blame(`change log: change ${number} cannot be read: ${String(thrown)}`);
    }
    next = number + 1;
  }
  if (first === undefined) [first, next] = [last + 1, view.trimmed() + 1];
  if (first > view.trimmed() + 1) blame(`change log: change ${first} stands where change ${view.trimmed() + 1} is expected`);
  if (next !== last + 1) blame(`change log: it ends with change ${next - 1}, the counter says ${last}`);
  return { firstChange: first, lastChange: last };
}
