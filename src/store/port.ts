/**
 * The message store as LMDA, IMAPD, POP3D and the web see it.
 *
 * An account is known by the entryUUID of its directory entry. Message bytes are blobs shared by all who got them; what a
 * delivery adds is a `prefix` of its own in front. Sizes, offsets and reads always mean prefix + bytes.
 * Source: manual chapter 4; architecture "A message's way", "Mailbox index"
 */

import type { MessageStructure } from '../mail/index.ts';
import type { BlobInfo, Part } from '../storage/index.ts';

export type AccountId = string;
/** Stays the same when the mailbox is renamed. */
export type MailboxId = number;
export type Uid = number;

/** System flags as IMAP spells them (`\\Seen` …) and keywords. Interned: equal sets are the same array. Sorted. */
export type Flags = readonly string[];

export type SpecialUse = '\\All' | '\\Archive' | '\\Drafts' | '\\Flagged' | '\\Junk' | '\\Sent' | '\\Trash';

export interface MailboxInfo {
  readonly id: MailboxId;
  /** Full name in UTF-8, hierarchy separator `/`; `INBOX` is spelled so. */
  readonly name: string;
  readonly subscribed: boolean;
  readonly specialUse: readonly SpecialUse[];
  /** False for a name that only holds children. */
  readonly selectable: boolean;
  readonly uidValidity: number;
  readonly uidNext: Uid;
  readonly messages: number;
  readonly unseen: number;
  /** First UID that no session has been told is recent. */
  readonly recentFrom: Uid;
  readonly deleted: number;
  /** Octets. */
  readonly size: number;
  readonly highestModSeq: number;
}

export interface IndexEntry {
  readonly uid: Uid;
  readonly flags: Flags;
  readonly modSeq: number;
  /** Octets, prefix included. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly internalDate: number;
}

/** A message's octets: prefix, then the blob's bytes. */
export interface MessageSource {
  readonly blob: BlobInfo;
  readonly prefix: string;
}

export interface StoredMessage extends IndexEntry, MessageSource {
  readonly structure: MessageStructure;
}

export interface NewStoredMessage {
  readonly blob: BlobInfo;
  readonly prefix: string;
  readonly structure: MessageStructure;
  readonly flags: Flags;
  readonly internalDate: number;
}

export type FlagChange = { readonly operation: 'add' | 'remove' | 'replace'; readonly flags: Flags };

/** Pairs of source and destination UID, in the order of the source. */
export interface CopyResult {
  readonly uidValidity: number;
  readonly uids: readonly (readonly [from: Uid, to: Uid])[];
}

/** What happened in a mailbox since a modification sequence, for sessions that have it open. */
export interface MailboxDelta {
  readonly highestModSeq: number;
  /** New or changed messages, ascending UID; one with a UID the session has not seen is new. */
  readonly changed: readonly IndexEntry[];
  /** Ascending. */
  readonly expunged: readonly Uid[];
  /** The mailbox was deleted. */
  readonly gone: boolean;
}

export interface Store {
  /** Makes INBOX and the usual folders (Drafts, Sent, Junk, Trash, Archive) where they are missing. Idempotent; cheap when done. */
  ensureAccount(account: AccountId): Promise<void>;
  /** Removes everything the account has. */
  deleteAccount(account: AccountId): Promise<void>;
  accounts(): AsyncIterable<AccountId>;
  usage(account: AccountId): Promise<{ octets: number; messages: number }>;

  /** Sorted by name, INBOX first. */
  mailboxes(account: AccountId): Promise<MailboxInfo[]>;
  mailbox(account: AccountId, name: string): Promise<MailboxInfo | undefined>;
  /** Faults: exists, refused (bad name), too-many. Missing parents are made. */
  createMailbox(account: AccountId, name: string, specialUse?: readonly SpecialUse[]): Promise<MailboxInfo>;
  /** With children it keeps its name and loses its messages (RFC 3501 §6.3.4). INBOX is refused. */
  deleteMailbox(account: AccountId, name: string): Promise<void>;
  /** Children move along; INBOX's messages move and INBOX stays (RFC 3501 §6.3.5). */
  renameMailbox(account: AccountId, from: string, to: string): Promise<void>;
  /** Subscriptions are names and outlive their mailbox (RFC 3501 §6.3.6). */
  subscribe(account: AccountId, name: string, on: boolean): Promise<void>;
  subscriptions(account: AccountId): Promise<string[]>;

  /** All index entries in UID order. 100,000 messages cost a few hundred reads. */
  index(account: AccountId, mailbox: MailboxId): Promise<IndexEntry[]>;
  /** What changed after `sinceModSeq`; cheap when nothing did. */
  changes(account: AccountId, mailbox: MailboxId, sinceModSeq: number): Promise<MailboxDelta>;
  /** `listener` is called, coalesced, after a commit that changed this mailbox. */
  watch(account: AccountId, mailbox: MailboxId, listener: () => void): () => void;
  /** Marks everything below `uidNext` as seen by a session; returns the UID from which messages are recent for this session. */
  claimRecent(account: AccountId, mailbox: MailboxId): Promise<Uid>;

  message(account: AccountId, mailbox: MailboxId, uid: Uid): Promise<StoredMessage | undefined>;
  messages(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<(StoredMessage | undefined)[]>;
  /** Only where a message's octets are, for `read` and `stream`: costs one record. */
  source(account: AccountId, mailbox: MailboxId, uid: Uid): Promise<MessageSource | undefined>;
  /** Octets of prefix + bytes from `start` to `end`. */
  read(message: MessageSource, start?: number, end?: number): Promise<Uint8Array>;
  stream(message: MessageSource, start?: number, end?: number): AsyncIterable<Uint8Array>;

  /**
   * Puts a message into a mailbox (INBOX by default); joined by LMDA with the queue's completion. `deliveryId` makes it refuse
   * (CheckFailed) to deliver the same recipient of the same queue entry twice. The account must exist (`ensureAccount`).
   */
  deliverPart(
    account: AccountId,
    message: NewStoredMessage,
    options: { deliveryId?: string; mailbox?: string },
  ): Part<{ mailbox: MailboxId; uid: Uid; uidValidity: number }>;
  /** Durable. Fault not-found when the mailbox is missing. Several messages are appended all or none. */
  append(
    account: AccountId,
    mailbox: string,
    messages: readonly NewStoredMessage[],
  ): Promise<{ uidValidity: number; uids: readonly Uid[] }>;
  copy(account: AccountId, from: MailboxId, uids: readonly Uid[], to: string): Promise<CopyResult>;
  /** One commit: never in both, never in neither. */
  move(account: AccountId, from: MailboxId, uids: readonly Uid[], to: string): Promise<CopyResult>;
  /** Returns the entries as they are now; messages changed after `unchangedSince` are left alone and returned in `failed` (RFC 7162). */
  changeFlags(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[],
    change: FlagChange,
    unchangedSince?: number,
  ): Promise<{ changed: IndexEntry[]; failed: Uid[] }>;
  /** Removes messages that carry \\Deleted (all, or those among `uids`); returns their UIDs. */
  expunge(account: AccountId, mailbox: MailboxId, uids?: readonly Uid[]): Promise<Uid[]>;
  /** Removes these whatever their flags (POP3). */
  remove(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<void>;
}
