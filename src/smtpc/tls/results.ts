/**
 * What became of sessions, counted by day and domain, for the reports about it.
 *
 * Promise: counts survive a restart; days of UTC; a bound on domains, policies and kinds of failure, beyond which nothing new is begun and
 * what is known goes on being counted. Whether anything is counted is the setting's business.
 * Spec: RFC 8460 §4.2, §4.3
 */

import type { Clock } from '../../base/index.ts';
import { below, CheckFailed, fromSegment, type KeyValue, type Part, segment } from '../../storage/index.ts';
import type { Refusal } from './dane.ts';
import type { StsFailure } from './sts.ts';

export interface AppliedPolicy {
  readonly type: 'tlsa' | 'sts' | 'no-policy-found';
  /** TLSA records, or the lines of a policy. */
  readonly text: readonly string[];
  /** Hosts of a policy of MTA-STS. */
  readonly mx: readonly string[];
}

export type ResultType =
  | Refusal['type']
  | StsFailure['type']
  | 'starttls-not-supported'
  | 'tlsa-invalid'
  | 'dnssec-invalid'
  | 'dane-required';

export interface FailedSession {
  readonly type: ResultType;
  readonly text: string;
  readonly mxHost?: string;
  /** Network addresses of ours and theirs. */
  readonly from?: string;
  readonly to?: string;
}

export interface CountedFailure extends FailedSession {
  readonly sessions: number;
}

export interface CountedPolicy extends AppliedPolicy {
  readonly successful: number;
  readonly failed: number;
  readonly failures: readonly CountedFailure[];
}

export interface CountedDomain {
  /** Of UTC: `2026-11-25`. */
  readonly day: string;
  readonly domain: string;
  readonly policies: readonly CountedPolicy[];
  /** As it is kept. */
  readonly record: Uint8Array;
}

export interface ResultsNeeds {
  readonly keyValue: Pick<KeyValue, 'transact' | 'scan'>;
  readonly clock: Clock;
}

const keys = 'smtpc/tlsrpt/count/';
const mostDomains = 50_000;
const mostPolicies = 10;
const mostFailures = 50;
const longestText = 300;

export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const keyOf = (day: string, domain: string): string => `${keys}${day}/${segment(domain)}`;

export class Results {
  readonly #needs: ResultsNeeds;
  #day = '';
  readonly #domains = new Set<string>();

  constructor(needs: ResultsNeeds) {
    this.#needs = needs;
  }

  /** One session; without `failure` it was as the policy wants. */
  async count(domain: string, policy: AppliedPolicy, failure?: FailedSession): Promise<void> {
    const { clock, keyValue } = this.#needs;
    const day = dayOf(clock.now());
    if (day !== this.#day) {
      this.#day = day;
      this.#domains.clear();
    }
    const name = domain.toLowerCase();
    if (!this.#domains.has(name) && this.#domains.size >= mostDomains) return;
    this.#domains.add(name);
    const key = keyOf(day, name);
    await keyValue.transact(async (read) => {
      const known = policiesIn(await read.get(key));
      return { puts: [[key, Buffer.from(JSON.stringify(added(known, policy, failure)))]], result: undefined };
    }, 'soon');
  }

  /** Days there are counts of, the oldest first. */
  async days(): Promise<string[]> {
    const days = new Set<string>();
    for await (const [key] of this.#needs.keyValue.scan(below(keys), { keysOnly: true }))
      days.add(key.slice(keys.length).split('/', 1)[0] ?? '');
    return [...days];
  }

  async *of(day: string): AsyncIterable<CountedDomain> {
    const prefix = `${keys}${day}/`;
    for await (const [key, record] of this.#needs.keyValue.scan(below(prefix)))
      yield { day, domain: fromSegment(key.slice(prefix.length)), policies: policiesIn(record), record };
  }

  /** What was reported is not counted any more; CheckFailed where more was counted since. */
  forgetPart({ day, domain, record }: CountedDomain): Part<void> {
    const key = keyOf(day, domain);
    return async (read) => {
      const now = await read.get(key);
      if (now === undefined || !Buffer.from(now).equals(record)) throw new CheckFailed(key);
      return { deletes: [key], result: undefined };
    };
  }

  async forget(counted: CountedDomain): Promise<undefined> {
    await this.#needs.keyValue.transact(this.forgetPart(counted), 'soon');
  }
}

/** What cannot be read is counted anew. */
function policiesIn(bytes: Uint8Array | undefined): CountedPolicy[] {
  try {
    return bytes ? (JSON.parse(Buffer.from(bytes).toString('utf8')) as CountedPolicy[]) : [];
  } catch {
    return [];
  }
}

const samePolicy = (a: AppliedPolicy, b: AppliedPolicy): boolean => a.type === b.type && a.text.join('\n') === b.text.join('\n');

function added(known: readonly CountedPolicy[], policy: AppliedPolicy, failure: FailedSession | undefined): CountedPolicy[] {
  const { type, text, mx } = policy;
  const found = known.find((one) => samePolicy(one, policy));
  if (!found && known.length >= mostPolicies) return [...known];
  const before = found ?? { type, text, mx, successful: 0, failed: 0, failures: [] };
  const after: CountedPolicy = failure
    ? { ...before, failed: before.failed + 1, failures: withFailure(before.failures, failure) }
    : { ...before, successful: before.successful + 1 };
  return found ? known.map((one) => (one === found ? after : one)) : [...known, after];
}

function withFailure(known: readonly CountedFailure[], failure: FailedSession): CountedFailure[] {
  const cut = { ...failure, text: failure.text.slice(0, longestText) };
  const found = known.find(
    (one) => one.type === cut.type && one.text === cut.text && one.mxHost === cut.mxHost && one.from === cut.from && one.to === cut.to,
  );
  if (found) return known.map((one) => (one === found ? { ...one, sessions: one.sessions + 1 } : one));
  return known.length >= mostFailures ? [...known] : [...known, { ...cut, sessions: 1 }];
}
