/**
 * An envelope address in the form routing works with.
 *
 * The domain is a lower-case A-label or an address literal; the local part keeps its case, and is quoted only where it must be. A source
 * route is dropped; `%` and `!` in a local part are letters like others, so nobody is reached through them.
 * Spec: RFC 5321 §4.1.2, §2.4, §3.6.1, Appendix C; RFC 5890; RFC 6531 §3.3
 */

import { domainToASCII } from 'node:url';
import { addressKey, normalizeAddress } from '../mail/index.ts';

export interface SplitAddress {
  readonly local: string;
  readonly domain: string;
  /** `local@domain`. */
  readonly address: string;
  /** What was done to get there: a source route was dropped, the default domain added. */
  readonly notes?: readonly string[];
}

const longest = 512;
const literal = /^\[[0-9A-Za-z.:-]{1,100}\]$/;
const labels = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const sourceRoute = /^(?:@[^@,:<>"\s]+,)*@[^@,:<>"\s]+:/;

/** Lower-case A-label form; undefined for what is no domain name. */
export function normalDomain(given: string): string | undefined {
  if (given.startsWith('[') && literal.test(given)) return given.toLowerCase();
  const bare = given.endsWith('.') ? given.slice(0, -1) : given;
  const lower = bare.toLowerCase();
  const ascii = /^[\x21-\x7e]+$/.test(lower) ? lower : domainToASCII(lower.normalize('NFC'));
  if (ascii === '' || ascii.length > 253) return undefined;
  return labels.test(ascii) ? ascii : undefined;
}

/** Splits at the last `@`; an address without a domain is one of `defaultDomain`. Undefined: not an address. */
export function splitAddress(given: string, defaultDomain: string): SplitAddress | undefined {
  if (given.length > longest || /[\u0000-\u001f\u007f]/.test(given)) return undefined;
  const route = sourceRoute.exec(given)?.[0] ?? '';
  const path = given.slice(route.length);
  const at = path.lastIndexOf('@');
  const local = at < 0 ? path : path.slice(0, at);
  const domain = normalDomain(at < 0 ? defaultDomain : path.slice(at + 1));
  if (local === '' || domain === undefined) return undefined;
  const plain = plainLocal(local);
  const notes = [
    ...(route === '' ? [] : [`the source route ${route} is dropped`]),
    ...(at < 0 ? [`without a domain it is one of ${domain}`] : []),
  ];
  return { local: plain, domain, address: `${plain}@${domain}`, ...(notes.length > 0 ? { notes } : {}) };
}

/** `"bart"` is bart. What RFC 5321 would not let through is left as it was given: nobody has it. */
function plainLocal(local: string): string {
  if (!local.startsWith('"')) return local;
  return normalizeAddress(`${local}@x`)?.slice(0, -2) ?? local;
}

/** `user+detail` without its detail (RFC 5233 §1); undefined where there is none. */
export function withoutDetail({ local, domain }: SplitAddress): string | undefined {
  const plus = local.indexOf('+');
  return plus < 1 || local.startsWith('"') ? undefined : `${local.slice(0, plus)}@${domain}`;
}

/** The IP address in an address literal (`[192.0.2.1]`, `[ipv6:…]`); undefined for a name. */
export const literalAddress = (domain: string): string | undefined =>
  domain.startsWith('[') ? /^\[(?:ipv6:)?([0-9a-f.:]+)\]$/i.exec(domain)?.[1] : undefined;

/** How addresses are compared within one routing: without regard to case and composition, as the directory does. */
export const sameness = (address: string): string => addressKey(address) ?? address.toLowerCase();
