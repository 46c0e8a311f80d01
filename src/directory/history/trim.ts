/**
 * Forgetting old changes: the log keeps what the settings say, by age and by size, and remembers how far it was cut.
 *
 * What was kept of deleted entries to restore them goes with the change that tells of it.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { fromSortable, type KeyValue } from '../../storage/index.ts';
import { decodeNumber, encodeNumber } from '../records/codec.ts';
import { keys } from '../records/keys.ts';
import { decodeRecord } from './change-record.ts';

/** Read in one turn of the event loop. */
const batch = 100;

export interface HistoryBounds {
  /** Changes made before this time go (milliseconds since 1970). */
  readonly until: number;
  /** Octets that the records may take; the oldest go first. 0 is no limit. */
  readonly octets: number;
}

/** Number in the key of a record. */
export function positionOf(key: string): number {
  return fromSortable(key.slice(key.lastIndexOf('/') + 1));
}

function timeOf(position: number, octets: Uint8Array): number {
  const record = decodeRecord(position, octets);
  return record.kind === 'import' ? record.at : record.change.at;
}

/** Keeps the log within its bounds; remembers its size from one call to the next. */
export class Trimmer {
  readonly #keyValue: KeyValue;
  #size = 0;
  #measured: string = keys.logs.from;

  constructor(keyValue: KeyValue) {
    this.#keyValue = keyValue;
  }

  /** Returns how many changes were removed. */
  async trim(bounds: HistoryBounds): Promise<number> {
    if (bounds.octets > 0) await this.#measure();
    let removed = 0;
    for (;;) {
      const going: string[] = [];
      let size = 0;
      for await (const [key, octets] of this.#keyValue.scan(keys.logs, { limit: batch })) {
        const tooMuch = bounds.octets > 0 && this.#size - size > bounds.octets;
        if (!tooMuch && timeOf(positionOf(key), octets) >= bounds.until) break;
        going.push(key);
        if (key < this.#measured) size += octets.length;
      }
      const last = going[going.length - 1];
      if (last === undefined) return removed;
      await this.#remove(going, positionOf(last));
      this.#size -= size;
      removed += going.length;
      await nextTurn();
    }
  }

  /** Takes in what has been written since the last time. */
  async #measure(): Promise<void> {
    let n = 0;
    for await (const [key, octets] of this.#keyValue.scan({ from: this.#measured, to: keys.logs.to })) {
      this.#size += octets.length;
      this.#measured = `${key}\u0001`;
      if (++n % batch === 0) await nextTurn();
    }
  }

  #remove(going: readonly string[], last: number): Promise<void> {
    return this.#keyValue.transact(
      async (read) => ({
        puts: [[keys.trimmed, encodeNumber(Math.max(last, decodeNumber(await read.get(keys.trimmed))))]],
        deletes: going.flatMap((key) => [key, keys.sealed(positionOf(key))]),
        result: undefined,
      }),
      'durable',
    );
  }
}
