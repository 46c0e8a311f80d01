/**
 * What one queue has for its workers, as far as this process knows: slips it has just filed itself, and whether the due
 * index holds more.
 *
 * Promise: a hint only. Memory is bounded; what does not fit, or was filed by somebody else, is found in the due index
 * (`behind`). Nothing here is trusted: the lease transaction looks at the due entry itself.
 * A sweep from the start of the index once a minute is the safety net under all hints.
 */

import type { Cancel, Clock } from '../base/index.ts';
import type { Key } from '../storage/index.ts';
import type { Excepted, QueuedMessage } from './port.ts';
import { destinationOf, type Slip } from './records.ts';

/** A slip with its message: everything a lease is made from. */
export interface Candidate {
  readonly due: Key;
  readonly message: QueuedMessage;
  readonly count: number;
  readonly slip: Slip;
}

/** Which candidates: of one destination, or of all but some; neither is all. */
export interface Wanted {
  readonly identifier?: string;
  readonly except?: Excepted;
}

export interface FeedLimits {
  /** Slips kept at most. */
  readonly slips: number;
  /** Recipients in them at most. */
  readonly recipients: number;
}

/** Where nobody asks for single destinations all are one. */
const destinationFor = ({ slip }: Candidate): string => destinationOf(slip.queue, slip.recipients) ?? '';

const sweepEvery = 60_000;
/** How long a part that was run may take to commit before only the sweep finds it. */
const stagedFor = 30_000;
const stagedMost = 4096;

export class Feed {
  readonly #clock: Clock;
  readonly #limits: FeedLimits;
  readonly #wake: () => void;
  #fresh = new Map<Key, Candidate>();
  /** The same by destination, so that a long backlog of one costs the others nothing. Whose turn it is next stands first. */
  readonly #byDestination = new Map<string, Map<Key, Candidate>>();
  #recipients = 0;
  /** No due entry is before this key, as far as known. */
  #cursor: Key = '';
  #hints = 1;
  #seen = 0;
  #staged: { key: Key; at: number }[] = [];
  #timer: Cancel | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #sweep: Cancel | undefined;
  #line: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock, limits: FeedLimits, wake: () => void) {
    this.#clock = clock;
    this.#limits = limits;
    this.#wake = wake;
    this.#armSweep();
  }

  /** Whether the index may hold due entries that `take` does not know. */
  get behind(): boolean {
    return this.#hints !== this.#seen;
  }

  /** Neither knows anything nor is there anything to look for. */
  get idle(): boolean {
    return this.#fresh.size === 0 && !this.behind;
  }

  get cursor(): Key {
    return this.#cursor;
  }

  /** Slips of this process that were committed a moment ago. Those of the future only set the timer. */
  add(candidates: readonly Candidate[]): void {
    const now = this.#clock.now();
    let due = false;
    for (const candidate of candidates) {
      if (candidate.slip.due > now) {
        this.expect(candidate.slip.due);
        continue;
      }
      due = true;
      const fits = this.#fresh.size < this.#limits.slips && this.#recipients + candidate.slip.recipients.length <= this.#limits.recipients;
      if (fits) {
        this.#keep(candidate);
      } else {
        this.lookFrom(candidate.due);
      }
    }
    if (due) this.#wake();
  }

  /**
   * Up to `limit` fresh slips, oldest first; they are the caller's now. Where some destinations are excepted the others take turns, the
   * oldest of each first.
   */
  take(limit: number, { identifier, except }: Wanted = {}): Candidate[] {
    if (identifier !== undefined) return this.#first(limit, this.#byDestination.get(identifier));
    if (!except || except.size === 0) return this.#first(limit, this.#fresh);
    const taken: Candidate[] = [];
    for (let before = -1; taken.length < limit && taken.length > before; ) {
      before = taken.length;
      taken.push(...this.#round(limit - taken.length, except));
    }
    return taken;
  }

  #first(limit: number, group: ReadonlyMap<Key, Candidate> | undefined): Candidate[] {
    const taken: Candidate[] = [];
    for (const candidate of group?.values() ?? []) {
      if (taken.length >= limit) break;
      taken.push(candidate);
    }
    for (const { due } of taken) this.drop(due);
    return taken;
  }

  /** The oldest of each destination whose turn it is. */
  #round(limit: number, except: Excepted): Candidate[] {
    const turns: string[] = [];
    for (const destination of this.#byDestination.keys()) {
      if (turns.length >= limit) break;
      if (!except.has(destination)) turns.push(destination);
    }
    return turns.flatMap((destination) => {
      const group = this.#byDestination.get(destination);
      const taken = this.#first(1, group);
      // What is left of it stands behind the others.
      if (group && this.#byDestination.delete(destination)) this.#byDestination.set(destination, group);
      return taken;
    });
  }

  #keep(candidate: Candidate): void {
    const { due, slip } = candidate;
    this.#fresh.set(due, candidate);
    this.#recipients += slip.recipients.length;
    const destination = destinationFor(candidate);
    const group = this.#byDestination.get(destination);
    if (group) group.set(due, candidate);
    else this.#byDestination.set(destination, new Map([[due, candidate]]));
  }

  find(due: Key): Candidate | undefined {
    return this.#fresh.get(due);
  }

  drop(due: Key): void {
    const candidate = this.#fresh.get(due);
    if (!candidate) return;
    this.#fresh.delete(due);
    this.#recipients -= candidate.slip.recipients.length;
    const destination = destinationFor(candidate);
    const group = this.#byDestination.get(destination);
    group?.delete(due);
    if (group?.size === 0) this.#byDestination.delete(destination);
  }

  /** A part that would write this due key was run by somebody; it may commit at any time now. */
  stage(key: Key): void {
    const now = this.#clock.now();
    if (this.#staged.length >= stagedMost) {
      const oldest = this.#staged.splice(0, stagedMost / 2);
      for (const { key: early } of oldest) this.lookFrom(early);
    }
    this.#staged.push({ key, at: now });
  }

  /** Somebody else's commit put something into this queue. */
  committed(): void {
    const now = this.#clock.now();
    for (const { key } of this.#staged) if (key < this.#cursor) this.#cursor = key;
    this.#staged = this.#staged.filter(({ at }) => at > now - stagedFor);
    this.#hints++;
    this.#wake();
  }

  /** This key is due (again) and only the index knows. */
  again(key: Key): void {
    this.lookFrom(key);
    this.#wake();
  }

  /** The index may hold due entries from this key on. */
  lookFrom(key: Key): void {
    if (key < this.#cursor) this.#cursor = key;
    this.#hints++;
  }

  /** Begins a look into the index; hand the result to `looked` when its end was reached. */
  look(): number {
    return this.#hints;
  }

  /** The index was read to its last due entry by a look that began at `since`. */
  looked(since: number): void {
    this.#seen = since;
  }

  /** Everything due before `key` is leased or known. */
  advance(key: Key): void {
    if (key > this.#cursor) this.#cursor = key;
  }

  /** Something becomes due at this time. */
  expect(due: number): void {
    if (due >= this.#timerAt) return;
    this.#timer?.();
    this.#timerAt = due;
    this.#timer = this.#clock.after(Math.max(0, due - this.#clock.now()), () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#timer = undefined;
      this.#hints++;
      this.#wake();
    });
  }

  /** Runs looks into the index one after the other. */
  exclusive<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#line.then(run);
    this.#line = result.catch(() => {});
    return result;
  }

  close(): void {
    this.#timer?.();
    this.#sweep?.();
    this.#fresh.clear();
    this.#byDestination.clear();
  }

  #armSweep(): void {
    this.#sweep = this.#clock.after(sweepEvery, () => {
      this.#armSweep();
      this.again('');
    });
  }
}
