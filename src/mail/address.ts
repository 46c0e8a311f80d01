/**
 * Mail addresses as SMTP writes them.
 *
 * Promise: what `parseAddress` accepts, `formatAddress` writes back to the same mailbox; two spellings of one mailbox have one
 * `addressKey`. The local part is held as its meaning (unquoted); only formatting quotes. Comments and folding belong to headers.
 * Spec: RFC 5321 §4.1.2, §4.1.3, §4.5.3.1; RFC 6531 §3.3; RFC 5890 (A-labels)
 */

import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';

export interface Address {
  /** Unquoted. */
  readonly local: string;
  /** As given: a name (ASCII or U-labels) or a literal in brackets. */
  readonly domain: string;
}

/** RFC 5321 §4.5.3.1.1–3, in octets. */
const longestLocal = 64;
const longestDomain = 255;
const longestAddress = 254;

const dotAtom = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+)*$/u;
/** The same in ASCII alone: what nearly all are. */
const plainAtom = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const quoted = /^"(?:[\x20\x21\x23-\x5b\x5d-\x7e\u0080-\u{10ffff}]|\\[\x20-\x7e])*"$/u;
/** The underscore is not in RFC 1123, but in names that send mail. */
const labels = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const domainText = /^[A-Za-z0-9._\u0080-\u{10ffff}-]+$/u;
const asciiOnly = /^[\x00-\x7f]*$/;
/** C1 controls, separators and lone surrogates never belong into an address. */
const forbidden = /[\u0080-\u009f\u2028\u2029\ud800-\udfff]/u;

/** A domain name in lower-case A-labels, or an address literal; undefined where it is neither. */
export function normalizeDomain(domain: string): string | undefined {
  if (domain.startsWith('[')) return literal(domain);
  if (domain.length > longestDomain || domain === '') return undefined;
  if (labels.test(domain)) return domain;
  // domainToASCII drops line breaks and decodes percent signs: nothing but letters, digits, dots and hyphens gets there.
  if (!domainText.test(domain) || forbidden.test(domain)) return undefined;
  const ascii = asciiOnly.test(domain) ? domain.toLowerCase() : domainToASCII(domain.normalize('NFC'));
  if (ascii === '' || ascii.length > longestDomain) return undefined;
  return labels.test(ascii) ? ascii : undefined;
}

function literal(domain: string): string | undefined {
  if (!domain.endsWith(']') || domain.length > 64) return undefined;
  const inner = domain.slice(1, -1);
  if (isIPv4(inner)) return domain;
  if (/^ipv6:/i.test(inner) && isIPv6(inner.slice(5)) && !inner.includes('%')) return `[IPv6:${inner.slice(5).toLowerCase()}]`;
  return undefined;
}

/** What stands behind the `@` of an address that is known to be one, lower case. */
export const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1).toLowerCase();

/** The mailbox `text` names, or undefined where it is not `local-part@domain` by RFC 5321 and 6531. */
export function parseAddress(text: string): Address | undefined {
  const read = readAddress(text);
  return read && { local: read.local, domain: read.domain };
}

/** `name`: the domain in lower-case A-labels. */
function readAddress(text: string): (Address & { readonly name: string }) | undefined {
  const at = text.lastIndexOf('@');
  if (at < 1 || text.length > longestAddress) return undefined;
  const written = text.slice(0, at);
  const local = parseLocal(written);
  const domain = text.slice(at + 1);
  const name = local === undefined ? undefined : normalizeDomain(domain);
  if (local === undefined || name === undefined) return undefined;
  if (Buffer.byteLength(written) > longestLocal || Buffer.byteLength(text) > longestAddress) return undefined;
  return { local, domain, name };
}

function parseLocal(text: string): string | undefined {
  if (plainAtom.test(text)) return text;
  if (forbidden.test(text)) return undefined;
  if (dotAtom.test(text)) return text;
  if (!quoted.test(text)) return undefined;
  const inner = text.slice(1, -1).replace(/\\(.)/gs, '$1');
  // `""@domain` is legal by the grammar and means nobody.
  return inner === '' ? undefined : inner;
}

/** The local part as it must be written in a path or header: quoted where it needs to be. */
export function formatLocal(local: string): string {
  return plainAtom.test(local) || dotAtom.test(local) ? local : `"${local.replace(/[\\"]/g, '\\$&')}"`;
}

export function formatAddress(address: Address): string {
  return `${formatLocal(address.local)}@${address.domain}`;
}

/** Local part as it means, quoted only where needed, domain in lower-case A-labels; undefined where `text` is no address. */
export function normalizeAddress(text: string): string | undefined {
  const read = readAddress(text);
  return read && `${formatLocal(read.local)}@${read.name}`;
}

const composed = (text: string): string => (asciiOnly.test(text) ? text : text.normalize('NFC'));

/** What two spellings of one mailbox have in common: `normalizeAddress` in NFC, without regard to case. */
export function addressKey(text: string): string | undefined {
  const key = normalizeAddress(composed(text))?.toLowerCase();
  return key && composed(key);
}

/** Whether an address can only travel with SMTPUTF8. A non-ASCII domain alone can be written in A-labels. */
export function needsUtf8(address: string): boolean {
  return /[^\x00-\x7f]/.test(normalizeAddress(address) ?? address);
}

/** A path of MAIL FROM or RCPT TO and what follows it. */
export interface Path {
  /** Normalised; empty for `<>`; `postmaster` without a domain where only the bare name was given. */
  readonly address: string;
  /** The parameters behind it, trimmed. */
  readonly rest: string;
}

/**
 * Reads `<…>` with an optional source route, which is dropped (RFC 5321 §4.1.1.3, Appendix C). A missing pair of brackets is
 * tolerated. Undefined where it is not a path.
 */
export function parsePath(text: string): Path | undefined {
  const input = text.trimStart();
  const end = input.startsWith('<') ? closingBracket(input) : input.search(/\s|$/);
  if (end < 0 || end > 1000) return undefined;
  const bracketed = input.startsWith('<');
  let inner = bracketed ? input.slice(1, end) : input.slice(0, end);
  const rest = input.slice(bracketed ? end + 1 : end);
  if (rest !== '' && !/^\s/.test(rest)) return undefined;
  if (bracketed && inner === '') return { address: '', rest: rest.trim() };
  const route = /^(?:@[^@,:<>"\s]+,)*@[^@,:<>"\s]+:/.exec(inner);
  if (route) inner = inner.slice(route[0].length);
  if (inner.toLowerCase() === 'postmaster') return { address: 'postmaster', rest: rest.trim() };
  const address = normalizeAddress(inner);
  return address === undefined ? undefined : { address, rest: rest.trim() };
}

/** The `>` that is not inside a quoted local part. */
function closingBracket(input: string): number {
  let inQuotes = false;
  for (let i = 1; i < input.length && i <= 1000; i++) {
    const c = input[i];
    if (inQuotes && c === '\\') i++;
    else if (c === '"') inQuotes = !inQuotes;
    else if (c === '>' && !inQuotes) return i;
  }
  return -1;
}
