/**
 * The priority weight of a message: precedence · Mp + weight of its size · Ms − weight of its deferred time · Md. Low goes first.
 *
 * Promise: pure; the same numbers decide the order and are shown. A message that was never deferred has no weight of time. A boundary
 * belongs to the range above it, the last one to the range below: with 10, 1000, 10000 the ranges are < 10, 10 to < 1000, 1000 to 10000
 * and > 10000, as the manual writes them. A KB is 1,024 octets.
 * Source: manual chapter 6, "Message Priority Handling" and "Message Priority"; checklist SMTPC-04
 */

import type { SmtpcSettings } from './settings/index.ts';

/** What is weighed of a message. */
export interface Weighed {
  readonly precedence: number;
  /** Octets. */
  readonly size: number;
  /** When it was put off for the first time; undefined: never. Milliseconds since 1970. */
  readonly deferredSince?: number | undefined;
}

interface Ranges {
  readonly boundaries: readonly number[];
  readonly weights: readonly number[];
}

export interface WeightRule {
  readonly precedenceMultiplier: number;
  readonly sizeMultiplier: number;
  readonly timeMultiplier: number;
  /** Boundaries in octets. */
  readonly size: Ranges;
  /** Boundaries in milliseconds. */
  readonly time: Ranges;
}

const none: Ranges = { boundaries: [], weights: [] };
const numbers = (text: string): number[] => (text.trim() === '' ? [] : text.split(',').map(Number));

/** The rule, and what is wrong with it, where something is; what is wrong weighs nothing. */
export function weightRule(settings: SmtpcSettings): { readonly rule: WeightRule; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const ranges = (what: string, bounds: string, weights: string, unit: number): Ranges => {
    const read: Ranges = { boundaries: numbers(bounds), weights: numbers(weights) };
    const wanted = read.boundaries.length + 1;
    if (read.boundaries.length === 0 && read.weights.length === 0) return none;
    const rises = read.boundaries.every((one, n) => n === 0 || one > (read.boundaries[n - 1] ?? 0));
    if (!rises) problems.push(`the ${what} boundaries ${bounds} do not rise`);
    else if (read.weights.length !== wanted)
      problems.push(`${wanted} weights belong to the ${what} boundaries "${bounds}", there are ${read.weights.length}`);
    else return { boundaries: read.boundaries.map((one) => one * unit), weights: read.weights };
    return none;
  };
  const rule = {
    precedenceMultiplier: settings.precedenceMultiplier,
    sizeMultiplier: settings.sizeMultiplier,
    timeMultiplier: settings.timeMultiplier,
    size: ranges('size', settings.sizeBoundaries, settings.sizeWeights, 1_024),
    time: ranges('time', settings.timeBoundaries, settings.timeWeights, 3_600_000),
  };
  return { rule, problems };
}

function weightIn({ boundaries, weights }: Ranges, value: number): number {
  const last = boundaries.length - 1;
  const range = boundaries.findIndex((boundary, n) => value < boundary || (n === last && n > 0 && value === boundary));
  return weights[range < 0 ? boundaries.length : range] ?? 0;
}

export function weightOf({ precedence, size, deferredSince }: Weighed, rule: WeightRule, now: number): number {
  const time = deferredSince === undefined ? 0 : weightIn(rule.time, Math.max(0, now - deferredSince));
  // Never -0: it is shown.
  return precedence * rule.precedenceMultiplier + weightIn(rule.size, size) * rule.sizeMultiplier - time * rule.timeMultiplier + 0;
}

/** Whether the rule tells any two messages apart. */
export function weighs({ precedenceMultiplier, sizeMultiplier, timeMultiplier, size, time }: WeightRule): boolean {
  return precedenceMultiplier !== 0 || (sizeMultiplier !== 0 && size !== none) || (timeMultiplier !== 0 && time !== none);
}

/** For listings: weighs as SMTPC does with these settings at this moment. */
export function weigher(settings: SmtpcSettings, now: number): (message: Weighed) => number {
  const { rule } = weightRule(settings);
  return (message) => weightOf(message, rule, now);
}
