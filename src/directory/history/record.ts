/** Writing a change into the log, in the transaction that makes it. */

import { countUsage } from '../limits/usage.ts';
import { attributesText, encodeText } from '../records/codec.ts';
import { keys } from '../records/keys.ts';
import type { Counters, Transaction } from '../records/transaction.ts';
import type { Schema } from '../schema/schema.ts';
import type { Stamp } from '../write/writer.ts';
import { type ChangeDraft, encodeChange, secretsOf } from './change-record.ts';

/** Gives the change its number. Without `stamp.history` a summary will stand for it. */
export function recordChange(
  tx: Transaction,
  stamp: Stamp,
  schema: Schema,
  draft: Omit<ChangeDraft, 'at' | 'stamped' | 'tree' | 'actor' | 'operation' | 'undoes' | 'text'>,
): void {
  countUsage(tx, draft);
  const counters = tx.counters();
  counters.change += 1;
  const number = counters.change;
  counters.at = stampOf(stamp, counters);
  tx.firstChange ??= number;
  tx.touched.add(draft.id);
  tx.made.push({ id: draft.id, before: draft.before, after: draft.after });
  if (!stamp.history) return;
  const operation = tx.firstChange === number ? undefined : tx.firstChange;
  const tree = draft.kind === 'rename' && tx.childCount(draft.id) > 0;
  const { at, actor, undoes } = stamp;
  const text = tx.text?.entry === draft.after ? tx.text?.text : undefined;
  const { record, logged } = encodeChange(schema, number, { ...draft, at, stamped: counters.at, tree, actor, operation, undoes, text });
  tx.put(keys.log(number), record);
  tx.logged.push(logged);
  const secrets = draft.kind === 'delete' && draft.before ? secretsOf(schema, draft.before) : [];
  if (secrets.length > 0) tx.put(keys.sealed(number), encodeText(attributesText(secrets)));
}

/** The time in a CSN: CSNs stand in the order of the changes, even where the clock was put back. */
export const stampOf = (stamp: Stamp, counters: Counters): number => Math.max(stamp.at, counters.at);
