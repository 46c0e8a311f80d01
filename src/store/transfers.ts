/**
 * Copying and moving messages between mailboxes of an account.
 *
 * Promise: flags, internal date and prefix go along, the bytes are shared. Long lists are done in several commits. A copy that fails on
 * the way takes back what it had copied. A move keeps every message in exactly one place at any time; one that fails on the way leaves
 * the rest where it was.
 * Spec: RFC 3501 §6.4.7, RFC 6851 §3.3, RFC 4315 §3
 */

import { Fault } from '../base/index.ts';
import { decodeChunk } from './chunk.ts';
import { ascending, batches, batchSize, type Context, needMailbox, noMailbox, transact } from './context.ts';
import { decodeCounters } from './counters.ts';
import { remove } from './departures.ts';
import { KeywordsFull } from './flags.ts';
import { chunkRange, countersKey, inboxId, lastNumber, messageKey, nameKey } from './keys.ts';
import { freeKeywords } from './keywords.ts';
import { knownName } from './names.ts';
import type { AccountId, CopyResult, MailboxId, Uid } from './port.ts';
import { decodeMessage, type NameRecord } from './records.ts';
import { fromJson } from './wire.ts';

interface Transfer {
  readonly account: AccountId;
  readonly from: MailboxId;
  readonly to: MailboxId;
  readonly move: boolean;
}

type Pair = readonly [from: Uid, to: Uid];

/** The mailbox that a name stands for now, and its UIDVALIDITY. */
async function target(ctx: Context, account: AccountId, anyName: string): Promise<{ id: MailboxId; uidValidity: number }> {
  const name = knownName(anyName);
  let id: MailboxId | undefined = inboxId;
  if (name !== 'INBOX') {
    const bytes = name === undefined ? undefined : await ctx.keyValue.get(nameKey(account, name));
    const record = bytes && fromJson<NameRecord>(bytes);
    id = record?.selectable ? record.id : undefined;
  }
  const counters = id === undefined ? undefined : await ctx.keyValue.get(countersKey(account, id));
  if (id === undefined || !counters) throw noMailbox();
  return { id, uidValidity: decodeCounters(counters).uidValidity };
}

async function transferBatch(ctx: Context, { account, from, to, move }: Transfer, uids: readonly Uid[]): Promise<Pair[]> {
  const records = await ctx.keyValue.getMany(uids.map((uid) => messageKey(account, from, uid)));
  return transact(ctx, account, 'durable', async (draft) => {
    const source = await needMailbox(draft, from);
    const destination = await needMailbox(draft, to);
    const pairs: Pair[] = [];
    for (const [n, uid] of uids.entries()) {
      const row = await source.row(uid);
      const bytes = records[n];
      if (!row || !bytes) continue;
      if (destination.counters.messages >= ctx.settings.value.messageLimit) throw new Fault('too-many', 'this mailbox is full');
      const words = row.words.length === 0 ? [] : (await source.keywords()).names(row.words);
      const record = decodeMessage(bytes);
      const copy = await destination.append({ system: row.system, words }, row.size, row.internalDate);
      await draft.addMessage(to, copy, record);
      if (move) await draft.dropMessage(from, uid, record.blob.id);
      pairs.push([uid, copy]);
    }
    if (move) await source.remove(new Set(pairs.map(([uid]) => uid)));
    return pairs;
  });
}

async function transferAll(ctx: Context, transfer: Transfer, uids: readonly Uid[], pairs: Pair[]): Promise<void> {
  for (const batch of batches(uids, batchSize)) {
    let done: Pair[];
    try {
      done = await transferBatch(ctx, transfer, batch);
    } catch (thrown) {
      if (!(thrown instanceof KeywordsFull) || !(await freeKeywords(ctx, transfer.account, transfer.to))) throw thrown;
      done = await transferBatch(ctx, transfer, batch);
    }
    for (const pair of done) pairs.push(pair);
  }
}

export async function copy(ctx: Context, account: AccountId, from: MailboxId, uids: readonly Uid[], to: string): Promise<CopyResult> {
  const { id, uidValidity } = await target(ctx, account, to);
  const pairs: Pair[] = [];
  try {
    await transferAll(ctx, { account, from, to: id, move: false }, ascending(uids), pairs);
  } catch (thrown) {
    await takeBack(ctx, account, id, pairs);
    throw thrown;
  }
  return { uidValidity, uids: pairs };
}

/** RFC 3501 §6.4.7: after a COPY that failed the destination is as before. */
async function takeBack(ctx: Context, account: AccountId, mailbox: MailboxId, pairs: readonly Pair[]): Promise<void> {
  if (pairs.length === 0) return;
  try {
    await remove(
      ctx,
      account,
      mailbox,
      pairs.map(([, uid]) => uid),
    );
  } catch (thrown) {
    ctx.log.warning(`a copy failed and ${pairs.length} messages of it stay in mailbox ${mailbox} of account ${account}`, thrown);
  }
}

export async function move(ctx: Context, account: AccountId, from: MailboxId, uids: readonly Uid[], to: string): Promise<CopyResult> {
  const { id, uidValidity } = await target(ctx, account, to);
  const pairs: Pair[] = [];
  await transferAll(ctx, { account, from, to: id, move: true }, ascending(uids), pairs);
  return { uidValidity, uids: pairs };
}

/** Moves everything that is in one mailbox now to another. */
export async function moveAll(ctx: Context, account: AccountId, from: MailboxId, to: string): Promise<void> {
  const uids: Uid[] = [];
  for await (const [key, bytes] of ctx.keyValue.scan(chunkRange(account, from))) {
    for (const row of decodeChunk(bytes, lastNumber(key))) uids.push(row.uid);
  }
  await move(ctx, account, from, uids, to);
}
