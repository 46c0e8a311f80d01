/**
 * Looking into a mailbox: its index and what changed in it.
 *
 * Promise: what is returned is committed. A delta names everything up to its `highestModSeq` and no message that came after it, so that
 * the next one begins where it ends. Long indexes are decoded in slices, so that the event loop goes on.
 * Spec: RFC 7162 §3.1, §3.2
 */

import { setImmediate as yieldLoop } from 'node:timers/promises';
import { decodeChunk, highestModSeq, type Row } from './chunk.ts';
import { type Context, noMailbox, transact } from './context.ts';
import { type Counters, decodeCounters } from './counters.ts';
import { KeywordTable } from './flags.ts';
import { chunkKey, chunkRange, countersKey, keywordsKey, lastNumber, vanishedRange } from './keys.ts';
import type { AccountId, IndexEntry, MailboxDelta, MailboxId, Uid } from './port.ts';
import { blockOf, readExpunges } from './vanished.ts';
import { damaged } from './wire.ts';

/** Far more than a mailbox ever gives out; more is a damaged record. */
const mostMissing = 50_000_000;
/** Chunks decoded between two turns of the event loop: some 8,000 messages, a millisecond or two. */
const chunksPerTurn = 32;

async function countersOf(ctx: Context, account: AccountId, mailbox: MailboxId): Promise<Counters | undefined> {
  const bytes = await ctx.keyValue.get(countersKey(account, mailbox));
  return bytes && decodeCounters(bytes);
}

/**
 * Decodes chunks, keeping the rows that `wanted` says. The keyword table is read after the chunks, so that it knows every keyword in
 * them (numbers are never used twice).
 */
export async function entries(
  ctx: Context,
  account: AccountId,
  mailbox: MailboxId,
  chunks: readonly (readonly [no: number, bytes: Uint8Array])[],
  wanted: (row: Row) => boolean,
): Promise<IndexEntry[]> {
  const found: IndexEntry[] = [];
  let table = new KeywordTable(undefined);
  let loaded = false;
  for (const [n, [no, bytes]] of chunks.entries()) {
    if (n % chunksPerTurn === chunksPerTurn - 1) await yieldLoop();
    for (const row of decodeChunk(bytes, no)) {
      if (!wanted(row)) continue;
      if (row.words.length > 0 && !loaded) {
        table = new KeywordTable(await ctx.keyValue.get(keywordsKey(account, mailbox)));
        loaded = true;
      }
      found.push({
        uid: row.uid,
        flags: table.flags(row.system, row.words),
        modSeq: row.modSeq,
        size: row.size,
        internalDate: row.internalDate,
      });
    }
  }
  return found;
}

export async function index(ctx: Context, account: AccountId, mailbox: MailboxId): Promise<IndexEntry[]> {
  const chunks: [number, Uint8Array][] = [];
  for await (const [key, bytes] of ctx.keyValue.scan(chunkRange(account, mailbox))) chunks.push([lastNumber(key), bytes]);
  // The chunks of a deleted mailbox stay a little longer than it does.
  if (!(await ctx.keyValue.get(countersKey(account, mailbox)))) throw noMailbox();
  return entries(ctx, account, mailbox, chunks, () => true);
}

export async function changes(ctx: Context, account: AccountId, mailbox: MailboxId, since: number): Promise<MailboxDelta> {
  const counters = await countersOf(ctx, account, mailbox);
  if (!counters) return { highestModSeq: since, changed: [], expunged: [], gone: true };
  const until = counters.highestModSeq;
  if (until <= since) return { highestModSeq: until, changed: [], expunged: [], gone: false };
  const chunks = await changedChunks(ctx, account, mailbox, counters, since);
  // The chunks may be younger than the counters. A message that was there by then is told even if it has changed once more: told later,
  // it would come behind its successors, and new messages are told in the order of their UIDs.
  const wanted = (row: Row): boolean => row.modSeq > since && (row.modSeq <= until || row.uid < counters.uidNext);
  const changed = await entries(ctx, account, mailbox, chunks, wanted);
  const expunged = await expungedSince(ctx, account, mailbox, counters, since);
  return { highestModSeq: until, changed, expunged, gone: false };
}

async function changedChunks(
  ctx: Context,
  account: AccountId,
  mailbox: MailboxId,
  counters: Counters,
  since: number,
): Promise<[number, Uint8Array][]> {
  const found: [number, Uint8Array][] = [];
  if (since >= counters.recentSince) {
    const numbers = [...counters.recentChunks].filter(([, modSeq]) => modSeq > since).map(([no]) => no);
    numbers.sort((a, b) => a - b);
    const chunks = await ctx.keyValue.getMany(numbers.map((no) => chunkKey(account, mailbox, no)));
    for (const [n, no] of numbers.entries()) {
      const bytes = chunks[n];
      if (bytes) found.push([no, bytes]);
    }
    return found;
  }
  for await (const [key, bytes] of ctx.keyValue.scan(chunkRange(account, mailbox))) {
    if (highestModSeq(bytes) > since) found.push([lastNumber(key), bytes]);
  }
  return found;
}

async function expungedSince(ctx: Context, account: AccountId, mailbox: MailboxId, counters: Counters, since: number): Promise<Uid[]> {
  if (since < counters.vanishedSince) return missing(ctx, account, mailbox, counters.uidNext);
  if (counters.vanishedBlocks === 0) return [];
  const uids: Uid[] = [];
  for await (const [key, bytes] of ctx.keyValue.scan(vanishedRange(account, mailbox, blockOf(since + 1)))) {
    for (const expunge of readExpunges(bytes, lastNumber(key))) {
      if (expunge.modSeq > since && expunge.modSeq <= counters.highestModSeq) for (const uid of expunge.uids) uids.push(uid);
    }
  }
  // Blocks may have been dropped while they were read.
  const now = await countersOf(ctx, account, mailbox);
  if (now && since < now.vanishedSince) return missing(ctx, account, mailbox, counters.uidNext);
  return uids.sort((a, b) => a - b);
}

/** Every UID given out that is not there any more: the answer for times of which the expunges are forgotten. */
async function missing(ctx: Context, account: AccountId, mailbox: MailboxId, uidNext: Uid): Promise<Uid[]> {
  if (uidNext > mostMissing) throw damaged();
  const uids: Uid[] = [];
  let next = 1;
  for await (const [key, bytes] of ctx.keyValue.scan(chunkRange(account, mailbox))) {
    for (const row of decodeChunk(bytes, lastNumber(key))) {
      for (; next < row.uid && next < uidNext; next++) uids.push(next);
      next = row.uid + 1;
    }
  }
  for (; next < uidNext; next++) uids.push(next);
  return uids;
}

export async function claimRecent(ctx: Context, account: AccountId, mailbox: MailboxId): Promise<Uid> {
  const counters = await countersOf(ctx, account, mailbox);
  if (!counters) throw noMailbox();
  if (counters.recentFrom === counters.uidNext) return counters.recentFrom;
  return transact(ctx, account, 'soon', async (draft) => {
    const edit = await draft.mailbox(mailbox);
    if (!edit) throw noMailbox();
    const from = edit.counters.recentFrom;
    edit.counters.recentFrom = edit.counters.uidNext;
    edit.touchCounters();
    return from;
  });
}
