/**
 * From a destination to the hosts that take its mail, in the order in which to try them.
 *
 * Promise: "there is nobody" and "I could not find out" are never mixed up; among equal preferences the dice decide; hosts that lead
 * back to ourselves are left out, with those behind them. Whether a name nobody knows goes to a relay host or back is reach.ts's business.
 * Spec: RFC 5321 §5.1; RFC 7505 (null MX); RFC 3464 status codes of RFC 3463, RFC 7504. Source: manual chapter 6 "Mail Routing Handling"
 */

import { isIP, isIPv6 } from 'node:net';
import type { DnsAnswer, MxRecord, Random, Resolver } from '../base/index.ts';
import type { HostTable } from './host-table.ts';
import type { NameResolution } from './settings/routing.ts';

export interface Target {
  /** For greetings, logs and certificates. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

export interface Host {
  readonly name: string;
  readonly port: number;
  /** The smaller, the sooner; hosts of one rank may be tried in any order. */
  readonly rank: number;
}

export type Plan =
  /** `table`: it stands in the host table. */
  | { readonly kind: 'hosts'; readonly hosts: readonly Host[]; readonly table?: true }
  | { readonly kind: 'bounce'; readonly status: string; readonly text: string }
  /** No such name, by all means there are; a relay host may know better. */
  | { readonly kind: 'unknown'; readonly status: string; readonly text: string }
  | { readonly kind: 'defer'; readonly text: string };

export interface NameNeeds {
  readonly resolver: Pick<Resolver, 'mx' | 'addresses'>;
  readonly table: HostTable;
  readonly resolution: NameResolution;
}

export interface PlanNeeds extends NameNeeds {
  readonly random: Random;
  /** Our own name. */
  readonly host: string;
  readonly port: number;
}

/** More exchangers than this are not tried. */
const mostHosts = 20;

/** The way to a destination by its own name; relay hosts are not thought of. */
export async function planFor(destination: string, needs: PlanNeeds): Promise<Plan> {
  const literal = literalOf(destination);
  if (literal !== undefined) return itself(literal, needs);
  if (destination.startsWith('[')) return { kind: 'bounce', status: '5.1.2', text: `${destination} is not an address` };
  const { resolution } = needs;
  if (resolution === 'HostTableOnly' || resolution === 'HostTableThenDNS') {
    const answer = await needs.table.addresses(destination);
    if (answer.outcome === 'found') return fromTable(destination, needs);
    if (answer.outcome === 'unreadable') return { kind: 'defer', text: answer.why };
    if (resolution === 'HostTableOnly')
      return { kind: 'unknown', status: '5.1.2', text: `the domain ${destination} is not in the host table` };
  }
  const plan = await byDns(destination, needs);
  if (resolution !== 'DNSThenHostTable' || (plan.kind !== 'unknown' && plan.kind !== 'defer')) return plan;
  const answer = await needs.table.addresses(destination);
  if (answer.outcome === 'found') return fromTable(destination, needs);
  return answer.outcome === 'unreadable' && plan.kind === 'unknown' ? { kind: 'defer', text: answer.why } : plan;
}

const fromTable = (name: string, { port }: PlanNeeds): Plan => ({ kind: 'hosts', hosts: [{ name, port, rank: 0 }], table: true });

const itself = (name: string, { port }: PlanNeeds): Plan => ({ kind: 'hosts', hosts: [{ name, port, rank: 0 }] });

async function byDns(destination: string, needs: PlanNeeds): Promise<Plan> {
  const answer = await needs.resolver.mx(destination);
  if (answer.outcome === 'temporary') return { kind: 'defer', text: answer.reason };
  if (answer.outcome === 'no-such-domain') return { kind: 'unknown', status: '5.1.2', text: `the domain ${destination} does not exist` };
  if (answer.outcome === 'found') return withMx(destination, answer.records, needs);
  // RFC 5321 §5.1: the domain is its own exchanger. That it has an address is found out when it is tried.
  return destination.toLowerCase() === needs.host.toLowerCase() ? loop(destination) : itself(destination, needs);
}

const loop = (destination: string): Plan => ({ kind: 'bounce', status: '5.4.6', text: `mail for ${destination} leads back to this host` });

function withMx(destination: string, records: readonly MxRecord[], needs: PlanNeeds): Plan {
  if (records.every((one) => one.exchange === '')) {
    return { kind: 'bounce', status: '5.1.10', text: `the domain ${destination} takes no mail (null MX)` };
  }
  // RFC 5321 §5.1: a name. An address where the name should be names nobody; a null MX among others means nothing (RFC 7505 §3).
  const named = records.filter((one) => one.exchange !== '' && isIP(one.exchange) === 0);
  if (named.length === 0)
    return { kind: 'unknown', status: '5.4.4', text: `the mail exchangers of ${destination} are addresses where names should be` };
  const shuffled = named.map((one) => ({ ...one, dice: needs.random() }));
  shuffled.sort((a, b) => a.preference - b.preference || a.dice - b.dice);
  const own = shuffled.find((one) => one.exchange === needs.host.toLowerCase());
  const usable = own ? shuffled.filter((one) => one.preference < own.preference) : shuffled;
  if (usable.length === 0) return loop(destination);
  const hosts = new Map<string, Host>();
  for (const { exchange, preference } of usable)
    if (!hosts.has(exchange)) hosts.set(exchange, { name: exchange, port: needs.port, rank: preference });
  return { kind: 'hosts', hosts: [...hosts.values()].slice(0, mostHosts) };
}

/** `host`, `[address]`, each with `:port` where it is another. */
export function hostOf(text: string, port: number): Host {
  const match = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text);
  const name = match?.[1] ?? text;
  return { name: literalOf(name) ?? name.toLowerCase(), port: match?.[2] ? Number(match[2]) : port, rank: 0 };
}

/** The IP address of an address literal (or of a bare IP address). */
function literalOf(text: string): string | undefined {
  const inside = /^\[(?:IPv6:)?(.+)\]$/i.exec(text)?.[1] ?? text;
  return isIP(inside) && !inside.includes('%') ? inside : undefined;
}

const mostAddresses = 8;

export type Family = 'ipv4-first' | 'ipv6-first' | 'ipv4-only' | 'ipv6-only';

export type Located =
  | { readonly kind: 'found'; readonly targets: readonly Target[] }
  | { readonly kind: 'nowhere' | 'unknown'; readonly text: string };

/** The addresses of one host. `nowhere`: it has none that can be used, `unknown`: that could not be found out. */
export async function locate(host: Pick<Host, 'name' | 'port'>, family: Family, needs: NameNeeds): Promise<Located> {
  if (isIP(host.name)) {
    const shown = isIPv6(host.name) ? `[IPv6:${host.name}]` : `[${host.name}]`;
    return { kind: 'found', targets: [{ host: shown, address: host.name, port: host.port }] };
  }
  const answer = await addressesOf(host.name, needs);
  if (answer.outcome === 'temporary') return { kind: 'unknown', text: answer.reason };
  if (answer.outcome !== 'found') return { kind: 'nowhere', text: `${host.name} has no address` };
  const addresses = inOrder(answer.records, family);
  if (addresses.length === 0)
    return { kind: 'nowhere', text: `${host.name} has no ${family === 'ipv4-only' ? 'IPv4' : 'IPv6'} address, and others are not used` };
  return {
    kind: 'found',
    targets: addresses.slice(0, mostAddresses).map((address) => ({ host: host.name, address, port: host.port })),
  };
}

/** Both kinds by turns, so that neither waits behind many dead ones of the other (RFC 8305 §4). */
function inOrder(addresses: readonly string[], family: Family): string[] {
  const six = addresses.filter((one) => isIPv6(one));
  const four = addresses.filter((one) => !isIPv6(one));
  if (family === 'ipv4-only') return four;
  if (family === 'ipv6-only') return six;
  const [first, second] = family === 'ipv4-first' ? [four, six] : [six, four];
  return Array.from({ length: Math.max(four.length, six.length) }, (_, n) =>
    [first[n], second[n]].filter((one) => one !== undefined),
  ).flat();
}

/** By table and DNS in the order of the setting; the name of a relay host may stand in either, whatever the setting. */
async function addressesOf(name: string, { resolver, table, resolution }: NameNeeds): Promise<DnsAnswer<string>> {
  const fromTable = async (): Promise<DnsAnswer<string>> => {
    const answer = await table.addresses(name);
    if (answer.outcome === 'found') return { outcome: 'found', records: answer.addresses, ttl: 0 };
    return answer.outcome === 'none' ? { outcome: 'none', ttl: 0 } : { outcome: 'temporary', reason: answer.why };
  };
  if (resolution === 'DNSOnly') return resolver.addresses(name);
  if (resolution === 'HostTableOnly') return fromTable();
  const [first, second] =
    resolution === 'DNSThenHostTable' ? [() => resolver.addresses(name), fromTable] : [fromTable, () => resolver.addresses(name)];
  const answer = await first();
  if (answer.outcome === 'found') return answer;
  const other = await second();
  // "There is none" counts only where both say so.
  return other.outcome === 'found' || answer.outcome !== 'temporary' ? other : answer;
}
