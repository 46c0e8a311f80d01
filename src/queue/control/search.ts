/**
 * Searching the queue, a page at a time.
 *
 * Promise: memory for one page, whatever the queue holds. In order of time a page is read where it stands. In another order all that may
 * match is looked at: of a channel's mail by the destination index alone where the filter asks for nothing else, otherwise message by
 * message.
 */

import { Fault } from '../../base/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import type { FoundMessage, FoundRecipient, QueueFilter, QueueOrder, SearchOptions, SearchPage, Weighed } from '../control-port.ts';
import { type Shown, withRuns } from '../inspect.ts';
import { sizeOf } from '../records.ts';
import { candidates, indexEntries, isNarrow } from './candidates.ts';
import { type Matcher, matcherOf } from './filter.ts';
import { cursorText, Page, readCursor, type Standing } from './page.ts';
import { found, type InHand, readInHand, walk, walkOne } from './walk.ts';

const usualPage = 100;
const largestPage = 1_000;
/** A page whose messages have so many recipients ends with the last of them. */
const recipientsOfPage = 20_000;
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
  if (order === 'time' && !isNarrow(matcher)) return await byTime(asked);
  const page = new Page(limit, descending, place);
  for await (const standing of standings(asked)) page.add(standing);
  const sorted = page.end();
  const messages: FoundMessage[] = [];
  const withRun = withRuns(keyValue);
  let [read, recipients] = [0, 0];
  for (; read < Math.min(limit, sorted.length) && recipients < recipientsOfPage; read++) {
    const walked = await walkOne(keyValue, (sorted[read] as Standing).id);
    const one = walked && found(walked, matcher, inHand, now, weigh);
    if (!one) continue;
    messages.push(await shown(one, withRun));
    recipients += one.recipients.length;
  }
  const last = sorted.length > read ? sorted[read - 1] : undefined;
  return last ? { messages, next: cursorText(order, descending, last) } : { messages };
}

/** Everything that matches. */
export async function* findAll(keyValue: KeyValue, now: number, filter: QueueFilter): AsyncIterable<FoundMessage> {
  const matcher = matcherOf(filter, now);
  const asked = { keyValue, matcher, inHand: await readInHand(keyValue), now, weigh: byPrecedence };
  const withRun = withRuns(keyValue);
  for await (const one of matching(asked)) yield await shown(one, withRun);
}

async function byTime(asked: Search): Promise<SearchPage> {
  const { keyValue, matcher, inHand, now, weigh, limit, order, descending, after } = asked;
  const messages: FoundMessage[] = [];
  const withRun = withRuns(keyValue);
  let recipients = 0;
  for await (const walked of walk(keyValue, after?.id, descending, matcher.needles)) {
    const one = found(walked, matcher, inHand, now, weigh);
    if (!one) continue;
    if (messages.length < limit && recipients < recipientsOfPage) {
      messages.push(await shown(one, withRun));
      recipients += one.recipients.length;
    } else {
      const last = messages[messages.length - 1] as FoundMessage;
      return { messages, next: cursorText(order, descending, standingOf(last, order)) };
    }
  }
  return { messages };
}

/** What waits for the run of its destination is tried then. */
async function shown(one: FoundMessage, withRun: Shown): Promise<FoundMessage> {
  if (one.recipients.every(({ runAt }) => runAt === undefined)) return one;
  const recipients: FoundRecipient[] = [];
  for (const { state, ...recipient } of one.recipients) recipients.push({ ...(await withRun(recipient)), state });
  return { ...one, recipients };
}

/** Message by message: in order of time, unless the filter is narrow. */
async function* matching(asked: Pick<Search, 'keyValue' | 'matcher' | 'inHand' | 'now' | 'weigh'>): AsyncIterable<FoundMessage> {
  const { matcher, inHand, now, weigh } = asked;
  for await (const walked of candidates(asked)) {
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
  if (queue === 'SMTPC' && matcher.plain && order !== 'sender') yield* indexStandings(asked);
  else for await (const one of matching(asked)) yield standingOf(one, order);
}

/** The same from the indexes alone, but for messages of several slips. */
async function* indexStandings(asked: Search): AsyncIterable<Standing> {
  const { keyValue, matcher, inHand, now, weigh, order } = asked;
  for await (const { id, traits } of indexEntries(asked)) {
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
