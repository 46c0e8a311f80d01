/**
 * The TLSA records of a host that takes mail, where DNSSEC vouches for every step to them.
 *
 * Promise: "there are none" and "that could not be found out" are never mixed up: the second means that the host must not be used, or who
 * keeps us from asking could have any mail. Where a step is not secure there is no DANE.
 * Spec: RFC 7672 §2.1, §2.2
 */

import type { Resolver, TlsaRecord } from '../../base/index.ts';

export type TlsaFound =
  /** `base`: the name the records stand under; it is told in the handshake, and one that a certificate may have. */
  | { readonly kind: 'records'; readonly base: string; readonly records: readonly TlsaRecord[] }
  | { readonly kind: 'none'; readonly why: string }
  | { readonly kind: 'unknown'; readonly why: string };

type Needs = Pick<Resolver, 'addresses' | 'tlsa' | 'alias'>;

export async function tlsaOf(host: string, port: number, resolver: Needs): Promise<TlsaFound> {
  const located = await resolver.addresses(host);
  if (located.outcome === 'temporary') return { kind: 'unknown', why: located.reason };
  if (located.outcome !== 'found') return { kind: 'none', why: `${host} has no address` };
  const { canonical } = located;
  if (located.secure !== true) {
    // RFC 7672 §2.2.3: an alias that is secure itself may have records, wherever it leads.
    const alias = canonical === undefined ? undefined : await resolver.alias(host);
    if (alias?.outcome === 'temporary') return { kind: 'unknown', why: alias.reason };
    if (alias?.outcome !== 'found' || alias.secure !== true) return { kind: 'none', why: `the addresses of ${host} are not signed` };
    return recordsAt(host, port, resolver);
  }
  if (canonical === undefined) return recordsAt(host, port, resolver);
  const there = await recordsAt(canonical, port, resolver);
  return there.kind === 'none' ? recordsAt(host, port, resolver) : there;
}

async function recordsAt(base: string, port: number, resolver: Needs): Promise<TlsaFound> {
  const owner = `_${port}._tcp.${base}`;
  const answer = await resolver.tlsa(owner);
  if (answer.outcome === 'temporary') return { kind: 'unknown', why: answer.reason };
  if (answer.outcome !== 'found') return { kind: 'none', why: `there are no TLSA records at ${owner}` };
  if (answer.secure !== true) return { kind: 'none', why: `the TLSA records at ${owner} are not signed` };
  return { kind: 'records', base, records: answer.records };
}
