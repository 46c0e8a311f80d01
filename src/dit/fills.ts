/**
 * A bounded cache of answers that a change feed keeps true.
 *
 * Promise: an answer read before a change is never kept after it. A fill that is under way when its key is invalidated is
 * returned to whoever asked (it was true when asked) and not kept.
 */

import { Lru } from '../base/index.ts';

interface Fill<V> {
  stale: boolean;
  readonly answer: Promise<V>;
}

export class Answers<V> {
  readonly #kept: Lru<string, { readonly value: V }>;
  readonly #filling = new Map<string, Fill<V>>();
  /** Called when an answer is kept, or no longer kept. */
  readonly #onKeep: (key: string, value: V) => void;
  readonly #onDrop: (key: string, value: V) => void;

  constructor(max: number, onKeep: (key: string, value: V) => void = () => {}, onDrop: (key: string, value: V) => void = () => {}) {
    this.#kept = new Lru(max);
    this.#onKeep = onKeep;
    this.#onDrop = onDrop;
  }

  /** The kept answer, or that of `read`; those who ask for the same at once share one reading. */
  get(key: string, read: () => Promise<V>): V | Promise<V> {
    const kept = this.#kept.get(key);
    if (kept) return kept.value;
    const running = this.#filling.get(key);
    if (running && !running.stale) return running.answer;
    return this.#fill(key, read);
  }

  #fill(key: string, read: () => Promise<V>): Promise<V> {
    const fill: Fill<V> = {
      stale: false,
      answer: read().then(
        (value) => {
          if (this.#filling.get(key) === fill) this.#filling.delete(key);
          if (!fill.stale) this.#keep(key, value);
          return value;
        },
        (thrown: unknown) => {
          if (this.#filling.get(key) === fill) this.#filling.delete(key);
          throw thrown;
        },
      ),
    };
    this.#filling.set(key, fill);
    return fill.answer;
  }

  #keep(key: string, value: V): void {
    const pushedOut = this.#kept.set(key, { value });
    this.#onKeep(key, value);
    if (pushedOut) this.#onDrop(pushedOut[0], pushedOut[1].value);
  }

  forget(key: string): void {
    const fill = this.#filling.get(key);
    if (fill) fill.stale = true;
    const kept = this.#kept.get(key);
    if (!kept) return;
    this.#kept.delete(key);
    this.#onDrop(key, kept.value);
  }

  forgetAll(): void {
    for (const fill of this.#filling.values()) fill.stale = true;
    for (const [key, { value }] of this.#kept.entries()) this.#onDrop(key, value);
    this.#kept.clear();
  }
}
