/**
 * The order in which changes can be carried out one by one: an entry after the one above it, and after the one that had its name
 * before; what is gone last, the deepest first, unless its name has been given to another.
 * A circle (two entries that have swapped their names) is cut anywhere: whoever copies goes by UUIDs.
 * Pure.
 */

export interface Touched {
  readonly uuid: string;
  /** Number of the record. */
  readonly id: number;
  /** Comparable form of the name under which the asker may have it. */
  readonly old: string | undefined;
  /** The name it has in the content now, and the name above; undefined where it is not in the content. */
  now: string | undefined;
  parent: string | undefined;
}

export function* inOrder(items: readonly Touched[]): Generator<Touched> {
  const byName = new Map<string, Touched>();
  const byOldName = new Map<string, Touched>();
  for (const item of items) {
    if (item.now !== undefined) byName.set(item.now, item);
    if (item.old !== undefined) byOldName.set(item.old, item);
  }
  const needs = (item: Touched): (Touched | undefined)[] =>
    item.now === undefined ? [] : [byOldName.get(item.now), item.parent === undefined ? undefined : byName.get(item.parent)];
  const begun = new Set<Touched>();
  const done = new Set<Touched>();
  const rest = items.filter((item) => item.now === undefined).sort((a, b) => depth(b) - depth(a));
  for (const root of [...items.filter((item) => item.now !== undefined), ...rest]) {
    const stack = [root];
    for (let item = stack.at(-1); item; item = stack.at(-1)) {
      if (!begun.has(item)) {
        begun.add(item);
        for (const need of needs(item)) if (need && !begun.has(need)) stack.push(need);
        if (stack.at(-1) !== item) continue;
      }
      stack.pop();
      if (done.has(item)) continue;
      done.add(item);
      yield item;
    }
  }
}

/** In a comparable name every plain comma separates two levels. */
const depth = ({ old }: Touched): number => old?.split(',').length ?? 0;
