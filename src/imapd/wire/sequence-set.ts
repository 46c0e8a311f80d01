/**
 * Sequence-sets: `1:3,7,*`, and `$` for the last saved search result.
 *
 * Numbers are at most 2^32-1 and never 0. `*` is kept as Infinity until the mailbox is known.
 * Spec: RFC 3501 §9 "sequence-set", RFC 5182 §2
 */

import { Fault } from '../../base/index.ts';

export type SequenceRange = readonly [low: number, high: number];
export type SequenceSet = { readonly saved: true } | { readonly saved: false; readonly ranges: readonly SequenceRange[] };

export const star = Number.POSITIVE_INFINITY;
const most = 0xffffffff;
const mostRanges = 20_000;

/** Fault `malformed` where the text is not a sequence-set. */
export function parseSequenceSet(text: string): SequenceSet {
  if (text === '$') return { saved: true };
  const parts = text.split(',', mostRanges + 1);
  if (parts.length > mostRanges) throw new Fault('malformed', 'too many ranges in one set');
  return {
    saved: false,
    ranges: parts.map((part): SequenceRange => {
      const colon = part.indexOf(':');
      const a = endpoint(colon < 0 ? part : part.slice(0, colon));
      const b = colon < 0 ? a : endpoint(part.slice(colon + 1));
      return a <= b ? [a, b] : [b, a];
    }),
  };
}

function endpoint(text: string): number {
  if (text === '*') return star;
  const n = /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : 0;
  if (n < 1 || n > most) throw new Fault('malformed', 'not a message number or set');
  return n;
}

/** Sorted and joined: no range touches the next. */
export function mergeRanges(ranges: readonly SequenceRange[]): SequenceRange[] {
  const out: [number, number][] = [];
  for (const [low, high] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    if (last && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else out.push([low, high]);
  }
  return out;
}
