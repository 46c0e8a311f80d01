/**
 * What a part sees: layers of changes that are not committed yet, over the committed state.
 *
 * Promise: the upper layer wins; a scan is in key order and honours removals. Layers may be replaced while a scan runs
 * (the scan keeps the ones it started with), never changed.
 */

import type { ChangeMap } from './engine.ts';
import { below, compareKeys } from './keys.ts';
import type { Key, KeyRange } from './port.ts';

type Entry = [Key, Uint8Array];

/** Whether a key is in the range; quick for the usual one, everything below a prefix. */
function insideOf(range: KeyRange): (key: Key) => boolean {
  const prefix = range.from;
  if (prefix !== '' && range.to === below(prefix).to) return (key) => key.startsWith(prefix) && !key.startsWith(range.to);
  return (key) => compareKeys(key, range.from) >= 0 && compareKeys(key, range.to) < 0;
}

/** Changes inside a range, upper layers first: the last word on each key, in key order. */
function changesWithin(layers: readonly ChangeMap[], range: KeyRange): [Key, Uint8Array | null][] {
  const found = new Map<Key, Uint8Array | null>();
  const inside = insideOf(range);
  for (const layer of layers) {
    for (const [key, value] of layer) {
      if (found.has(key)) continue;
      if (inside(key)) found.set(key, value);
    }
  }
  return [...found].sort(([a], [b]) => compareKeys(a, b));
}

/**
 * The first `limit` entries of the range as they are with the layers on top. `readUnder` reads the state under the layers; it is
 * called at once, with a limit that allows for what the layers hide.
 */
export async function scanThrough(
  layers: readonly ChangeMap[],
  range: KeyRange,
  limit: number,
  readUnder: (range: KeyRange, limit: number) => Promise<Entry[]>,
): Promise<Entry[]> {
  const changes = changesWithin(layers, range);
  const base = await readUnder(range, limit + changes.length);
  if (changes.length === 0) return base;
  const merged: Entry[] = [];
  let c = 0;
  const take = (): void => {
    const [key, value] = changes[c++] as [Key, Uint8Array | null];
    if (value !== null) merged.push([key, value]);
  };
  for (const entry of base) {
    while (c < changes.length && compareKeys(changes[c]![0], entry[0]) < 0) take();
    if (c < changes.length && changes[c]![0] === entry[0]) take();
    else merged.push(entry);
    if (merged.length >= limit) return merged.slice(0, limit);
  }
  while (c < changes.length && merged.length < limit) take();
  return merged;
}
