/**
 * Whether a directory's records agree with one another: indexes with entries, names with entries, sums with entries, the change log with its counter and with
 * the entries; and whether every entry is one that the schema and the rules of the platform allow.
 *
 * Promise: only reads, and sees one moment, whatever is written meanwhile.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseDn, rootDn } from '../ldap-wire/index.ts';
import { frozen, type KeyValue } from '../storage/index.ts';
import { ContentCheck, type LastChange } from './check-content.ts';
import { decodeRecord } from './history/change-record.ts';
import { positionOf } from './history/trim.ts';
import { checkUsage } from './limits/recount.ts';
import { checkIndexes } from './records/check-indexes.ts';
import { decodeEntry, decodeNumber, decodeText } from './records/codec.ts';
import { builtTable } from './records/index-table.ts';
import { defaultIndexes, Indexes, type IndexTable } from './records/indexes.ts';
import { keys, lastId, rootId } from './records/keys.ts';
import { placeOf, View } from './records/view.ts';
import { nameBy } from './schema/naming.ts';
import type { Schema } from './schema/schema.ts';

export interface DirectoryReport {
  /** One sentence for each fault found, at most some hundred; empty: all is well. */
  readonly faults: readonly string[];
  /** What works and is hardly meant so: an address that two entries have, a reference that leads nowhere. At most some hundred. */
  readonly warnings: readonly string[];
  readonly entries: number;
  /** Number of the oldest change that is kept, and of the last one made. */
  readonly firstChange: number;
  readonly lastChange: number;
}

const mostFaults = 100;

export interface CheckOptions {
  /** As they were given to `openDirectory`, where the database does not say so itself. */
  readonly indexes?: IndexTable;
  /** Attributes that hold addresses (default mail, mailLocalAddress, mtMailAddress). */
  readonly addressAttributes?: readonly string[];
  /** Called now and then with the number of entries looked at. */
  readonly progress?: (entries: number) => void;
}

export async function checkDirectory(keyValue: KeyValue, schema: Schema, options: CheckOptions = {}): Promise<DirectoryReport> {
  nameBy(schema);
  const moment = frozen(keyValue.snapshot());
  try {
    const faults = await checkIndexes(moment, new Indexes(schema, { ...(builtTable(moment) ?? defaultIndexes), ...options.indexes }));
    const warnings: string[] = [];
    const blame = (text: string): void => {
      if (faults.length < mostFaults) faults.push(text);
    };
    const warn = (text: string): void => {
      if (warnings.length < mostFaults) warnings.push(text);
    };
    const entries = await checkNames(moment, blame);
    await checkUsage(moment, blame);
    const { last, ...log } = await checkLog(moment, blame);
    const addresses = options.addressAttributes ?? ['mail', 'mailLocalAddress', 'mtMailAddress'];
    const content = new ContentCheck({ view: new View(moment), schema, addresses, last, blame, warn });
    let looked = 0;
    for await (const [key] of moment.scan(keys.entries, { keysOnly: true })) {
      content.entry(lastId(key));
      if (++looked % 200 === 0) {
        options.progress?.(looked);
        await nextTurn();
      }
    }
    content.end();
    return { faults, warnings, entries, ...log };
  } finally {
    await moment.close();
  }
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
async function checkLog(
  keyValue: KeyValue,
  blame: (text: string) => void,
): Promise<Pick<DirectoryReport, 'firstChange' | 'lastChange'> & { readonly last: Map<number, LastChange> }> {
  const lastOf = new Map<number, LastChange>();
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
      if (record.kind === 'change') lastOf.set(record.id, { change: number, csn: record.change.after?.text('entryCSN') });
    } catch (thrown) {
      blame(`change log: change ${number} cannot be read: ${String(thrown)}`);
    }
    next = number + 1;
  }
  if (first === undefined) [first, next] = [last + 1, view.trimmed() + 1];
  if (first > view.trimmed() + 1) blame(`change log: change ${first} stands where change ${view.trimmed() + 1} is expected`);
  if (next !== last + 1) blame(`change log: it ends with change ${next - 1}, the counter says ${last}`);
  return { firstChange: first, lastChange: last, last: lastOf };
}
