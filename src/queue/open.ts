/**
 * The shared message queue on a key-value engine.
 *
 * What a crash does at every state stands in README.md. In short: all changes go through one log, so a durable one takes
 * everything before it along; a lease that is lost or left over makes its work due again.
 */

import { type Clock, Fault, type Log, type Random } from '../base/index.ts';
import { type Changes, join, type Key, type KeyValue, type Part, reference } from '../storage/index.ts';
import { voidLeases } from './crashes.ts';
import { type Candidate, Feed } from './feed.ts';
import { idMaker, isQueueId } from './ids.ts';
import { deferredPage, destinations, getListing, list, queueNames, summarizer } from './inspect.ts';
import { type Leasing, leaseFrom, leaseThese } from './lease.ts';
import type {
  Deferral,
  Filing,
  Lease,
  LeaseOptions,
  NewMessage,
  Outcome,
  Queue,
  QueuedMessage,
  QueuedRecipient,
  QueueName,
  WaitingSlip,
} from './port.ts';
import {
  awake,
  bytes,
  decodeSlip,
  deleteDue,
  destinationPrefix,
  dueKey,
  duePrefix,
  dueText,
  encodeMessage,
  entryOf,
  holder,
  messageKey,
  placeOf,
  putSlip,
  readDue,
  type Slip,
  slipKey,
  slipsKey,
  textOf,
} from './records.ts';
import { giveBack, groups, settle } from './settle.ts';
import { countDeferred, identifiersOf, waitingFor } from './waiting.ts';

export interface QueueNeeds {
  readonly keyValue: KeyValue;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  /** Differs at every start: leases that carry another one belong to a process that is no more. */
  readonly epoch: string | number;
  /** What a queue keeps in memory of the slips it has just filed. */
  readonly feed?: { readonly slips: number; readonly recipients: number };
}

export interface OpenQueue extends Queue {
  /** Stops timers and wake-ups. Leases still out stay out; the next start voids them. */
  close(): void;
}

const page = 500;
const recipientsAtMost = 100_000;

function slipsOf(message: NewMessage, now: number): Slip[] {
  const recipients = message.recipients.map(
    ({ address, dsn, filed }, n): QueuedRecipient => ({
      number: n + 1,
      address,
      ...(dsn ? { dsn } : {}),
      queue: filed?.queue ?? 'INPUT',
      identifier: filed?.identifier ?? '',
      attempts: 0,
      nextAttempt: now,
    }),
  );
  const parts = groups(recipients);
  const only = parts.length === 1;
  return parts.map((some, n): Slip => {
    const queue = (some[0] as QueuedRecipient).queue;
    return { name: n.toString(36), version: 0, queue, due: now, only, recipients: some };
  });
}

const topicOf = (queue: QueueName): string => `queue/${queue}`;

class LevelledQueue implements OpenQueue {
  readonly newId: () => string;
  readonly summary: Queue['summary'];
  readonly #needs: QueueNeeds;
  readonly #epoch: string;
  readonly #feeds = new Map<QueueName, Feed>();
  readonly #listeners = new Map<QueueName, Set<() => void>>();
  readonly #retried = new Map<QueueName, (identifier: string | undefined) => void>();
  readonly #leasing: Leasing;
  readonly #unsubscribe: (() => void)[] = [];
  #names = 0;

  constructor(needs: QueueNeeds, epoch: string) {
    const { keyValue, clock, log, random } = needs;
    this.#needs = needs;
    this.#epoch = epoch;
    this.newId = idMaker(clock, random);
    this.summary = summarizer(keyValue, clock);
    this.#leasing = { keyValue, clock, log, leaseName: () => this.#name() };
    for (const queue of queueNames) {
      this.#listeners.set(queue, new Set());
      const feed = new Feed(clock, needs.feed ?? { slips: 4096, recipients: 65_536 }, () => this.#wake(queue));
      this.#feeds.set(queue, feed);
      this.#unsubscribe.push(keyValue.subscribe(topicOf(queue), () => feed.committed()));
    }
  }

  async submit(message: NewMessage): Promise<void> {
    const now = this.#needs.clock.now();
    const { recipients, ...bare } = message;
    const slips = await this.#needs.keyValue.transact(this.#submission(message, bare, now), 'durable');
    this.#feedWith(bare, recipients.length, slips);
  }

  submitPart(message: NewMessage): Part<void> {
    const { recipients: _recipients, ...bare } = message;
    const part = this.#submission(message, bare, this.#needs.clock.now());
    return async (read) => this.#announced(await part(read), message.id);
  }

  lease(queue: QueueName, limit: number, options: LeaseOptions = {}): Promise<Lease[]> {
    return limit < 1 ? Promise.resolve([]) : leaseFrom(this.#leasing, this.#feed(queue), queue, limit, options);
  }

  async file(lease: Lease, filings: readonly Filing[]): Promise<void> {
    await this.#settleNow(lease, { filed: filings }, 'soon');
  }

  filePart(lease: Lease, filings: readonly Filing[]): Part<void> {
    return this.settlePart(lease, { filed: filings });
  }

  completePart(lease: Lease, numbers: readonly number[]): Part<void> {
    return this.settlePart(lease, { done: numbers });
  }

  async complete(lease: Lease, numbers: readonly number[]): Promise<void> {
    await this.#settleNow(lease, { done: numbers }, 'durable');
  }

  async defer(lease: Lease, deferrals: readonly Deferral[]): Promise<void> {
    // Losing a deferral means trying early; losing the note that the sender was told means telling twice.
    await this.#settleNow(lease, { deferred: deferrals }, deferrals.some((deferral) => deferral.delayNotified) ? 'durable' : 'soon');
  }

  settlePart(lease: Lease, outcome: Outcome): Part<void> {
    const now = this.#needs.clock.now();
    const stem = this.#name();
    return async (read) => {
      const { result, ...written } = await settle(read, lease, outcome, stem, now);
      return this.#announced({ ...written, result: result.slips }, lease.message.id);
    };
  }

  async settle(lease: Lease, outcome: Outcome, submissions: readonly NewMessage[] = []): Promise<void> {
    if (submissions.length === 0) return await this.#settleNow(lease, outcome, 'durable');
    const parts = submissions.map((message) => this.submitPart(message));
    await this.#needs.keyValue.transact(join(...parts, this.settlePart(lease, outcome)), 'durable');
  }

  async release(lease: Lease): Promise<void> {
    const { due, queue } = await this.#needs.keyValue.transact((read) => giveBack(read, lease), 'soon');
    this.#feed(queue).again(due);
  }

  onWork(queue: QueueName, listener: () => void): () => void {
    this.#listeners.get(queue)?.add(listener);
    return () => this.#listeners.get(queue)?.delete(listener);
  }

  onRetry(queue: QueueName, listener: (identifier: string | undefined) => void): () => void {
    this.#retried.set(queue, listener);
    return () => {
      if (this.#retried.get(queue) === listener) this.#retried.delete(queue);
    };
  }

  waiting(queue: QueueName, identifier: string): AsyncIterable<WaitingSlip> {
    return waitingFor(this.#needs.keyValue, queue, identifier);
  }

  identifiers(queue: QueueName): ReturnType<Queue['identifiers']> {
    return identifiersOf(this.#needs.keyValue, queue);
  }

  leaseWaiting(queue: QueueName, keys: readonly string[]): Promise<Lease[]> {
    return leaseThese(this.#leasing, this.#feed(queue), keys);
  }

  async retryNow(queue: QueueName, identifier?: string): Promise<number> {
    const { keyValue, clock } = this.#needs;
    const now = clock.now();
    const retried = this.#retried.get(queue);
    if (retried) {
      const waits = await countDeferred(keyValue, queue, identifier, now);
      if (waits > 0) retried(identifier);
      return waits;
    }
    const prefix = identifier === undefined ? duePrefix(queue) : destinationPrefix(queue, identifier);
    let recipients = 0;
    for (;;) {
      const dues = await deferredPage(keyValue, queue, identifier, now, prefix, page);
      if (dues.length === 0) break;
      recipients += await keyValue.transact(hasten(dues, now), 'soon');
    }
    if (recipients > 0) this.#feed(queue).again(`${duePrefix(queue)}`);
    return recipients;
  }

  list(options: Parameters<Queue['list']>[0] = {}): ReturnType<Queue['list']> {
    return list(this.#needs.keyValue, options);
  }

  get(id: string): ReturnType<Queue['get']> {
    return isQueueId(id) ? getListing(this.#needs.keyValue, id) : Promise.resolve(undefined);
  }

  destinations(queue: QueueName): ReturnType<Queue['destinations']> {
    return destinations(this.#needs.keyValue, queue, this.#needs.clock.now());
  }

  close(): void {
    for (const stop of this.#unsubscribe) stop();
    for (const feed of this.#feeds.values()) feed.close();
  }

  #name(): string {
    this.#names++;
    return `${this.#epoch}-${this.#names.toString(36)}`;
  }

  #feed(queue: QueueName): Feed {
    const feed = this.#feeds.get(queue);
    if (!feed) throw new Fault('malformed', `there is no queue ${queue}`);
    return feed;
  }

  #wake(queue: QueueName): void {
    for (const listener of [...(this.#listeners.get(queue) ?? [])]) {
      try {
        listener();
      } catch (thrown) {
        this.#needs.log.error(`a listener of queue ${queue} failed`, thrown);
      }
    }
  }

  #submission(message: NewMessage, bare: QueuedMessage, now: number): Part<readonly Slip[]> {
    const { recipients } = message;
    if (!isQueueId(message.id)) throw new Fault('malformed', 'queue id has the wrong form');
    if (recipients.length === 0) throw new Fault('malformed', 'a message needs a recipient');
    if (recipients.length > recipientsAtMost) throw new Fault('too-many', 'too many recipients');
    const slips = slipsOf(message, now);
    const key = messageKey(message.id);
    const puts: [Key, Uint8Array][] = [[key, encodeMessage(bare, recipients.length)]];
    if (slips.length > 1) puts.push([slipsKey(message.id), bytes(`${slips.length}`)]);
    for (const slip of slips) puts.push(...putSlip(message.id, slip, dueText(entryOf(slip, bare))));
    const held = reference(message.blob.id, holder(message.id));
    const changes = { checks: [{ absent: key }, ...held.checks], puts: [...puts, ...held.puts], result: slips };
    return async () => changes;
  }

  /** Changes of a part that somebody else commits: its wake-ups, and a note for the feeds. */
  #announced(changes: Changes<readonly Slip[]>, id: string): Changes<void> {
    const { result: slips, ...rest } = changes;
    const now = this.#needs.clock.now();
    const queues = new Set<QueueName>();
    for (const { queue, due, name } of slips) {
      if (due > now) this.#feed(queue).expect(due);
      else this.#feed(queue).stage(dueKey(queue, due, id, name));
      queues.add(queue);
    }
    return { ...rest, wake: [...(rest.wake ?? []), ...[...queues].map(topicOf)], result: undefined };
  }

  async #settleNow(lease: Lease, outcome: Outcome, durability: 'soon' | 'durable'): Promise<void> {
    const now = this.#needs.clock.now();
    const stem = this.#name();
    const { slips, count } = await this.#needs.keyValue.transact((read) => settle(read, lease, outcome, stem, now), durability);
    this.#feedWith(lease.message, count, slips);
  }

  #feedWith(message: QueuedMessage, count: number, slips: readonly Slip[]): void {
    const candidates = slips.map((slip): Candidate => ({ due: dueKey(slip.queue, slip.due, message.id, slip.name), message, count, slip }));
    const queues = slips.length === 1 ? [slips[0]?.queue as QueueName] : [...new Set(slips.map(({ queue }) => queue))];
    for (const queue of queues)
      this.#feed(queue).add(queues.length === 1 ? candidates : candidates.filter(({ slip }) => slip.queue === queue));
  }
}

/** Makes these deferred slips due now. Those leased or gone meanwhile are left alone. */
function hasten(dues: readonly Key[], now: number): Part<number> {
  return async (read) => {
    const puts: [Key, Uint8Array][] = [];
    const deletes: Key[] = [];
    let recipients = 0;
    for (const due of dues) {
      const { id, slip: name, queue } = placeOf(due);
      const entry = await read.get(due);
      const value = entry && (await read.get(slipKey(id, name)));
      if (!entry || !value) continue;
      const slip = decodeSlip(name, value);
      const hastened = slip.recipients.map(({ runAt: _sleeps, ...recipient }) => recipient);
      const version = slip.version + 1;
      deletes.push(...deleteDue(due, textOf(entry)));
      const made = { ...slip, queue, due: now, version, recipients: hastened };
      puts.push(...putSlip(id, made, awake({ ...readDue(textOf(entry)), version, ends: 0 })));
      recipients += slip.recipients.length;
    }
    return { puts, deletes, result: recipients };
  };
}

/** Opens the queue in a database; voids what dead processes had leased. */
export async function openQueue(needs: QueueNeeds): Promise<OpenQueue> {
  const epoch = `${needs.epoch}`;
  if (!/^[0-9A-Za-z_]{1,40}$/.test(epoch)) throw new Fault('malformed', 'the epoch must be letters and digits');
  const voided = await voidLeases(needs, epoch);
  if (voided > 0) needs.log.warning(`${voided} leases of an earlier process were given back`);
  return new LevelledQueue(needs, epoch);
}
