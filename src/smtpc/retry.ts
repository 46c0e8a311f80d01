/**
 * When to try deferred mail again, and when to give up.
 *
 * Promise: the first wait is the interval, no later one is shorter; dice spread what failed together; a message is given up exactly at the
 * end of its retry period. A wait is at most an hour, or the interval where that is longer: asking a host again costs one connection,
 * however much waits for it. Pure: time and dice are arguments.
 * Spec: RFC 5321 §4.5.4.1; checklist SMTPC-02
 */

import type { Random } from '../base/index.ts';

export interface RetryRule {
  /** Milliseconds. */
  readonly interval: number;
  readonly period: number;
}

const growth = 1.5;
const spread = 0.2;
const longest = 3_600_000;

/** Milliseconds from the attempt that failed to the next one; `attempts` were made before it. */
export function retryDelay(attempts: number, interval: number, random: Random): number {
  const most = Math.max(interval, longest);
  const plain = interval * growth ** Math.min(attempts, 40);
  // At the top there are no dice left, else a later delay could be the shorter one.
  return plain >= most ? most * (1 + spread) : Math.min(plain * (1 + spread * random()), most * (1 + spread));
}

/** No wait is longer. Milliseconds. */
export const longestDelay = (interval: number): number => Math.max(interval, longest) * (1 + spread);

/** Time of the next attempt, or undefined: the message has been tried long enough. */
export function nextAttempt(
  tried: { attempts: number; arrivedAt: number; now: number },
  rule: RetryRule,
  random: Random,
): number | undefined {
  const end = tried.arrivedAt + rule.period;
  if (tried.now >= end) return undefined;
  return Math.min(end, Math.round(tried.now + retryDelay(tried.attempts, rule.interval, random)));
}
