/**
 * What one part wants to change in an account, gathered while it reads: mailboxes, message records, references, usage.
 *
 * Promise: however a part goes about it, counters, chunks, expunge blocks and usage agree when it is done, and a mailbox that changed
 * wakes its watchers. Lives for one run of one part.
 */

import { type BlobId, type Changes, type Check, dereference, type Key, type PartReader, reference } from '../storage/index.ts';
import { decodeCounters, decodeUsage, encodeUsage } from './counters.ts';
import {
  accountKey,
  countersKey,
  holderOf,
  inboxId,
  mailboxTopic,
  messageKey,
  nameKey,
  sharesKey,
  structureKey,
  usageKey,
} from './keys.ts';
import { MailboxEdit } from './mailbox-edit.ts';
import type { AccountId, MailboxId, Uid } from './port.ts';
import { type AccountRecord, encodeMessage, type MessageRecord, type NameRecord } from './records.ts';
import { fromJson, jsonBytes } from './wire.ts';

/** How many messages, of whatever accounts, share a blob's structure: before this part, and now. */
interface Shares {
  readonly before: number;
  now: number;
}

export class Draft {
  readonly read: PartReader;
  readonly account: AccountId;
  readonly #mailboxes = new Map<MailboxId, MailboxEdit | undefined>();
  /** The last word on each key; null removes it. */
  readonly #changes = new Map<Key, Uint8Array | null>();
  readonly #checks: Check[] = [];
  readonly #wake = new Set<string>();
  readonly #shares = new Map<BlobId, Shares>();
  #octets = 0;
  #messages = 0;

  constructor(read: PartReader, account: AccountId) {
    this.read = read;
    this.account = account;
  }

  put(key: Key, value: Uint8Array): void {
    this.#changes.set(key, value);
  }

  delete(key: Key): void {
    this.#changes.set(key, null);
  }

  check(check: Check): void {
    this.#checks.push(check);
  }

  wake(topic: string): void {
    this.#wake.add(topic);
  }

  /** Adds what another room's part wants. */
  #include(changes: Omit<Changes<unknown>, 'result'>): void {
    this.#checks.push(...(changes.checks ?? []));
    for (const key of changes.deletes ?? []) this.#changes.set(key, null);
    for (const [key, value] of changes.puts ?? []) this.#changes.set(key, value);
  }

  /** Adds to (or takes from) what the account uses. */
  use(octets: number, messages: number): void {
    this.#octets += octets;
    this.#messages += messages;
  }

  async accountRecord(): Promise<AccountRecord | undefined> {
    const bytes = await this.read.get(accountKey(this.account));
    return bytes && fromJson<AccountRecord>(bytes);
  }

  async named(name: string): Promise<NameRecord | undefined> {
    const bytes = await this.read.get(nameKey(this.account, name));
    return bytes && fromJson<NameRecord>(bytes);
  }

  /** The mailbox as it is, for changing; undefined where there is none. */
  async mailbox(id: MailboxId): Promise<MailboxEdit | undefined> {
    if (this.#mailboxes.has(id)) return this.#mailboxes.get(id);
    const bytes = await this.read.get(countersKey(this.account, id));
    const edit = bytes && new MailboxEdit(this, id, decodeCounters(bytes));
    this.#mailboxes.set(id, edit);
    return edit;
  }

  async mailboxNamed(name: string): Promise<MailboxEdit | undefined> {
    if (name === 'INBOX') return this.mailbox(inboxId);
    const record = await this.named(name);
    return record?.selectable ? this.mailbox(record.id) : undefined;
  }

  /** Writes a message's record and holds its blob. `structure` is needed unless another message of the account has the blob. */
  async addMessage(mailbox: MailboxId, uid: Uid, record: MessageRecord, structure?: () => Uint8Array): Promise<void> {
    const { id } = record.blob;
    this.put(messageKey(this.account, mailbox, uid), encodeMessage(record));
    this.#include(reference(id, holderOf(this.account, mailbox, uid)));
    let shares = this.#shares.get(id);
    if (!shares) {
      shares = await this.#readShares(id, structure !== undefined);
      this.#shares.set(id, shares);
    }
    shares.now++;
    if (shares.now === 1 && structure) this.put(structureKey(id), structure());
  }

  /** Removes a message's record and lets go of its blob. */
  async dropMessage(mailbox: MailboxId, uid: Uid, blob: BlobId): Promise<void> {
    this.delete(messageKey(this.account, mailbox, uid));
    this.#include(dereference(blob, holderOf(this.account, mailbox, uid)));
    let shares = this.#shares.get(blob);
    if (!shares) {
      shares = await this.#readShares(blob, false);
      this.#shares.set(blob, shares);
    }
    shares.now--;
  }

  /** How many messages share a structure; one that is written and has no number has one. `perhapsNew`: it may not be there. */
  async #readShares(blob: BlobId, perhapsNew: boolean): Promise<Shares> {
    if (perhapsNew && !(await this.read.get(structureKey(blob)))) return { before: 0, now: 0 };
    const bytes = await this.read.get(sharesKey(blob));
    const count = bytes ? fromJson<number>(bytes) : 1;
    return { before: count, now: count };
  }

  #writeShares(blob: BlobId, { before, now }: Shares): void {
    if (now === before) return;
    if (now <= 0) this.delete(structureKey(blob));
    if (now > 1) this.put(sharesKey(blob), jsonBytes(now));
    else if (before > 1) this.delete(sharesKey(blob));
  }

  async done<T>(result: T): Promise<Changes<T>> {
    for (const [id, edit] of this.#mailboxes) {
      if (!edit?.changed) continue;
      await edit.finish();
      this.wake(mailboxTopic(this.account, id));
    }
    for (const [blob, shares] of this.#shares) this.#writeShares(blob, shares);
    if (this.#octets !== 0 || this.#messages !== 0) {
      const usage = decodeUsage(await this.read.get(usageKey(this.account)));
      this.put(
        usageKey(this.account),
        encodeUsage({ octets: Math.max(0, usage.octets + this.#octets), messages: Math.max(0, usage.messages + this.#messages) }),
      );
    }
    const puts: [Key, Uint8Array][] = [];
    const deletes: Key[] = [];
    for (const [key, value] of this.#changes) {
      if (value) puts.push([key, value]);
      else deletes.push(key);
    }
    return { checks: this.#checks, puts, deletes, wake: [...this.#wake], result };
  }

  putAccount(record: AccountRecord): void {
    this.put(accountKey(this.account), jsonBytes(record));
  }

  putName(record: NameRecord): void {
    this.put(nameKey(this.account, record.name), jsonBytes(record));
  }
}
