/**
 * The shared message queue on a key-value engine.
 *
 * What a crash does at every state stands in README.md. In short: all changes go through one log, so a durable one takes
 * everything before it along; a lease that is lost or left over makes its work due again.
 */

import { type Clock, Fault, type Log, type Random } from '../base/index.ts';
import { type Changes, join, type Key, type KeyValue, type Part, reference } from '../storage/index.ts';
import { Beats } from './beats.ts';
import { Control, type ControlInside, type ControlNeeds } from './control/control.ts';
import type { QueueControl } from './control-port.ts';
import { giveBackAll } from './crashes.ts';
import type { Candidate } from './feed.ts';
import { hastenAll } from './hasten.ts';
import { idMaker, isQueueId } from './ids.ts';
import { destinations, getListing, list, queueNames, summarizer } from './inspect.ts';
import { Lanes } from './lanes.ts';
import { type Leasing, leaseFrom, leaseThese } from './lease.ts';
import type {
  Deferral,
  Filing,
  Lease,
  LeaseOptions,
  NewlyAside,
  NewMessage,
  Outcome,
  Queue,
  QueuedMessage,
  QueuedRecipient,
  QueueName,
  WaitingSlip,
} from './port.ts';
import {
  bytes,
  duePrefix,
  dueText,
  encodeMessage,
  entryOf,
  holder,
  isApart,
  isApartKey,
  type Lane,
  laneOfKey,
  lanes,
  messageKey,
  placeKey,
  placeOf,
  putSlip,
  readDue,
  readToken,
  type Slip,
  slipsKey,
} from './records.ts';
import { giveBack, groups, layAside, settle } from './settle.ts';
import { countWaiting, identifiersOf, waitingFor } from './waiting.ts';

export interface QueueNeeds {
  readonly keyValue: KeyValue;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  /** Differs at every start: leases that carry another one belong to a process that is no more. */
  readonly epoch: string | number;
  /**
   * Other processes may have this queue open: what they have leased is theirs as long as they live. Otherwise all leases found at the
   * start are void at once.
   */
  readonly shared?: boolean;
  /** What a lane of a queue keeps in memory of the slips it has just filed. */
  readonly feed?: { readonly slips: number; readonly recipients: number };
}

export interface OpenQueue extends Queue {
  /** The queue as an administrator works it. */
  control(needs: ControlNeeds): QueueControl;
  /** Stops timers and wake-ups. Leases still out stay out; others take them over when it is long enough ago, the next start at once. */
  close(): void;
}

const recipientsAtMost = 100_000;

function slipsOf(message: NewMessage, now: number): Slip[] {
  const recipients = message.recipients.map(
    ({ address, dsn, filed }, n): QueuedRecipient => ({
      number: n + 1,
      address,
      queue: filed?.queue ?? 'INPUT',
      identifier: filed?.identifier ?? '',
      attempts: 0,
      nextAttempt: now,
      ...(dsn ? { dsn } : {}),
      ...(message.precedence ? { precedence: message.precedence } : {}),
    }),
  );
  const parts = groups(recipients);
  const only = parts.length === 1;
  return parts.map((some, n): Slip => {
    const queue = (some[0] as QueuedRecipient).queue;
    return { name: n.toString(36), version: 0, queue, due: now, only, recipients: some };
  });
}

const topicOf = (queue: QueueName, lane: Lane): string => `queue/${queue}${lane}`;

class LevelledQueue implements OpenQueue {
  readonly newId: () => string;
  readonly summary: Queue['summary'];
  readonly #needs: QueueNeeds;
  readonly #epoch: string;
  readonly #feeds = new Map<QueueName, Lanes>();
  readonly #listeners = new Map<QueueName, Set<() => void>>();
  readonly #asideListeners = new Set<(entry: NewlyAside) => void>();
  readonly #retried = new Map<QueueName, (identifier: string | undefined) => void>();
  readonly #leasing: Leasing;
  readonly #unsubscribe: (() => void)[] = [];
  readonly #beats: Beats;
  #names = 0;

  constructor(needs: QueueNeeds, epoch: string) {
    const { keyValue, clock, log, random } = needs;
    this.#needs = needs;
    this.#epoch = epoch;
    this.newId = idMaker(clock, random);
    this.summary = summarizer(keyValue, clock);
    this.#leasing = { keyValue, clock, log, leaseName: () => this.#name(), onAside: (entry) => this.#tellAside(entry) };
    const onGivenBack = ({ queues }: { queues: ReadonlySet<QueueName> }): void => {
      for (const queue of queues) this.#lookAgain(queue);
    };
    this.#beats = new Beats({ keyValue, clock, log, epoch, shared: needs.shared ?? false, onGivenBack });
    for (const queue of queueNames) {
      this.#listeners.set(queue, new Set());
      const feed = new Lanes(clock, needs.feed ?? { slips: 4096, recipients: 65_536 }, () => this.#wake(queue));
      this.#feeds.set(queue, feed);
      for (const lane of lanes) this.#unsubscribe.push(keyValue.subscribe(topicOf(queue, lane), () => feed.of(lane).committed()));
    }
  }

  /** Takes over what dead processes had leased; resolves to its number. */
  start(): Promise<number> {
    return this.#beats.start();
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
      const { puts, deletes, wake = [], result } = await settle(read, lease, outcome, stem, now);
      return this.#announced({ puts, deletes, wake, result: result.slips }, lease.message.id);
    };
  }

  async settle(lease: Lease, outcome: Outcome, submissions: readonly NewMessage[] = []): Promise<void> {
    if (submissions.length === 0) return await this.#settleNow(lease, outcome, 'durable');
    const parts = submissions.map((message) => this.submitPart(message));
    await this.#needs.keyValue.transact(join(...parts, this.settlePart(lease, outcome)), 'durable');
  }

  async putAside(lease: Lease, problem: string): Promise<void> {
    const { keyValue, clock, log } = this.#needs;
    const { message, queue } = lease;
    const { slip } = readToken(lease.token);
    const why = problem.replace(/\s+/g, ' ').slice(0, 500);
    const entry = await keyValue.transact((read) => layAside(read, lease, why, clock.now()), 'durable');
    log.error(`${message.id}: ${slip} in ${queue} cannot be read and was put aside (${why})`);
    this.#tellAside({ id: message.id, slip, queue, recipients: readDue(entry).count || 0, problem: why });
  }

  async release(lease: Lease): Promise<void> {
    const { due, queue } = await this.#needs.keyValue.transact((read) => giveBack(read, lease), 'soon');
    if (!isApartKey(due)) this.#feed(queue).for(due).again(due);
  }

  async giveBack(queue: QueueName): Promise<number> {
    const { leases } = await giveBackAll(this.#needs.keyValue, this.#epoch, queue);
    if (leases > 0) this.#lookAgain(queue);
    return leases;
  }

  onWork(queue: QueueName, listener: () => void): () => void {
    this.#listeners.get(queue)?.add(listener);
    return () => this.#listeners.get(queue)?.delete(listener);
  }

  onAside(listener: (entry: NewlyAside) => void): () => void {
    this.#asideListeners.add(listener);
    return () => this.#asideListeners.delete(listener);
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
    const own = lanes.map((lane) => duePrefix(queue, lane));
    const due = keys.filter((key) => own.some((prefix) => key.startsWith(prefix)));
    return leaseThese(this.#leasing, this.#feed(queue), due);
  }

  async retryNow(queue: QueueName, identifier?: string): Promise<number> {
    const { keyValue, clock } = this.#needs;
    const retried = this.#retried.get(queue);
    if (retried) {
      const waits = await countWaiting(keyValue, queue, identifier);
      if (waits > 0) retried(identifier);
      return waits;
    }
    const recipients = await hastenAll(keyValue, queue, identifier, clock.now());
    if (recipients > 0) this.#lookAgain(queue);
    return recipients;
  }

  async retryFar(queue: QueueName, ms: number): Promise<number> {
    const { keyValue, clock } = this.#needs;
    const now = clock.now();
    const recipients = await hastenAll(keyValue, queue, undefined, now, now + ms);
    if (recipients > 0) this.#lookAgain(queue);
    return recipients;
  }

  list(options: Parameters<Queue['list']>[0] = {}): ReturnType<Queue['list']> {
    return list(this.#needs.keyValue, options);
  }

  get(id: string): ReturnType<Queue['get']> {
    return isQueueId(id) ? getListing(this.#needs.keyValue, id) : Promise.resolve(undefined);
  }

  destinations(queue: QueueName, identifier?: string): ReturnType<Queue['destinations']> {
    return destinations(this.#needs.keyValue, queue, this.#needs.clock.now(), identifier);
  }

  control(needs: ControlNeeds): QueueControl {
    const inside: ControlInside = {
      ...this.#needs,
      name: () => this.#name(),
      announce: (message, slips) => this.#announce(message, slips),
      hurry: (queue, identifier) => this.#retried.get(queue)?.(identifier),
      again: (due) => {
        if (!isApartKey(due)) this.#feed(placeOf(due).queue).for(due).again(due);
      },
      settlePart: (lease, outcome) => this.settlePart(lease, outcome),
      submitPart: (message) => this.submitPart(message),
      release: (lease) => this.release(lease),
    };
    const control = new Control(inside, needs);
    this.#unsubscribe.push(() => control.close());
    return control;
  }

  close(): void {
    this.#beats.close();
    for (const stop of this.#unsubscribe) stop();
    for (const feed of this.#feeds.values()) feed.close();
  }

  #name(): string {
    this.#names++;
    return `${this.#epoch}-${this.#names.toString(36)}`;
  }

  #feed(queue: QueueName): Lanes {
    const feed = this.#feeds.get(queue);
    if (!feed) throw new Fault('malformed', `there is no queue ${queue}`);
    return feed;
  }

  /** Only the index knows what is due in this queue now. */
  #lookAgain(queue: QueueName): void {
    this.#feed(queue).lookAgain();
  }

  #wake(queue: QueueName): void {
    this.#call(`queue ${queue}`, this.#listeners.get(queue) ?? [], (listener) => listener());
  }

  #tellAside(entry: NewlyAside): void {
    this.#call('what is put aside', this.#asideListeners, (listener) => listener(entry));
  }

  #call<T>(about: string, listeners: Iterable<T>, call: (listener: T) => void): void {
    for (const listener of [...listeners]) {
      try {
        call(listener);
      } catch (thrown) {
        this.#needs.log.error(`a listener of ${about} failed`, thrown);
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
    const puts: [Key, Uint8Array][] = [[key, encodeMessage({ message: bare, count: recipients.length })]];
    if (slips.length > 1) puts.push([slipsKey(message.id), bytes(`${slips.length}`)]);
    for (const slip of slips) puts.push(...putSlip(message.id, slip, dueText(entryOf(slip, bare))));
    const held = reference(message.blob.id, holder(message.id));
    const changes = { checks: [{ absent: key }, ...held.checks], puts: [...puts, ...held.puts], result: slips };
    return async () => changes;
  }

  /** Changes of a part that somebody else commits: its wake-ups, and a note for the feeds. */
  #announced(changes: Changes<readonly Slip[]>, id: string): Changes<void> {
    const { checks = [], puts = [], deletes = [], wake = [], result: slips } = changes;
    const now = this.#needs.clock.now();
    const topics = new Set<string>();
    for (const slip of slips) {
      const { queue, due } = slip;
      if (isApart(slip)) continue;
      const key = placeKey(id, slip);
      if (due > now) this.#feed(queue).for(key).expect(due);
      else this.#feed(queue).for(key).stage(key);
      topics.add(topicOf(queue, laneOfKey(key)));
    }
    return { checks, puts, deletes, wake: [...wake, ...topics], result: undefined };
  }

  /** Slips that were committed a moment ago, of which the feeds know nothing. */
  #announce({ id }: QueuedMessage, slips: readonly Slip[]): void {
    const now = this.#needs.clock.now();
    for (const slip of slips) {
      if (isApart(slip)) continue;
      const key = placeKey(id, slip);
      const feed = this.#feed(slip.queue).for(key);
      // What it knows may be older than the slip.
      feed.drop(key);
      if (slip.due > now) feed.expect(slip.due);
      else feed.again(key);
    }
  }

  async #settleNow(lease: Lease, outcome: Outcome, durability: 'soon' | 'durable'): Promise<void> {
    const now = this.#needs.clock.now();
    const stem = this.#name();
    const { slips, count } = await this.#needs.keyValue.transact((read) => settle(read, lease, outcome, stem, now), durability);
    this.#feedWith(lease.message, count, slips);
  }

  #feedWith(message: QueuedMessage, count: number, slips: readonly Slip[]): void {
    const candidates = slips
      .filter((slip) => !isApart(slip))
      .map((slip): Candidate => ({ due: placeKey(message.id, slip), message, count, slip }));
    const queues =
      candidates.length === 1 ? [candidates[0]?.slip.queue as QueueName] : [...new Set(candidates.map(({ slip }) => slip.queue))];
    for (const queue of queues)
      this.#feed(queue).add(queues.length === 1 ? candidates : candidates.filter(({ slip }) => slip.queue === queue));
  }
}

/** Opens the queue in a database; voids what dead processes had leased. */
export async function openQueue(needs: QueueNeeds): Promise<OpenQueue> {
  const epoch = `${needs.epoch}`;
  if (!/^[0-9A-Za-z_]{1,40}$/.test(epoch)) throw new Fault('malformed', 'the epoch must be letters and digits');
  const queue = new LevelledQueue(needs, epoch);
  const voided = await queue.start();
  if (voided > 0) needs.log.warning(`${voided} leases of an earlier process were given back`);
  return queue;
}
