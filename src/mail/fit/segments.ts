/**
 * A message as one row of pieces: headers, bodies of leaves, and what stands between (boundaries, text before and after the parts).
 *
 * Promise: the pieces are in order, without gap or overlap, and cover the whole message. No recursion.
 * Spec: RFC 2046 §5.1, §5.2.1; RFC 1847 §2.1 (signed parts)
 */

import type { MessageStructure, MimePart } from '../structure.ts';

export interface Segment {
  readonly kind: 'header' | 'body' | 'between';
  readonly start: number;
  readonly end: number;
  /** Whose header or body it is. */
  readonly part: MimePart;
  /** The header of a whole message, not of a part. */
  readonly whole: boolean;
  /** Signed as it stands: not an octet of it may change. */
  readonly signed: boolean;
}

/** As many parts as the indexer makes; where there are as many, some may be hidden in what stands between. */
export const partsAtMost = 10_000;

interface Visit {
  readonly part: MimePart;
  readonly whole: boolean;
  readonly signed: boolean;
  readonly closing: boolean;
}

/** `parts`: how many there are, messages inside of messages included. */
export function segmentsOf({ root }: MessageStructure, size: number): { readonly segments: Segment[]; readonly parts: number } {
  const segments: Segment[] = [];
  let parts = 0;
  let at = 0;
  const put = (kind: Segment['kind'], end: number, { part, whole, signed }: Visit): void => {
    if (end > at) segments.push({ kind, start: at, end, part, whole, signed });
    at = Math.max(at, end);
  };
  const stack: Visit[] = [{ part: root, whole: true, signed: false, closing: false }];
  for (let visit = stack.pop(); visit; visit = stack.pop()) {
    const { part, signed } = visit;
    if (visit.closing) {
      put('between', part.end, visit);
      continue;
    }
    parts++;
    put('between', part.headerStart, visit);
    put('header', part.bodyStart, visit);
    const inner = signed || part.subtype === 'signed';
    if (part.children) {
      stack.push({ ...visit, signed: inner, closing: true });
      for (const child of part.children.toReversed()) stack.push({ part: child, whole: false, signed: inner, closing: false });
    } else if (part.message) {
      stack.push({ ...visit, closing: true }, { part: part.message.root, whole: true, signed, closing: false });
    } else put('body', part.end, visit);
  }
  put('between', size, { part: root, whole: true, signed: false, closing: true });
  return { segments, parts };
}
