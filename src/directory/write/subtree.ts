/**
 * Everything below an entry, as a transaction sees it.
 *
 * Promise: no more is read than `most` entries; no recursion, however deep the tree.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dn } from '../../ldap-wire/index.ts';
import { Entry } from '../entry.ts';
import { DirectoryFault } from '../port.ts';
import type { Transaction } from '../records/transaction.ts';

/** An entry that is to be changed, and where it stands. */
export interface Found {
  readonly id: number;
  readonly parent: number;
  readonly before: Entry;
}

/** Entries that are read before others have a turn. */
const perTurn = 100;

/**
 * Ids of all entries below, each after the one it stands under. Throws adminLimitExceeded where there are more than `most`, itself among
 * them; `done` says what is done to them.
 */
export async function idsBelow(tx: Transaction, id: number, most: number, done: string): Promise<number[]> {
  const found: number[] = [];
  const open = [id];
  for (let at = 0; at < open.length; at++) {
    const parent = open[at] ?? 0;
    if (tx.childCount(parent) === 0) continue;
    const children = await tx.childrenOf(parent, most - found.length);
    found.push(...children);
    if (found.length >= most)
      throw new DirectoryFault(
        'adminLimitExceeded',
        `with what is below it, it is more than ${most} entries: more than are ${done} at once`,
      );
    open.push(...children);
  }
  return found;
}

/** The entries below one that are to be deleted with it, each after the one it stands under. Throws adminLimitExceeded. */
export async function entriesBelow(tx: Transaction, top: Found, most: number): Promise<Found[]> {
  const names = new Map<number, Dn>([[top.id, top.before.dn]]);
  const found: Found[] = [];
  for (const [n, id] of (await idsBelow(tx, top.id, most, 'deleted')).entries()) {
    if (n % perTurn === perTurn - 1) await nextTurn();
    const record = tx.entry(id);
    const above = record && names.get(record.parent);
    if (!record || !above) continue;
    const before = new Entry(above.child(record.rdn), record.attributes);
    names.set(id, before.dn);
    found.push({ id, parent: record.parent, before });
  }
  return found;
}
