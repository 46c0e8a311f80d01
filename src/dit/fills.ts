/**
 * A bounded cache of answers that a change feed keeps true.
 *
 * An answer depends on tags: its own key, and what else it was made of (entries by UUID, the children of an entry). A change touches tags.
 *
 * Promise: an answer read before a change that touches it is never kept after it, nor given to anybody who asks after it. A fill under
 * way learns its tags only at its end: what was touched since its start is remembered until then. Memory is bounded by `max` answers.
 */

import { Lru } from '../base/index.ts';

interface Fill<V> {
  /** How many touches there had been when it began. */
  readonly since: number;
  stale: boolean;
  readonly answer: Promise<V>;
}

interface Kept<V> {
  readonly value: V;
  readonly tags: readonly string[];
}

/** Touched tags remembered for fills under way; with more of them nobody can wait for the slowest fill. */
const mostTouched = 50_000;

export class Answers<V> {
  readonly #tagsOf: (value: V) => readonly string[];
  readonly #kept: Lru<string, Kept<V>>;
  readonly #filling = new Map<string, Fill<V>>();
  readonly #running = new Set<Fill<V>>();
  /** Keys of kept answers by tag; most tags have one. */
  readonly #byTag = new Map<string, string | Set<string>>();
  /** Tags touched while fills are under way, with the number of the touch. */
  readonly #touched = new Map<string, number>();
  #touches = 0;

  constructor(max: number, tagsOf: (value: V) => readonly string[]) {
    this.#kept = new Lru(max);
    this.#tagsOf = tagsOf;
  }

  /** Answers kept. */
  get size(): number {
    return this.#kept.size;
  }

  /** Kept answers that were made of this, whatever they answer. */
  madeOf(tag: string): V[] {
    const keys = this.#byTag.get(tag);
    if (keys === undefined) return [];
    return (typeof keys === 'string' ? [keys] : [...keys]).flatMap((key) => this.#kept.get(key)?.value ?? []);
  }

  /** The kept answer, or that of `read`; those who ask for the same at once share one reading. */
  get(key: string, read: () => Promise<V>): V | Promise<V> {
    const kept = this.#kept.get(key);
    if (kept) return kept.value;
    const running = this.#filling.get(key);
    // Whether a change since its start concerns it is not known yet: who asks after the change reads anew.
    if (running && !running.stale && running.since === this.#touches) return running.answer;
    return this.#fill(key, read);
  }

  #fill(key: string, read: () => Promise<V>): Promise<V> {
    const fill: Fill<V> = {
      since: this.#touches,
      stale: false,
      answer: read().then(
        (value) => {
          this.#end(key, fill);
          const tags = this.#tagsOf(value);
          if (!fill.stale && !this.#touchedSince(fill.since, key, tags)) this.#keep(key, value, tags);
          this.#tidy();
          return value;
        },
        (thrown: unknown) => {
          this.#end(key, fill);
          this.#tidy();
          throw thrown;
        },
      ),
    };
    this.#filling.set(key, fill);
    this.#running.add(fill);
    return fill.answer;
  }

  #end(key: string, fill: Fill<V>): void {
    this.#running.delete(fill);
    if (this.#filling.get(key) === fill) this.#filling.delete(key);
  }

  #touchedSince(since: number, key: string, tags: readonly string[]): boolean {
    const touched = (tag: string): boolean => (this.#touched.get(tag) ?? 0) > since;
    return touched(key) || tags.some(touched);
  }

  #tidy(): void {
    if (this.#running.size === 0) this.#touched.clear();
  }

  #keep(key: string, value: V, tags: readonly string[]): void {
    this.#drop(key);
    const pushedOut = this.#kept.set(key, { value, tags });
    for (const tag of tags) {
      const there = this.#byTag.get(tag);
      if (there === undefined) this.#byTag.set(tag, key);
      else if (typeof there === 'string') this.#byTag.set(tag, new Set([there, key]));
      else there.add(key);
    }
    if (pushedOut) this.#unlink(pushedOut[0], pushedOut[1].tags);
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (!kept) return;
    this.#kept.delete(key);
    this.#unlink(key, kept.tags);
  }

  #unlink(key: string, tags: readonly string[]): void {
    for (const tag of tags) {
      const there = this.#byTag.get(tag);
      if (there === key) this.#byTag.delete(tag);
      else if (typeof there === 'object' && there.delete(key) && there.size === 0) this.#byTag.delete(tag);
    }
  }

  /** A change concerned these: keys, or what answers were made of. */
  touch(tags: Iterable<string>): void {
    this.#touches++;
    for (const tag of tags) {
      if (this.#running.size > 0) this.#touched.set(tag, this.#touches);
      this.#drop(tag);
      const keys = this.#byTag.get(tag);
      if (typeof keys === 'string') this.#drop(keys);
      else if (keys) for (const key of [...keys]) this.#drop(key);
    }
    if (this.#touched.size > mostTouched) this.#disown();
  }

  /** No fill under way is kept. */
  #disown(): void {
    for (const fill of this.#running) fill.stale = true;
    this.#touched.clear();
  }

  forgetAll(): void {
    this.#touches++;
    this.#disown();
    this.#kept.clear();
    this.#byTag.clear();
  }
}
