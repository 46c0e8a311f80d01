/**
 * The messages of an open mailbox as a session knows them: UID, flags, size, date and mod-sequence by position.
 *
 * Some forty octets a message in flat arrays, so that a mailbox of 100,000 costs a few megabytes and lookups are binary searches.
 * UIDs ascend; messages are added at the end and removed anywhere. Equal flag sets are one array (the store interns them).
 */

import type { Flags, IndexEntry, Uid } from '../../store/index.ts';
import type { Numbered } from './runs.ts';

export class MessageTable implements Numbered {
  #length = 0;
  #uids = new Uint32Array(0);
  #sizes = new Float64Array(0);
  #dates = new Float64Array(0);
  #modSeqs = new Float64Array(0);
  #flags: Flags[] = [];

  get length(): number {
    return this.#length;
  }

  uid(position: number): Uid {
    return this.#uids[position]!;
  }

  size(position: number): number {
    return this.#sizes[position]!;
  }

  /** Milliseconds since 1970. */
  internalDate(position: number): number {
    return this.#dates[position]!;
  }

  modSeq(position: number): number {
    return this.#modSeqs[position]!;
  }

  flags(position: number): Flags {
    return this.#flags[position]!;
  }

  lowerBound(uid: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#uids[middle]! < uid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** -1 where there is no such message. */
  positionOf(uid: Uid): number {
    const at = this.lowerBound(uid);
    return at < this.#length && this.#uids[at] === uid ? at : -1;
  }

  /** Adds entries in ascending order, all above the last UID. */
  append(entries: readonly IndexEntry[]): void {
    this.#reserve(this.#length + entries.length);
    for (const entry of entries) {
      this.#uids[this.#length] = entry.uid;
      this.#length += 1;
      this.update(this.#length - 1, entry);
    }
  }

  update(position: number, entry: IndexEntry): void {
    this.#sizes[position] = entry.size;
    this.#dates[position] = entry.internalDate;
    this.#modSeqs[position] = entry.modSeq;
    this.#flags[position] = entry.flags;
  }

  /** Removes the messages at these ascending positions. */
  remove(gone: readonly number[]): void {
    let next = 0;
    let to = gone[0] ?? this.#length;
    for (let from = to; from < this.#length; from++) {
      if (from === gone[next]) {
        next += 1;
        continue;
      }
      this.#uids[to] = this.#uids[from]!;
      this.#sizes[to] = this.#sizes[from]!;
      this.#dates[to] = this.#dates[from]!;
      this.#modSeqs[to] = this.#modSeqs[from]!;
      this.#flags[to] = this.#flags[from]!;
      to += 1;
    }
    this.#length = to;
    this.#flags.length = to;
  }

  #reserve(count: number): void {
    if (count <= this.#uids.length) return;
    const capacity = Math.max(count, Math.min(this.#uids.length * 2, this.#uids.length + 4096), 16);
    const grow = <A extends Uint32Array | Float64Array>(made: A, from: A): A => {
      made.set(from);
      return made;
    };
    this.#uids = grow(new Uint32Array(capacity), this.#uids);
    this.#sizes = grow(new Float64Array(capacity), this.#sizes);
    this.#dates = grow(new Float64Array(capacity), this.#dates);
    this.#modSeqs = grow(new Float64Array(capacity), this.#modSeqs);
  }
}
