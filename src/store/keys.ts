/**
 * Where every record of the store lives. docs/store.md explains what stands in each.
 *
 * Promise: whatever a mailbox, an account or a delivery is called, its keys stay inside its own range.
 */

import { type BlobId, below, fromSegment, fromSortable, type Key, type KeyRange, segment, sortable } from '../storage/index.ts';
import type { AccountId, MailboxId, Uid } from './port.ts';

/** Accounts and delivery ids need no escaping nearly always. */
const plain = /^[0-9A-Za-z.-]+$/;
const safe = (text: string): string => (plain.test(text) ? text : segment(text));

/** INBOX always has this id, so that a delivery need not look its name up. */
export const inboxId: MailboxId = 1;

export const accountKey = (account: AccountId): Key => `store/account/${safe(account)}`;
export const accountRange: KeyRange = below('store/account/');
export const accountOf = (key: Key): AccountId => fromSegment(key.slice('store/account/'.length));

export const usageKey = (account: AccountId): Key => `store/usage/${safe(account)}`;

/** No account made from now on uses a UIDVALIDITY below the number in here: those of removed accounts are not used again. */
export const validityFloorKey: Key = 'store/uidvalidity';

export const deliveredKey = (deliveryId: string): Key => `store/delivered/${safe(deliveryId)}`;
export const deliveredRange: KeyRange = below('store/delivered/');

export const structureKey = (blob: BlobId): Key => `store/structure/${blob}`;

/** How many messages share the structure, where there are several. */
export const sharesKey = (blob: BlobId): Key => `store/shares/${blob}`;

const boxes = (account: AccountId): string => `store/box/${safe(account)}/`;
export const nameKey = (account: AccountId, name: string): Key => `${boxes(account)}name/${segment(name)}`;
export const nameRange = (account: AccountId): KeyRange => below(`${boxes(account)}name/`);
/** The names of all mailboxes below this one. */
export const childRange = (account: AccountId, name: string): KeyRange => below(nameKey(account, `${name}/`));
export const subscriptionKey = (account: AccountId, name: string): Key => `${boxes(account)}subscribed/${segment(name)}`;
export const subscriptionRange = (account: AccountId): KeyRange => below(`${boxes(account)}subscribed/`);
/** The last segment of a name or subscription key as text. */
export const lastSegment = (key: Key): string => fromSegment(key.slice(key.lastIndexOf('/') + 1));

/** Everything a mailbox has, its name aside. */
export const mailboxRange = (account: AccountId, mailbox: MailboxId): KeyRange => below(`${boxes(account)}${mailbox}/`);
export const countersKey = (account: AccountId, mailbox: MailboxId): Key => `${boxes(account)}${mailbox}/counters`;
export const keywordsKey = (account: AccountId, mailbox: MailboxId): Key => `${boxes(account)}${mailbox}/keywords`;
export const chunkKey = (account: AccountId, mailbox: MailboxId, chunk: number): Key =>
  `${boxes(account)}${mailbox}/index/${sortable(chunk)}`;
export const chunkRange = (account: AccountId, mailbox: MailboxId): KeyRange => below(`${boxes(account)}${mailbox}/index/`);
export const messageKey = (account: AccountId, mailbox: MailboxId, uid: Uid): Key => `${boxes(account)}${mailbox}/message/${sortable(uid)}`;
export const messageRange = (account: AccountId, mailbox: MailboxId): KeyRange => below(`${boxes(account)}${mailbox}/message/`);
export const vanishedKey = (account: AccountId, mailbox: MailboxId, block: number): Key =>
  `${boxes(account)}${mailbox}/vanished/${sortable(block)}`;
export const vanishedRange = (account: AccountId, mailbox: MailboxId, from = 0): KeyRange => ({
  from: vanishedKey(account, mailbox, from),
  to: below(`${boxes(account)}${mailbox}/vanished/`).to,
});
/** The number at the end of a chunk, message or vanished key. */
export const lastNumber = (key: Key): number => fromSortable(key.slice(key.lastIndexOf('/') + 1));

/** Work left behind by a deleted mailbox or account; `mailbox` 0 stands for the whole account. */
export const purgeKey = (account: AccountId, mailbox: MailboxId): Key => `store/purge/${safe(account)}/${mailbox}`;
export const purgeRange: KeyRange = below('store/purge/');
export const purgeRangeOf = (account: AccountId): KeyRange => below(`store/purge/${safe(account)}/`);
export function purgeOf(key: Key): { account: AccountId; mailbox: MailboxId } {
  const [account = '', mailbox = ''] = key.slice('store/purge/'.length).split('/');
  return { account: fromSegment(account), mailbox: Number(mailbox) };
}

/** Who holds a blob on behalf of a message: the last part of its reference key. */
export const holderOf = (account: AccountId, mailbox: MailboxId, uid: Uid): string => `store:${account}:${mailbox}:${uid}`;

/** Woken by every commit that changes the mailbox. */
export const mailboxTopic = (account: AccountId, mailbox: MailboxId): string => `store/${account}/${mailbox}`;
/** Woken when an account is removed. */
export const removalTopic = 'store/removed';
