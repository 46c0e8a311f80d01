/**
 * When history that is too old or too much is trimmed: a minute after the start, then every ten minutes.
 *
 * Promise: one trimming at a time, and one that waits for it; a failure is a warning and the next time tries again.
 */

import type { Cancel, Clock, Live, Log } from '../../base/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import type { DirectorySettings } from '../settings.ts';
import { Trimmer } from './trim.ts';

const firstAfter = 60_000;
const every = 600_000;
const day = 86_400_000;

export interface TrimmingNeeds {
  readonly keyValue: KeyValue;
  readonly settings: Live<DirectorySettings>;
  readonly clock: Clock;
  readonly log: Log;
}

export class Trimming {
  readonly #needs: TrimmingNeeds;
  readonly #trimmer: Trimmer;
  #cancel: Cancel = () => {};
  #done: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(needs: TrimmingNeeds) {
    this.#needs = needs;
    this.#trimmer = new Trimmer(needs.keyValue);
  }

  start(): void {
    this.#cancel = this.#needs.clock.after(firstAfter, () => this.#trim());
  }

  #trim(): void {
    const { clock, log, settings } = this.#needs;
    this.#cancel = clock.after(every, () => this.#trim());
    // One is under way and one may wait for it: it does what the others would do.
    if (this.#waiting >= 2) return;
    this.#waiting += 1;
    this.#done = this.#done
      .then(() => {
        const { historyDays, historySize } = settings.value;
        return this.#trimmer.trim({ until: clock.now() - historyDays * day, octets: historySize * 1_048_576 });
      })
      .catch((thrown: unknown) => log.warning('old changes could not be removed from the history', thrown))
      .then(() => {
        this.#waiting -= 1;
      });
  }

  /** Resolves when what was under way has come to its end. */
  async stop(): Promise<void> {
    this.#cancel();
    await this.#done;
  }
}
