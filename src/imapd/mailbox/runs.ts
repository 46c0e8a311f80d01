/**
 * Choosing messages: a sequence-set resolved against the messages a session knows, as runs of positions.
 *
 * Positions count from 0 and are sequence numbers minus one. Pure.
 * Spec: RFC 3501 §9 "seq-range", §6.4.8; RFC 5182
 */

import { Fault } from '../../base/index.ts';
import { mergeRanges, type SequenceRange, type SequenceSet, star } from '../wire/sequence-set.ts';

/** Positions p with from <= p < to; ascending and apart. */
export type Runs = readonly (readonly [from: number, to: number])[];

/** What is needed to resolve. */
export interface Numbered {
  readonly length: number;
  uid(position: number): number;
  /** Position of the first message whose UID is at least `uid`. */
  lowerBound(uid: number): number;
}

export function countOf(runs: Runs): number {
  return runs.reduce((sum, [from, to]) => sum + to - from, 0);
}

export function* positions(runs: Runs): Generator<number> {
  for (const [from, to] of runs) for (let p = from; p < to; p++) yield p;
}

/** Sequence numbers. One that does not exist is an error; a range that reaches to `*` is cut to what there is. */
export function bySequence(set: SequenceSet, messages: Numbered, saved: readonly number[]): Runs {
  if (set.saved) return bySaved(messages, saved);
  for (const [low, high] of set.ranges) {
    const highest = high === star ? (low === star ? 0 : high) : high;
    if (highest !== star && highest > messages.length) throw new Fault('malformed', 'no message with that number');
  }
  return bySequenceLoose(set, messages, saved);
}

/** The same for SEARCH, where a number without a message matches nothing. */
export function bySequenceLoose(set: SequenceSet, messages: Numbered, saved: readonly number[]): Runs {
  if (set.saved) return bySaved(messages, saved);
  const last = messages.length;
  const ranges = set.ranges.map(([low, high]): SequenceRange => (high === star ? [Math.min(low, last), last] : [low, high]));
  return mergeRanges(ranges)
    .map(([low, high]) => [Math.max(low, 1) - 1, Math.min(high, last)] as const)
    .filter(([from, to]) => from < to);
}

/** UIDs; those that do not exist are passed over. `*` is the highest there is, also where the range begins above it. */
export function byUid(set: SequenceSet, messages: Numbered, saved: readonly number[]): Runs {
  if (set.saved) return bySaved(messages, saved);
  if (messages.length === 0) return [];
  const last = messages.uid(messages.length - 1);
  const ranges = set.ranges.map(([low, high]): SequenceRange => (high === star ? [Math.min(low, last), last] : [low, high]));
  const runs: [number, number][] = [];
  for (const [low, high] of mergeRanges(ranges)) {
    const from = messages.lowerBound(low);
    const to = messages.lowerBound(high + 1);
    const before = runs.at(-1);
    if (from >= to) continue;
    if (before && before[1] === from) before[1] = to;
    else runs.push([from, to]);
  }
  return runs;
}

/** Saved UIDs (ascending) that are still there. */
function bySaved(messages: Numbered, saved: readonly number[]): Runs {
  const runs: [number, number][] = [];
  for (const uid of saved) {
    const at = messages.lowerBound(uid);
    if (at >= messages.length || messages.uid(at) !== uid) continue;
    const before = runs.at(-1);
    if (before && before[1] === at) before[1] = at + 1;
    else runs.push([at, at + 1]);
  }
  return runs;
}
