/**
 * SPF: whether a host may send for a domain.
 *
 * The evaluation of records is mailauth's; the DNS is asked through our resolver, temporary errors are carried through
 * (resolver.ts), and the limits are the RFC's.
 * Spec: RFC 7208 §2.3, §2.4, §4.6.4; RFC 8601 §2.7.2
 */

import { onDemand } from '../base/index.ts';
import { normalizeDomain } from '../mail/index.ts';
import { type Lookup, nodeResolve } from './resolver.ts';
import { isSpf } from './spf-record.ts';

export const spfResults = ['none', 'neutral', 'pass', 'fail', 'softfail', 'temperror', 'permerror'] as const;
export type SpfResult = (typeof spfResults)[number];

export interface SpfVerdict {
  readonly result: SpfResult;
  /** Whose record it was: A-labels. */
  readonly domain: string;
  /** What was checked, as it was said. */
  readonly identity: string;
  readonly of: 'mailfrom' | 'helo';
  readonly reason?: string;
}

interface MailauthSpf {
  spf(options: {
    sender: string;
    ip: string;
    helo: string;
    mta: string;
    maxResolveCount: number;
    maxVoidCount: number;
    resolver: unknown;
  }): Promise<{ status: { result: string } }>;
}

const mailauth = onDemand<MailauthSpf>('mailauth/lib/spf/index.js', import.meta.url);

export interface SpfClient {
  readonly address: string;
  readonly helo: string;
  /** Empty is the null sender. */
  readonly sender: string;
}

/** RFC 7208 §4.6.4 */
const mostLookups = 10;
const mostVoid = 2;

async function check(client: SpfClient, sender: string, domain: string, host: string, lookup: Lookup): Promise<SpfResult> {
  // Most names in HELO have no record: that is known without an evaluation, and the answer is remembered.
  const own = await lookup.txt(domain);
  if (own.outcome === 'temporary') return 'temperror';
  if (own.outcome !== 'found' || !own.records.some(isSpf)) return 'none';
  const answer = await mailauth().spf({
    sender,
    ip: client.address,
    helo: client.helo,
    mta: host,
    maxResolveCount: mostLookups,
    maxVoidCount: mostVoid,
    resolver: nodeResolve(lookup),
  });
  const result = spfResults.find((one) => one === answer.status.result);
  return result ?? 'temperror';
}

const nameOf = (text: string): string | undefined => {
  const name = text.startsWith('[') ? undefined : normalizeDomain(text.replace(/\.$/, ''));
  return name?.includes('.') ? name : undefined;
};

type Checked = Pick<SpfVerdict, 'domain' | 'identity' | 'of'>;

/** RFC 7208 §2.4: the sender of the envelope; of the null sender, the postmaster at the name in HELO. */
export function checkedOf({ sender, helo }: SpfClient): Checked {
  const of = sender === '' ? 'helo' : 'mailfrom';
  const identity = sender === '' ? helo : sender;
  return { of, identity, domain: nameOf(identity.slice(identity.lastIndexOf('@') + 1)) ?? '' };
}

async function verdict(about: Checked, client: SpfClient, host: string, lookup: Lookup): Promise<SpfVerdict> {
  // Nothing can be said where that is no name.
  if (about.domain === '') return { ...about, result: 'none' };
  const local = about.of === 'helo' ? 'postmaster' : about.identity.slice(0, about.identity.lastIndexOf('@'));
  return { ...about, result: await check(client, `${local}@${about.domain}`, about.domain, host, lookup) };
}

export const checkSender = (client: SpfClient, host: string, lookup: Lookup): Promise<SpfVerdict> =>
  verdict(checkedOf(client), client, host, lookup);

export const checkHelo = (client: SpfClient, host: string, lookup: Lookup): Promise<SpfVerdict> =>
  verdict(checkedOf({ ...client, sender: '' }), client, host, lookup);
