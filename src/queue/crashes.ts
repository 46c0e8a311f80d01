/**
 * Giving back at the start what a process that is no more had leased, and keeping away what may have ended it.
 *
 * Promise: a slip that was in hand at several ends, and was never settled in between, waits, longer each time, so that a message that
 * brings the process down does not do so for ever; what was in hand by chance is due at once. The count stands in the slip's due entry
 * and goes with it.
 */

import type { Clock, Log } from '../base/index.ts';
import { below, type Key, type KeyValue } from '../storage/index.ts';
import { awake, decodeLease, decodeSlip, dueText, leasePrefix, placeOf, putDue, putSlip, readDue, slipKey } from './records.ts';

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

/** Voids leases that do not carry this epoch. Resolves to their number. */
export async function voidLeases(needs: Needs, epoch: string): Promise<number> {
  const { keyValue } = needs;
  let voided = 0;
  for (;;) {
    const leases: [Key, Uint8Array][] = [];
    for await (const entry of keyValue.scan(below(leasePrefix), { limit: page })) leases.push(entry);
    const dead = leases.filter(([key]) => !key.startsWith(`${leasePrefix}${epoch}-`));
    if (dead.length === 0) return voided;
    voided += dead.length;
    const puts: Put[] = [];
    for (const [, value] of dead) {
      const { due, entry } = decodeLease(value);
      const ends = readDue(entry).ends + 1;
      const held = ends >= suspicious ? await hold(needs, due, entry, ends) : undefined;
      puts.push(...(held ?? putDue(due, dueText({ ...readDue(entry), ends }))));
    }
    await keyValue.transact(async () => ({ puts, deletes: dead.map(([key]) => key), result: undefined }), 'soon');
  }
}

/** The slip, due later. Undefined where it cannot be read: leasing it will put it aside. */
async function hold({ keyValue, clock, log }: Needs, due: Key, entry: string, ends: number): Promise<Put[] | undefined> {
  const { id, slip: name } = placeOf(due);
  const value = await keyValue.get(slipKey(id, name));
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
