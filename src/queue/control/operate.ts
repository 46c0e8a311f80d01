/**
 * Operations on waiting mail: hold, release, retry, requeue, delete, bounce, priority.
 *
 * Promise: message by message, each in one durable commit with all that belongs to it (a bounce with its report); what fails is said and
 * keeps nothing else; every message that was changed has a line in the log with who did it. Memory does not grow with the number of
 * messages.
 * Spec: RFC 3461 §4.1 (who is told of a bounce)
 */

import { Fault, type Log } from '../../base/index.ts';
import { leastUrgent, mostUrgent } from '../../mail/index.ts';
import { join, type KeyValue, type Part } from '../../storage/index.ts';
import type { OperateOptions, Operation, OperationReport, QueueFilter, Wish } from '../control-port.ts';
import type { Hold, Lease, NewMessage, Outcome, QueuedMessage, QueuedRecipient, QueueId, QueueName } from '../port.ts';
import type { Slip } from '../records.ts';
import type { Reporter } from '../reports.ts';
import { type Step, tellStep } from '../story.ts';
import { candidates } from './candidates.ts';
import { type Change, type Changed, changePart, type Noting, takePart } from './change.ts';
import { type Matcher, matcherOf } from './filter.ts';
import { byPrecedence } from './search.ts';
import { found, type InHand, readInHand, type Walked, walkOne } from './walk.ts';

export interface OperateNeeds {
  readonly keyValue: KeyValue;
  readonly now: () => number;
  readonly log: Log;
  readonly reporter: Pick<Reporter, 'report'>;
  /** A name nobody else uses or used. */
  readonly name: () => string;
  /** Slips that wait anew, for whoever works their queue. */
  readonly announce: (message: QueuedMessage, slips: readonly Slip[]) => void;
  /** Mail for this destination is to go now: whoever looks after destinations hears of it. */
  readonly hurry: (queue: QueueName, identifier: string) => void;
  readonly settlePart: (lease: Lease, outcome: Outcome) => Part<void>;
  readonly submitPart: (message: NewMessage) => Part<void>;
  readonly release: (lease: Lease) => Promise<void>;
}

/** Messages of one commit, and their recipients: one message more at most. */
const together = 64;
const recipientsTogether = 4_096;
const missedShown = 100;
const longestText = 500;

/** What an operation does to a recipient. Bounces are made otherwise: their report belongs to the commit. */
function changeOf(operation: Exclude<Operation, { do: 'bounce' }>, by: string, now: number): Change {
  switch (operation.do) {
    case 'hold':
      return (one) => hold(one, { since: now, by, ...noted(operation.note) });
    case 'release':
      return (one) => (one.held ? released(one, now) : one);
    case 'retry':
      return (one, state) => (state === 'deferred' ? { ...awake(one), nextAttempt: now, told: true } : one);
    case 'requeue':
      return (one) => requeued(one, now);
    case 'priority':
      return (one) => ((one.precedence ?? 0) === operation.precedence ? one : { ...one, precedence: operation.precedence });
    case 'delete':
      return () => undefined;
  }
}

/** What is held already stays so since then; another note takes the place of the one before. */
function hold(one: QueuedRecipient, held: Hold): QueuedRecipient {
  if (!one.held) return { ...one, held };
  return held.note === undefined || held.note === one.held.note ? one : { ...one, held: { ...held, since: one.held.since } };
}

const noted = (note: string | undefined): { note?: string } => (note ? { note: note.slice(0, longestText) } : {});

/** Does not wait for the run of its destination any more. */
function awake({ runAt: _sleeps, ...one }: QueuedRecipient): QueuedRecipient {
  return one;
}

function released({ held, ...kept }: QueuedRecipient, now: number): QueuedRecipient {
  // The run it waited for may never come: nothing else may wait there.
  const one = { ...awake(kept), nextAttempt: kept.runAt ?? kept.nextAttempt };
  return { ...one, heldFor: (one.heldFor ?? 0) + Math.max(0, now - (held?.since ?? now)) };
}

/** Back to where it came in, to go at once; what it was told and how long it was kept back stays with it. */
function requeued(one: QueuedRecipient, now: number): QueuedRecipient {
  const { reason: _reason, deferredSince: _since, ...kept } = awake(one.held ? released(one, now) : one);
  return { ...kept, queue: 'INPUT', identifier: '', attempts: 0, nextAttempt: now, requeued: true, told: true };
}

const steps: Readonly<Record<Operation['do'], Step>> = {
  hold: 'Held',
  release: 'Released',
  retry: 'Hastened',
  requeue: 'Requeued',
  delete: 'Deleted',
  bounce: 'Bounced',
  priority: 'Prioritized',
};

function check(operation: Operation, matcher: Matcher, { by, all, limit }: OperateOptions): void {
  if (!Object.hasOwn(steps, operation.do)) throw new Fault('malformed', `there is no operation ${String(operation.do).slice(0, 60)}`);
  if (by === '') throw new Fault('malformed', 'an operation needs somebody who does it');
  if (matcher.any && !all) throw new Fault('malformed', 'a filter without any condition means all mail; that must be said');
  if (limit !== undefined && !(limit >= 1)) throw new Fault('malformed', 'the limit must be a number from 1');
  if (operation.do === 'bounce') {
    if (operation.reason.trim() === '') throw new Fault('malformed', 'a bounce needs a reason');
    if (!/^5\.\d{1,3}\.\d{1,3}$/.test(operation.status ?? '5.0.0')) throw new Fault('malformed', 'the status of a bounce looks like 5.7.1');
  }
  if (operation.do !== 'priority') return;
  const { precedence } = operation;
  if (!Number.isInteger(precedence) || precedence < mostUrgent || precedence > leastUrgent)
    throw new Fault('malformed', `a priority is a whole number from ${mostUrgent} (first) to ${leastUrgent} (last)`);
}

export async function operate(
  needs: OperateNeeds,
  operation: Operation,
  filter: QueueFilter,
  options: OperateOptions,
): Promise<OperationReport> {
  const matcher = matcherOf(filter, needs.now());
  check(operation, matcher, options);
  const run = new Run(needs, operation, matcher, options);
  return await run.all();
}

/** Does what was noted while these were in hand. False where an error stands in the way, which is in the log. */
export async function fulfil(needs: OperateNeeds, { operation, by }: Wish, walked: Walked, matcher: Matcher): Promise<boolean> {
  return (await new Run(needs, operation, matcher, { by, wished: true }).one(walked)).failed === 0;
}

/** The first thing that was wanted is done. */
function withoutWish({ wishes = [], ...one }: QueuedRecipient): QueuedRecipient {
  return wishes.length > 1 ? { ...one, wishes: wishes.slice(1) } : one;
}

interface RunOptions extends OperateOptions {
  /** What is done was noted before, and stands first in the recipients' own records. */
  readonly wished?: boolean;
}

/** Rounds in which what left a worker's hands just then is looked for again. */
const rounds = 3;
/** Messages that are looked for again at most. */
const soughtAtMost = 10_000;

class Run {
  readonly #needs: OperateNeeds;
  readonly #operation: Operation;
  readonly #matcher: Matcher;
  readonly #options: RunOptions;
  #messages = 0;
  #recipients = 0;
  #inHand = 0;
  #later = 0;
  #leases: InHand = new Map();
  /** In hand when they were looked at, and then not any more; undefined once nothing is looked for again. */
  #again: Set<QueueId> | undefined;
  /** Of those, what was changed of them before. */
  readonly #begun = new Set<QueueId>();
  #unchanged = 0;
  #held = 0;
  #failed = 0;
  readonly #missed: { id: string; address: string }[] = [];

  constructor(needs: OperateNeeds, operation: Operation, matcher: Matcher, options: RunOptions) {
    this.#needs = needs;
    this.#operation = operation;
    this.#matcher = matcher;
    this.#options = options;
  }

  async all(): Promise<OperationReport> {
    const { limit = Number.POSITIVE_INFINITY } = this.#options;
    let batch: Walked[] = [];
    let recipients = 0;
    let taken = 0;
    let more = false;
    this.#leases = await readInHand(this.#needs.keyValue);
    this.#again = this.#notes ? new Set() : undefined;
    for await (const walked of this.#walked(this.#leases)) {
      more = taken >= limit;
      if (more) break;
      taken++;
      batch.push(walked);
      recipients += walked.slips.reduce((sum, slip) => sum + slip.recipients.length, 0);
      if (batch.length < together && recipients < recipientsTogether) continue;
      await this.#work(batch);
      batch = [];
      recipients = 0;
    }
    await this.#work(batch);
    for (let round = 1; round <= rounds; round++) await this.#seek(round === rounds);
    return this.#report(more);
  }

  async one(walked: Walked): Promise<OperationReport> {
    await this.#work([walked]);
    return this.#report(false);
  }

  #report(more: boolean): OperationReport {
    return {
      messages: this.#messages,
      recipients: this.#recipients,
      inHand: this.#inHand,
      ...(this.#later > 0 ? { later: this.#later } : {}),
      missed: this.#missed,
      unchanged: this.#unchanged,
      ...(this.#held > 0 ? { held: this.#held } : {}),
      failed: this.#failed,
      more,
    };
  }

  /** What is being tried at this moment is tried; who asks for states that it is not in means others. */
  get #notes(): boolean {
    return this.#operation.do !== 'retry' && this.#matcher.state('leased') && !this.#options.wished;
  }

  get #noting(): Noting | undefined {
    if (!this.#notes) return undefined;
    const wish = { operation: this.#operation, by: this.#options.by };
    return { wish, leaseOf: (id, slip) => this.#leases.get(`${id}/${slip}`)?.lease };
  }

  /** What was in hand and is not any more. */
  async #seek(last: boolean): Promise<void> {
    const ids = [...(this.#again ?? [])];
    this.#again = last ? undefined : this.#again && new Set();
    if (ids.length === 0) return;
    const { keyValue } = this.#needs;
    this.#leases = await readInHand(keyValue);
    for (const id of ids) {
      const walked = await walkOne(keyValue, id);
      if (walked && found(walked, this.#matcher, this.#leases, this.#needs.now(), byPrecedence)) await this.#work([walked]);
    }
  }

  /** What matches now. */
  async *#walked(inHand: InHand): AsyncIterable<Walked> {
    const { keyValue } = this.#needs;
    const now = this.#needs.now();
    const matches = (walked: Walked): boolean => found(walked, this.#matcher, inHand, now, byPrecedence) !== undefined;
    const looking = { keyValue, matcher: this.#matcher, inHand, now };
    for await (const walked of candidates(looking)) if (matches(walked)) yield walked;
  }

  async #work(batch: readonly Walked[]): Promise<void> {
    if (batch.length === 0) return;
    const operation = this.#operation;
    if (operation.do === 'bounce') {
      for (const walked of batch) await this.#guarded(walked, () => this.#bounce(walked, operation));
      return;
    }
    const now = this.#needs.now();
    const wanted = changeOf(operation, this.#options.by, now);
    const change: Change = this.#options.wished ? (one, state) => wanted(withoutWish(one), state) : wanted;
    const noting = this.#noting;
    const part = (walked: Walked): Part<Changed | undefined> => changePart(walked, this.#matcher, change, this.#needs.name(), now, noting);
    try {
      const results = await this.#needs.keyValue.transact(join(...batch.map(part)), 'durable');
      for (const result of results) this.#told(result);
    } catch {
      // One of them stands in the way: each alone then.
      for (const walked of batch)
        await this.#guarded(walked, async () => this.#told(await this.#needs.keyValue.transact(part(walked), 'durable')));
    }
  }

  async #guarded({ stored }: Walked, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (thrown) {
      this.#failed++;
      this.#needs.log.error(`${stored.message.id}: ${this.#operation.do} failed`, thrown);
    }
  }

  #told(result: Changed | undefined): void {
    if (!result) return;
    const { message, changed, later, missed, unchanged, held, slips } = result;
    this.#note(message, later);
    this.#miss(message, missed, changed.length > 0);
    const kept = this.#operation.do === 'retry' ? held : 0;
    this.#held += kept;
    this.#unchanged += unchanged - kept;
    if (changed.length === 0) return;
    this.#count(message, changed.length);
    if (slips.length > 0) this.#needs.announce(message, slips);
    if (this.#operation.do === 'retry') {
      const places = new Map(changed.map(({ queue, identifier }) => [`${queue} ${identifier}`, { queue, identifier }]));
      for (const { queue, identifier } of places.values()) this.#needs.hurry(queue, identifier);
    }
    this.#tell(message, changed, {});
  }

  #note({ id }: QueuedMessage, later: readonly QueuedRecipient[]): void {
    if (later.length === 0) return;
    this.#later += later.length;
    const { log } = this.#needs;
    log.info(
      `${id}: ${this.#operation.do} is done when the attempt in hand has ended (${later.length} recipients), by ${this.#options.by}`,
    );
  }

  #miss({ id }: QueuedMessage, missed: readonly QueuedRecipient[], begun: boolean): void {
    if (missed.length > 0 && this.#again && this.#again.size < soughtAtMost) {
      this.#again.add(id);
      if (begun) this.#begun.add(id);
      return;
    }
    this.#inHand += missed.length;
    for (const { address } of missed) if (this.#missed.length < missedShown) this.#missed.push({ id, address });
  }

  #count({ id }: QueuedMessage, recipients: number): void {
    if (!this.#begun.delete(id)) this.#messages++;
    this.#recipients += recipients;
  }

  /** Leased first, so that nobody delivers it meanwhile; then the report is made, then both end together. */
  async #bounce(walked: Walked, { reason, status = '5.0.0' }: Extract<Operation, { do: 'bounce' }>): Promise<void> {
    const { keyValue, reporter, settlePart, submitPart, release, log } = this.#needs;
    const { message } = walked.stored;
    const names = walked.slips.map(() => this.#needs.name());
    const taking = takePart(walked, this.#matcher, names, this.#needs.now(), this.#noting);
    const { leases, later, missed } = await keyValue.transact(taking, 'soon');
    if (later.length > 0) await keyValue.flush();
    this.#note(message, later);
    this.#miss(message, missed, leases.length > 0);
    if (leases.length === 0) return;
    const meant = leases.flatMap((one) => one.meant);
    const text = reason.replace(/\s+/g, ' ').trim().slice(0, longestText);
    let report: NewMessage | undefined;
    let ended = false;
    try {
      const decided = { action: 'failed', status, text, returned: true } as const;
      const entries = meant.map(({ address, dsn }) => ({ address, ...(dsn ? { dsn } : {}), ...decided }));
      report = await reporter.report(message, entries);
      const ends = leases.map(({ lease, meant: those }) => settlePart(lease, { done: those.map(({ number }) => number) }));
      await keyValue.transact(join(...ends, ...(report ? [submitPart(report)] : [])), 'durable');
      ended = true;
    } finally {
      for (const { lease, meant: those } of leases)
        if (!ended || those.length < lease.recipients.length)
          await release(lease).catch((thrown: unknown) => log.diagnostic(`${message.id}: nothing to give back (${String(thrown)})`));
    }
    this.#count(message, meant.length);
    this.#tell(message, meant, { status, report: report?.id });
  }

  /** One line for each queue that recipients waited in: mostly one. */
  #tell(message: QueuedMessage, recipients: readonly QueuedRecipient[], more: { status?: string; report?: string | undefined }): void {
    const operation = this.#operation;
    const text =
      operation.do === 'bounce'
        ? `${more.status} ${operation.reason}`
        : operation.do === 'hold'
          ? operation.note
          : operation.do === 'priority'
            ? `precedence ${operation.precedence}`
            : undefined;
    for (const queue of new Set(recipients.map((one) => one.queue))) {
      const addresses = recipients.filter((one) => one.queue === queue).map(({ address }) => address);
      const line = { step: steps[operation.do], message, recipients: addresses, channel: queue, by: this.#options.by };
      tellStep(this.#needs.log, { ...line, ...more, ...(text ? { text: text.replace(/\s+/g, ' ').slice(0, longestText) } : {}) });
    }
  }
}
