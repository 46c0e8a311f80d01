/**
 * Small records written a moment ago, as they are committed: a message's records are read again and again on its way.
 *
 * Correct because this process is the only writer: every committed change passes through `settle`. Two generations, so that
 * forgetting is cheap; bounded by number and size of values. What is removed is forgotten: nobody asks for it again.
 */

import type { ChangeMap } from './engine.ts';
import type { Key } from './port.ts';

const perGeneration = 2048;
const octetsPerGeneration = 2 * 1024 * 1024;
/** As large as a chunk of a mailbox's index gets. */
const largestValue = 4096;

export class SettledValues {
  #young = new Map<Key, Uint8Array>();
  #old = new Map<Key, Uint8Array>();
  /** Of all that was put into the young generation. */
  #octets = 0;

  get(key: Key): Uint8Array | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  /** These have just been committed. */
  settle(changes: ChangeMap): void {
    if (this.#young.size >= perGeneration || this.#octets >= octetsPerGeneration) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#octets = 0;
    }
    changes.forEach((value, key) => {
      if (value !== null && value.byteLength <= largestValue) {
        this.#young.set(key, value);
        this.#octets += value.byteLength;
      } else {
        this.#young.delete(key);
        this.#old.delete(key);
      }
    });
  }
}
