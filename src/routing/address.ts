/**
 * An envelope address in the form routing works with.
 *
 * The domain is a lower-case A-label or an address literal; the local part stays as it was given.
 * Spec: RFC 5321 §4.1.2, §2.4; RFC 5890
 */

import { domainToASCII } from 'node:url';

export interface SplitAddress {
  readonly local: string;
  readonly domain: string;
  /** `local@domain`. */
  readonly address: string;
}

const longest = 512;
const literal = /^\[[0-9A-Za-z.:-]{1,100}\]$/;
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Lower-case A-label form; undefined for what is no domain name. */
export function normalDomain(given: string): string | undefined {
  if (literal.test(given)) return given.toLowerCase();
  const bare = given.endsWith('.') ? given.slice(0, -1) : given;
  const lower = bare.toLowerCase();
  const ascii = /^[\x21-\x7e]+$/.test(lower) ? lower : domainToASCII(lower);
  if (ascii === '' || ascii.length > 253) return undefined;
  return ascii.split('.').every((part) => label.test(part)) ? ascii : undefined;
}

/** Splits at the last `@`; an address without a domain is one of `defaultDomain`. Undefined: not an address. */
export function splitAddress(given: string, defaultDomain: string): SplitAddress | undefined {
  if (given.length > longest || /[\u0000-\u001f\u007f]/.test(given)) return undefined;
  const at = given.lastIndexOf('@');
  const local = at < 0 ? given : given.slice(0, at);
  const domain = normalDomain(at < 0 ? defaultDomain : given.slice(at + 1));
  if (local === '' || domain === undefined) return undefined;
  return { local, domain, address: `${local}@${domain}` };
}

/** `user+detail` without its detail (RFC 5233 §1); undefined where there is none. */
export function withoutDetail({ local, domain }: SplitAddress): string | undefined {
  const plus = local.indexOf('+');
  return plus < 1 || local.startsWith('"') ? undefined : `${local.slice(0, plus)}@${domain}`;
}

/** How addresses are compared within one routing: without regard to case, as the directory does. */
export const sameness = (address: string): string => address.toLowerCase();
