/**
 * Putting messages in: deliveries (joined with the queue's completion) and appends.
 *
 * Promise: one commit writes index, record, reference, structure and counters together. A delivery id is written with the message it
 * brought, so the same one is refused with CheckFailed.
 * Spec: RFC 3501 §6.3.11, RFC 3502
 */

import { Fault } from '../base/index.ts';
import type { Part } from '../storage/index.ts';
import { type Context, checkAccount, draftPart, noMailbox, sizeOf } from './context.ts';
import type { Draft } from './draft.ts';
import { type FlagSet, KeywordsFull, parseFlags } from './flags.ts';
import { deliveredKey, inboxId } from './keys.ts';
import { freeKeywords } from './keywords.ts';
import type { MailboxEdit } from './mailbox-edit.ts';
import { knownName } from './names.ts';
import type { AccountId, MailboxId, NewStoredMessage, Uid } from './port.ts';
import { jsonBytes } from './wire.ts';

/** Messages of one MULTIAPPEND: they are one commit. */
const appendLimit = 1000;

interface Arrival {
  readonly message: NewStoredMessage;
  readonly flags: FlagSet;
  readonly size: number;
  readonly structure: () => Uint8Array;
}

/** Checks a message before any part sees it; its structure is written down once, however often the part runs. */
function arrival(message: NewStoredMessage): Arrival {
  let bytes: Uint8Array | undefined;
  const structure = (): Uint8Array => {
    bytes ??= jsonBytes(message.structure);
    return bytes;
  };
  return { message, flags: parseFlags(message.flags), size: sizeOf(message), structure };
}

async function add(ctx: Context, draft: Draft, mailbox: MailboxEdit, arrived: Arrival, flags = arrived.flags): Promise<Uid> {
  if (mailbox.counters.messages >= ctx.settings.value.messageLimit) throw new Fault('too-many', 'this mailbox is full');
  const uid = await mailbox.append(flags, arrived.size, arrived.message.internalDate);
  await draft.addMessage(mailbox.id, uid, arrived.message, arrived.structure);
  return uid;
}

/** Mail does not wait because its keywords find no room: it comes without them. */
async function addAnyhow(ctx: Context, draft: Draft, mailbox: MailboxEdit, arrived: Arrival): Promise<Uid> {
  try {
    return await add(ctx, draft, mailbox, arrived);
  } catch (thrown) {
    if (!(thrown instanceof KeywordsFull)) throw thrown;
    return add(ctx, draft, mailbox, arrived, { system: arrived.flags.system, words: [] });
  }
}

export function deliverPart(
  ctx: Context,
  account: AccountId,
  message: NewStoredMessage,
  options: { deliveryId?: string; mailbox?: string },
): Part<{ mailbox: MailboxId; uid: Uid; uidValidity: number }> {
  const arrived = arrival(message);
  const name = knownName(options.mailbox ?? 'INBOX');
  const delivered = options.deliveryId === undefined ? undefined : deliveredKey(options.deliveryId);
  const now = delivered && jsonBytes(ctx.clock.now());
  return draftPart(account, async (draft) => {
    const mailbox = name === undefined ? undefined : await draft.mailboxNamed(name);
    if (!mailbox) throw noMailbox();
    const uid = await addAnyhow(ctx, draft, mailbox, arrived);
    if (delivered && now) {
      draft.check({ absent: delivered });
      draft.put(delivered, now);
    }
    return { mailbox: mailbox.id, uid, uidValidity: mailbox.counters.uidValidity };
  });
}

export async function append(
  ctx: Context,
  account: AccountId,
  anyName: string,
  messages: readonly NewStoredMessage[],
): Promise<{ uidValidity: number; uids: readonly Uid[] }> {
  checkAccount(account);
  if (messages.length > appendLimit) throw new Fault('too-many', `more than ${appendLimit} messages at once`);
  const arrivals = messages.map(arrival);
  const name = knownName(anyName);
  if (name === undefined) throw noMailbox();
  let used: MailboxId = inboxId;
  const part = draftPart(account, async (draft) => {
    const mailbox = await draft.mailboxNamed(name);
    if (!mailbox) throw noMailbox();
    used = mailbox.id;
    const uids: Uid[] = [];
    for (const arrived of arrivals) uids.push(await add(ctx, draft, mailbox, arrived));
    return { uidValidity: mailbox.counters.uidValidity, uids };
  });
  try {
    return await ctx.keyValue.transact(part, 'durable');
  } catch (thrown) {
    if (!(thrown instanceof KeywordsFull) || !(await freeKeywords(ctx, account, used))) throw thrown;
    return ctx.keyValue.transact(part, 'durable');
  }
}
