/** A map with a bound: the entry used longest ago goes first. */
export class Lru<K, V> {
  readonly #map = new Map<K, V>();
  /**
   * Stands before the entry used longest ago: whatever was in front of it is gone or was put at the end again. A new iterator for each
   * would walk over all that was deleted in front, which makes a full cache a thousand times slower.
   */
  #oldest: MapIterator<[K, V]> = this.#map.entries();
  #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(key: K): V | undefined {
    const value = this.#map.get(key);
    if (value !== undefined) {
      this.#map.delete(key);
      this.#map.set(key, value);
    }
    return value;
  }

  /** Returns what had to go, if anything. */
  set(key: K, value: V): [K, V] | undefined {
    this.#map.delete(key);
    this.#map.set(key, value);
    if (this.#map.size <= this.#max) return undefined;
    return this.#removeOldest();
  }

  #removeOldest(): [K, V] | undefined {
    let next = this.#oldest.next();
    if (next.done) {
      this.#oldest = this.#map.entries();
      next = this.#oldest.next();
    }
    if (next.done) return undefined;
    this.#map.delete(next.value[0]);
    return next.value;
  }

  /** Another bound from now on; what does not fit any more goes, oldest use first. */
  resize(max: number): void {
    this.#max = max;
    while (this.#map.size > max) this.#removeOldest();
  }

  delete(key: K): void {
    this.#map.delete(key);
  }

  clear(): void {
    this.#map.clear();
    this.#oldest = this.#map.entries();
  }

  get size(): number {
    return this.#map.size;
  }

  entries(): IterableIterator<[K, V]> {
    return this.#map.entries();
  }
}
