/**
 * Looking at the queue: single messages, the list, counts.
 *
 * For people and status pages, not for the hot path: everything is read from the records in pages that yield to the
 * event loop, so it is right whoever works the queue, and costs no message anything.
 */

import { type Clock, outputChannels } from '../base/index.ts';
import { below, type KeyValue } from '../storage/index.ts';
import type { Queue, QueuedRecipient, QueueId, QueueListing, QueueName, QueueSummary } from './port.ts';
import {
  asidePrefix,
  type DestinationPlace,
  decodeLease,
  decodeMessage,
  decodeSlip,
  decodeAside,
  destinationPrefix,
  destinationsPrefix,
  holdPrefix,
  leasePrefix,
  messageKey,
  placeOf,
  placeOfDestination,
  readDue,
  type Stored,
  slipKey,
  textOf,
} from './records.ts';

export const queueNames: readonly QueueName[] = ['INPUT', ...outputChannels];

/** A summary of a queue that took long to count is shown for twenty times as long, at most. */
const summaryKept = 20;
const destinationsAtMost = 10_000;

export interface Destination {
  identifier: string;
  recipients: number;
  nextAttempt: number;
  reason?: string;
}

const byNumber = (a: QueuedRecipient, b: QueuedRecipient): number => a.number - b.number;

/** What waits for the run of its destination is tried then, as far as anybody knows now; not when it is due itself. */
export async function withRun(keyValue: KeyValue, recipient: QueuedRecipient): Promise<QueuedRecipient> {
  const { runAt, ...shown } = recipient;
  if (runAt === undefined) return recipient;
  const prefix = destinationPrefix(recipient.queue, recipient.identifier);
  for await (const [key, value] of keyValue.scan({ from: prefix, to: `${prefix}\u{10ffff}` }, { limit: 1 })) {
    const first = placeOfDestination(key, value);
    if (!first.traits?.sleeps) return { ...shown, nextAttempt: first.due };
  }
  return { ...shown, nextAttempt: runAt };
}

async function* listings(keyValue: KeyValue, from: string, to: string): AsyncIterable<QueueListing> {
  let stored: Stored | undefined;
  let recipients: QueuedRecipient[] = [];
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
        for (const recipient of decodeSlip(slip, value).recipients) recipients.push(await withRun(keyValue, recipient));
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
  for await (const [key, value] of keyValue.scan(below('queue/d/'))) {
    const { queue, due } = placeOf(key);
    const counted = counts.get(queue);
    if (counted) counted[due > now ? 'deferred' : 'pending'] += readDue(textOf(value)).count;
  }
  for await (const [, value] of keyValue.scan(below(leasePrefix))) {
    const { due, entry } = decodeLease(value);
    const counted = counts.get(placeOf(due).queue);
    if (counted) counted.pending += readDue(entry).count;
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

/** Counts all queues; callers at one time share a count, and one that took long is kept for a while. */
export function summarizer(keyValue: KeyValue, clock: Clock): () => Promise<QueueSummary[]> {
  let running: Promise<QueueSummary[]> | undefined;
  let kept: QueueSummary[] | undefined;
  let until = 0;
  return () => {
    const began = clock.now();
    if (kept && began < until) return Promise.resolve(kept);
    running ??= count(keyValue, began)
      .then((counted) => {
        const end = clock.now();
        kept = counted;
        until = end + (end - began < 50 ? 0 : Math.min(10_000, (end - began) * summaryKept));
        return counted;
      })
      .finally(() => {
        running = undefined;
      });
    return running;
  };
}

/** Waiting recipients of a queue by destination, soonest first. */
export async function destinations(keyValue: KeyValue, queue: QueueName, now: number): Promise<Destination[]> {
  const found = new Map<string, Destination & { place: DestinationPlace }>();
  for await (const [key, value] of keyValue.scan(below(destinationsPrefix(queue)))) {
    const place = placeOfDestination(key, value);
    if (place.due <= now) continue;
    const recipients = place.count;
    const known = found.get(place.identifier);
    if (known) known.recipients += recipients;
    else if (found.size < destinationsAtMost) {
      found.set(place.identifier, { identifier: place.identifier, recipients, nextAttempt: place.due, place });
    }
  }
  const all = [...found.values()].sort((a, b) => a.nextAttempt - b.nextAttempt);
  const slips = await keyValue.getMany(all.map(({ place }) => slipKey(place.id, place.slip)));
  return all.map(({ place, ...destination }, n) => {
    const value = slips[n];
    const first = value && decodeSlip(place.slip, value).recipients[0];
    const nextAttempt = first?.runAt ?? destination.nextAttempt;
    return { ...destination, nextAttempt, ...(first?.reason === undefined ? {} : { reason: first.reason }) };
  });
}

/** Looking at the queue of a database that nobody works. */
export function queueReader(keyValue: KeyValue): Pick<Queue, 'get' | 'list'> {
  return { get: (id) => getListing(keyValue, id), list: (options = {}) => list(keyValue, options) };
}
