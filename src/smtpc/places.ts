/**
 * How much is worked at one time: processors of the pending queue with their runs and sessions, and processors of the deferred queue.
 *
 * Promise: the two queues have bounds of their own, so that neither starves the other; what hangs does not keep others waiting. After ten
 * seconds without progress a session holds its run no longer, and a connection without a greeting no place at all; an attempt that has no
 * connection after two holds none either (there may be a thousand of those in each queue). While many hang it is half a second, and hosts that
 * are not known to be well leave a third of the places to those that are. Pure but for the timers of the clock it is given.
 * Source: manual chapter 6, "SMTPC Queue Management Parameters"; checklist SMTPC-01, SMTPC-02
 */

import type { Cancel, Clock } from '../base/index.ts';
import type { SmtpcSettings } from './settings/index.ts';

const slowAfterMs = 10_000;
/** Who is there has taken up the connection by then. */
const dialledAfterMs = { usually: 2_000, whileManyHang: 500 };
/** Attempts without an answer, of each queue. */
const slowAtMost = 1_000;

export type Bounds = Pick<
  SmtpcSettings,
  'pendingProcessors' | 'pendingSessions' | 'runSize' | 'deferredProcessors' | 'atOnce' | 'messagesPerSession'
>;

/** A session, or the attempt to get one. */
export class Place {
  readonly #clock: Clock;
  readonly #changed: () => void;
  /** Its host is not known to be well. */
  readonly stranger: boolean;
  #timer: Cancel | undefined;
  connected = false;
  slow = false;

  /** `changed`: it does not hold its place any more. */
  constructor(clock: Clock, changed: () => void, stranger = true, manyHang = false) {
    this.#clock = clock;
    this.#changed = changed;
    this.stranger = stranger;
    this.#watch(manyHang ? dialledAfterMs.whileManyHang : dialledAfterMs.usually);
  }

  /** Hangs without anybody at the other end. */
  get hangs(): boolean {
    return this.slow && !this.connected;
  }

  /** There is a connection, though nobody has said anything. */
  dialled(): void {
    if (this.connected) return;
    this.slow = false;
    this.#watch(slowAfterMs);
  }

  /** Somebody greeted us, or took a message. */
  progress(): void {
    this.connected = true;
    this.slow = false;
    this.#watch(slowAfterMs);
  }

  end(): void {
    this.#timer?.();
  }

  #watch(ms: number): void {
    this.#timer?.();
    this.#timer = this.#clock.after(ms, () => {
      this.slow = true;
      this.#changed();
    });
  }
}

interface Count {
  /** Places that are held, by whomever and by strangers. */
  held: number;
  strangers: number;
  /** Attempts that hold none. */
  hanging: number;
}

function countInto(count: Count, places: Iterable<Place>): Count {
  for (const place of places) {
    if (place.hangs) count.hanging += 1;
    else {
      count.held += 1;
      if (place.stranger) count.strangers += 1;
    }
  }
  return count;
}

const counted = (places: Iterable<Place>): Count => countInto({ held: 0, strangers: 0, hanging: 0 }, places);

function isBusy(places: Iterable<Place>): boolean {
  for (const { slow } of places) if (!slow) return true;
  return false;
}

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
  /** Nothing was left to take in this interval: what comes now waits for the next one, where mail is not sent at once. */
  #over = false;

  constructor(bounds: () => Bounds, clock: Clock, changed: () => void) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#changed = changed;
  }

  /** An interval has begun. */
  begin(): void {
    const { pendingProcessors, runSize } = this.#bounds();
    this.#budget = pendingProcessors * runSize;
    this.#over = false;
  }

  /** All that waited has been taken: no run begins any more in this interval, and those that are on their way end with what they find. */
  done(): void {
    this.#over = true;
  }

  /** Whether a message could begin a session now: one for a host that is known to be well, or for a stranger. */
  room(whose: 'known' | 'stranger' = 'known'): boolean {
    const { pendingProcessors, pendingSessions, atOnce } = this.#bounds();
    if (!atOnce && (this.#over || this.#left() <= 0)) return false;
    const count = this.#count();
    const all = pendingProcessors * pendingSessions;
    if (count.held >= all) return false;
    if (whose === 'stranger' && this.#manyHang(count)) {
      // A third is kept for others, if there is more than one.
      if (count.hanging >= slowAtMost || (all > 1 && count.strangers >= all - Math.ceil(all / 3))) return false;
    }
    return this.#busy() < pendingProcessors || this.#open() !== undefined;
  }

  /**
   * A place for a session that begins with one message; undefined where the last was given away since `room` was asked. `hangs` is called
   * when nobody was there in time.
   */
  enter(whose: 'known' | 'stranger', hangs: () => void): { readonly run: Run; readonly place: Place } | undefined {
    if (!this.room(whose)) return undefined;
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
    const changed = (): void => {
      if (place.hangs) hangs();
      this.#changed();
    };
    const place: Place = new Place(this.#clock, changed, whose === 'stranger', this.#manyHang(this.#count()));
    run.places.add(place);
    return { run, place };
  }

  /** Of this interval's runs, as large as they are now. */
  #left(): number {
    const { pendingProcessors, runSize } = this.#bounds();
    return Math.min(this.#budget, pendingProcessors * runSize);
  }

  #count(): Count {
    const count: Count = { held: 0, strangers: 0, hanging: 0 };
    for (const run of this.#runs) countInto(count, run.places);
    return count;
  }

  #manyHang({ hanging }: Count): boolean {
    const { pendingProcessors, pendingSessions } = this.#bounds();
    return hanging >= Math.min(slowAtMost, pendingProcessors * pendingSessions);
  }

  leave(run: Run, place: Place): void {
    place.end();
    run.places.delete(place);
    if (run.places.size === 0) this.#runs.delete(run);
  }

  #take(run: Run): boolean {
    const { runSize, atOnce } = this.#bounds();
    if (run.taken >= runSize || (!atOnce && this.#left() <= 0)) return false;
    this.#budget = this.#left() - 1;
    return true;
  }

  /** Runs that hold a processor. */
  #busy(): number {
    let busy = 0;
    for (const { places } of this.#runs) if (isBusy(places)) busy += 1;
    return busy;
  }

  /** A run with room for a session and a message; the one with the fewest sessions, so that each has the most messages. */
  #open(): Run | undefined {
    const { pendingSessions, runSize } = this.#bounds();
    let best: Run | undefined;
    for (const run of this.#runs) {
      const full = run.taken >= runSize || counted(run.places).held >= pendingSessions;
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
    const { held, hanging } = counted(this.#probes);
    return held < this.#bounds().deferredProcessors && hanging < slowAtMost;
  }

  /** A processor for one domain channel; it counts as connected once its probe has been answered. */
  enter(): Place {
    const { hanging } = counted(this.#probes);
    const place = new Place(this.#clock, this.#changed, true, hanging >= this.#bounds().deferredProcessors);
    this.#probes.add(place);
    return place;
  }

  leave(place: Place): void {
    place.end();
    this.#probes.delete(place);
  }
}
