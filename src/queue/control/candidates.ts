/**
 * Where what matches can stand: everything, some ids, or what an index names.
 *
 * Promise: whatever matches is among the candidates, each message once; where the filter names a destination of SMTPC, or asks only for
 * what is kept back or in hand, nothing else is read.
 */

import { below, type KeyValue } from '../../storage/index.ts';
import type { QueueId, QueueName } from '../port.ts';
import {
  type DueEntry,
  destinationPrefix,
  destinationsPrefix,
  holdPrefix,
  placeOf,
  placeOfDestination,
  readDue,
  type Traits,
  textOf,
} from '../records.ts';
import { asIdentifier, type Matcher } from './filter.ts';
import { type InHand, type Place, type Walked, walk, walkThese } from './walk.ts';

export interface Looking {
  readonly keyValue: KeyValue;
  readonly matcher: Matcher;
  readonly inHand: InHand;
  readonly now: number;
}

/** Whether an index, or the filter itself, names the few messages that can match. */
export function isNarrow({ ids, filter, state }: Matcher): boolean {
  if (ids !== undefined) return true;
  if (!state('pending') && !state('deferred')) return true;
  return filter.queue === 'SMTPC' && filter.identifier !== undefined;
}

/** In no particular order where the filter is narrow, otherwise in order of time. */
export async function* candidates(looking: Looking): AsyncIterable<Walked> {
  const { keyValue, matcher } = looking;
  if (isNarrow(matcher)) yield* walkThese(keyValue, narrowPlaces(looking));
  else yield* walk(keyValue, undefined, false, matcher.needles);
}

async function* narrowPlaces(looking: Looking): AsyncIterable<Place> {
  const { ids } = looking.matcher;
  if (ids) {
    for (const id of ids) yield { id, only: undefined };
    return;
  }
  const seen = new Set<QueueId>();
  for await (const { id, slip, traits } of indexEntries(looking)) {
    // Only a message of several slips can be met again.
    if (!traits?.only) {
      if (seen.has(id)) continue;
      seen.add(id);
    }
    yield { id, only: traits?.only ? slip : undefined };
  }
}

export interface IndexEntry {
  readonly id: QueueId;
  readonly slip: string;
  readonly traits: Traits | undefined;
}

/**
 * Slips that may match by queue, destination and state, as the indexes name them at one moment: what an operation moves from one to the
 * other meanwhile is met once. Due ones only of SMTPC.
 */
export async function* indexEntries(looking: Looking): AsyncIterable<IndexEntry> {
  const moment = looking.keyValue.snapshot();
  try {
    yield* entriesAt({ ...looking, keyValue: moment });
  } finally {
    await moment.close();
  }
}

async function* entriesAt({
  keyValue,
  matcher,
  inHand,
  now,
}: Omit<Looking, 'keyValue'> & { keyValue: Pick<KeyValue, 'scan'> }): AsyncIterable<IndexEntry> {
  const { queue } = matcher.filter;
  const identifier = matcher.filter.identifier === undefined ? undefined : asIdentifier(matcher.filter.identifier);
  const isOurs = (of: QueueName, entry: DueEntry): boolean =>
    (queue === undefined || of === queue) && (identifier === undefined || (entry.identifier ?? identifier).toLowerCase() === identifier);
  if (matcher.state('pending') || matcher.state('deferred')) {
    const prefix = identifier === undefined ? destinationsPrefix('SMTPC') : destinationPrefix('SMTPC', identifier);
    for await (const [key, value] of keyValue.scan(below(prefix))) {
      const { due, id, slip, traits } = placeOfDestination(key, value);
      if (matcher.state(due > now ? 'deferred' : 'pending')) yield { id, slip, traits };
    }
  }
  if (matcher.state('held')) {
    for await (const [key, value] of keyValue.scan(below(holdPrefix))) {
      const place = placeOf(key);
      const entry = readDue(textOf(value));
      if (isOurs(place.queue, entry)) yield { id: place.id, slip: place.slip, traits: entry.traits };
    }
  }
  if (!matcher.state('leased')) return;
  for (const { due, entry } of inHand.values()) {
    const place = placeOf(due);
    const read = readDue(entry);
    if (isOurs(place.queue, read)) yield { id: place.id, slip: place.slip, traits: read.traits };
  }
}
