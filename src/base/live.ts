/**
 * A value that changes under its reader: settings, certificates, policies.
 *
 * Promise: `value` is always the current one; listeners run after it has changed, in the order they were added, and one
 * listener's failure does not keep the others from hearing.
 */

import type { Cancel } from './clock.ts';

export interface Live<T> {
  readonly value: T;
  onChange(listener: (value: T, before: T) => void): Cancel;
}

export class LiveValue<T> implements Live<T> {
  #value: T;
  #listeners = new Set<(value: T, before: T) => void>();
  #complain: (thrown: unknown) => void;

  constructor(
    value: T,
    complain: (thrown: unknown) => void = (thrown) =>
      queueMicrotask(() => {
        throw thrown;
      }),
  ) {
    this.#value = value;
    this.#complain = complain;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    const before = this.#value;
    this.#value = value;
    for (const listener of [...this.#listeners]) {
      try {
        listener(value, before);
      } catch (thrown) {
        this.#complain(thrown);
      }
    }
  }

  onChange(listener: (value: T, before: T) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** A live value that never changes. */
export function constant<T>(value: T): Live<T> {
  return { value, onChange: () => () => {} };
}
