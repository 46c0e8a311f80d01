/**
 * Tells the postmaster of queue records that could not be read and were put aside.
 *
 * Promise: the first is told at once; a damaged disk does not become a flood of notes: what comes within ten minutes is told together,
 * the first hundred by name.
 * Source: manual chapter 3, "Notify Postmaster on Corrupt Messages"; checklist MTA-10
 */

import type { Cancel, Clock, Log } from '../base/index.ts';
import type { NewlyAside, Queue, Reporter } from '../queue/index.ts';

export interface AsideNoticeNeeds {
  readonly queue: Pick<Queue, 'onAside' | 'submit'>;
  readonly reporter: Pick<Reporter, 'note'>;
  readonly postmaster: () => string;
  /** The setting, as it is now. */
  readonly wanted: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

const together = 10 * 60_000;
const named = 100;

export class AsideNotice {
  readonly #needs: AsideNoticeNeeds;
  #some: NewlyAside[] = [];
  #count = 0;
  #telling: Promise<void> = Promise.resolve();
  #timer: Cancel | undefined;
  #stop: (() => void) | undefined;

  constructor(needs: AsideNoticeNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#stop ??= this.#needs.queue.onAside((entry) => this.#heard(entry));
  }

  /** What was not told yet is told. */
  async stop(): Promise<void> {
    this.#stop?.();
    this.#stop = undefined;
    this.#timer?.();
    this.#timer = undefined;
    this.#say();
    await this.#telling;
  }

  #heard(entry: NewlyAside): void {
    if (!this.#needs.wanted()) return;
    this.#count++;
    if (this.#some.length < named) this.#some.push(entry);
    if (this.#timer) return;
    this.#quiet();
    this.#say();
  }

  #quiet(): void {
    this.#timer = this.#needs.clock.after(together, () => {
      this.#timer = undefined;
      if (this.#count === 0) return;
      this.#quiet();
      this.#say();
    });
  }

  #say(): void {
    this.#telling = this.#telling.then(() => this.#tell());
  }

  async #tell(): Promise<void> {
    if (this.#count === 0) return;
    const { queue, reporter, postmaster, log } = this.#needs;
    const [some, count] = [this.#some, this.#count];
    this.#some = [];
    this.#count = 0;
    const text = [
      `${count === 1 ? 'An entry' : `${count} entries`} of the message queue cannot be read and ${count === 1 ? 'lies' : 'lie'} aside. Other mail goes on.`,
      'The message can be looked at, tried again or deleted: mailtree queue aside. Concerned:',
      ...some.map(({ id, slip, queue: name, recipients, problem }) => `  ${id} ${slip} in ${name}, ${recipients} recipients: ${problem}`),
      ...(count > some.length ? [`  and ${count - some.length} more`] : []),
    ].join('\n');
    try {
      await queue.submit(await reporter.note(postmaster(), 'Mail in the queue cannot be read', text));
    } catch (thrown) {
      log.error('the postmaster cannot be told of records that were put aside', thrown);
    }
  }
}
