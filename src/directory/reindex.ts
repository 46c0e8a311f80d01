/**
 * Making everything anew that is derived from the entries: names, numbers of children, indexes, sums of what stands below.
 *
 * Meant for a database that nobody else has open, on a copy of it: interrupted, it leaves a half. Entries and change log are not touched.
 */

import { parseDn, rootDn } from '../ldap-wire/index.ts';
import type { KeyValue } from '../storage/index.ts';
import { rebuildUsage } from './limits/recount.ts';
import { decodeEntry, decodeText, encodeNumber } from './records/codec.ts';
import { builtTable } from './records/index-table.ts';
import { defaultIndexes, Indexes, type IndexTable } from './records/indexes.ts';
import { keys, lastId, rootId } from './records/keys.ts';
import { clear, rebuildIndexes } from './records/rebuild.ts';
import { placeOf } from './records/view.ts';
import { nameBy } from './schema/naming.ts';
import type { Schema } from './schema/schema.ts';

export interface Reindexed {
  readonly entries: number;
  /** One sentence for each entry that is not where it could be found: another one has its name. */
  readonly notes: readonly string[];
}

const batch = 1000;

export async function reindexDirectory(
  keyValue: KeyValue,
  schema: Schema,
  options: { readonly indexes?: IndexTable; readonly progress?: (entries: number) => void } = {},
): Promise<Reindexed> {
  nameBy(schema);
  const table = builtTable(keyValue) ?? defaultIndexes;
  const notes = await rebuildNames(keyValue);
  const indexes = new Indexes(schema, { ...table, ...options.indexes });
  const entries = await rebuildIndexes(keyValue, indexes, options.progress);
  await rebuildUsage(keyValue);
  return { entries, notes };
}

async function rebuildNames(keyValue: KeyValue): Promise<string[]> {
  await clear(keyValue, keys.allNames);
  await clear(keyValue, keys.allChildren);
  const notes: string[] = [];
  const children = new Map<number, number>();
  const puts = new Map<string, Uint8Array>();
  const write = async (): Promise<void> => {
    const these = [...puts];
    puts.clear();
    await keyValue.transact(async () => ({ puts: these, result: undefined }), 'soon');
  };
  for await (const [key, octets] of keyValue.scan(keys.entries)) {
    const id = lastId(key);
    const { parent, rdn } = decodeEntry(octets);
    if (parent !== rootId) children.set(parent, (children.get(parent) ?? 0) + 1);
    const above = parent === rootId ? await keyValue.get(keys.above(id)) : undefined;
    const place = placeOf(parent, (above === undefined ? rootDn : parseDn(decodeText(above))).child(rdn));
    if (puts.has(place) || (await keyValue.get(place)) !== undefined) notes.push(`entry ${id}: another entry has its name`);
    else puts.set(place, encodeNumber(id));
    if (puts.size >= batch) await write();
  }
  await write();
  for (const [id, count] of children) {
    puts.set(keys.children(id), encodeNumber(count));
    if (puts.size >= batch) await write();
  }
  await write();
  return notes;
}
