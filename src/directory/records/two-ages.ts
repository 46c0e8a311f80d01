/**
 * A bounded cache that costs nothing when it is hit: two maps, a young and an old one. What is used moves to the young; when that is full
 * it becomes the old one, and what nobody used meanwhile is gone.
 *
 * Promise: never more than `limit` values, nor values of more than `weight` together (one that alone is heavier is not kept).
 */

interface Kept<V> {
  readonly value: V;
  readonly weight: number;
}

export class TwoAges<K, V> {
  readonly #limit: number;
  readonly #most: number;
  #young = new Map<K, Kept<V>>();
  #old = new Map<K, Kept<V>>();
  #weight = 0;

  constructor(limits: { readonly limit: number; readonly weight: number }) {
    this.#limit = Math.max(1, Math.floor(limits.limit / 2));
    this.#most = limits.weight / 2;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young) return young.value;
    const old = this.#old.get(key);
    if (!old) return undefined;
    this.#keep(key, old);
    return old.value;
  }

  set(key: K, value: V, weight: number): void {
    this.delete(key);
    if (weight <= this.#most) this.#keep(key, { value, weight });
  }

  #keep(key: K, kept: Kept<V>): void {
    if (this.#young.size >= this.#limit || this.#weight + kept.weight > this.#most) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#weight = 0;
    }
    this.#young.set(key, kept);
    this.#weight += kept.weight;
  }

  delete(key: K): void {
    const young = this.#young.get(key);
    if (young) {
      this.#weight -= young.weight;
      this.#young.delete(key);
    }
    this.#old.delete(key);
  }

  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
    this.#weight = 0;
  }
}
