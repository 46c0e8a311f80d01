/** Who wants to know when something was committed. One listener's failure does not keep the others from hearing. */

import type { Log } from '../base/index.ts';

export class Wakes {
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  subscribe(topic: string, listener: () => void): () => void {
    const heard = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, heard);
    // A function of its own, so that the same listener may be added twice and taken away once.
    const own = (): void => listener();
    heard.add(own);
    return () => {
      heard.delete(own);
      if (heard.size === 0 && this.#listeners.get(topic) === heard) this.#listeners.delete(topic);
    };
  }

  wake(topics: Iterable<string>): void {
    for (const topic of topics) {
      for (const listener of [...(this.#listeners.get(topic) ?? [])]) {
        try {
          listener();
        } catch (thrown) {
          this.#log.error(`a listener for ${topic} failed`, thrown);
        }
      }
    }
  }
}
