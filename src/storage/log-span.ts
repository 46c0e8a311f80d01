/**
 * Knows when LevelDB might go on to a new log file.
 *
 * Why: a synced write flushes only the log file it went to. Were an unsynced write left behind in the previous file, a power
 * failure could take it and keep a later one. So, close to the end of a file, every write is synced; nothing unsynced is ever
 * followed by a change of file.
 * The sizes are estimates from above: too early costs a few flushes, too late cannot happen.
 */

import type { ChangeMap } from './engine.ts';

/**
 * What LevelDB's memory table keeps beside key and value of one record: lengths and tag (at most 18), a node with a pointer and
 * 1.33 links (19 on average), alignment (at most 7).
 */
const perRecord = 44;
/** Octets of a block of the table's arena, with the pointer to it; up to a quarter of the block is wasted. */
const block = 4104;
const waste = block / 3072;

/** Octets the changes take in the memory table, at most. */
export function footprint(changes: ChangeMap): number {
  let octets = 0;
  changes.forEach((value, key) => {
    octets += perRecord + Buffer.byteLength(key) + (value?.byteLength ?? 0);
  });
  return octets * waste;
}

export class LogSpan {
  readonly #limit: number;
  readonly #logNumber: () => Promise<number>;
  #current: number;
  /** Octets written since the start, and that number when the present file was last seen to be the old one. */
  #total = 0;
  #base = 0;

  constructor(limit: number, current: number, logNumber: () => Promise<number>) {
    this.#limit = limit - block;
    this.#current = current;
    this.#logNumber = logNumber;
  }

  /** Whether the write that follows this one may go to a new file: then this one has to be synced. Call once for every write, before it. */
  add(octets: number): boolean {
    this.#total += octets;
    return this.#total - this.#base >= this.#limit;
  }

  /** After a write for which `add` said true, before the next: whether it went to a new file. */
  async look(): Promise<boolean> {
    const number = await this.#logNumber();
    const moved = number !== this.#current;
    if (moved) {
      this.#current = number;
      this.#base = this.#seenOld;
    }
    this.#seenOld = this.#total;
    return moved;
  }

  #seenOld = 0;

  /** The database was opened anew, and this many octets were written then. */
  restart(current: number, octets: number): void {
    this.#current = current;
    this.#base = this.#seenOld = this.#total;
    this.#total += octets;
  }
}
