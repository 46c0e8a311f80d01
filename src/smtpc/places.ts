/**
 * How much is worked at one time: processors of the pending queue with their runs and sessions, and processors of the deferred queue.
 *
 * Promise: the two queues have bounds of their own, so that neither starves the other; what hangs does not keep others waiting: after ten
 * seconds without progress a session holds its run no longer, and an attempt that has found nobody in that time holds no place at all
 * (there may be five hundred of those). Pure but for the timers of the clock it is given.
 * Source: manual chapter 6, "SMTPC Queue Management Parameters"; checklist SMTPC-01, SMTPC-02
 */

import type { Cancel, Clock } from '../base/index.ts';
import type { SmtpcSettings } from './settings/index.ts';

const slowAfterMs = 10_000;
/** Attempts without an answer, of each queue. */
const slowAtMost = 500;

export type Bounds = Pick<
  SmtpcSettings,
  'pendingProcessors' | 'pendingSessions' | 'runSize' | 'deferredProcessors' | 'atOnce' | 'messagesPerSession'
>;

/** A session, or the attempt to get one. */
export class Place {
  readonly #clock: Clock;
  readonly #changed: () => void;
  #timer: Cancel | undefined;
  connected = false;
  slow = false;

  constructor(clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
    this.#watch();
  }

  /** Somebody greeted us, or took a message. */
  progress(): void {
    this.connected = true;
    this.slow = false;
    this.#watch();
  }

  end(): void {
    this.#timer?.();
  }

  #watch(): void {
    this.#timer?.();
    this.#timer = this.#clock.after(slowAfterMs, () => {
      this.slow = true;
      this.#changed();
    });
  }
}

/** Places that count, given those that hang without a connection. */
const counted = (places: Iterable<Place>): number => {
  let count = 0;
  let waiting = 0;
  for (const { connected, slow } of places) {
    if (connected || !slow) count += 1;
    else waiting += 1;
  }
  return count + Math.max(0, waiting - slowAtMost);
};

/** One processor of the pending queue during one run. */
export class Run {
  readonly places = new Set<Place>();
  readonly #take: (run: Run) => boolean;
  readonly #give: () => void;
  taken = 0;

  constructor(take: (run: Run) => boolean, give: () => void) {
    this.#take = take;
    this.#give = give;
  }

  /** What was taken was not there. */
  untake(): void {
    this.taken -= 1;
    this.#give();
  }

  /** One message more, if the run has room for it. */
  take(): boolean {
    if (!this.#take(this)) return false;
    this.taken += 1;
    return true;
  }
}

export class PendingPlaces {
  readonly #bounds: () => Bounds;
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #runs = new Set<Run>();
  /** Messages that may go before the next interval, where mail is not sent at once. */
  #budget = 0;

  constructor(bounds: () => Bounds, clock: Clock, changed: () => void) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#changed = changed;
  }

  /** An interval has begun. */
  begin(): void {
    const { pendingProcessors, runSize } = this.#bounds();
    this.#budget = pendingProcessors * runSize;
  }

  /** Whether a message could begin a session now. */
  get room(): boolean {
    const { pendingProcessors, pendingSessions, atOnce } = this.#bounds();
    if (!atOnce && this.#budget <= 0) return false;
    const places = [...this.#runs].flatMap((run) => [...run.places]);
    if (counted(places) >= pendingProcessors * pendingSessions) return false;
    return this.#busy() < pendingProcessors || this.#open() !== undefined;
  }

  /** A place for a session that begins with one message; undefined where the last was given away since `room` was asked. */
  enter(): { readonly run: Run; readonly place: Place } | undefined {
    if (!this.room) return undefined;
    const open = this.#busy() < this.#bounds().pendingProcessors ? undefined : this.#open();
    const run: Run =
      open ??
      new Run(
        (one) => this.#take(one),
        () => {
          this.#budget += 1;
        },
      );
    this.#runs.add(run);
    run.take();
    const place = new Place(this.#clock, this.#changed);
    run.places.add(place);
    return { run, place };
  }

  leave(run: Run, place: Place): void {
    place.end();
    run.places.delete(place);
    if (run.places.size === 0) this.#runs.delete(run);
  }

  #take(run: Run): boolean {
    const { runSize, atOnce } = this.#bounds();
    if (run.taken >= runSize || (!atOnce && this.#budget <= 0)) return false;
    this.#budget -= 1;
    return true;
  }

  /** Runs that hold a processor. */
  #busy(): number {
    return [...this.#runs].filter(({ places }) => [...places].some(({ slow }) => !slow)).length;
  }

  /** A run with room for a session and a message; the one with the fewest sessions, so that each has the most messages. */
  #open(): Run | undefined {
    const { pendingSessions, runSize } = this.#bounds();
    let best: Run | undefined;
    for (const run of this.#runs) {
      const full = run.taken >= runSize || counted(run.places) >= pendingSessions;
      if (!full && (!best || run.places.size < best.places.size)) best = run;
    }
    return best;
  }
}

export class DeferredPlaces {
  readonly #bounds: () => Bounds;
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #probes = new Set<Place>();

  constructor(bounds: () => Bounds, clock: Clock, changed: () => void) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#changed = changed;
  }

  get room(): boolean {
    return counted(this.#probes) < this.#bounds().deferredProcessors;
  }

  /** A processor for one domain channel; it counts as connected once its probe has been answered. */
  enter(): Place {
    const place = new Place(this.#clock, this.#changed);
    this.#probes.add(place);
    return place;
  }

  leave(place: Place): void {
    place.end();
    this.#probes.delete(place);
  }
}
