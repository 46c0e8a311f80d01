/**
 * The times of one connection: idle, a message that is not completed, answers that are not taken.
 *
 * Promise: one coarse timer a connection, so that a request costs no timer; an end comes at most a quarter of the time limit late.
 */

import type { Cancel, Clock, Live } from '../base/index.ts';
import type { LdapdSettings } from './settings.ts';

export type Overdue = 'idle' | 'message' | 'answers';

/**
 * Where others wait for room: a stranger's connection can be spared after so long without a request, and one whose answers were not
 * taken for so long, a stranger's sooner; in milliseconds.
 */
const spareIdleMs = 30_000;
const spareStrangerMs = 500;
const spareStalledMs = 10_000;

export class Watchdog {
  readonly #clock: Clock;
  readonly #settings: Live<LdapdSettings>;
  readonly #overdue: (what: Overdue) => void;
  #lastRequest: number;
  #partialSince: number | undefined;
  #stalledSince: number | undefined;
  #busy = false;
  #cancel: Cancel = () => {};

  constructor(clock: Clock, settings: Live<LdapdSettings>, overdue: (what: Overdue) => void) {
    this.#clock = clock;
    this.#settings = settings;
    this.#overdue = overdue;
    this.#lastRequest = clock.now();
    this.#arm();
  }

  /** A whole message has come. */
  message(): void {
    this.#lastRequest = this.#clock.now();
    this.#partialSince = undefined;
  }

  /** How things stand after a round of reading. */
  state(now: { readonly partial: boolean; readonly stalled: boolean; readonly busy: boolean }): void {
    this.#partialSince = now.partial ? (this.#partialSince ?? this.#clock.now()) : undefined;
    this.#stalledSince = now.stalled ? (this.#stalledSince ?? this.#clock.now()) : undefined;
    this.#busy = now.busy;
  }

  /** Whether the connection has been of no use to anybody for a while. `stranger`: nobody has logged in on it. */
  spare(stranger: boolean): boolean {
    const now = this.#clock.now();
    if (this.#stalledSince !== undefined) return now - this.#stalledSince >= (stranger ? spareStrangerMs : spareStalledMs);
    return stranger && !this.#busy && now - this.#lastRequest >= spareIdleMs;
  }

  stop(): void {
    this.#cancel();
  }

  #arm(): void {
    const { idleTime, messageTime } = this.#settings.value;
    const step = Math.max(1_000, Math.min(30_000, (Math.min(idleTime, messageTime) * 1_000) / 4));
    this.#cancel = this.#clock.after(step, () => {
      this.#arm();
      this.#check();
    });
  }

  #check(): void {
    const { idleTime, messageTime } = this.#settings.value;
    const now = this.#clock.now();
    const older = (since: number | undefined, seconds: number): boolean => since !== undefined && now - since >= seconds * 1_000;
    if (older(this.#stalledSince, messageTime)) this.#overdue('answers');
    else if (older(this.#partialSince, messageTime)) this.#overdue('message');
    else if (!this.#busy && older(this.#lastRequest, idleTime)) this.#overdue('idle');
  }
}

/** One search holds the loop so long at most, in milliseconds. */
const turnMs = 4;
/** Entries between two looks at the clock. */
const lookEvery = 32;
/** A look so long after the last one, in milliseconds, begins a turn: what lay between was not ours. */
const pauseMs = 50;

/** Tells a busy search when others should have a turn. */
export class Turn {
  #looks = 0;
  #began = 0;

  over(): boolean {
    if (++this.#looks % lookEvery !== 0) return false;
    const now = performance.now();
    if (now - this.#began > pauseMs) this.#began = now;
    return now - this.#began > turnMs;
  }

  begin(): void {
    this.#began = performance.now();
  }

  /** Milliseconds since it began. */
  end(): number {
    return performance.now() - this.#began;
  }
}
