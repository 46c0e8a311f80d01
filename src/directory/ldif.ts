/**
 * Filling the directory from LDIF, and giving it out as entries in an order that can be loaded again.
 *
 * Promise: an import goes through every check of a normal add, several hundred entries to a transaction; it says which entry
 * failed, by line and name. Import leaves no change record for each entry: whoever watches starts afresh.
 * Reading and writing the text form is ldap-wire's business.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dn, Filter, LdifRecord } from '../ldap-wire/index.ts';
import type { KeyValue, Snapshot } from '../storage/index.ts';
import type { BundledDirectory } from './bundled.ts';
import type { Entry } from './entry.ts';
import { type Actor, DirectoryFault } from './port.ts';
import { decodeNumber } from './records/codec.ts';
import { keys, rootId } from './records/keys.ts';
import { type Stored, View } from './records/view.ts';
import type { Schema } from './schema/schema.ts';
import { Compiler } from './search/evaluate.ts';
import { Selector } from './search/select.ts';

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
  await directory.settle();
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

export interface ExportOptions {
  /** This entry and what is below it (default: everything). DirectoryFault noSuchObject where it is not there. */
  readonly base?: Dn;
  /** Only entries that match. */
  readonly filter?: { readonly schema: Schema; readonly filter: Filter };
}

/** Every entry with all its attributes, passwords included, parents before children, in the same order every time. For export and backup. */
export async function* exportEntries(records: Snapshot | KeyValue, options: ExportOptions = {}): AsyncGenerator<Entry> {
  const view = new View(records, { entries: 2000, octets: 16 * 1024 * 1024 });
  const matches = matcherOf(view, options.filter);
  const open: number[] = [rootId];
  if (options.base && options.base.rdns.length > 0) {
    const base = view.find(options.base);
    if (!base) throw new DirectoryFault('noSuchObject', `there is no entry ${options.base.toString()}`);
    if (matches(base)) yield base.entry;
    open[0] = base.id;
  }
  let count = 0;
  while (open.length > 0) {
    const parent = open.pop() ?? rootId;
    for await (const [, octets] of records.scan(keys.names(parent))) {
      const id = decodeNumber(octets);
      const stored = view.load(id);
      if (!stored) continue;
      if (matches(stored)) yield stored.entry;
      if (view.childCount(id) > 0) open.push(id);
      if (++count % 200 === 0) await nextTurn();
    }
  }
}

function matcherOf(view: View, wanted: ExportOptions['filter']): (stored: Stored) => boolean {
  if (!wanted) return () => true;
  const selector = new Selector(
    wanted.schema,
    (id) => view.childCount(id),
    (id) => view.usage(id),
  );
  const matcher = new Compiler(wanted.schema, (stored, name) => selector.computed(stored, name)).compile(wanted.filter);
  return (stored) => matcher(stored, undefined) === true;
}
