/**
 * What can be done later: clearing away deleted mailboxes and accounts, forgetting old delivery ids.
 *
 * Promise: every piece of work is noted in the same commit that causes it, is done in small transactions that may be repeated, and goes
 * on at the next start. Several processes may do it at once.
 */

import type { Cancel, Clock, Live, Log } from '../base/index.ts';
import type { BlobId, Key, KeyRange, KeyValue, Part } from '../storage/index.ts';
import { batchSize, draftPart } from './context.ts';
import type { Draft } from './draft.ts';
import {
  accountKey,
  deliveredRange,
  lastNumber,
  mailboxRange,
  messageRange,
  nameKey,
  nameRange,
  purgeKey,
  purgeOf,
  purgeRange,
  purgeRangeOf,
  removalTopic,
  subscriptionRange,
  usageKey,
  validityFloorKey,
} from './keys.ts';
import { dropContents } from './mailbox-names.ts';
import type { AccountId, MailboxId } from './port.ts';
import { type AccountRecord, decodeMessage, type NameRecord } from './records.ts';
import type { StoreSettings } from './settings.ts';
import { fromJson, jsonBytes } from './wire.ts';

type Entry = readonly [Key, Uint8Array];

const nothing = new Uint8Array(0);
/** Milliseconds that work may gather before it is begun. */
const gathering = 2000;
/** Milliseconds until work that failed is tried again. */
const retry = 60_000;
/** Milliseconds between two walks over the remembered deliveries. */
const sweepEvery = 6 * 3_600_000;
const day = 86_400_000;
const keysAtOnce = 500;

export interface HousekeepingOptions {
  readonly keyValue: KeyValue;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: Live<StoreSettings>;
}

export class Housekeeping {
  readonly #keyValue: KeyValue;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settings: Live<StoreSettings>;
  /** All work is done in one line, one piece after the other. */
  #line: Promise<void> = Promise.resolve();
  #timer: Cancel | undefined;
  #sweepTimer: Cancel | undefined;
  #closed = false;

  constructor(options: HousekeepingOptions) {
    this.#keyValue = options.keyValue;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#settings = options.settings;
    this.#armSweep();
  }

  #armSweep(): void {
    this.#sweepTimer = this.#clock.after(sweepEvery, () => {
      this.#quietly(() => this.forgetDeliveries());
      this.#armSweep();
    });
  }

  /** There is, or may be, work; it is begun soon. */
  wake(after = gathering): void {
    if (this.#timer || this.#closed) return;
    this.#timer = this.#clock.after(after, () => {
      this.#timer = undefined;
      this.#quietly(() => this.#pass());
    });
  }

  /** Does all noted work now. */
  drained(): Promise<void> {
    return this.#next(() => this.#pass());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.();
    this.#sweepTimer?.();
    await this.#line;
  }

  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#line.then(work);
    this.#line = done.catch(() => {});
    return done;
  }

  #quietly(work: () => Promise<void>): void {
    this.#next(work).catch((thrown: unknown) => {
      if (this.#closed) return;
      this.#log.warning('clearing up in the message store failed, it will be tried again', thrown);
      this.wake(retry);
    });
  }

  async #keys(range: KeyRange, limit: number): Promise<Key[]> {
    const keys: Key[] = [];
    for await (const [key] of this.#keyValue.scan(range, { keysOnly: true, limit })) keys.push(key);
    return keys;
  }

  async #pass(): Promise<void> {
    for (;;) {
      const jobs = await this.#keys(purgeRange, 100);
      for (const { account, mailbox } of jobs.map(purgeOf)) {
        if (this.#closed) return;
        if (mailbox === 0) await this.#purgeAccount(account);
        else await this.#purgeMailbox(account, mailbox);
      }
      if (this.#closed || jobs.length === 0) return;
    }
  }

  /** Marks the account as being removed (durable) and clears it away. An account that is not there is fine. */
  async removeAccount(account: AccountId): Promise<void> {
    const there = await this.#keyValue.transact(
      draftPart(account, async (draft) => {
        const record = await draft.accountRecord();
        if (!record) return false;
        draft.putAccount({ ...record, removing: true });
        draft.put(purgeKey(account, 0), nothing);
        draft.wake(removalTopic);
        // Without INBOX's counters nothing can be delivered any more.
        const inbox = await draft.named('INBOX');
        if (inbox) await dropName(draft, inbox);
        return true;
      }),
      'durable',
    );
    if (there) await this.#next(() => this.#purgeAccount(account));
  }

  async #purgeAccount(account: AccountId): Promise<void> {
    for (let left = true; left && !this.#closed; ) {
      left = await this.#keyValue.transact(
        draftPart(account, async (draft) => {
          const names = await draft.read.scan(nameRange(account), batchSize);
          for (const [, bytes] of names) await dropName(draft, fromJson<NameRecord>(bytes));
          return names.length > 0;
        }),
        'soon',
      );
    }
    for (const key of await this.#keys(purgeRangeOf(account), Number.MAX_SAFE_INTEGER)) {
      const { mailbox } = purgeOf(key);
      if (mailbox !== 0) await this.#purgeMailbox(account, mailbox);
    }
    await this.#deleteAll(subscriptionRange(account));
    if (this.#closed) return;
    await this.#keyValue.transact(
      draftPart(account, async (draft) => {
        const record = await draft.accountRecord();
        if (record) await raiseFloor(draft, record);
        for (const key of [accountKey(account), usageKey(account), purgeKey(account, 0)]) draft.delete(key);
      }),
      'durable',
    );
  }

  async #purgeMailbox(account: AccountId, mailbox: MailboxId): Promise<void> {
    await this.#walk(messageRange(account, mailbox), batchSize, false, (messages) =>
      draftPart(account, async (draft) => {
        for (const [key, bytes] of messages) {
          const blob = this.#blobOf(key, bytes);
          if (blob) await draft.dropMessage(mailbox, lastNumber(key), blob);
          else draft.delete(key);
        }
      }),
    );
    await this.#deleteAll(mailboxRange(account, mailbox));
    if (!this.#closed) await this.#keyValue.transact(async () => ({ deletes: [purgeKey(account, mailbox)], result: undefined }), 'soon');
  }

  /** The blob of a message; undefined where the record is damaged, which must not keep the rest from going. */
  #blobOf(key: Key, bytes: Uint8Array): BlobId | undefined {
    try {
      return decodeMessage(bytes).blob.id;
    } catch (thrown) {
      this.#log.warning(`the blob of a deleted message stays, as its record is damaged (${key})`, thrown);
      return undefined;
    }
  }

  #deleteAll(range: KeyRange): Promise<void> {
    return this.#walk(range, keysAtOnce, true, (entries) => async () => ({ deletes: entries.map(([key]) => key), result: undefined }));
  }

  /** One walk over a range, a transaction for every so many records. (Starting afresh each time would pass all that was deleted before.) */
  async #walk(range: KeyRange, size: number, keysOnly: boolean, part: (entries: readonly Entry[]) => Part<void>): Promise<void> {
    let batch: Entry[] = [];
    for await (const entry of this.#keyValue.scan(range, { keysOnly })) {
      if (this.#closed) return;
      batch.push(entry);
      if (batch.length < size) continue;
      await this.#keyValue.transact(part(batch), 'soon');
      batch = [];
    }
    if (batch.length > 0 && !this.#closed) await this.#keyValue.transact(part(batch), 'soon');
  }

  /** Drops the memory of deliveries that are older than the setting says. */
  async forgetDeliveries(): Promise<void> {
    const before = this.#clock.now() - this.#settings.value.deliveryMemoryDays * day;
    let old: Key[] = [];
    const drop = async (): Promise<void> => {
      const keys = old;
      old = [];
      await this.#keyValue.transact(async () => ({ deletes: keys, result: undefined }), 'soon');
    };
    for await (const [key, bytes] of this.#keyValue.scan(deliveredRange)) {
      if (this.#closed) return;
      if (fromJson<number>(bytes) < before) old.push(key);
      if (old.length >= keysAtOnce) await drop();
    }
    if (old.length > 0) await drop();
  }
}

async function dropName(draft: Draft, there: NameRecord): Promise<void> {
  if (there.selectable) await dropContents(draft, there);
  draft.delete(nameKey(draft.account, there.name));
}

/** Accounts made from now on use greater UIDVALIDITY values than this one ever had. */
async function raiseFloor(draft: Draft, record: AccountRecord): Promise<void> {
  const bytes = await draft.read.get(validityFloorKey);
  const floor = bytes ? fromJson<number>(bytes) : 0;
  draft.put(validityFloorKey, jsonBytes(Math.max(floor, record.lastUidValidity)));
}
