/** Many entries as one transaction: an import. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dn } from '../../ldap-wire/index.ts';
import type { Attribute } from '../entry.ts';
import { recordImport } from '../history/summary.ts';
import { DirectoryFault } from '../port.ts';
import type { Transaction } from '../records/transaction.ts';
import type { Stamp, Writer } from './writer.ts';

export interface NewEntry {
  readonly dn: Dn;
  readonly attributes: readonly Attribute[];
}

/** Entries that are added before others have a turn. */
const perTurn = 50;

/** Adds them, with one summary in the change log. A refusal names the entry in front. */
export async function addTogether(
  tx: Transaction,
  writer: Writer,
  entries: readonly (NewEntry & { readonly stamp: Stamp })[],
): Promise<void> {
  const from = tx.counters().change + 1;
  for (const [n, { dn, attributes, stamp }] of entries.entries()) {
    if (n % perTurn === perTurn - 1) await nextTurn();
    try {
      await writer.add(tx, stamp, dn, attributes);
    } catch (thrown) {
      if (!(thrown instanceof DirectoryFault)) throw thrown;
      throw new DirectoryFault(thrown.result, `${dn.toString()}: ${thrown.say}`, { cause: thrown, matched: thrown.matched });
    }
  }
  const [first] = entries;
  if (first) recordImport(tx, { from, at: first.stamp.at, actor: first.stamp.actor });
}
