/**
 * Everything below an entry, as a transaction sees it.
 *
 * Promise: no more is read than `most` entries; no recursion, however deep the tree.
 */

import { DirectoryFault } from '../port.ts';
import type { Transaction } from '../records/transaction.ts';

/** Ids of all entries below, each after the one it stands under. Throws adminLimitExceeded where there are more than `most`, itself among them; `done` says what is done to them. */
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
