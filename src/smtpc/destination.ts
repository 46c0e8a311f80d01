/**
 * From a destination to the hosts that take its mail, in the order in which to try them.
 *
 * Promise: "there is nobody" (bounce) and "I could not find out" (defer) are never mixed up; among equal preferences the dice
 * decide; hosts that lead back to ourselves are left out, with those behind them.
 * Spec: RFC 5321 §5.1; RFC 7505 (null MX); RFC 3464 status codes of RFC 3463, RFC 7504
 */

import { isIP, isIPv6 } from 'node:net';
import type { MxRecord, Random, Resolver } from '../base/index.ts';

export interface Target {
  /** For greetings, logs and certificates. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

export type Plan =
  | { readonly kind: 'hosts'; readonly hosts: readonly { readonly name: string; readonly port: number }[] }
  | { readonly kind: 'bounce'; readonly status: string; readonly text: string }
  | { readonly kind: 'defer'; readonly text: string };

export interface PlanNeeds {
  readonly resolver: Resolver;
  readonly random: Random;
  /** Our own name. */
  readonly host: string;
  readonly port: number;
  /** `host`, `[address]`, each with `:port` where it is another; empty for none. */
  readonly relayHost: string;
}

/** More exchangers than this are not tried. */
const mostHosts = 20;

export async function planFor(destination: string, needs: PlanNeeds): Promise<Plan> {
  if (needs.relayHost !== '') return relay(needs.relayHost, needs.port);
  const literal = literalOf(destination);
  if (literal !== undefined) return { kind: 'hosts', hosts: [{ name: literal, port: needs.port }] };
  if (destination.startsWith('[')) return { kind: 'bounce', status: '5.1.2', text: `${destination} is not an address` };
  const answer = await needs.resolver.mx(destination);
  if (answer.outcome === 'temporary') return { kind: 'defer', text: answer.reason };
  if (answer.outcome === 'no-such-domain') return { kind: 'bounce', status: '5.1.2', text: `the domain ${destination} does not exist` };
  return answer.outcome === 'found' ? withMx(destination, answer.records, needs) : withoutMx(destination, needs);
}

function withoutMx(destination: string, needs: PlanNeeds): Plan {
  // RFC 5321 §5.1: the domain is its own exchanger. That it has an address is found out when it is tried.
  return destination.toLowerCase() === needs.host.toLowerCase()
    ? loop(destination)
    : { kind: 'hosts', hosts: [{ name: destination, port: needs.port }] };
}

const loop = (destination: string): Plan => ({ kind: 'bounce', status: '5.4.6', text: `mail for ${destination} leads back to this host` });

function withMx(destination: string, records: readonly MxRecord[], needs: PlanNeeds): Plan {
  if (records.every((one) => one.exchange === '')) {
    return { kind: 'bounce', status: '5.1.10', text: `the domain ${destination} takes no mail (null MX)` };
  }
  const shuffled = records.filter((one) => one.exchange !== '').map((one) => ({ ...one, dice: needs.random() }));
  shuffled.sort((a, b) => a.preference - b.preference || a.dice - b.dice);
  const own = shuffled.find((one) => one.exchange === needs.host.toLowerCase());
  const usable = own ? shuffled.filter((one) => one.preference < own.preference) : shuffled;
  if (usable.length === 0) return loop(destination);
  const names = [...new Set(usable.map((one) => one.exchange))].slice(0, mostHosts);
  return { kind: 'hosts', hosts: names.map((name) => ({ name, port: needs.port })) };
}

function relay(text: string, port: number): Plan {
  const match = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text);
  const name = match?.[1] ?? text;
  return { kind: 'hosts', hosts: [{ name: literalOf(name) ?? name.toLowerCase(), port: match?.[2] ? Number(match[2]) : port }] };
}

/** The IP address of an address literal (or of a bare IP address). */
function literalOf(text: string): string | undefined {
  const inside = /^\[(?:IPv6:)?(.+)\]$/i.exec(text)?.[1] ?? text;
  return isIP(inside) ? inside : undefined;
}

const mostAddresses = 8;

export type Located =
  | { readonly kind: 'found'; readonly targets: readonly Target[] }
  | { readonly kind: 'nowhere' | 'unknown'; readonly text: string };

/** The addresses of one host. `nowhere`: it has none, `unknown`: that could not be found out. */
export async function locate(host: { readonly name: string; readonly port: number }, resolver: Resolver): Promise<Located> {
  if (isIP(host.name)) {
    const shown = isIPv6(host.name) ? `[IPv6:${host.name}]` : `[${host.name}]`;
    return { kind: 'found', targets: [{ host: shown, address: host.name, port: host.port }] };
  }
  const answer = await resolver.addresses(host.name);
  if (answer.outcome === 'temporary') return { kind: 'unknown', text: answer.reason };
  if (answer.outcome !== 'found') return { kind: 'nowhere', text: `${host.name} has no address` };
  return {
    kind: 'found',
    targets: answer.records.slice(0, mostAddresses).map((address) => ({ host: host.name, address, port: host.port })),
  };
}
