/**
 * Where mail for hosts of which nothing is known waits while many of them keep silent.
 *
 * Promise: what waits here lets the mail behind it pass; one message a destination, two thousand in all, first come first served. Who finds it full goes
 * to the deferred queue.
 */

import type { Lease } from '../queue/index.ts';
import type { Channel, Channels } from './channels.ts';

const atMost = 2_000;

export class Lobby {
  readonly #channels: Pick<Channels, 'enter' | 'leave'>;
  readonly #waiting = new Set<{ readonly channel: Channel; readonly lease: Lease }>();

  constructor(channels: Pick<Channels, 'enter' | 'leave'>) {
    this.#channels = channels;
  }

  /** Counts as a session of its destination meanwhile: no other message for it is handed out. False where no more can wait. */
  enter(channel: Channel, lease: Lease): boolean {
    if (this.#waiting.size >= atMost) return false;
    this.#channels.enter(channel);
    this.#waiting.add({ channel, lease });
    return true;
  }

  /** Who has waited longest, and waits no more. */
  next(): Lease | undefined {
    const [first] = this.#waiting;
    if (!first) return undefined;
    this.#waiting.delete(first);
    this.#channels.leave(first.channel);
    return first.lease;
  }
}
