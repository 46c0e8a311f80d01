/**
 * Taking messages out of a mailbox: expunge (those marked \Deleted) and remove (whatever their flags).
 *
 * Promise: a message that lost its \Deleted mark meanwhile stays. Long lists are done in several commits, each complete in itself; what was
 * interrupted is finished by asking again.
 * Spec: RFC 3501 §6.4.3, RFC 4315 §2.1
 */

import { chunkOf, decodeChunk } from './chunk.ts';
import { ascending, batches, batchSize, type Context, needMailbox, noMailbox, transact } from './context.ts';
import { decodeCounters } from './counters.ts';
import { deletedBit } from './flags.ts';
import { chunkRange, countersKey, lastNumber, messageKey } from './keys.ts';
import type { AccountId, MailboxId, Uid } from './port.ts';
import { decodeMessage } from './records.ts';

/** Removes a batch; with `onlyDeleted`, those that carry the mark at commit. Returns the UIDs removed. */
async function removeBatch(ctx: Context, account: AccountId, id: MailboxId, uids: readonly Uid[], onlyDeleted: boolean): Promise<Uid[]> {
  // A message's record never changes, so it may be read before; the index in the part decides whether it is still there.
  const records = await ctx.keyValue.getMany(uids.map((uid) => messageKey(account, id, uid)));
  return transact(ctx, account, 'durable', async (draft) => {
    const mailbox = await needMailbox(draft, id);
    const gone = new Set<Uid>();
    for (const [n, uid] of uids.entries()) {
      const row = await mailbox.row(uid);
      if (!row || (onlyDeleted && (row.system & deletedBit) === 0)) continue;
      gone.add(uid);
      // A row whose record was lost can still be got rid of.
      const record = records[n];
      if (record) await draft.dropMessage(id, uid, decodeMessage(record).blob.id);
    }
    await mailbox.remove(gone);
    return [...gone];
  });
}

async function removeAll(ctx: Context, account: AccountId, mailbox: MailboxId, uids: readonly Uid[], onlyDeleted: boolean): Promise<Uid[]> {
  const removed: Uid[] = [];
  for (const batch of batches(uids, batchSize)) {
    for (const uid of await removeBatch(ctx, account, mailbox, batch, onlyDeleted)) removed.push(uid);
  }
  return removed;
}

export async function expunge(ctx: Context, account: AccountId, mailbox: MailboxId, uids?: readonly Uid[]): Promise<Uid[]> {
  const counters = await ctx.keyValue.get(countersKey(account, mailbox));
  if (!counters) throw noMailbox();
  if (decodeCounters(counters).deleted === 0) return [];
  const wanted = uids && new Set(uids);
  const chunks = uids && new Set(uids.map(chunkOf));
  const marked: Uid[] = [];
  for await (const [key, bytes] of ctx.keyValue.scan(chunkRange(account, mailbox))) {
    const no = lastNumber(key);
    if (chunks && !chunks.has(no)) continue;
    for (const row of decodeChunk(bytes, no)) if (row.system & deletedBit && (!wanted || wanted.has(row.uid))) marked.push(row.uid);
  }
  return removeAll(ctx, account, mailbox, marked, true);
}

export async function remove(ctx: Context, account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<void> {
  await removeAll(ctx, account, mailbox, ascending(uids), false);
}
