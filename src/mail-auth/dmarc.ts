/**
 * DMARC: what the domain in From wants to happen to mail that neither SPF nor DKIM vouches for in its name.
 *
 * Promise: one or two questions to the DNS for each domain in From; rubbish in a policy is no policy.
 * Spec: RFC 7489 §3.1 (alignment), §3.2 (organizational domain, by the public suffix list), §6.3, §6.6
 */

import type * as Suffixes from 'tldts';
import { onDemand } from '../base/index.ts';
import type { Lookup } from './resolver.ts';
import { parseTags } from './tags.ts';

/** The public suffix list: some 7 MB that most commands never need. */
const suffixes = onDemand<typeof Suffixes>('tldts', import.meta.url);

export type DmarcPolicy = 'none' | 'quarantine' | 'reject';

/** Domains of this message, by the method. */
export interface Identified {
  readonly spf: string | undefined;
  readonly dkim: readonly string[];
}

export interface Evidence {
  /** Those for which SPF passed, and those of signatures that hold. */
  readonly passed: Identified;
  /** Those of which that could not be found out. */
  readonly undecided: Identified;
}

export interface DmarcVerdict {
  readonly result: 'none' | 'pass' | 'fail' | 'temperror' | 'permerror';
  /** The domain in From, A-labels; empty where there is none. */
  readonly domain: string;
  /** Which vouches for it; where the policy is not known, whatever it may ask for. */
  readonly by?: 'spf' | 'dkim';
  /** What the owner publishes for this domain. */
  readonly published?: DmarcPolicy;
  /** What of it holds for this message, by `pct`. */
  readonly policy: DmarcPolicy;
  readonly reason?: string;
}

/** The domain that a registry hands out; the domain itself where it is such a suffix. */
export function organizationalDomain(domain: string): string {
  return suffixes().getDomain(domain, { allowPrivateDomains: true }) ?? domain;
}

export function aligned(one: string, other: string, strict: boolean): boolean {
  return one === other || (!strict && organizationalDomain(one) === organizationalDomain(other));
}

interface Record {
  readonly policy: DmarcPolicy;
  readonly sub: DmarcPolicy;
  readonly strictSpf: boolean;
  readonly strictDkim: boolean;
  /** 0 to 100. */
  readonly percent: number;
}

const policies: readonly string[] = ['none', 'quarantine', 'reject'] satisfies DmarcPolicy[];
const policyOf = (text: string | undefined): DmarcPolicy | undefined => {
  const lower = text?.toLowerCase();
  return lower !== undefined && policies.includes(lower) ? (lower as DmarcPolicy) : undefined;
};

/** Undefined: this is no policy. RFC 7489 §6.6.3; §6.3: syntax errors behind the version are passed over. */
export function readDmarcRecord(text: string): Record | undefined {
  const tags = parseTags(text, 'leniently');
  if (tags?.get('v') !== 'DMARC1' || [...tags.keys()][0] !== 'v') return undefined;
  const reports = /^[ \t]*mailto:/i.test(tags.get('rua') ?? '');
  const policy = policyOf(tags.get('p')) ?? (reports ? 'none' : undefined);
  const sub = tags.has('sp') ? policyOf(tags.get('sp')) : policy;
  if (policy === undefined || (sub === undefined && !reports)) return undefined;
  const percent = /^\d{1,3}$/.test(tags.get('pct') ?? '') ? Math.min(100, Number(tags.get('pct'))) : 100;
  const strict = (name: string): boolean => tags.get(name)?.toLowerCase() === 's';
  return { policy, sub: sub ?? 'none', strictSpf: strict('aspf'), strictDkim: strict('adkim'), percent };
}

export type Found = { readonly record: Record; readonly inherited: boolean } | 'none' | 'temporary';

/** What holds for a domain: its own record, or that of its organizational domain. */
export async function findPolicy(domain: string, lookup: Pick<Lookup, 'txt'>): Promise<Found> {
  for (const name of new Set([domain, organizationalDomain(domain)])) {
    const answer = await lookup.txt(`_dmarc.${name}`);
    if (answer.outcome === 'temporary') return 'temporary';
    const texts = answer.outcome === 'found' ? answer.records.filter((text) => /^v[ \t]*=[ \t]*DMARC1[ \t]*(;|$)/.test(text)) : [];
    if (texts.length === 1) {
      const record = readDmarcRecord(texts[0] as string);
      return record ? { record, inherited: name !== domain } : 'none';
    }
    if (texts.length > 1) return 'none';
  }
  return 'none';
}

/** What holds for a domain without a policy whose mail must be vouched for all the same. */
export const required: Found = {
  record: { policy: 'reject', sub: 'reject', strictSpf: false, strictDkim: false, percent: 100 },
  inherited: false,
};

/** Which method has a domain that is aligned with this one. */
function aligns({ spf, dkim }: Identified, domain: string, strict: { readonly spf: boolean; readonly dkim: boolean }): DmarcVerdict['by'] {
  if (dkim.some((one) => aligned(one, domain, strict.dkim))) return 'dkim';
  return spf !== undefined && aligned(spf, domain, strict.spf) ? 'spf' : undefined;
}

/** One domain of From. `found` may have been asked for before. */
export function judgeDomain(domain: string, found: Found, { passed, undecided }: Evidence, random: () => number): DmarcVerdict {
  if (found === 'temporary') {
    const by = aligns(passed, domain, { spf: true, dkim: true });
    return { result: 'temperror', domain, ...(by ? { by } : {}), policy: 'none', reason: 'the policy could not be looked up' };
  }
  if (found === 'none') return { result: 'none', domain, policy: 'none' };
  const { record, inherited } = found;
  const published = inherited ? record.sub : record.policy;
  const strict = { spf: record.strictSpf, dkim: record.strictDkim };
  const by = aligns(passed, domain, strict);
  if (by) return { result: 'pass', domain, by, published, policy: 'none' };
  // RFC 7489 §6.6.2: what could not be looked up might have vouched for it. Only what is aligned: else whoever forges mail would sign it
  // for a domain whose name servers keep silent.
  if (aligns(undecided, domain, strict))
    return { result: 'temperror', domain, published, policy: 'none', reason: 'SPF or DKIM could not be decided' };
  // RFC 7489 §6.6.4: mail that the percentage leaves out gets the next milder treatment.
  const applies = random() * 100 < record.percent;
  const milder: DmarcPolicy = published === 'reject' ? 'quarantine' : 'none';
  return { result: 'fail', domain, published, policy: applies ? published : milder };
}

/** Nobody has so many authors, and one that is not looked at could be anybody: as if its domain asked for the strictest. RFC 7489 §6.6.1 */
export const tooMany: DmarcVerdict = {
  result: 'fail',
  domain: '',
  policy: 'reject',
  reason: 'From names more domains than are looked at',
};

const severity = (verdict: DmarcVerdict): number =>
  verdict.result === 'fail' ? 10 + policies.indexOf(verdict.policy) : ['pass', 'none', 'permerror', 'temperror'].indexOf(verdict.result);

/** RFC 7489 §6.6.1: From with several domains is judged by each, and the strictest counts. */
export function strictest(verdicts: readonly DmarcVerdict[]): DmarcVerdict {
  const [first] = [...verdicts].sort((a, b) => severity(b) - severity(a));
  return first ?? { result: 'permerror', domain: '', policy: 'none', reason: 'there is no domain in From' };
}
