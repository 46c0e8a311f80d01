/** The one record that an import leaves for a batch of entries. */

import { encodeNumber } from '../records/codec.ts';
import { keys } from '../records/keys.ts';
import type { Transaction } from '../records/transaction.ts';
import { encodeSummary, type Summary } from './change-record.ts';

/** Stands at the batch's last number. Who followed the changes so far cannot do so across it. */
export function recordImport(tx: Transaction, summary: Pick<Summary, 'from' | 'at' | 'actor'>): void {
  const { change } = tx.counters();
  if (change < summary.from) return;
  tx.put(keys.log(change), encodeSummary(summary));
  tx.put(keys.trimmed, encodeNumber(change));
  tx.put(keys.imported, encodeNumber(change));
}
