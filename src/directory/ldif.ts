/**
 * Filling the directory from LDIF, and giving it out as entries in an order that can be loaded again.
 *
 * Promise: an import goes through every check of a normal add, several hundred entries to a transaction; it says which entry
 * failed, by line and name. Import leaves no change record for each entry: whoever watches starts afresh.
 * Reading and writing the text form is ldap-wire's business.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LdifRecord } from '../ldap-wire/index.ts';
import type { KeyValue } from '../storage/index.ts';
import type { BundledDirectory } from './bundled.ts';
import type { Entry } from './entry.ts';
import { type Actor, DirectoryFault } from './port.ts';
import { decodeNumber } from './records/codec.ts';
import { keys, rootId } from './records/keys.ts';
import { View } from './records/view.ts';

const batch = 300;

export interface ImportOptions {
  readonly actor: Actor;
  /** Called after every batch with the number of records done. */
  readonly progress?: (done: number) => void;
}

/** Applies records: entries are added in batches, change records one by one in their place. Returns how many were done. */
export async function importLdif(
  directory: BundledDirectory,
  records: AsyncIterable<LdifRecord> | Iterable<LdifRecord>,
  options: ImportOptions,
): Promise<number> {
  let done = 0;
  let pending: (LdifRecord & { readonly kind: 'content' | 'add' })[] = [];
  const flush = async (): Promise<void> => {
    const these = pending;
    pending = [];
    if (these.length === 0) return;
    try {
      await directory.addBatch(options.actor, these);
    } catch (thrown) {
      throw named(thrown, these);
    }
    done += these.length;
    options.progress?.(done);
  };
  for await (const record of records) {
    if (record.kind === 'content' || record.kind === 'add') {
      pending.push(record);
      if (pending.length >= batch) await flush();
      continue;
    }
    await flush();
    try {
      await applyChange(directory, options.actor, record);
    } catch (thrown) {
      throw named(thrown, [record]);
    }
    done += 1;
  }
  await flush();
  return done;
}

async function applyChange(directory: BundledDirectory, actor: Actor, record: LdifRecord): Promise<void> {
  if (record.kind === 'delete') await directory.delete(actor, record.dn);
  else if (record.kind === 'modify') await directory.modify(actor, record.dn, record.modifications);
  else if (record.kind === 'rename') {
    const { rdn, deleteOldRdn, newSuperior } = record;
    await directory.rename(actor, record.dn, { rdn, deleteOldRdn, ...(newSuperior ? { newSuperior } : {}) });
  }
}

/** The fault with the line of the record it is about. */
function named(thrown: unknown, records: readonly LdifRecord[]): unknown {
  if (!(thrown instanceof DirectoryFault)) return thrown;
  const record =
    records.find((each) => thrown.say.startsWith(`${each.dn.toString()}: `)) ?? (records.length === 1 ? records[0] : undefined);
  if (!record) return thrown;
  const about = thrown.say.startsWith(`${record.dn.toString()}: `) ? thrown.say : `${record.dn.toString()}: ${thrown.say}`;
  return new DirectoryFault(thrown.result, `line ${record.line}: ${about}`, { cause: thrown, matched: thrown.matched });
}

/** Every entry with all its attributes, passwords included, parents before children. For export and backup. */
export async function* exportEntries(keyValue: KeyValue): AsyncGenerator<Entry> {
  const view = new View(keyValue, { entries: 2000, octets: 16 * 1024 * 1024 });
  const open: number[] = [rootId];
  let count = 0;
  while (open.length > 0) {
    const parent = open.pop() ?? rootId;
    for await (const [, octets] of keyValue.scan(keys.names(parent))) {
      const id = decodeNumber(octets);
      const stored = view.load(id);
      if (!stored) continue;
      yield stored.entry;
      if (view.childCount(id) > 0) open.push(id);
      if (++count % 200 === 0) await nextTurn();
    }
  }
}
