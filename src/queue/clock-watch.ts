/**
 * Notices when the clock was moved, or the host slept.
 *
 * Promise: mail is not given up for time that only the clock says has passed: what came before a jump forward gets that time on top of its
 * retry period, as long as the process lives. A jump back is said, so that nothing waits for a time that was never meant.
 */

import type { Cancel, Clock, Log } from '../base/index.ts';

const everyMs = 60_000;
/** Less than this is a busy machine. */
const jumpMs = 300_000;
const jumpsAtMost = 100;

export class ClockWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #moved: (by: number) => void;
  #jumps: { readonly before: number; readonly by: number }[] = [];
  #timer: Cancel | undefined;
  #began = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, log: Log, moved: (by: number) => void) {
    this.#clock = clock;
    this.#log = log;
    this.#moved = moved;
  }

  start(): void {
    this.#began = this.#clock.now();
    this.#timer?.();
    this.#timer = this.#clock.after(everyMs, () => this.#look());
  }

  stop(): void {
    this.#timer?.();
    this.#began = Number.POSITIVE_INFINITY;
  }

  #look(): void {
    const expected = this.#began + everyMs;
    // First, so that what is done about a jump does not find it again.
    this.start();
    this.#check(expected);
  }

  #check(expected: number): void {
    const by = this.#clock.now() - expected;
    if (Math.abs(by) < jumpMs) return;
    const minutes = Math.round(Math.abs(by) / 60_000);
    this.#log.warning(`the clock went ${by > 0 ? 'forward' : 'back'} by ${minutes} minutes; no mail is given up for that`);
    if (by > 0) this.#jumps = [...this.#jumps, { before: expected, by }].slice(-jumpsAtMost);
    this.#moved(by);
  }

  /** Milliseconds that did not pass for a message that came at this time. */
  readonly credit = (arrivedAt: number): number => {
    // Whoever asks in the minute of the jump, before the timer, must not give mail up either.
    if (this.#clock.now() - this.#began >= everyMs + jumpMs) this.#look();
    return this.#jumps.reduce((sum, { before, by }) => (arrivedAt <= before ? sum + by : sum), 0);
  };
}
