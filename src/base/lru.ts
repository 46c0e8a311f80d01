/**
 * A map with a bound: the entry used longest ago goes first.
 *
 * Promise: every call but `entries` takes the same time however full it is, and nothing is held that is no longer in it. So the order
 * is a chain of its own: a Map whose entries are put at the end again with each use makes its table anew all the time, and an iterator
 * that is kept to find the oldest keeps every table the Map ever had.
 */

interface Link<K, V> {
  readonly key: K;
  value: V;
  before: Link<K, V> | undefined;
  after: Link<K, V> | undefined;
}

export class Lru<K, V> {
  readonly #links = new Map<K, Link<K, V>>();
  #oldest: Link<K, V> | undefined;
  #newest: Link<K, V> | undefined;
  #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(key: K): V | undefined {
    const link = this.#links.get(key);
    if (link) this.#use(link);
    return link?.value;
  }

  /** Returns what had to go, if anything. */
  set(key: K, value: V): [K, V] | undefined {
    const known = this.#links.get(key);
    if (known) {
      known.value = value;
      this.#use(known);
      return undefined;
    }
    const link = { key, value, before: undefined, after: undefined };
    this.#links.set(key, link);
    this.#append(link);
    return this.#links.size > this.#max ? this.#removeOldest() : undefined;
  }

  #use(link: Link<K, V>): void {
    if (link === this.#newest) return;
    this.#unlink(link);
    this.#append(link);
  }

  #append(link: Link<K, V>): void {
    link.before = this.#newest;
    link.after = undefined;
    if (this.#newest) this.#newest.after = link;
    else this.#oldest = link;
    this.#newest = link;
  }

  #unlink({ before, after }: Link<K, V>): void {
    if (before) before.after = after;
    else this.#oldest = after;
    if (after) after.before = before;
    else this.#newest = before;
  }

  #removeOldest(): [K, V] | undefined {
    const oldest = this.#oldest;
    if (!oldest) return undefined;
    this.delete(oldest.key);
    return [oldest.key, oldest.value];
  }

  /** Another bound from now on; what does not fit any more goes, oldest use first. */
  resize(max: number): void {
    this.#max = max;
    while (this.#links.size > max) this.#removeOldest();
  }

  delete(key: K): void {
    const link = this.#links.get(key);
    if (!link) return;
    this.#links.delete(key);
    this.#unlink(link);
    // One that has grown old in the heap would keep all that came after it until the next whole collection.
    link.before = undefined;
    link.after = undefined;
  }

  clear(): void {
    this.#links.clear();
    this.#oldest = undefined;
    this.#newest = undefined;
  }

  get size(): number {
    return this.#links.size;
  }

  /** As they are now, oldest use first. */
  entries(): [K, V][] {
    const all: [K, V][] = [];
    for (let link = this.#oldest; link; link = link.after) all.push([link.key, link.value]);
    return all;
  }
}
