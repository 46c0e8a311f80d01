/**
 * Keeps the books: what became of a lease is written down, whatever else breaks.
 *
 * Promise: what the peer has taken is done and is never sent twice for a defect of ours, nor after a loss of power ten milliseconds later; what a defect of ours concerns waits and is never
 * bounced for it. What is decided about single recipients is settle.ts's.
 */

import { asFault, type Cancel, type Clock, type Live, type Log, type Random } from '../base/index.ts';
import type { Peer } from '../dit/index.ts';
import { type Lease, leaseLost, type Queue, type QueuedRecipient, type Reporter } from '../queue/index.ts';
import type { Blobs, KeyValue } from '../storage/index.ts';
import { destinationOf, forbidden } from './agreed.ts';
import { all, type Fate, type Fates, type Outcome } from './fate.ts';
import type { SmtpcSettings } from './settings/index.ts';
import { isSpam, type RunWait, settle } from './settle.ts';

export interface BooksOptions {
  readonly queue: Queue;
  readonly keyValue: Pick<KeyValue, 'transact' | 'flush'>;
  readonly blobs: Pick<Blobs, 'read'>;
  readonly settings: Live<SmtpcSettings>;
  readonly peer: (destination: string) => Peer;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly reporter: Reporter;
  /** See SettleNeeds. */
  readonly credit: (arrivedAt: number) => number;
}

/** What is written reaches the disk within so many milliseconds: with a commit of mail that comes meanwhile, mostly, and needs no flush of its own. */
const flushWithinMs = 10;
/** After a defect of ours a lease waits this long. */
const afterDefectMs = 60_000;

type Outcomes = ReadonlyMap<QueuedRecipient, Outcome>;

/** Those to be settled, and why the others, where there are any, cannot be read. */
function sorted(fates: Fates): { outcomes: Outcomes; unread: string | undefined } {
  const outcomes = new Map<QueuedRecipient, Outcome>();
  let unread: string | undefined;
  for (const [recipient, fate] of fates) {
    if (fate.kind === 'aside') unread = fate.text;
    else outcomes.set(recipient, fate);
  }
  return { outcomes, unread };
}

export class Books {
  readonly #options: BooksOptions;
  #flushing: Cancel | undefined;

  constructor(options: BooksOptions) {
    this.#options = options;
  }

  /** What of it must not go to this peer at all; undefined where it may. */
  forbidden(lease: Lease, destination: string, peer: Peer): Fates | undefined {
    const no = forbidden(lease, destination, peer);
    if (!no) return undefined;
    this.#options.log.info(`${lease.message.id}: not for ${destination}, by ${no.entry ?? 'the default for peers'}`);
    return all(lease.recipients, no.fate);
  }

  /**
   * What cannot be settled with all that belongs to it (the report cannot be made, say) is settled without. `run` where it is the
   * destination that keeps it waiting.
   */
  async settle(lease: Lease, fates: Fates, run?: RunWait): Promise<void> {
    const { log } = this.#options;
    const { outcomes, unread } = sorted(fates);
    try {
      if (outcomes.size > 0) await this.#settle(lease, outcomes, run);
      // What is left of the lease then.
      if (unread !== undefined) await this.#options.queue.putAside(lease, unread);
    } catch (thrown) {
      if (!leaseLost(thrown)) throw thrown;
      log.diagnostic(`${lease.message.id}: the lease does not hold any more`);
    }
  }

  async #settle(lease: Lease, fates: Outcomes, run: RunWait | undefined): Promise<void> {
    const { queue, log } = this.#options;
    try {
      await this.#whole(lease, fates, run);
    } catch (thrown) {
      if (leaseLost(thrown)) throw thrown;
      log.error(`${lease.message.id}: what became of it could not be written down`, thrown);
      const nextAttempt = this.#options.clock.now() + afterDefectMs;
      const each = [...fates];
      await queue.settle(lease, {
        done: each.filter(([, { kind }]) => kind === 'sent').map(([{ number }]) => number),
        deferred: each
          .filter(([, { kind }]) => kind !== 'sent')
          .map(([{ number }, fate]) => ({ number, nextAttempt, reason: fate.kind === 'sent' ? '' : fate.text })),
      });
    }
  }

  async #whole(lease: Lease, fates: Outcomes, run: RunWait | undefined): Promise<void> {
    const { settings, peer: peerOf, ...needs } = this.#options;
    const value = settings.value;
    const peer = peerOf(destinationOf(lease));
    await settle(lease, fates, {
      retry: { interval: peer.queueInterval * 60_000, period: peer.retryPeriod * 3_600_000 },
      delayNotice: value.delayNotice,
      delayNoticeAfter: value.delayNoticeAfter * 3_600_000,
      successNotice: value.successNotice,
      spamReportPeriod: value.spamReportPeriod * 3_600_000,
      isSpam: (message) => isSpam(message, this.#options.blobs),
      ...needs,
      ...(run ? { run } : {}),
    });
    this.#flushSoon();
  }

  #flushSoon(): void {
    const { clock, keyValue } = this.#options;
    this.#flushing ??= clock.after(flushWithinMs, () => {
      this.#flushing = undefined;
      // A write that fails is the database's own trouble, and told there.
      keyValue.flush().catch(() => undefined);
    });
  }

  /** Something of ours broke. */
  async defect(lease: Lease | undefined, thrown: unknown): Promise<void> {
    const { log, queue, clock } = this.#options;
    log.error(`sending ${lease?.message.id ?? 'mail'} failed`, asFault(thrown).cause ?? thrown);
    if (!lease) return;
    const nextAttempt = clock.now() + afterDefectMs;
    try {
      await queue.defer(
        lease,
        lease.recipients.map(({ number }) => ({ number, nextAttempt, reason: 'internal error' })),
      );
    } catch (again) {
      log.error(`${lease.message.id} could not be deferred`, again);
    }
  }

  /** Back to sleep until the run of its destination begins, which is about to: as it was, at the latest in a minute, or after `ms`. */
  async park(lease: Lease, runAt: number, ms = afterDefectMs): Promise<void> {
    const nextAttempt = Math.max(runAt, this.#options.clock.now()) + ms;
    await this.#options.queue.defer(
      lease,
      lease.recipients.map(({ number, reason = '' }) => ({ number, nextAttempt, runAt, reason, untried: true })),
    );
  }

  /** Waits for the queue run of its peer, before anybody is asked. The first does so by itself, the others sleep. */
  async keepFor(lease: Lease, run: number, peer: Peer, first: boolean): Promise<void> {
    const fate: Fate = { kind: 'defer', status: '4.4.0', text: `waits for the queue run of ${peer.peer}` };
    await this.settle(lease, all(lease.recipients, fate), { at: run, asleep: !first, tried: false });
  }
}
