/** Long walks that let others have their turn. */

import { setImmediate } from 'node:timers/promises';

/** A function to await once a step: every `steps`-th call waits until the event loop has gone round. */
export function pace(steps: number): () => Promise<void> | undefined {
  let left = steps;
  return () => {
    left -= 1;
    if (left > 0) return undefined;
    left = steps;
    return setImmediate();
  };
}

/** Groups of at most `size`. */
export function* batches<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length >= size) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
