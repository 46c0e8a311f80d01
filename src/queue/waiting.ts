/**
 * What waits for one destination, for a channel that chooses the order itself.
 *
 * Promise: walking costs an index entry each and keeps nothing in memory. What is leased, put aside or kept back is not there.
 */

import type { KeyValue } from '../storage/index.ts';
import type { QueueName, WaitingSlip } from './port.ts';
import { countOf, destinationPrefix, destinationsPrefix, dueKey, duePrefix, lanes, placeOfDestination } from './records.ts';

const end = '\u{10ffff}';

/** In the order they fall due. */
export async function* waitingFor(keyValue: KeyValue, queue: QueueName, identifier: string): AsyncIterable<WaitingSlip> {
  const prefix = destinationPrefix(queue, identifier);
  for await (const [key, value] of keyValue.scan({ from: prefix, to: `${prefix}${end}` })) {
    const place = placeOfDestination(key, value);
    const { due, id, count, traits } = place;
    const { size = 0, arrivedAt = 0, precedence = 0, deferredSince = 0, sleeps = false } = traits ?? {};
    const since = deferredSince > 0 ? { deferredSince } : {};
    yield { key: dueKey(place), id, recipients: count, due, size, arrivedAt, ...since, precedence, sleeps };
  }
}

/** Destinations for which anything waits: a look into the index for each, however much waits there. */
export async function* identifiersOf(keyValue: KeyValue, queue: QueueName): AsyncIterable<{ identifier: string; nextAttempt: number }> {
  const all = destinationsPrefix(queue);
  for (let from = all; ; ) {
    let found: { identifier: string; due: number } | undefined;
    for await (const [key, value] of keyValue.scan({ from, to: `${all}${end}` }, { limit: 1 })) found = placeOfDestination(key, value);
    if (!found) return;
    yield { identifier: found.identifier, nextAttempt: found.due };
    from = `${destinationPrefix(queue, found.identifier)}${end}`;
  }
}

/** Recipients of a destination, or of all, that wait, due or not. */
export async function countWaiting(keyValue: KeyValue, queue: QueueName, identifier: string | undefined): Promise<number> {
  const prefixes = identifier === undefined ? lanes.map((lane) => duePrefix(queue, lane)) : [destinationPrefix(queue, identifier)];
  let recipients = 0;
  for (const prefix of prefixes)
    for await (const [, value] of keyValue.scan({ from: prefix, to: `${prefix}${end}` })) recipients += countOf(value);
  return recipients;
}
