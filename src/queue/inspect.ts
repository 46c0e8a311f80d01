/**
 * Looking at the queue: single messages, the list, counts.
 *
 * For people and status pages, not for the hot path: everything is read from the records in pages that yield to the
 * event loop, so it is right whoever works the queue, and costs no message anything.
 */

import { type Clock, outputChannels } from '../base/index.ts';
import { below, type Key, type KeyRange, type KeyValue, sortable } from '../storage/index.ts';
import type { Queue, QueuedRecipient, QueueId, QueueListing, QueueName, QueueSummary } from './port.ts';
import {
  asidePrefix,
  countOf,
  decodeAside,
  decodeLease,
  decodeMessage,
  decodeSlip,
  destinationPrefix,
  destinationsPrefix,
  duePrefix,
  holdPrefix,
  lanes,
  leasePrefix,
  messageKey,
  placeOf,
  placeOfDestination,
  readDue,
  type Stored,
  slipKey,
  textOf,
  wishPrefix,
} from './records.ts';

export const queueNames: readonly QueueName[] = ['INPUT', ...outputChannels];

/** A summary of a queue that took long to count is shown for twenty times as long, at most. */
const summaryKept = 20;
const destinationsAtMost = 10_000;
/** Recipients listed before destinations are looked at again. */
const askedAtMost = 100_000;

export interface Destination {
  identifier: string;
  messages: number;
  recipients: number;
  nextAttempt: number;
  reason?: string;
}

const byNumber = (a: QueuedRecipient, b: QueuedRecipient): number => a.number - b.number;

/** Recipients as they are listed. */
export type Shown = (recipient: QueuedRecipient) => Promise<QueuedRecipient>;

/**
 * What waits for the run of its destination is tried then, as far as anybody knows now; not when it is due itself. Destinations are
 * remembered for the next recipients, for one listing and not for long.
 */
export function withRuns(keyValue: KeyValue): Shown {
  const known = new Map<Key, number | undefined>();
  let asked = 0;
  return async (recipient) => {
    const { runAt, ...shown } = recipient;
    if (runAt === undefined) return recipient;
    const prefix = destinationPrefix(recipient.queue, recipient.identifier);
    if (++asked % askedAtMost === 0) known.clear();
    if (!known.has(prefix)) known.set(prefix, await runOf(keyValue, prefix));
    return { ...shown, nextAttempt: known.get(prefix) ?? runAt };
  };
}

/** When a destination's first is due, unless that sleeps as well. */
async function runOf(keyValue: KeyValue, prefix: string): Promise<number | undefined> {
  for await (const [key, value] of keyValue.scan(below(prefix), { limit: 1 })) {
    const first = placeOfDestination(key, value);
    if (!first.traits?.sleeps) return first.due;
  }
  return undefined;
}

async function* listings(keyValue: KeyValue, from: string, to: string): AsyncIterable<QueueListing> {
  let stored: Stored | undefined;
  let recipients: QueuedRecipient[] = [];
  const shown = withRuns(keyValue);
  const finished = (): QueueListing[] =>
    stored && recipients.length > 0 ? [{ message: stored.message, recipients: recipients.sort(byNumber) }] : [];
  for await (const [key, value] of keyValue.scan({ from, to })) {
    const [, , id, slip] = key.split('/');
    try {
      if (slip === undefined) {
        yield* finished();
        recipients = [];
        stored = undefined;
        stored = decodeMessage(value);
      } else if (stored?.message.id === id) {
        for (const recipient of decodeSlip(slip, value).recipients) recipients.push(await shown(recipient));
      }
    } catch {
      // A record that cannot be read has no listing; leasing it puts it aside with an error line.
    }
  }
  yield* finished();
}

export async function getListing(keyValue: KeyValue, id: QueueId): Promise<QueueListing | undefined> {
  const key = messageKey(id);
  for await (const listing of listings(keyValue, key, `${key}0`)) return listing;
  return undefined;
}

export async function* list(
  keyValue: KeyValue,
  options: { queue?: QueueName; limit?: number; after?: QueueId },
): AsyncIterable<QueueListing> {
  const { from, to } = below('queue/m/');
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  // `0` follows `/`: behind all slips of that message.
  const start = options.after === undefined ? from : `${messageKey(options.after)}0`;
  for await (const listing of listings(keyValue, start, to)) {
    if (left <= 0) return;
    const recipients = options.queue ? listing.recipients.filter(({ queue }) => queue === options.queue) : listing.recipients;
    if (recipients.length === 0) continue;
    left--;
    yield { message: listing.message, recipients };
  }
}

/** As it is at one moment: what moves meanwhile is neither missed nor counted twice. */
async function count(keyValue: KeyValue, now: number): Promise<QueueSummary[]> {
  const moment = keyValue.snapshot();
  try {
    return await countAt(moment, now);
  } finally {
    await moment.close();
  }
}

async function countAt(keyValue: Pick<KeyValue, 'scan'>, now: number): Promise<QueueSummary[]> {
  const counts = new Map(queueNames.map((queue) => [queue, { queue, pending: 0, deferred: 0, held: 0, aside: 0 }]));
  for (const [queue, counted] of counts) {
    for (const lane of lanes) {
      const { from, to } = below(duePrefix(queue, lane));
      const later = `${from}${sortable(now + 1)}`;
      counted.pending += await countIn(keyValue, { from, to: later });
      counted.deferred += await countIn(keyValue, { from: later, to });
    }
  }
  for await (const [, value] of keyValue.scan(below(leasePrefix))) {
    const { due, entry } = decodeLease(value);
    const counted = counts.get(placeOf(due).queue);
    if (counted) counted.pending += readDue(entry).count;
  }
  for await (const [key, value] of keyValue.scan(below(wishPrefix))) {
    const counted = counts.get(placeOf(key).queue);
    if (counted) counted.pending += readDue(textOf(value)).count;
  }
  for await (const [key, value] of keyValue.scan(below(holdPrefix))) {
    const counted = counts.get(placeOf(key).queue);
    if (counted) counted.held += readDue(textOf(value)).count;
  }
  for await (const [, value] of keyValue.scan(below(asidePrefix))) {
    const { due, entry } = decodeAside(value);
    const counted = counts.get(placeOf(due).queue);
    if (counted) counted.aside += readDue(entry).count;
  }
  return [...counts.values()];
}

/** Recipients of due entries: a queue of a million is counted with nothing but the first figures of each entry read. */
async function countIn(keyValue: Pick<KeyValue, 'scan'>, range: KeyRange): Promise<number> {
  let recipients = 0;
  for await (const [, value] of keyValue.scan(range)) recipients += countOf(value);
  return recipients;
}

/** Counts all queues; callers at one time share a count, and one that took long is kept for a while. */
export function summarizer(keyValue: KeyValue, clock: Clock): () => Promise<QueueSummary[]> {
  let running: Promise<QueueSummary[]> | undefined;
  let kept: QueueSummary[] | undefined;
  let [since, until] = [0, 0];
  return () => {
    const began = clock.now();
    // A clock that was put back shows no old count for long.
    if (kept && began >= since && began < until) return Promise.resolve(kept);
    running ??= count(keyValue, began)
      .then((counted) => {
        const end = clock.now();
        kept = counted;
        since = began;
        until = end + (end - began < 50 ? 0 : Math.min(30_000, (end - began) * summaryKept));
        return counted;
      })
      .finally(() => {
        running = undefined;
      });
    return running;
  };
}

/** A destination by its first entry that is not due. */
interface Counted {
  readonly key: Key;
  readonly value: Uint8Array;
  messages: number;
  recipients: number;
}

/** Tells messages that have several parts at one destination from one another. */
class Messages {
  /** Ids of messages that may have another part here. Beyond a bound only parts beside each other are known for one message's. */
  readonly #parted = new Set<string>();
  #last = '';

  /** Whether the part is the first of its message. */
  isNew(id: string, value: Uint8Array): boolean {
    if (isOnly(value)) return true;
    const known = id === this.#last || this.#parted.has(id);
    this.#last = id;
    if (!known && this.#parted.size < partedAtMost) this.#parted.add(id);
    return !known;
  }
}

const partedAtMost = 100_000;

/** Whether the message of an entry of the index of destinations has this one part (`traitsText`), without taking it apart. */
function isOnly(value: Uint8Array): boolean {
  let commas = 0;
  for (const octet of value) {
    if (octet === 44) commas += 1;
    else if (commas === 4 && octet === 111) return true;
  }
  return false;
}

const withMost = (all: Counted[]): Counted[] => all.sort((a, b) => b.recipients - a.recipients).slice(0, destinationsAtMost);

/** What is deferred by destination, those with the most. Memory for twice as many. */
async function countByDestination(keyValue: KeyValue, queue: QueueName, now: number, identifier?: string): Promise<Counted[]> {
  const all = destinationsPrefix(queue);
  const nowText = sortable(now);
  let found: Counted[] = [];
  let prefix = '';
  let known: Counted | undefined;
  let seen = new Messages();
  for await (const [key, value] of keyValue.scan(below(identifier === undefined ? all : destinationPrefix(queue, identifier)))) {
    // What belongs to a destination stands together: only the first of it is looked into.
    if (prefix === '' || !key.startsWith(prefix)) {
      prefix = key.slice(0, key.indexOf('/', all.length) + 1);
      known = undefined;
      seen = new Messages();
      if (found.length >= 2 * destinationsAtMost) found = withMost(found);
    }
    if (key.slice(prefix.length, prefix.length + nowText.length) <= nowText) continue;
    if (!known) {
      known = { key, value, messages: 0, recipients: 0 };
      found.push(known);
    }
    known.recipients += countOf(value);
    const idAt = prefix.length + nowText.length + 1;
    if (seen.isNew(key.slice(idAt, key.indexOf('/', idAt)), value)) known.messages += 1;
  }
  return withMost(found);
}

/** Waiting recipients of a queue by destination, soonest first; of more than 10,000 destinations, those with the most. */
export async function destinations(keyValue: KeyValue, queue: QueueName, now: number, identifier?: string): Promise<Destination[]> {
  const counted = await countByDestination(keyValue, queue, now, identifier);
  const places = counted.map(({ key, value }) => placeOfDestination(key, value));
  const slips = await keyValue.getMany(places.map(({ id, slip }) => slipKey(id, slip)));
  const all = places.map((place, n): Destination => {
    const first = firstOf(place.slip, slips[n]);
    const reason = first?.reason === undefined ? {} : { reason: first.reason };
    const { messages = 0, recipients = 0 } = counted[n] ?? {};
    return { identifier: place.identifier, messages, recipients, nextAttempt: first?.runAt ?? place.due, ...reason };
  });
  return all.sort((a, b) => a.nextAttempt - b.nextAttempt);
}

/** The first recipient; undefined where the record cannot be read: leasing it puts it aside. */
function firstOf(slip: string, value: Uint8Array | undefined): QueuedRecipient | undefined {
  try {
    return value && decodeSlip(slip, value).recipients[0];
  } catch {
    return undefined;
  }
}

/** Looking at the queue of a database that nobody works. */
export function queueReader(keyValue: KeyValue): Pick<Queue, 'get' | 'list'> {
  return { get: (id) => getListing(keyValue, id), list: (options = {}) => list(keyValue, options) };
}
