/**
 * Mail that sleeps while its host is down, and when it has to be looked at for its own sake.
 *
 * Promise: what sleeps was told when to wake by the settings of that time; where they have changed since, or nobody remembers them, what
 * would sleep too long is told again. Costs an index entry each, once a change.
 * Source: docs/decisions/0020
 */

import type { Clock, Live } from '../base/index.ts';
import type { Peer } from '../dit/index.ts';
import type { Queue, WaitingSlip } from '../queue/index.ts';
import type { Books } from './books.ts';
import type { Channel } from './channels.ts';
import { all } from './fate.ts';
import type { SmtpcSettings } from './settings/index.ts';

export interface SleeperNeeds {
  readonly queue: Pick<Queue, 'waiting' | 'leaseWaiting'>;
  readonly books: Pick<Books, 'settle'>;
  readonly settings: Live<SmtpcSettings>;
  readonly peer: (destination: string) => Peer;
  readonly clock: Clock;
}

/** Settled at one time. */
const atOnce = 64;
const hour = 3_600_000;

export async function reconsider(channel: Channel, { books, clock, peer, queue, settings }: SleeperNeeds): Promise<void> {
  const { down, rule: before } = channel;
  const { delayNotice, delayNoticeAfter } = settings.value;
  const { retryPeriod } = peer(channel.destination);
  const rule = `${retryPeriod} ${delayNotice ? delayNoticeAfter : 'none'}`;
  if (!down || before === rule) return;
  channel.rule = rule;
  const now = clock.now();
  const notice = delayNotice ? delayNoticeAfter * hour : Number.POSITIVE_INFINITY;
  const oversleeps = ({ arrivedAt, due, sleeps }: WaitingSlip): boolean =>
    sleeps && (due > arrivedAt + retryPeriod * hour || (due > arrivedAt + notice && (before !== undefined || arrivedAt + notice > now)));
  const again = async (keys: readonly string[]): Promise<void> => {
    for (const lease of await queue.leaseWaiting('SMTPC', keys))
      await books.settle(lease, all(lease.recipients, down.fate), { at: down.until, asleep: true, tried: false });
  };
  let keys: string[] = [];
  for await (const slip of queue.waiting('SMTPC', channel.destination)) {
    if (oversleeps(slip)) keys.push(slip.key);
    if (keys.length < atOnce) continue;
    await again(keys);
    keys = [];
  }
  await again(keys);
}
