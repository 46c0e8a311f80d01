/**
 * What encryption mail to a host must have, and who says so.
 *
 * In this order: what is agreed with the peer; DANE of the host; MTA-STS of the domain; the general setting. A peer with `off` or
 * `opportunistic` has no more than that; `required` and `verified` are the least, and DANE and MTA-STS come on top. Where encryption is off
 * altogether nothing is looked up.
 * Spec: RFC 7672 §2, RFC 8461 §2 (DANE goes before), §5; RFC 8460 §3 (reports go out whatever fails)
 */

import { isIP } from 'node:net';
import { type Resolver, severalAtOnce } from '../../base/index.ts';
import type { Peer } from '../../dit/index.ts';
import type { RelayHost } from '../relays.ts';
import type { SmtpcSettings } from '../settings/index.ts';
import { strongest, tlsaText, usable } from './dane.ts';
import type { AppliedPolicy, FailedSession } from './results.ts';
import type { KeptPolicy, StsFound } from './sts.ts';
import { allowsMx } from './sts-policy.ts';
import { type TlsaFound, tlsaOf } from './tlsa-lookup.ts';
import { type Check, type Demand, unverified } from './verify.ts';

export interface Wish {
  readonly peer: Peer;
  readonly settings: SmtpcSettings;
  /** The host is a relay host of ours, with a word of its own: the domain's policies mean other hosts. */
  readonly relay?: RelayHost['tls'] | undefined;
  /** The way stands in the host table: what the DNS says of the domain means other hosts. */
  readonly table?: boolean | undefined;
  /** Whatever is encrypted is good, and so is what is not. */
  readonly lax?: boolean;
}

export interface HostDemand extends Demand {
  readonly policy: AppliedPolicy;
}

/** This host must not have the mail now. */
export interface Unusable {
  readonly unusable: string;
  readonly policy: AppliedPolicy;
  readonly failure: FailedSession;
}

/** What holds for the whole destination. */
export interface DestinationPolicy {
  readonly domain: string;
  readonly least: Least;
  readonly sts: StsFound;
  /** Whether DANE may be: the way to the hosts is secure. */
  readonly secureWay: boolean;
  readonly why: string;
  hostDemand(host: string, port: number): Promise<HostDemand | Unusable>;
}

interface Least {
  readonly tls: Demand['tls'];
  readonly verify: boolean;
  /** DANE and MTA-STS are asked. */
  readonly published: boolean;
  readonly by: string;
  readonly atOnce?: boolean;
}

export interface PolicyNeeds {
  readonly resolver: Resolver;
  readonly stsOf: (domain: string) => Promise<StsFound>;
}

const nothing: AppliedPolicy = { type: 'no-policy-found', text: [], mx: [] };

export function leastOf(wish: Wish): Least {
  const least = strictly(wish);
  if (!wish.lax) return { ...least, published: least.published && !wish.table };
  // Encrypted from the first octet, or not understood at all.
  const tls = least.tls === 'required' && !least.atOnce ? 'opportunistic' : least.tls;
  return { ...least, tls, verify: false, published: false, by: 'a report goes out in any case' };
}

function strictly({ peer, settings, relay }: Wish): Least {
  const own = relay !== undefined && relay !== 'smtpc';
  const word = own ? relay : peer.tls;
  const by = own ? 'what is set for the relay host' : `mtPeerTls of ${peer.saidBy.tls ?? 'the default for peers'}`;
  if (word === 'off' || word === 'opportunistic') return { tls: word, verify: false, published: false, by };
  if (word === 'verified' || word === 'tls') return { tls: 'required', verify: true, published: true, by, atOnce: word === 'tls' };
  if (word === 'required') return { tls: word, verify: settings.tlsVerify, published: true, by };
  const required = settings.tls === 'required';
  return { tls: settings.tls, verify: required && settings.tlsVerify, published: settings.tls !== 'off', by: 'mtSmtpcTls of cn=smtpc' };
}

export async function policyFor(destination: string, wish: Wish, needs: PolicyNeeds): Promise<DestinationPolicy> {
  const least = leastOf(wish);
  const { settings } = wish;
  const relay = wish.relay !== undefined;
  const literal = destination.startsWith('[') || isIP(destination) !== 0;
  const daneWanted = least.published && settings.dane && settings.dnssec !== 'none' && !literal;
  const stsWanted = least.published && settings.sts && !literal && !relay;
  const none: StsFound = {};
  const [sts, way] = await Promise.all([
    stsWanted ? needs.stsOf(destination) : none,
    daneWanted ? wayTo(destination, relay, needs.resolver) : notAsked,
  ]);
  return {
    domain: destination,
    least,
    sts,
    secureWay: way.kind === 'secure' || way.kind === 'relay',
    why: way.why,
    async hostDemand(host, port) {
      const name = bare(host);
      const found = isIP(name) ? { kind: 'none' as const, why: `${host} has no name` } : await recordsFor(name, port, way, needs.resolver);
      const demand = demandOf({ destination, host: name, port, least, found, policy: sts.policy, meant: way.names });
      return 'unusable' in demand || !least.atOnce ? demand : { ...demand, atOnce: true };
    },
  };
}

/** `[192.0.2.1]` and `[IPv6:2001:db8::1]` without their brackets. */
const bare = (host: string): string => /^\[(?:IPv6:)?(.+)\]$/i.exec(host)?.[1] ?? host;

interface Way {
  readonly kind: 'secure' | 'insecure' | 'unknown' | 'relay';
  readonly why: string;
  /** What the certificate of an exchanger may be for beside its own name: the domain, and what that is an alias of. */
  readonly names: readonly string[];
}

const notAsked: Way = { kind: 'insecure', why: 'DANE is not asked for', names: [] };

/** Whether the DNS vouches for which hosts take the mail of a domain (RFC 7672 §2.2.1). */
async function wayTo(destination: string, relay: boolean, resolver: Resolver): Promise<Way> {
  if (relay) return { kind: 'relay', why: 'the relay host stands in the settings', names: [] };
  const mx = await resolver.mx(destination);
  if (mx.outcome === 'temporary') return { kind: 'unknown', why: mx.reason, names: [] };
  if (mx.secure !== true) {
    const why = `the mail exchangers of ${destination} are not signed, or nobody who is believed has validated them (mtSmtpcDnssec)`;
    return { kind: 'insecure', why, names: [] };
  }
  const names = [destination.toLowerCase(), ...(mx.canonical === undefined ? [] : [mx.canonical])];
  return { kind: 'secure', why: `the mail exchangers of ${destination} are signed`, names };
}

async function recordsFor(name: string, port: number, { kind, why }: Way, resolver: Resolver): Promise<TlsaFound> {
  if (kind === 'insecure') return { kind: 'none', why };
  if (kind === 'unknown') return { kind: 'unknown', why };
  // The address of a relay host may stand in the host table, where it is good while the DNS is away.
  if (kind === 'relay') {
    const addresses = await resolver.addresses(name);
    if (addresses.outcome === 'temporary') return { kind: 'none', why: addresses.reason };
  }
  return await tlsaOf(name, port, resolver);
}

interface Case {
  readonly destination: string;
  readonly host: string;
  readonly port: number;
  readonly least: Least;
  readonly found: TlsaFound;
  readonly policy: KeptPolicy | undefined;
  readonly meant: readonly string[];
}

function demandOf(about: Case): HostDemand | Unusable {
  const { host, found } = about;
  if (found.kind === 'unknown') {
    const text = `it cannot be found out whether ${host} has TLSA records: ${found.why}`;
    return { unusable: text, policy: { type: 'tlsa', text: [], mx: [] }, failure: { type: 'dnssec-invalid', text, mxHost: host } };
  }
  return found.kind === 'records' ? byDane(about, found) : byPolicy(about);
}

function byDane(about: Case, found: Extract<TlsaFound, { kind: 'records' }>): HostDemand | Unusable {
  const { meant, port } = about;
  const { base, records } = found;
  const text = records.map((one) => `_${port}._tcp.${base}. IN TLSA ${tlsaText(one)}`);
  const policy: AppliedPolicy = { type: 'tlsa', text, mx: [] };
  const counted = strongest(records.filter(usable));
  // RFC 7672 §2.2: records that cannot be used still say that there is encryption. They judge no certificate, so what else does counts.
  if (counted.length === 0) {
    const rest = byPolicy(about);
    if ('unusable' in rest) return rest;
    const by = `${rest.by}; TLSA records of ${base}, none of which can be used`;
    return { ...rest, tls: 'required', by, policy: rest.policy.type === 'sts' ? rest.policy : policy };
  }
  // RFC 7672 §3.2.2
  const names = [...new Set([base, ...meant])];
  return {
    tls: 'required',
    check: { kind: 'dane', names, records: counted },
    servername: base,
    by: `DANE: TLSA records of ${base}`,
    policy,
  };
}

function byPolicy({ destination, host, least, policy: sts }: Case): HostDemand | Unusable {
  const servername = isIP(host) ? undefined : host;
  const usual: Check = least.verify ? { kind: 'pkix', names: [host], enforced: true } : unverified([host]);
  if (!sts || sts.mode === 'none') return { tls: least.tls, check: usual, servername, by: least.by, policy: nothing };
  const policy: AppliedPolicy = { type: 'sts', text: sts.lines, mx: sts.mx };
  const allowed = allowsMx(sts, host);
  if (sts.mode === 'enforce') {
    const by = `MTA-STS: policy ${sts.id} of ${destination}`;
    if (allowed) return { tls: 'required', check: { kind: 'sts', names: [host], enforced: true }, servername, by, policy };
    const text = `${host} is none of the hosts in the MTA-STS policy of ${destination}`;
    return { unusable: text, policy, failure: { type: 'validation-failure', text, mxHost: host } };
  }
  const by = `${least.by}; the MTA-STS policy of ${destination} is in testing`;
  const check: Check = least.verify ? usual : { kind: 'sts', names: allowed ? [host] : [], enforced: false };
  return { tls: least.tls, check, servername, by, policy };
}

/** Each host with what it must have, for people. */
export async function hostDemands(
  policy: DestinationPolicy,
  hosts: readonly { readonly name: string; readonly port: number }[],
): Promise<(HostDemand | Unusable)[]> {
  return await severalAtOnce(hosts, 5, ({ name, port }) => policy.hostDemand(name, port));
}
