/**
 * Messages with everything the store knows about them.
 *
 * Promise: a message that is in the index is found; where its structure is lost, it is made anew from the bytes and written back.
 */

import { Fault } from '../base/index.ts';
import { MessageIndexer, type MessageStructure } from '../mail/index.ts';
import type { Key } from '../storage/index.ts';
import { chunkOf } from './chunk.ts';
import type { Context } from './context.ts';
import { chunkKey, messageKey, structureKey } from './keys.ts';
import type { AccountId, MailboxId, MessageSource, StoredMessage, Uid } from './port.ts';
import { decodeMessage, type MessageRecord } from './records.ts';
import { entries } from './views.ts';
import { fromJson, jsonBytes } from './wire.ts';

/** Messages read with one call of the engine. */
const messagesAtOnce = 500;

export async function messages(
  ctx: Context,
  account: AccountId,
  mailbox: MailboxId,
  uids: readonly Uid[],
): Promise<(StoredMessage | undefined)[]> {
  const found: (StoredMessage | undefined)[] = [];
  for (let at = 0; at < uids.length; at += messagesAtOnce) {
    for (const message of await someMessages(ctx, account, mailbox, uids.slice(at, at + messagesAtOnce))) found.push(message);
  }
  return found;
}

export async function source(ctx: Context, account: AccountId, mailbox: MailboxId, uid: Uid): Promise<MessageSource | undefined> {
  const bytes = await ctx.keyValue.get(messageKey(account, mailbox, uid));
  return bytes && decodeMessage(bytes);
}

async function someMessages(
  ctx: Context,
  account: AccountId,
  mailbox: MailboxId,
  uids: readonly Uid[],
): Promise<(StoredMessage | undefined)[]> {
  const numbers = [...new Set(uids.map(chunkOf))];
  const keys: Key[] = [...numbers.map((no) => chunkKey(account, mailbox, no)), ...uids.map((uid) => messageKey(account, mailbox, uid))];
  const values = await ctx.keyValue.getMany(keys);
  const wanted = new Set(uids);
  const chunks = numbers.flatMap((no, n) => (values[n] ? [[no, values[n]] as const] : []));
  const rows = new Map((await entries(ctx, account, mailbox, chunks, (row) => wanted.has(row.uid))).map((entry) => [entry.uid, entry]));
  const records = values.slice(numbers.length).map((bytes) => bytes && decodeMessage(bytes));
  const structures = await structuresOf(ctx, records);
  const messages: (StoredMessage | undefined)[] = [];
  for (const [n, uid] of uids.entries()) {
    const entry = rows.get(uid);
    const record = records[n];
    if (!entry || !record) messages.push(undefined);
    else {
      const structure = structures.get(record.blob.id) ?? (await remake(ctx, record, messageKey(account, mailbox, uid)));
      messages.push(structure && { ...entry, blob: record.blob, prefix: record.prefix, structure });
    }
  }
  return messages;
}

/** The structure read from the bytes; written back unless the message is gone by now. Undefined where the bytes are gone too. */
async function remake(ctx: Context, { blob }: MessageRecord, message: Key): Promise<MessageStructure | undefined> {
  try {
    const indexer = new MessageIndexer();
    for await (const chunk of ctx.blobs.stream(blob.id)) indexer.push(chunk);
    const structure = indexer.end();
    const bytes = jsonBytes(structure);
    const written = await ctx.keyValue.transact(async (read) => {
      const there = (await read.get(message)) !== undefined;
      return there ? { puts: [[structureKey(blob.id), bytes]], result: true } : { result: false };
    }, 'soon');
    if (written) ctx.log.warning(`the structure of blob ${blob.id} was missing or damaged and has been made anew`);
    return structure;
  } catch (thrown) {
    ctx.log.error(`the structure of blob ${blob.id} is missing and cannot be made anew (${message})`, thrown);
    return undefined;
  }
}

async function structuresOf(ctx: Context, records: readonly (MessageRecord | undefined)[]): Promise<Map<string, MessageStructure>> {
  const ids = [...new Set(records.flatMap((record) => (record ? [record.blob.id] : [])))];
  const values = await ctx.keyValue.getMany(ids.map(structureKey));
  const found = new Map<string, MessageStructure>();
  for (const [n, id] of ids.entries()) {
    const bytes = values[n];
    if (!bytes) continue;
    try {
      found.set(id, fromJson<MessageStructure>(bytes));
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
    }
  }
  return found;
}
