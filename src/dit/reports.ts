/** What is wrong with entries, said once an hour and not at every look: a stranger who asks for the same address all day fills no log. */

import { type Clock, type Log, Lru } from '../base/index.ts';

const remembered = 1_000;
const againMs = 3_600_000;

export class Reports {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #said = new Lru<string, number>(remembered);

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  say(text: string): void {
    const now = this.#clock.now();
    if (now - (this.#said.get(text) ?? Number.NEGATIVE_INFINITY) < againMs) return;
    this.#said.set(text, now);
    this.#log.error(text);
  }
}
