/**
 * A message in which stretches are replaced: everything else stays byte for byte.
 *
 * Promise: stretches that overlap are a mistake of the caller's, and nothing of the message is ever sent twice for it.
 */

import { type Bytes, joined, stretch } from '../bytes.ts';

export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly with: Bytes;
}

export function edited(source: Bytes, edits: readonly Edit[]): Bytes {
  const pieces: Bytes[] = [];
  let at = 0;
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    if (edit.start < at) throw new Error(`edits overlap at ${edit.start}`);
    pieces.push(stretch(source, at, edit.start), edit.with);
    at = edit.end;
  }
  pieces.push(stretch(source, at, source.size));
  return joined(pieces);
}
