/**
 * Handing out work.
 *
 * A lease takes a slip's entry out of the due index and puts a lease record in its place, in one commit that first looks
 * whether the entry is still there, unchanged. So nobody else can get the slip, whoever else works this queue and
 * whatever the feed in memory believed.
 * Candidates come from the feed; when it is behind, from a bounded look into the index.
 */

import type { Clock, Log } from '../base/index.ts';
import { CheckFailed, type Key, type KeyValue, type Part, sortable } from '../storage/index.ts';
import type { Candidate } from './feed.ts';
import type { Lanes } from './lanes.ts';
import type { Excepted, Lease, LeaseOptions, NewlyAside, QueueName } from './port.ts';
import {
  asideKey,
  type DestinationPlace,
  decodeMessage,
  decodeSlip,
  deleteDue,
  destinationPrefix,
  destinationsPrefix,
  dueKey,
  duePrefix,
  encodeAside,
  encodeLease,
  type Lane,
  leasePrefix,
  messageKey,
  placeOf,
  placeOfDestination,
  readDue,
  slipKey,
  textOf,
  tokenText,
} from './records.ts';

export interface Leasing {
  readonly keyValue: KeyValue;
  readonly clock: Clock;
  readonly log: Log;
  /** A name nobody else uses or used for a lease. */
  readonly leaseName: () => string;
  readonly onAside: (entry: NewlyAside) => void;
}

/** Entries of the index that one look reads at most. */
const lookAtMost = 1024;
/** The same where some destinations are excepted: if they fill the head of the queue, the others are asked one by one. */
const lookWithExceptions = 128;
/** Destinations that one lease without a named destination looks at when the oldest entries are all excepted. */
const destinationsTried = 256;

const nobody: Excepted = new Set<string>();
const end = '\u{10ffff}';
const later = (a: Key, b: Key): Key => [a, b].sort()[1] as Key;

/** Takes those candidates whose entry stands unchanged; says of the others whether it is gone or another one now. */
function leasePart(candidates: readonly Candidate[], names: readonly string[]): Part<(Lease | 'gone' | 'changed')[]> {
  return async (read) => {
    const puts: [Key, Uint8Array][] = [];
    const deletes: Key[] = [];
    const result: (Lease | 'gone' | 'changed')[] = [];
    for (const [n, { due, message, count, slip }] of candidates.entries()) {
      const entry = await read.get(due);
      const text = entry && textOf(entry);
      if (text === undefined || readDue(text).version !== slip.version) {
        result.push(text === undefined ? 'gone' : 'changed');
        continue;
      }
      const name = names[n] as string;
      deletes.push(...deleteDue(due, text));
      puts.push([`${leasePrefix}${name}`, encodeLease({ due, entry: text, shrunk: false })]);
      const token = tokenText({ lease: name, slip: slip.name, only: slip.only, count });
      result.push({ token, queue: slip.queue, message, recipients: slip.recipients });
    }
    return { puts, deletes, result };
  };
}

async function take(with_: Leasing, feeds: Lanes, candidates: readonly Candidate[]): Promise<Lease[]> {
  if (candidates.length === 0) return [];
  const names = candidates.map(() => with_.leaseName());
  try {
    const results = await with_.keyValue.transact(leasePart(candidates, names), 'soon');
    return results.flatMap((result, n) => {
      const { due } = candidates[n] as Candidate;
      if (result === 'changed') feeds.for(due).again(due);
      return typeof result === 'string' ? [] : [result];
    });
  } catch (thrown) {
    for (const { due } of candidates) feeds.for(due).again(due);
    throw thrown;
  }
}

const problemOf = (cause: unknown): string =>
  String(cause instanceof Error ? cause.message : cause)
    .replace(/\s+/g, ' ')
    .slice(0, 500);

/** Puts an entry aside whose message or slip cannot be read, so that it never blocks the others. */
async function putAside(with_: Leasing, due: Key, entry: string, cause: unknown): Promise<void> {
  const { id, slip, queue } = placeOf(due);
  const problem = problemOf(cause);
  with_.log.error(`queue entry ${id}/${slip} cannot be read and was put aside`, cause);
  try {
    await with_.keyValue.transact(
      async () => ({
        checks: [{ present: due }],
        puts: [[asideKey(id, slip), encodeAside({ due, entry, since: with_.clock.now(), problem })]],
        deletes: deleteDue(due, entry),
        result: undefined,
      }),
      'durable',
    );
  } catch (thrown) {
    if (thrown instanceof CheckFailed) return;
    throw thrown;
  }
  with_.onAside({ id, slip, queue, recipients: readDue(entry).count || 0, problem });
}

/** The messages and slips behind entries of the index. */
async function load(with_: Leasing, feeds: Lanes, entries: readonly (readonly [Key, string])[]): Promise<Candidate[]> {
  const unknown = entries.filter(([due]) => !feeds.for(due).find(due));
  const keys = unknown.flatMap(([due]) => {
    const { id, slip } = placeOf(due);
    return [messageKey(id), slipKey(id, slip)];
  });
  const values = keys.length > 0 ? await with_.keyValue.getMany(keys) : [];
  const loaded = new Map<Key, Candidate>();
  for (const [n, [due, entry]] of unknown.entries()) {
    const [message, slip] = [values[2 * n], values[2 * n + 1]];
    try {
      // Somebody was faster and it is done, or it cannot be read: the entry itself tells which.
      if (!message || !slip) {
        if (await with_.keyValue.get(due)) throw new Error('message or slip is missing');
        continue;
      }
      loaded.set(due, { due, ...decodeMessage(message), slip: decodeSlip(placeOf(due).slip, slip) });
    } catch (cause) {
      await putAside(with_, due, entry, cause);
    }
  }
  return entries.flatMap(([due]) => {
    const feed = feeds.for(due);
    const candidate = feed.find(due) ?? loaded.get(due);
    feed.drop(due);
    return candidate ? [candidate] : [];
  });
}

async function page(with_: Leasing, from: Key, to: Key, limit: number): Promise<[Key, string][]> {
  const found: [Key, string][] = [];
  for await (const [key, value] of with_.keyValue.scan({ from, to }, { limit })) found.push([key, textOf(value)]);
  return found;
}

/** Due entries of one destination, oldest first. */
async function leaseDestination(with_: Leasing, feeds: Lanes, queue: QueueName, limit: number, identifier: string): Promise<Lease[]> {
  const now = with_.clock.now();
  const prefix = destinationPrefix(queue, identifier);
  const dues: Key[] = [];
  const range = { from: prefix, to: `${prefix}${sortable(now + 1)}` };
  for await (const [key, value] of with_.keyValue.scan(range, { limit })) dues.push(dueKey(placeOfDestination(key, value)));
  return await leaseThese(with_, feeds, dues);
}

/** The slips of these due keys, whether their time has come or not; without those that are gone. */
export async function leaseThese(with_: Leasing, feeds: Lanes, dues: readonly Key[]): Promise<Lease[]> {
  const entries = await with_.keyValue.getMany(dues);
  const known = dues.flatMap((due, n) => {
    const entry = entries[n];
    return entry ? [[due, textOf(entry)] as const] : [];
  });
  return await take(with_, feeds, await load(with_, feeds, known));
}

interface Look extends Leasing {
  readonly feeds: Lanes;
  readonly queue: QueueName;
  readonly except: Excepted;
}

/** Oldest due entries of each destination in turn, for when the head of the queue belongs to excepted ones. Goes on where it ended last. */
async function leaseAround(with_: Look, limit: number): Promise<Lease[]> {
  const { feeds, queue, except } = with_;
  const leases: Lease[] = [];
  const prefix = destinationsPrefix(queue);
  let ends = 0;
  for (let tried = 0; tried < destinationsTried && leases.length < limit; tried++) {
    let first: DestinationPlace | undefined;
    const range = { from: later(feeds.around, prefix), to: `${prefix}${end}` };
    for await (const [key, value] of with_.keyValue.scan(range, { limit: 1 })) first = placeOfDestination(key, value);
    feeds.around = first ? `${destinationPrefix(queue, first.identifier)}${end}` : prefix;
    if (!first && ++ends > 1) break;
    if (!first || except.has(first.identifier) || first.due > with_.clock.now()) continue;
    leases.push(...(await leaseDestination(with_, feeds, queue, limit - leases.length, first.identifier)));
  }
  return leases;
}

/** A look into the due index of one lane, from where the last one ended. */
async function leaseIndex(with_: Look, lane: Lane, limit: number): Promise<Lease[]> {
  const { feeds, queue, except } = with_;
  const feed = feeds.of(lane);
  const prefix = duePrefix(queue, lane);
  const since = feed.look();
  const leases: Lease[] = [];
  let from = later(feed.cursor, prefix);
  let read = 0;
  let passed = false;
  while (leases.length < limit && read < (except.size > 0 ? lookWithExceptions : lookAtMost)) {
    const to = `${prefix}${sortable(with_.clock.now() + 1)}`;
    const size = except.size > 0 ? lookWithExceptions : limit - leases.length;
    const found = from < to ? await page(with_, from, to, size) : [];
    read += found.length;
    const wanted: [Key, string][] = [];
    for (const entry of found) {
      if (leases.length + wanted.length >= limit) break;
      from = `${entry[0]}\u0000`;
      if (except.has(readDue(entry[1]).identifier ?? '')) passed = true;
      else wanted.push(entry);
    }
    // Before the lease is tried: what it could not take puts the cursor back.
    if (!passed) feed.advance(from);
    leases.push(...(await take(with_, feeds, await load(with_, feeds, wanted))));
    if (found.length < size && leases.length < limit) {
      if (passed) return leases;
      feed.looked(since);
      const [next] = await page(with_, to, `${prefix}${end}`, 1);
      if (next) feed.expect(placeOf(next[0]).due);
      return leases;
    }
  }
  if (leases.length < limit && passed) leases.push(...(await leaseAround(with_, limit - leases.length)));
  // Nothing of all that could be had: whoever asks again goes on behind it.
  if (leases.length === 0 && !passed) feed.again(from);
  return leases;
}

async function leaseLane(with_: Look, lane: Lane, limit: number): Promise<Lease[]> {
  const { feeds, except } = with_;
  const feed = feeds.of(lane);
  const leases = feed.behind ? [] : await take(with_, feeds, feed.take(limit, { except }));
  if (leases.length >= limit || !feed.behind) return leases;
  // One look at a time: two over the same entries would find each other's work and one would go away empty-handed.
  const looked = await feed.exclusive(async () => (feed.behind ? await leaseIndex(with_, lane, limit - leases.length) : []));
  leases.push(...looked);
  if (leases.length < limit) leases.push(...(await take(with_, feeds, feed.take(limit - leases.length, { except }))));
  return leases;
}

/** One destination's: what was just filed for it, urgent mail first; then from its index. */
async function leaseOf(with_: Look, identifier: string, limit: number): Promise<Lease[]> {
  const { feeds, queue } = with_;
  const leases: Lease[] = [];
  for (const lane of with_.feeds.turn()) {
    const feed = feeds.of(lane);
    if (leases.length < limit && !feed.behind) leases.push(...(await take(with_, feeds, feed.take(limit - leases.length, { identifier }))));
  }
  // Unless something is due of which the feeds do not know, there is nothing else.
  if (leases.length >= limit || !feeds.behind) return leases;
  const looked = await feeds.of('').exclusive(() => leaseDestination(with_, feeds, queue, limit - leases.length, identifier));
  return [...leases, ...looked];
}

export async function leaseFrom(leasing: Leasing, feeds: Lanes, queue: QueueName, limit: number, options: LeaseOptions): Promise<Lease[]> {
  const { except = nobody } = options;
  const with_: Look = { feeds, queue, except: 'has' in except ? except : new Set(except), ...leasing };
  if (options.identifier !== undefined && queue !== 'INPUT') return await leaseOf(with_, options.identifier, limit);
  const leases: Lease[] = [];
  for (const lane of feeds.turn()) {
    if (leases.length >= limit) break;
    if (feeds.of(lane).idle) continue;
    leases.push(...(await leaseLane(with_, lane, limit - leases.length)));
  }
  return leases;
}
