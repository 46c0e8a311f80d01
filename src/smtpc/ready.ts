/**
 * Channels whose time has come, and whose turn it is.
 *
 * Promise: those whose host was down and the others take turns, each kind in the order in which it came; taking one costs the same however
 * many wait, but for those that cannot begin now.
 */

import type { Channel } from './channels.ts';

/** So many that cannot begin are passed over at one time. */
const passedAtMost = 200;

export class Ready {
  readonly #well = new Set<Channel>();
  readonly #doubtful = new Set<Channel>();
  #doubtfulNext = false;

  add(channel: Channel): void {
    const [kind, other] = channel.down ? [this.#doubtful, this.#well] : [this.#well, this.#doubtful];
    other.delete(channel);
    kind.add(channel);
  }

  delete(channel: Channel): void {
    this.#well.delete(channel);
    this.#doubtful.delete(channel);
  }

  clear(): void {
    this.#well.clear();
    this.#doubtful.clear();
  }

  /** The next that may begin; those that have no business here any more are forgotten. */
  take(over: (channel: Channel) => boolean, mayBegin: (channel: Channel) => boolean): Channel | undefined {
    const kinds = this.#doubtfulNext ? [this.#doubtful, this.#well] : [this.#well, this.#doubtful];
    for (const kind of kinds) {
      const found = first(kind, over, mayBegin);
      if (!found) continue;
      kind.delete(found);
      this.#doubtfulNext = kind === this.#well;
      return found;
    }
    return undefined;
  }
}

function first(kind: Set<Channel>, over: (channel: Channel) => boolean, mayBegin: (channel: Channel) => boolean): Channel | undefined {
  const passed: Channel[] = [];
  let found: Channel | undefined;
  for (const channel of kind) {
    if (over(channel)) kind.delete(channel);
    else if (mayBegin(channel)) {
      found = channel;
      break;
    } else if (passed.push(channel) >= passedAtMost) break;
  }
  // Behind the others, so that the next look gets farther.
  for (const channel of passed) if (kind.delete(channel)) kind.add(channel);
  return found;
}
