/**
 * Of several versions of one text the one that people without MIME can read.
 *
 * Pure. Promise: only text is ever left out, and only where another version of it is written; what else stands in a version that is not
 * chosen (pictures, files, invitations) is kept.
 * Spec: RFC 2046 §5.1.4
 */

import type { MimePart } from '../../mail/index.ts';
import type { Leaf } from '../walk.ts';

export interface Versions {
  /** Said better by another leaf. */
  readonly left: ReadonlySet<Leaf>;
  /** Text that is to be a file. */
  readonly files: ReadonlySet<Leaf>;
}

/** The same text once more, in a form for programs. */
const sameText = /^(?:plain|html|enriched|richtext|rtf|x-amp-html|watch-html)$/;

/** Octets: line ends and no more. */
const emptyAtMost = 4;

/** `alone`: it is a version, and not a part of one. */
function worth({ text, part }: Leaf, alone: boolean): number {
  if (!text) return 0;
  // An empty text in front of a page says nothing in its stead.
  if (text.content.size <= emptyAtMost) return 1;
  if (part.subtype === 'plain') return alone ? 4 : 3;
  return part.subtype === 'html' ? 2 : 1;
}

export function versions(leaves: readonly Leaf[]): Versions {
  /** The child that each multipart/alternative is represented by, and what it is worth. */
  const chosen = new Map<MimePart, { child: MimePart; worth: number }>();
  const each = function* (leaf: Leaf): IterableIterator<[alternative: MimePart, child: MimePart]> {
    const { around, part } = leaf;
    for (const [n, one] of around.entries()) if (one.subtype === 'alternative' && one.children) yield [one, around[n + 1] ?? part];
  };
  for (const leaf of leaves)
    for (const [alternative, child] of each(leaf)) {
      const now = worth(leaf, child === leaf.part);
      const best = chosen.get(alternative);
      // The last is the best of its kind.
      if (!best || now > best.worth || (now === best.worth && now > 0)) chosen.set(alternative, { child, worth: now });
    }
  const left = new Set<Leaf>();
  const files = new Set<Leaf>();
  for (const leaf of leaves) {
    if (!leaf.text) continue;
    for (const [alternative, child] of each(leaf)) {
      const best = chosen.get(alternative);
      if (!best || best.child === child || best.worth < 2) continue;
      if (sameText.test(leaf.part.subtype)) left.add(leaf);
      else files.add(leaf);
    }
  }
  return { left, files };
}
