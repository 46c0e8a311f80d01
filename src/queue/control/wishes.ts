/**
 * Does what administrators wanted done with mail that was in hand when they said so.
 *
 * Promise: it is done, in the order in which it was said, as soon as whoever had the mail in hand has let go of it without success, after
 * the end of a process too; nobody gets it in hand before. What fails is tried again a minute later.
 * A slip that waits for this stands apart (`queue/o/`); settle.ts puts it there.
 */

import type { Cancel } from '../../base/index.ts';
import { below, type Key } from '../../storage/index.ts';
import type { Wish } from '../control-port.ts';
import {
  asideKey,
  decodeMessage,
  decodeSlip,
  deleteDue,
  encodeAside,
  messageKey,
  placeKey,
  placeOf,
  putDue,
  slipKey,
  textOf,
  wishPrefix,
  wishTopic,
} from '../records.ts';
import type { ControlInside } from './control.ts';
import { matcherOf } from './filter.ts';
import { fulfil, type OperateNeeds } from './operate.ts';
import type { Walked } from './walk.ts';

const afterFailure = 60_000;

export class Wishes {
  readonly #inside: ControlInside;
  readonly #needs: OperateNeeds;
  readonly #unsubscribe: () => void;
  #running = false;
  #more = false;
  #closed = false;
  #timer: Cancel | undefined;

  constructor(inside: ControlInside, needs: OperateNeeds) {
    this.#inside = inside;
    this.#needs = needs;
    this.#unsubscribe = inside.keyValue.subscribe(wishTopic, () => this.#kick());
    this.#kick();
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe();
    this.#timer?.();
  }

  /** After a failure everything waits for the timer: what failed has just woken us itself. */
  #kick(): void {
    this.#more = true;
    if (this.#running || this.#closed || this.#timer) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    let failed = false;
    while (this.#more && !failed && !this.#closed) {
      this.#more = false;
      try {
        for await (const [key, entry] of this.#inside.keyValue.scan(below(wishPrefix))) {
          if (this.#closed) break;
          // What is split on the way may stand there under a new name.
          this.#more = true;
          failed = !(await this.#slip(key, textOf(entry))) || failed;
        }
      } catch (thrown) {
        failed = true;
        if (this.#closed) break;
        this.#inside.log.warning('what was noted for mail in hand cannot be done now', thrown);
      }
    }
    this.#running = false;
    if (failed) this.#later();
  }

  #later(): void {
    if (this.#closed) return;
    this.#timer = this.#inside.clock.after(afterFailure, () => {
      this.#timer = undefined;
      this.#kick();
    });
  }

  /** Everything that was wanted of one slip, a wish at a time. False where one could not be done. */
  async #slip(key: Key, entry: string): Promise<boolean> {
    const { keyValue, clock } = this.#inside;
    const { id, slip: name } = placeOf(key);
    for (;;) {
      let walked: Walked;
      const [message, value] = await keyValue.getMany([messageKey(id), slipKey(id, name)]);
      if (!message || !value) return await this.#settled(key, entry, 'message or slip is missing');
      try {
        walked = { stored: decodeMessage(message), slips: [decodeSlip(name, value)] };
      } catch (thrown) {
        return await this.#settled(key, entry, String(thrown));
      }
      const wish = walked.slips[0]?.recipients.flatMap(({ wishes = [] }) => wishes[0] ?? [])[0];
      if (!wish) return await this.#backToQueue(key, entry, walked);
      const text = textFor(wish);
      const matcher = {
        ...matcherOf({ ids: [id] }, clock.now()),
        recipient: ({ wishes }: { wishes?: readonly Wish[] }) => wishes?.[0] !== undefined && textFor(wishes[0]) === text,
      };
      if (!(await fulfil(this.#needs, wish, walked, matcher))) return false;
    }
  }

  /** It stands elsewhere by now, as a rule. */
  async #backToQueue(key: Key, entry: string, { stored, slips }: Walked): Promise<boolean> {
    const { keyValue, announce } = this.#inside;
    if (!(await keyValue.get(key))) return true;
    const moved = slips.flatMap((slip) => putDue(placeKey(stored.message.id, slip), entry));
    await keyValue.transact(
      async () => ({ checks: [{ present: key }], puts: moved, deletes: deleteDue(key, entry), result: undefined }),
      'soon',
    );
    announce(stored.message, slips);
    return true;
  }

  /** Somebody was faster and it is done, or it cannot be read: the entry itself tells which. */
  async #settled(key: Key, entry: string, problem: string): Promise<boolean> {
    const { keyValue, clock, log } = this.#inside;
    const { id, slip } = placeOf(key);
    const aside = await keyValue.transact(async (read) => {
      if (!(await read.get(key))) return { result: false };
      const record = encodeAside({ due: key, entry, since: clock.now(), problem });
      return { puts: [[asideKey(id, slip), record]], deletes: deleteDue(key, entry), result: true };
    }, 'durable');
    if (aside) log.error(`queue entry ${id}/${slip} cannot be read and was put aside (${problem})`);
    return true;
  }
}

const textFor = (wish: Wish): string => JSON.stringify(wish);
