/**
 * Giving back what a process that is no more had leased, and keeping away what may have ended it.
 *
 * Promise: a slip that was in hand at several ends, and was never settled in between, waits, longer each time, so that a message that
 * brings the process down does not do so for ever; what was in hand by chance is due at once. The count stands in the slip's due entry
 * and goes with it. A lease that its holder settles at the same moment is left alone: one of both happens.
 */

import type { Clock, Log } from '../base/index.ts';
import { below, type Key, type KeyValue, type PartReader } from '../storage/index.ts';
import type { QueueName } from './port.ts';
import {
  awake,
  decodeLease,
  decodeSlip,
  dueText,
  isApartKey,
  isWishKey,
  type LeaseRecord,
  leasePrefix,
  placeOf,
  putSlip,
  readDue,
  slipKey,
  wishTopic,
} from './records.ts';
import { standing } from './settle.ts';

const page = 500;
/** In hand at so many ends: no chance any more. */
const suspicious = 5;
const firstPause = 10 * 60_000;
const longestPause = 86_400_000;

interface Needs {
  readonly keyValue: KeyValue;
  readonly clock: Clock;
  readonly log: Log;
}
type Put = readonly [Key, Uint8Array];

/** What was given back: how many leases, and of which queues. */
export interface GivenBack {
  readonly leases: number;
  readonly queues: ReadonlySet<QueueName>;
}

export const leasesOf = (epoch: string): string => `${leasePrefix}${epoch}-`;
/** The process a lease belongs to. */
const epochOf = (lease: Key): string => lease.slice(leasePrefix.length, lease.lastIndexOf('-'));

/** Voids the leases below `prefix` whose process `dead` says is no more. */
export async function voidLeases(needs: Needs, prefix: string, dead: (epoch: string) => boolean): Promise<GivenBack> {
  return await eachLease(needs.keyValue, prefix, async (read, key, record) => {
    if (!dead(epochOf(key))) return undefined;
    const { due, entry } = record;
    const ends = readDue(entry).ends + 1;
    const later = ends >= suspicious && !record.noted && !isApartKey(due) ? await hold(needs, read, due, entry, ends) : undefined;
    return later ?? (await standing(read, { ...record, entry: dueText({ ...readDue(entry), ends }) }));
  });
}

/** Gives back what a process that lives has leased of one queue. */
export async function giveBackAll(keyValue: KeyValue, epoch: string, queue: QueueName): Promise<GivenBack> {
  return await eachLease(keyValue, leasesOf(epoch), async (read, _key, record) =>
    placeOf(record.due).queue === queue ? await standing(read, record) : undefined,
  );
}

type Ending = (read: PartReader, key: Key, record: LeaseRecord) => Promise<readonly Put[] | undefined>;

/** Takes leases away, page by page, and puts there what `ending` says; undefined leaves a lease as it is. */
async function eachLease(keyValue: KeyValue, prefix: string, ending: Ending): Promise<GivenBack> {
  const { from, to } = below(prefix);
  const queues = new Set<QueueName>();
  let leases = 0;
  for (let start = from; ; ) {
    const keys: Key[] = [];
    for await (const [key] of keyValue.scan({ from: start, to }, { limit: page, keysOnly: true })) keys.push(key);
    const ended = await keyValue.transact(async (read) => {
      const puts: Put[] = [];
      const deletes: Key[] = [];
      const dues: Key[] = [];
      for (const key of keys) {
        const value = await read.get(key);
        const record = value && decodeLease(value);
        const put = record && (await ending(read, key, record));
        if (!record || !put) continue;
        puts.push(...put);
        deletes.push(key);
        dues.push(record.due);
      }
      return { puts, deletes, ...(puts.some(([key]) => isWishKey(key)) ? { wake: [wishTopic] } : {}), result: dues };
    }, 'soon');
    leases += ended.length;
    for (const due of ended) queues.add(placeOf(due).queue);
    if (keys.length < page) return { leases, queues };
    start = `${keys.at(-1)}\u0000`;
  }
}

/** The slip, due later. Undefined where it cannot be read: leasing it will put it aside. */
async function hold({ clock, log }: Needs, read: PartReader, due: Key, entry: string, ends: number): Promise<Put[] | undefined> {
  const { id, slip: name } = placeOf(due);
  const value = await read.get(slipKey(id, name));
  if (!value) return undefined;
  try {
    const slip = decodeSlip(name, value);
    const pause = Math.min(longestPause, firstPause * 2 ** Math.min(ends - suspicious, 20));
    const nextAttempt = clock.now() + pause;
    const reason = `held: the server ended ${ends} times while this was being worked on`;
    log.error(`${id}: ${reason}; it is tried again in ${Math.round(pause / 60_000)} minutes`);
    const recipients = slip.recipients.map(({ runAt: _sleeps, ...recipient }) => ({ ...recipient, nextAttempt, reason }));
    const later = { ...slip, due: nextAttempt, version: slip.version + 1, recipients };
    return putSlip(id, later, awake({ ...readDue(entry), version: later.version, ends }));
  } catch {
    return undefined;
  }
}
