/** A map with a bound: the entry used longest ago goes first. */
export class Lru<K, V> {
  readonly #map = new Map<K, V>();
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
    for (const oldest of this.#map) {
      this.#map.delete(oldest[0]);
      return oldest;
    }
    return undefined;
  }

  /** Another bound from now on; what does not fit any more goes, oldest use first. */
  resize(max: number): void {
    this.#max = max;
    for (const key of this.#map.keys()) {
      if (this.#map.size <= max) break;
      this.#map.delete(key);
    }
  }

  delete(key: K): void {
    this.#map.delete(key);
  }

  clear(): void {
    this.#map.clear();
  }

  get size(): number {
    return this.#map.size;
  }

  entries(): IterableIterator<[K, V]> {
    return this.#map.entries();
  }
}
