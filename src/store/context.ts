/** What the verbs of this room work with, and the checks they share. */

import { type Clock, Fault, type Live, type Log } from '../base/index.ts';
import type { Blobs, Changes, Durability, KeyValue, Part } from '../storage/index.ts';
import { Draft } from './draft.ts';
import type { Housekeeping } from './housekeeping.ts';
import type { MailboxEdit } from './mailbox-edit.ts';
import type { AccountId, MailboxId, NewStoredMessage, Uid } from './port.ts';
import type { StoreSettings } from './settings.ts';

export interface Context {
  readonly keyValue: KeyValue;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: Live<StoreSettings>;
  readonly housekeeping: Housekeeping;
}

/** Messages that one transaction of a long operation moves, copies or removes: a few milliseconds' work. */
export const batchSize = 200;

const longestAccount = 200;
const longestPrefix = 64 * 1024;

export function checkAccount(account: AccountId): void {
  if (account === '' || account.length > longestAccount) throw new Fault('malformed', 'not an account');
}

export const noAccount = (): Fault => new Fault('not-found', 'there is no such account');
export const noMailbox = (): Fault => new Fault('not-found', 'there is no such mailbox');

/** A part over one account: `work` gathers changes in a draft. */
export function draftPart<T>(account: AccountId, work: (draft: Draft) => Promise<T>): Part<T> {
  return async (read): Promise<Changes<T>> => {
    const draft = new Draft(read, account);
    const result = await work(draft);
    return draft.done(result);
  };
}

export function transact<T>(ctx: Context, account: AccountId, durability: Durability, work: (draft: Draft) => Promise<T>): Promise<T> {
  return ctx.keyValue.transact(draftPart(account, work), durability);
}

export async function needMailbox(draft: Draft, id: MailboxId): Promise<MailboxEdit> {
  const mailbox = await draft.mailbox(id);
  if (!mailbox) throw noMailbox();
  return mailbox;
}

/** Distinct UIDs, ascending. */
export function ascending(uids: readonly Uid[]): Uid[] {
  let sorted = true;
  for (let n = 1; n < uids.length && sorted; n++) sorted = uids[n]! > uids[n - 1]!;
  return sorted ? [...uids] : [...new Set(uids)].sort((a, b) => a - b);
}

export function* batches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

/** Octets a message has with its prefix. Faults: malformed, too-large. */
export function sizeOf(message: NewStoredMessage): number {
  const prefix = Buffer.byteLength(message.prefix);
  if (prefix > longestPrefix) throw new Fault('too-large', 'the delivery header is too long');
  const { internalDate } = message;
  if (!Number.isInteger(internalDate) || Math.abs(internalDate) > 8.64e15) throw new Fault('malformed', 'not a date');
  return prefix + message.blob.size;
}
