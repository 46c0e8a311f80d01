/**
 * Parts left out of a message.
 *
 * Promise: the multipart around them stays whole; one that would lose every part keeps them all.
 * Spec: RFC 2046 §5.1.1
 */

import type { MimePart } from '../../mail/index.ts';
import { noBytes } from '../bytes.ts';
import type { Leaf } from '../walk.ts';
import type { Edit } from './edits.ts';

/** `kept`: those that cannot be left out. */
export function leftOut(leaves: readonly Leaf[]): { readonly edits: Edit[]; readonly kept: readonly Leaf[] } {
  const edits: Edit[] = [];
  const kept: Leaf[] = [];
  const byParent = new Map<MimePart | undefined, Leaf[]>();
  for (const leaf of leaves) {
    const parent = leaf.whole ? undefined : leaf.around.at(-1);
    const siblings = byParent.get(parent);
    if (siblings) siblings.push(leaf);
    else byParent.set(parent, [leaf]);
  }
  for (const [parent, ones] of byParent) {
    const children = parent?.children ?? [];
    const gone = new Set(ones.map(({ part }) => part));
    const first = children.findIndex((child) => !gone.has(child));
    if (first < 0) {
      kept.push(...ones);
      continue;
    }
    // Parts at the beginning go with the boundaries behind them, the others with those before them.
    const [head, stays] = [children[0], children[first]];
    if (first > 0 && head && stays) edits.push({ start: head.headerStart, end: stays.headerStart, with: noBytes });
    for (const [n, child] of children.entries()) {
      const before = children[n - 1];
      if (n > first && before && gone.has(child)) edits.push({ start: before.end, end: child.end, with: noBytes });
    }
  }
  return { edits, kept };
}
