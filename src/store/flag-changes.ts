/**
 * Changing flags, a few chunks of the index at a time.
 *
 * Promise: a message whose flags stay as they are keeps its mod-sequence; with `unchangedSince` nothing is changed that somebody else
 * changed after it.
 * Spec: RFC 3501 §6.4.6, RFC 7162 §3.1.3
 */

import { Fault } from '../base/index.ts';
import { chunkOf, type Row } from './chunk.ts';
import { ascending, type Context, needMailbox, transact } from './context.ts';
import { type FlagSet, KeywordsFull, parseFlags } from './flags.ts';
import { freeKeywords } from './keywords.ts';
import type { AccountId, FlagChange, IndexEntry, MailboxId, Uid } from './port.ts';

/** Chunks that one transaction rewrites at most. */
const chunksAtOnce = 8;

interface Outcome {
  readonly changed: IndexEntry[];
  readonly failed: Uid[];
}

/** Runs of UIDs that lie in a few chunks. */
export function* byChunks(uids: readonly Uid[], chunks: number): Generator<Map<number, Uid[]>> {
  let group = new Map<number, Uid[]>();
  for (const uid of uids) {
    const no = chunkOf(uid);
    const there = group.get(no);
    if (there) there.push(uid);
    else {
      if (group.size === chunks) {
        yield group;
        group = new Map();
      }
      group.set(no, [uid]);
    }
  }
  if (group.size > 0) yield group;
}

function changedFlags(
  row: Row,
  operation: FlagChange['operation'],
  flags: FlagSet,
  slots: readonly number[],
): [system: number, words: readonly number[]] {
  switch (operation) {
    case 'replace':
      return [flags.system, slots];
    case 'add':
      return [row.system | flags.system, slots.length === 0 ? row.words : [...new Set([...row.words, ...slots])].sort((a, b) => a - b)];
    case 'remove':
      return [row.system & ~flags.system, slots.length === 0 ? row.words : row.words.filter((word) => !slots.includes(word))];
  }
}

/** A message may carry this many keywords; more than a person sets, and a row stays small. */
const wordsPerMessage = 64;

function changeGroup(
  ctx: Context,
  account: AccountId,
  id: MailboxId,
  group: ReadonlyMap<number, readonly Uid[]>,
  change: { operation: FlagChange['operation']; flags: FlagSet; unchangedSince: number },
): Promise<Outcome> {
  return transact(ctx, account, 'soon', async (draft) => {
    const mailbox = await needMailbox(draft, id);
    const slots = await mailbox.slots(change.flags, change.operation !== 'remove');
    const changed: IndexEntry[] = [];
    const failed: Uid[] = [];
    for (const [no, uids] of group) {
      const wanted = new Set(uids);
      for (const row of await mailbox.rows(no)) {
        if (!wanted.has(row.uid)) continue;
        if (row.modSeq > change.unchangedSince) {
          failed.push(row.uid);
          continue;
        }
        const [system, words] = changedFlags(row, change.operation, change.flags, slots);
        if (words.length > wordsPerMessage) throw new Fault('too-many', 'too many keywords on one message');
        mailbox.setFlags(row, system, words);
        changed.push(await mailbox.entry(row));
      }
    }
    return { changed, failed };
  });
}

export async function changeFlags(
  ctx: Context,
  account: AccountId,
  mailbox: MailboxId,
  uids: readonly Uid[],
  change: FlagChange,
  unchangedSince = Number.MAX_SAFE_INTEGER,
): Promise<{ changed: IndexEntry[]; failed: Uid[] }> {
  const outcome: Outcome = { changed: [], failed: [] };
  const parsed = { operation: change.operation, flags: parseFlags(change.flags), unchangedSince };
  for (const group of byChunks(ascending(uids), chunksAtOnce)) {
    let part: Outcome;
    try {
      part = await changeGroup(ctx, account, mailbox, group, parsed);
    } catch (thrown) {
      if (!(thrown instanceof KeywordsFull) || !(await freeKeywords(ctx, account, mailbox))) throw thrown;
      part = await changeGroup(ctx, account, mailbox, group, parsed);
    }
    for (const entry of part.changed) outcome.changed.push(entry);
    for (const uid of part.failed) outcome.failed.push(uid);
  }
  return outcome;
}
