/**
 * Makes everything of the queue that follows from its messages anew: indexes, counts, holds on bytes. For a database that was damaged,
 * while nobody has it open.
 *
 * Promise: messages and their recipients are the truth and are never changed; what cannot be read is put aside, not deleted. What is missing is
 * written before anything is taken away, so that an interrupted run loses nothing and the next one ends the work. Memory is bounded.
 * Source: manual chapter 6, "DBUPDATE"
 */

import type { Clock } from '../base/index.ts';
import { below, dereference, type Key, type KeyValue, reference } from '../storage/index.ts';
import type { QueueId } from './port.ts';
import {
  asideKey,
  bytes,
  decodeLease,
  decodeMessage,
  decodeSlip,
  dueKey,
  dueText,
  encodeAside,
  entryOf,
  holder,
  holdPrefix,
  wishPrefix,
  leasePrefix,
  placeKey,
  putDue,
  type Slip,
  type Stored,
  slipKey,
  slipsKey,
  textOf,
} from './records.ts';

/** check: change nothing; update: write what is missing or differs; rebuild: write everything. */
export type RebuildMode = 'check' | 'update' | 'rebuild';

export interface RebuildReport {
  readonly messages: number;
  readonly recipients: number;
  /** Entries of indexes that were missing or differed, and those that belong to nothing. */
  readonly wrong: number;
  readonly surplus: number;
  /** Recipients' records that cannot be read, or have no message. */
  readonly unreadable: number;
  /** Messages without recipients. */
  readonly empty: number;
}

type Puts = Map<Key, Uint8Array>;

/** Changes of one commit. */
const batch = 500;
const indexes = ['queue/d/', 'queue/t/', holdPrefix, wishPrefix, leasePrefix, 'queue/n/'] as const;

class Rebuild {
  readonly #keyValue: KeyValue;
  readonly #clock: Clock;
  readonly #mode: RebuildMode;
  readonly #report = { messages: 0, recipients: 0, wrong: 0, surplus: 0, unreadable: 0, empty: 0 };
  /** Entries that are gone because somebody had them in hand. */
  readonly #leased = new Set<Key>();
  #puts: Puts = new Map();
  #deletes: Key[] = [];

  constructor(keyValue: KeyValue, clock: Clock, mode: RebuildMode) {
    this.#keyValue = keyValue;
    this.#clock = clock;
    this.#mode = mode;
  }

  async run(): Promise<RebuildReport> {
    for await (const [, value] of this.#keyValue.scan(below(leasePrefix))) {
      const lease = readable(() => decodeLease(value));
      if (lease) for (const [key] of putDue(lease.due, lease.entry)) this.#leased.add(key);
    }
    for await (const one of this.#messages()) {
      await this.#message(one);
      await this.#flush(batch);
    }
    await this.#flush(1);
    for (const prefix of indexes) await this.#sweep(prefix);
    await this.#flush(1);
    return { ...this.#report };
  }

  /** Every message with its slips, as they stand there. */
  async *#messages(): AsyncGenerator<Found> {
    let found: Found | undefined;
    for await (const [key, value] of this.#keyValue.scan(below('queue/m/'))) {
      const [, , id = '', slip] = key.split('/');
      if (found?.id !== id) {
        if (found) yield found;
        found = { id, record: undefined, slips: [] };
      }
      if (slip === undefined) found.record = value;
      else found.slips.push([slip, value]);
    }
    if (found) yield found;
  }

  async #message({ id, record, slips }: Found): Promise<void> {
    const stored = readable(() => record && decodeMessage(record));
    if (stored && slips.length === 0) return this.#emptied(id, stored);
    const wanted: Puts = new Map();
    const read: Slip[] = [];
    for (const [name, value] of slips) {
      const slip = readable(() => decodeSlip(name, value));
      if (slip) read.push(slip);
      if (stored && slip && slip.recipients.length > 0) {
        for (const [key, entry] of putDue(placeKey(id, slip), dueText(entryOf(slip, stored.message)))) wanted.set(key, entry);
        this.#deletes.push(asideKey(id, name));
        this.#report.recipients += slip.recipients.length;
      } else
        await this.#aside(
          id,
          name,
          slip,
          stored ? 'the record of its recipients cannot be read' : 'the record of the message is missing or cannot be read',
        );
    }
    if (slips.length > 1 || read.some(({ only }) => !only)) wanted.set(slipsKey(id), bytes(`${slips.length}`));
    if (stored) {
      this.#report.messages += 1;
      for (const [key, value] of reference(stored.message.blob.id, holder(id)).puts) wanted.set(key, value);
    }
    await this.#want(wanted);
  }

  #emptied(id: QueueId, { message }: Stored): void {
    this.#report.empty += 1;
    const freed = dereference(message.blob.id, holder(id));
    this.#deletes.push(`queue/m/${id}`, slipsKey(id), ...freed.deletes);
    for (const [key, value] of freed.puts) this.#puts.set(key, value);
  }

  async #aside(id: QueueId, name: string, slip: Slip | undefined, problem: string): Promise<void> {
    this.#report.unreadable += 1;
    if (await this.#keyValue.get(asideKey(id, name))) return;
    const due = slip ? placeKey(id, slip) : dueKey({ queue: 'INPUT', lane: '', due: this.#clock.now(), id, slip: name });
    const count = slip?.recipients.length ?? 1;
    const entry = dueText({ count, version: slip?.version ?? 1, identifier: undefined, ends: 0 });
    this.#puts.set(asideKey(id, name), encodeAside({ due, entry, since: this.#clock.now(), problem }));
  }

  /** Notes what is not as it should be; how often a process ended over an entry is no fault of it. */
  async #want(wanted: Puts): Promise<void> {
    const keys = [...wanted.keys()];
    const there = await this.#keyValue.getMany(keys);
    for (const [n, key] of keys.entries()) {
      const value = wanted.get(key) ?? new Uint8Array(0);
      const same = there[n] !== undefined && plain(there[n]) === plain(value);
      if (!same && !(there[n] === undefined && this.#leased.has(key))) this.#report.wrong += 1;
      if (!same || this.#mode === 'rebuild') this.#puts.set(key, value);
    }
  }

  /** Takes away the entries of an index that belong to nothing. What is in hand is given back: its entry was written above. */
  async #sweep(prefix: (typeof indexes)[number]): Promise<void> {
    for await (const [key] of this.#keyValue.scan(below(prefix), { keysOnly: true })) {
      if (await this.#belongs(prefix, key)) continue;
      if (prefix !== leasePrefix) this.#report.surplus += 1;
      this.#deletes.push(key);
      await this.#flush(batch);
    }
  }

  async #belongs(prefix: (typeof indexes)[number], key: Key): Promise<boolean> {
    if (prefix === leasePrefix) return false;
    const parts = key.split('/');
    if (prefix === 'queue/n/') return (await this.#keyValue.get(`queue/m/${parts[2] ?? ''}`)) !== undefined;
    const [id = '', name = ''] = parts.slice(-2);
    const [record, value] = await this.#keyValue.getMany([`queue/m/${id}`, slipKey(id, name)]);
    const stored = readable(() => record && decodeMessage(record));
    const slip = readable(() => value && decodeSlip(name, value));
    if (!stored || !slip) return false;
    return putDue(placeKey(id, slip), dueText(entryOf(slip, stored.message))).some(([own]) => own === key);
  }

  async #flush(least: number): Promise<void> {
    if (this.#puts.size + this.#deletes.length < least) return;
    const puts = [...this.#puts];
    const deletes = this.#deletes.filter((key) => !this.#puts.has(key));
    this.#puts = new Map();
    this.#deletes = [];
    if (this.#mode !== 'check') await this.#keyValue.transact(async () => ({ puts, deletes, result: undefined }), 'durable');
  }
}

interface Found {
  readonly id: QueueId;
  record: Uint8Array | undefined;
  readonly slips: [name: string, value: Uint8Array][];
}

function readable<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

const plain = (value: Uint8Array | undefined): string => textOf(value ?? new Uint8Array(0)).replace(/^(\d+:\d+)\+\d+/, '$1');

/** Nobody else may have the queue open. */
export function rebuildQueue(keyValue: KeyValue, clock: Clock, mode: RebuildMode): Promise<RebuildReport> {
  return new Rebuild(keyValue, clock, mode).run();
}
