/**
 * Giving the directory out, entry by entry, in an order that can be loaded again.
 *
 * Reading and writing the text form is ldap-wire's business, importing transfer's.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dn, Filter } from '../ldap-wire/index.ts';
import type { KeyValue, Snapshot } from '../storage/index.ts';
import type { Entry } from './entry.ts';
import { DirectoryFault } from './port.ts';
import { decodeNumber } from './records/codec.ts';
import { keys, rootId } from './records/keys.ts';
import { type Stored, View } from './records/view.ts';
import type { Schema } from './schema/schema.ts';
import { Compiler } from './search/evaluate.ts';
import { Selector } from './search/select.ts';

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
