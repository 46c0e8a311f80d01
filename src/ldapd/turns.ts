/**
 * Whose turn it is, where there is more work than time: connections that have had their share wait here for more.
 *
 * Promise: whoever asks for little does not wait behind those that ask for much. Of those that wait, the address that was served least of
 * late goes first, and its connections take turns; in one round of the event loop all of them together get a few milliseconds, so that
 * every other door is served in between. While new connections come in they get less: the loop accepts one connection in a round, and
 * those behind it wait for as many rounds as there are before them.
 */

/** Milliseconds for all of them in one round of the loop. */
const roundMs = 4;
/** In so many rounds that each brought a connection, one is given to work. */
const roundsOfArrivals = 64;
/** Turns given in one round at most: most of them find at once that there is nothing to do. */
const turnsOfRound = 32;
/** What an address used counts half after so many milliseconds. */
const halfLifeMs = 1_000;
/** An address that used so many milliseconds of late waits for its turn even with what it says first. */
const shareMs = 100;
/** Below that it is as if it had never come. */
const forgottenMs = 0.5;
/** Longer than this one turn does not take; what lies beyond was the time of others. */
const longestMs = 20;
/** Addresses that are remembered before those that have been quiet are looked for. */
const tidyAt = 1_000;

interface Use {
  ms: number;
  at: number;
}

export class Turns {
  readonly #used = new Map<string, Use>();
  /** By address, then by connection. */
  readonly #waiting = new Map<string, Map<object, (() => void)[]>>();
  #tidyAt = tidyAt;
  #scheduled = 0;
  #roundBegan = 0;
  #arrived = false;
  #passed = 0;

  /** A connection has come, whatever becomes of it. */
  came(): void {
    this.#arrived = true;
  }

  /** Work was done for this address. */
  used(address: string, ms: number): void {
    const now = performance.now();
    const taken = Math.min(ms, longestMs);
    const use = this.#used.get(address);
    if (use) {
      use.ms = this.#of(address, now) + taken;
      use.at = now;
      return;
    }
    this.#used.set(address, { ms: taken, at: now });
    if (this.#used.size >= this.#tidyAt) this.#tidy(now);
  }

  /** Whether the address had so much that those who wait come first. */
  greedy(address: string): boolean {
    return this.#waiting.size > 0 && this.#of(address, performance.now()) > shareMs;
  }

  /** Resolves when it is this connection's turn. */
  next(address: string, connection: object): Promise<void> {
    return new Promise((resolve) => {
      let here = this.#waiting.get(address);
      if (!here) {
        here = new Map();
        this.#waiting.set(address, here);
      }
      const queue = here.get(connection);
      if (queue) queue.push(resolve);
      else here.set(connection, [resolve]);
      this.#schedule();
    });
  }

  #of(address: string, now: number): number {
    const use = this.#used.get(address);
    return use ? use.ms * 0.5 ** ((now - use.at) / halfLifeMs) : 0;
  }

  #schedule(): void {
    if (this.#scheduled > 0) return;
    this.#roundBegan = 0;
    this.#passed = this.#arrived ? (this.#passed + 1) % roundsOfArrivals : 0;
    this.#arrived = false;
    if (this.#passed > 0) {
      this.#scheduled = 1;
      setImmediate(this.#pass);
      return;
    }
    // Each is followed by what it wakes up; all of them run in the same round.
    for (; this.#scheduled < turnsOfRound; this.#scheduled++) setImmediate(this.#grant);
  }

  readonly #grant = (): void => {
    const now = performance.now();
    if (this.#roundBegan === 0) this.#roundBegan = now;
    this.#scheduled--;
    if (now - this.#roundBegan < roundMs) this.#first(now)?.();
    if (this.#scheduled === 0 && this.#waiting.size > 0) this.#schedule();
  };

  readonly #pass = (): void => {
    this.#scheduled = 0;
    this.#schedule();
  };

  #first(now: number): (() => void) | undefined {
    let [best, least] = ['', Number.POSITIVE_INFINITY];
    for (const address of this.#waiting.keys()) {
      const used = this.#of(address, now);
      if (used < least) [best, least] = [address, used];
    }
    const here = this.#waiting.get(best);
    for (const [connection, queue] of here ?? []) {
      const go = queue.shift();
      // It stands behind the others of its address now.
      here?.delete(connection);
      if (queue.length > 0) here?.set(connection, queue);
      if (here?.size === 0) this.#waiting.delete(best);
      return go;
    }
    return undefined;
  }

  #tidy(now: number): void {
    for (const address of this.#used.keys()) if (this.#of(address, now) < forgottenMs) this.#used.delete(address);
    this.#tidyAt = Math.max(tidyAt, this.#used.size * 2);
  }
}
