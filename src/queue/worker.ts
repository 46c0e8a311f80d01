/**
 * A processor's loop: leases work of one queue and keeps a bounded number of messages in hand.
 *
 * Promise: one message that fails or takes long delays only itself; one whose bytes cannot be read is put aside; leases are taken in batches, so that their cost is
 * shared; `stop` takes no new work at once, waits for what is in hand and gives back what does not end in time.
 * What is done with a lease, and what becomes of it after a failure, is the processor's business.
 */

import type { Cancel, Clock, Live, Log } from '../base/index.ts';
import { CheckFailed, UnreadableBlob } from '../storage/index.ts';
import type { Lease, Queue, QueuedMessage, QueuedRecipient, QueueName } from './port.ts';
import { leasePrefix } from './records.ts';

export interface WorkerNeeds {
  readonly queue: Pick<Queue, 'lease' | 'release' | 'putAside' | 'onWork'>;
  readonly name: QueueName;
  /** Messages in hand at most. */
  readonly settings: Live<{ readonly processors: number }>;
  /** Settles the lease, or throws. */
  readonly work: (lease: Lease) => Promise<void>;
  /** What becomes of a lease whose work threw. Throwing here gives it back a little later. */
  readonly failed: (lease: Lease, thrown: unknown) => Promise<void>;
  readonly log: Log;
  readonly clock: Clock;
}

export interface Worker {
  start(): void;
  stop(): Promise<void>;
  /** Messages in hand. */
  readonly active: number;
}

/** Milliseconds until the queue is asked again after it could not be asked. */
const askAgain = 5_000;
/** Milliseconds `stop` waits for work in hand. */
const patience = 8_000;

export function createWorker(needs: WorkerNeeds): Worker {
  return new Loop(needs);
}

class Loop implements Worker {
  readonly #needs: WorkerNeeds;
  readonly #inHand = new Set<Lease>();
  #running = false;
  #asking = false;
  #more = false;
  #scheduled = false;
  #stops: Cancel[] = [];
  #timers = new Set<Cancel>();
  /** Neither settled nor given back yet, because the queue could not be written: tried again until it can. */
  readonly #owed = new Set<Lease>();
  #idle: (() => void) | undefined;

  constructor(needs: WorkerNeeds) {
    this.#needs = needs;
  }

  get active(): number {
    return this.#inHand.size;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    const { queue, name, settings } = this.#needs;
    // Room for more counts at once, too: what is in hand may take long.
    this.#stops = [queue.onWork(name, () => this.#kick()), settings.onChange(() => this.#kick())];
    this.#kick();
  }

  async stop(): Promise<void> {
    this.#running = false;
    for (const stop of this.#stops) stop();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    if (this.#inHand.size > 0 || this.#asking) await this.#calm();
    const left = [...this.#inHand, ...this.#owed];
    this.#inHand.clear();
    this.#owed.clear();
    // Whoever still works on it will find that its lease does not hold any more.
    await Promise.allSettled(left.map((lease) => this.#needs.queue.release(lease)));
  }

  /** Resolves when nothing is in hand, or patience ends. */
  async #calm(): Promise<void> {
    let late: Cancel | undefined;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      late = this.#needs.clock.after(patience, resolve);
    });
    late?.();
    this.#idle = undefined;
  }

  /** Asks for work soon; calls of one turn of the loop are one. */
  #kick(): void {
    this.#more = true;
    if (this.#scheduled || !this.#running) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      while (this.#running && this.#more) {
        const room = this.#needs.settings.value.processors - this.#inHand.size;
        if (room <= 0) break;
        this.#more = false;
        const leases = await this.#needs.queue.lease(this.#needs.name, room);
        if (leases.length > 0) this.#more = true;
        for (const lease of leases) void this.#take(lease);
      }
    } catch (thrown) {
      this.#needs.log.error(`queue ${this.#needs.name} cannot be asked for work`, thrown);
      this.#later(askAgain, () => this.#kick());
    } finally {
      this.#asking = false;
      this.#settled();
    }
  }

  async #take(lease: Lease): Promise<void> {
    this.#inHand.add(lease);
    try {
      if (!this.#running) return await this.#needs.queue.release(lease);
      await this.#needs.work(lease);
    } catch (thrown) {
      await this.#failed(lease, thrown);
    } finally {
      this.#inHand.delete(lease);
      this.#settled();
      if (this.#more) this.#kick();
    }
  }

  async #failed(lease: Lease, thrown: unknown): Promise<void> {
    const { log } = this.#needs;
    if (leaseLost(thrown)) {
      // Somebody else has it, or nobody needs it any more.
      log.diagnostic(`${lease.message.id}: the lease does not hold any more`);
      return;
    }
    try {
      // Asking again would not help, and nobody else is to wait for it.
      if (thrown instanceof UnreadableBlob) await this.#needs.queue.putAside(lease, unreadable(thrown));
      else await this.#needs.failed(lease, thrown);
    } catch (again) {
      if (leaseLost(again)) return;
      log.error(`${lease.message.id}: cannot be put back for later`, again);
      this.#owe(lease);
    }
  }

  /** Gives it back a little later, and again until that works. */
  #owe(lease: Lease): void {
    this.#owed.add(lease);
    this.#later(askAgain, () => {
      this.#needs.queue.release(lease).then(
        () => this.#owed.delete(lease),
        (thrown: unknown) => {
          if (leaseLost(thrown) || !this.#running) this.#owed.delete(lease);
          else this.#owe(lease);
        },
      );
    });
  }

  #later(ms: number, run: () => void): void {
    const cancel = this.#needs.clock.after(ms, () => {
      this.#timers.delete(cancel);
      run();
    });
    this.#timers.add(cancel);
  }

  #settled(): void {
    if (this.#inHand.size === 0 && !this.#asking) this.#idle?.();
  }
}

/** Whether something failed because its lease was settled, given back or voided meanwhile. Other checks that fail are trouble. */
export function leaseLost(thrown: unknown): boolean {
  return thrown instanceof CheckFailed && thrown.key.startsWith(leasePrefix);
}

/** Why a message lies aside. */
export function unreadable({ blob, say }: UnreadableBlob): string {
  return `the bytes of the message (${blob}): ${say}`;
}

/** From when on giving up is counted; milliseconds since 1970. Time that an administrator kept a message back does not count. */
export function countedFrom(message: Pick<QueuedMessage, 'arrivedAt'>, recipient: Pick<QueuedRecipient, 'heldFor'>): number {
  return message.arrivedAt + (recipient.heldFor ?? 0);
}

/** Milliseconds until the next try: doubles from `first` with every try, up to an hour, and a fifth more or less. */
export function backOff(attempts: number, first: number, random: () => number): number {
  const whole = Math.min(3_600_000, first * 2 ** Math.min(attempts, 20));
  return Math.round(whole * (0.8 + 0.4 * random()));
}
