/**
 * Small records written a moment ago, as they are committed: a message's records are read again and again on its way.
 *
 * Correct because this process is the only writer: every committed change passes through `settle`. Two generations, so that
 * forgetting is cheap; bounded by number and size of values.
 */

import type { ChangeMap } from './engine.ts';
import type { Key } from './port.ts';

const perGeneration = 2048;
const largestValue = 1024;

export class SettledValues {
  #young = new Map<Key, Uint8Array | null>();
  #old = new Map<Key, Uint8Array | null>();

  /** The value, null for one known to be absent, undefined for one not known here. */
  get(key: Key): Uint8Array | null | undefined {
    const value = this.#young.get(key);
    return value === undefined ? this.#old.get(key) : value;
  }

  /** These have just been committed. */
  settle(changes: ChangeMap): void {
    if (this.#young.size >= perGeneration) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    changes.forEach((value, key) => {
      if (value === null || value.byteLength <= largestValue) {
        this.#young.set(key, value);
      } else {
        this.#young.delete(key);
        this.#old.delete(key);
      }
    });
  }
}
