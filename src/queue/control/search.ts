/**
 * Searching the queue, a page at a time.
 *
 * Promise: memory for one page, whatever the queue holds. In order of time a page is read where it stands. In another order all that may
 * match is looked at: of a channel's mail by the destination index alone where the filter asks for nothing else, otherwise message by
 * message.
 */

import { Fault } from '../../base/index.ts';
import { below, type KeyValue } from '../../storage/index.ts';
import type { FoundMessage, FoundRecipient, QueueFilter, QueueOrder, SearchOptions, SearchPage, Weighed } from '../control-port.ts';
import { withRun } from '../inspect.ts';
import type { QueueName } from '../port.ts';
import {
  type DueEntry,
  destinationPrefix,
  destinationsPrefix,
  holdPrefix,
  placeOf,
  placeOfDestination,
  readDue,
  sizeOf,
  type Traits,
  textOf,
} from '../records.ts';
import { asIdentifier, type Matcher, matcherOf } from './filter.ts';
import { cursorText, Page, readCursor, type Standing } from './page.ts';
import { found, type InHand, readInHand, walk, walkOne } from './walk.ts';

const usualPage = 100;
const largestPage = 1_000;
const orders: readonly QueueOrder[] = ['time', 'size', 'sender', 'priority', 'weight'];
export const byPrecedence = ({ precedence }: Weighed): number => precedence;

interface Search {
  readonly keyValue: KeyValue;
  readonly matcher: Matcher;
  readonly inHand: InHand;
  readonly now: number;
  readonly weigh: (message: Weighed) => number;
  readonly order: QueueOrder;
  readonly descending: boolean;
  readonly limit: number;
  readonly after: Standing | undefined;
}

export async function search(keyValue: KeyValue, now: number, filter: QueueFilter, options: SearchOptions): Promise<SearchPage> {
  const { order = 'time', descending = false, limit = usualPage, after, weigh = byPrecedence } = options;
  if (!orders.includes(order)) throw new Fault('malformed', `there is no order ${order}; there are ${orders.join(', ')}`);
  if (!Number.isInteger(limit) || limit < 1 || limit > largestPage) throw new Fault('malformed', `a page has 1 to ${largestPage} messages`);
  const place = after === undefined ? undefined : readCursor(order, descending, after);
  const matcher = matcherOf(filter, now);
  const inHand = await readInHand(keyValue);
  const asked: Search = { keyValue, matcher, inHand, now, weigh, order, descending, limit, after: place };
  if (order === 'time' && matcher.ids === undefined) return await byTime(asked);
  const page = new Page(limit, descending, place);
  for await (const standing of standings(asked)) page.add(standing);
  const sorted = page.end();
  const messages: FoundMessage[] = [];
  for (const { id } of sorted.slice(0, limit)) {
    const walked = await walkOne(keyValue, id);
    const one = walked && found(walked, matcher, inHand, now, weigh);
    if (one) messages.push(await shown(keyValue, one));
  }
  const last = sorted.length > limit ? sorted[limit - 1] : undefined;
  return last ? { messages, next: cursorText(order, descending, last) } : { messages };
}

/** Everything that matches, oldest first. */
export async function* findAll(keyValue: KeyValue, now: number, filter: QueueFilter): AsyncIterable<FoundMessage> {
  const matcher = matcherOf(filter, now);
  const asked = { keyValue, matcher, inHand: await readInHand(keyValue), now, weigh: byPrecedence, after: undefined, descending: false };
  for await (const one of matching(asked)) yield await shown(keyValue, one);
}

async function byTime(asked: Search): Promise<SearchPage> {
  const { keyValue, limit, order, descending } = asked;
  const messages: FoundMessage[] = [];
  for await (const one of matching(asked)) {
    if (messages.length < limit) messages.push(await shown(keyValue, one));
    else {
      const last = messages[limit - 1] as FoundMessage;
      return { messages, next: cursorText(order, descending, standingOf(last, order)) };
    }
  }
  return { messages };
}

/** What waits for the run of its destination is tried then. */
async function shown(keyValue: KeyValue, one: FoundMessage): Promise<FoundMessage> {
  if (one.recipients.every(({ runAt }) => runAt === undefined)) return one;
  const recipients: FoundRecipient[] = [];
  for (const { state, ...recipient } of one.recipients) recipients.push({ ...(await withRun(keyValue, recipient)), state });
  return { ...one, recipients };
}

type Walking = Pick<Search, 'keyValue' | 'matcher' | 'inHand' | 'now' | 'weigh' | 'after' | 'descending'>;

/** Message by message, in order of time. */
async function* matching(asked: Walking): AsyncIterable<FoundMessage> {
  const { keyValue, matcher, inHand, now, weigh } = asked;
  if (matcher.ids) {
    for (const id of matcher.ids) {
      const walked = await walkOne(keyValue, id);
      const one = walked && found(walked, matcher, inHand, now, weigh);
      if (one) yield one;
    }
    return;
  }
  for await (const walked of walk(keyValue, asked.after?.id, asked.descending)) {
    const one = found(walked, matcher, inHand, now, weigh);
    if (one) yield one;
  }
}

function standingOf({ message, weight, recipients }: FoundMessage, order: QueueOrder): Standing {
  const { id } = message;
  if (order === 'time') return { value: 0, id };
  if (order === 'size') return { value: sizeOf(message), id };
  if (order === 'sender') return { value: message.sender.toLowerCase(), id };
  if (order === 'weight') return { value: weight, id };
  return { value: Math.min(...recipients.map(({ precedence = 0 }) => precedence)), id };
}

/** Where all that matches stands in the order asked for. */
async function* standings(asked: Search): AsyncIterable<Standing> {
  const { matcher, order } = asked;
  const { queue } = matcher.filter;
  // Of SMTPC's slips the index says what their order depends on; of the others it does not.
  if (queue === 'SMTPC' && matcher.plain && order !== 'sender') yield* indexStandings(asked, queue);
  else for await (const one of matching({ ...asked, after: undefined, descending: false })) yield standingOf(one, order);
}

/** The same from the indexes alone, but for messages of several slips. */
async function* indexStandings(asked: Search, queue: QueueName): AsyncIterable<Standing> {
  const { keyValue, matcher, inHand, now, weigh, order } = asked;
  for await (const { id, traits } of indexEntries(asked, queue)) {
    if (traits?.only) {
      const { size, arrivedAt, precedence, deferredSince } = traits;
      if (!matcher.size(size) || !matcher.age(arrivedAt)) continue;
      const since = deferredSince > 0 ? { deferredSince } : {};
      const weight = (): number => weigh({ size, arrivedAt, precedence, ...since });
      yield { value: order === 'time' ? 0 : order === 'size' ? size : order === 'weight' ? weight() : precedence, id };
      continue;
    }
    const walked = await walkOne(keyValue, id);
    const one = walked && found(walked, matcher, inHand, now, weigh);
    if (one) yield standingOf(one, order);
  }
}

type IndexEntry = { readonly id: string; readonly traits: Traits | undefined };

/** What waits at a channel, or one destination of it, in the states asked for. */
async function* indexEntries({ keyValue, matcher, inHand, now }: Search, queue: QueueName): AsyncIterable<IndexEntry> {
  const { filter } = matcher;
  const identifier = filter.identifier === undefined ? undefined : asIdentifier(filter.identifier);
  const isOurs = (entry: DueEntry): boolean => identifier === undefined || entry.identifier?.toLowerCase() === identifier;
  if (matcher.state('pending') || matcher.state('deferred')) {
    const prefix = identifier === undefined ? destinationsPrefix(queue) : destinationPrefix(queue, identifier);
    for await (const [key, value] of keyValue.scan(below(prefix))) {
      const place = placeOfDestination(key, value);
      if (matcher.state(place.due > now ? 'deferred' : 'pending')) yield { id: place.id, traits: place.traits };
    }
  }
  if (matcher.state('held')) {
    for await (const [key, value] of keyValue.scan(below(`${holdPrefix}${queue}/`))) {
      const entry = readDue(textOf(value));
      if (isOurs(entry)) yield { id: placeOf(key).id, traits: entry.traits };
    }
  }
  if (!matcher.state('leased')) return;
  for (const { due, entry } of inHand.values()) {
    const place = placeOf(due);
    const read = readDue(entry);
    if (place.queue === queue && isOurs(read)) yield { id: place.id, traits: read.traits };
  }
}
