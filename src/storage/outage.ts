/**
 * The time between a failed write and the next one that works: the disk is full, descriptors are short, a device failed.
 *
 * Promise: it ends by itself. What was answered for and perhaps not flushed is written again, and what was refused is taken back if the
 * disk has it all the same, in one flushed batch before anybody reads; a line in the log when it begins, and one when it ends.
 * Nothing is written meanwhile; reading goes on as long as the database stays open.
 */

import { type Cancel, type Clock, Fault, type Log } from '../base/index.ts';
import type { ChangeMap, Engine } from './engine.ts';
import { engineReason } from './engine.ts';
import type { Key } from './port.ts';

export interface OutageNeeds {
  readonly engine: Pick<Engine, 'getMany' | 'reopen' | 'readable' | 'logNumber'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the database, for people. */
  readonly name: string;
  /** Answered, or about to be, and perhaps not on disk: in the order of writing. */
  readonly kept: readonly ChangeMap[];
  /** What the failed write would have changed. */
  readonly refused: readonly Key[];
  readonly over: (owed: ChangeMap, logNumber: number) => void;
  /** It did not end before the database was closed. */
  readonly given: (fault: Fault) => void;
}

/** Milliseconds until the first attempt, and between attempts at most. */
const first = 1_000;
const most = 5_000;

const isFull = (reason: string): boolean => /no space left|quota exceeded/i.test(reason);
/** The line in the log says it all: whoever meets the fault adds nothing of weight. */
const toldOnce = { told: true } as const;

export class Outage {
  readonly fault: Fault;
  readonly #needs: OutageNeeds;
  readonly #since: number;
  #owed: Map<Key, Uint8Array | null> | undefined;
  #problem: string;
  #shut = false;
  #delay = first;
  #timer: Cancel | undefined;
  #attempt: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(thrown: unknown, needs: OutageNeeds) {
    const reason = engineReason(thrown);
    this.fault = new Fault(isFull(reason) ? 'no-space' : 'unavailable', `the database has stopped writing: ${reason}`, {
      cause: thrown,
      ...toldOnce,
    });
    this.#needs = needs;
    this.#since = needs.clock.now();
    this.#problem = reason;
    needs.log.error(
      `the database ${needs.name} takes no changes, as it could not be written (${reason}); reading goes on, and writing as soon as it can be done again${isFull(reason) ? ': make room' : ''}`,
    );
    this.#later();
  }

  get problem(): string {
    const { name } = this.#needs;
    return `the database ${name} cannot be ${this.#shut ? 'opened' : 'written'}: ${this.#problem}; it goes on by itself when that is over`;
  }

  /** The database is closed: no attempt is under way when this resolves, and none follows. */
  async end(fault: Fault): Promise<void> {
    this.#timer?.();
    await this.#attempt;
    this.#timer?.();
    if (!this.#ended) this.#needs.given(fault);
    this.#ended = true;
  }

  #later(): void {
    this.#timer = this.#needs.clock.after(this.#delay, () => {
      this.#attempt = this.#try();
    });
    this.#delay = Math.min(this.#delay * 2, most);
  }

  async #try(): Promise<void> {
    const { engine, log, clock, name, over } = this.#needs;
    let logNumber: number;
    const owed = this.#owed ?? new Map<Key, Uint8Array | null>();
    try {
      if (!this.#owed) await this.#gather(owed);
      await engine.reopen(owed);
      logNumber = await engine.logNumber();
    } catch (thrown) {
      this.#stillOut(thrown);
      return;
    }
    this.#ended = true;
    over(owed, logNumber);
    log.warning(`the database ${name} takes changes again, after ${Math.round((clock.now() - this.#since) / 1_000)} seconds`);
  }

  /** While the database is as it was when the write failed: reads show what was answered for and nothing else. */
  async #gather(owed: Map<Key, Uint8Array | null>): Promise<void> {
    const { engine, kept, refused } = this.#needs;
    for (const changes of kept) for (const [key, value] of changes) owed.set(key, value);
    const others = refused.filter((key) => !owed.has(key));
    const before = await engine.getMany(others);
    for (const [n, key] of others.entries()) owed.set(key, before[n] ?? null);
    this.#owed = owed;
  }

  #stillOut(thrown: unknown): void {
    this.#problem = engineReason(thrown);
    const shut = !this.#needs.engine.readable;
    if (shut && !this.#shut)
      this.#needs.log.error(`the database ${this.#needs.name} cannot be read either until it can be opened again (${this.#problem})`);
    this.#shut = shut;
    this.#later();
  }
}
