/** The store's records that are JSON, so that a person can read them: account, mailbox name, message. */

import type { BlobInfo } from '../storage/index.ts';
import type { MailboxId, SpecialUse } from './port.ts';
import { fromJson, jsonBytes } from './wire.ts';

export interface AccountRecord {
  readonly format: 1;
  readonly createdAt: number;
  readonly nextMailbox: MailboxId;
  readonly lastUidValidity: number;
  /** Names, those that only hold children included. */
  readonly mailboxes: number;
  readonly subscriptions: number;
  /** Hash of a name that was given up, and the UIDVALIDITY it had last. A mailbox renamed to it must have a greater one. */
  readonly retired: readonly (readonly [nameHash: number, uidValidity: number])[];
  /** The greatest UIDVALIDITY among those dropped from `retired`. */
  readonly retiredFloor: number;
  /** The account is being removed. */
  readonly removing?: true;
}

export interface NameRecord {
  readonly id: MailboxId;
  readonly name: string;
  /** False for a name that only holds children; it has no other records. */
  readonly selectable: boolean;
  readonly specialUse: readonly SpecialUse[];
}

export interface MessageRecord {
  readonly blob: BlobInfo;
  readonly prefix: string;
}

export function encodeMessage({ blob, prefix }: MessageRecord): Uint8Array {
  return jsonBytes([blob.id, blob.size, prefix]);
}

export function decodeMessage(bytes: Uint8Array): MessageRecord {
  const [id, size, prefix] = fromJson<[string, number, string]>(bytes);
  return { blob: { id, size }, prefix };
}
