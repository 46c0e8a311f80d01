/**
 * The argument of MAIL FROM and RCPT TO: path and ESMTP parameters, read strictly.
 *
 * Promise: what comes out is one address with its domain as a lower-case A-label, and no control character, blank or angle
 * bracket that was not inside a quoted local part; a source route is dropped; nothing behind a `%`, a `!` or a quote is ever
 * taken for a domain. Bounded work, no backtracking.
 * Spec: RFC 5321 §4.1.2, §4.5.3.1, Appendix C; RFC 6531 §3.3; RFC 3461 §4 (xtext)
 */

import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';

export interface Path {
  /** Local part as given (quotes removed where they were not needed), `@`, domain in lower-case A-label form. */
  readonly address: string;
  readonly local: string;
  /** Undefined: the address had none. */
  readonly domain: string | undefined;
  /** As given it is not ASCII, the domain included. */
  readonly utf8: boolean;
}

export interface AddressCommand {
  /** Undefined is the null path `<>`. */
  readonly path: Path | undefined;
  /** Keywords in upper case; a keyword without a value has undefined. */
  readonly parameters: ReadonlyMap<string, string | undefined>;
}

/** Why an argument cannot be taken: `path` is the address, `syntax` everything else. */
export interface Unreadable {
  readonly wrong: 'path' | 'syntax' | 'parameter';
  readonly say: string;
}

const maxLocal = 64;
const maxDomain = 255;
const maxPath = 254;
const maxParameters = 20;

const octets = (text: string): number => Buffer.byteLength(text);
const isUnreadable = (value: object | undefined): value is Unreadable => value !== undefined && 'wrong' in value;

export { isUnreadable };

/** With what is not seen, ends lines, or turns the direction of text around. */
const controls = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd]/;
const atom = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a0-\u{10ffff}]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a0-\u{10ffff}]+)*$/u;
const label = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;
const keyword = /^[A-Za-z0-9][A-Za-z0-9-]*$/;
const parameterValue = /^[^=\s]+$/;

/** Reads what stands behind `MAIL` or `RCPT`: `FROM:<path> parameters`. `word` is `FROM` or `TO`. */
export function parseAddressCommand(argument: string, word: 'FROM' | 'TO'): AddressCommand | Unreadable {
  if (controls.test(argument)) return { wrong: 'syntax', say: 'control characters are not allowed' };
  if (argument.slice(0, word.length + 1).toUpperCase() !== `${word}:`) return { wrong: 'syntax', say: `say ${word}:<address>` };
  const text = argument.slice(word.length + 1).trim();
  if (text[0] !== '<') return { wrong: 'syntax', say: 'the address must stand between < and >' };
  const end = closingBracket(text);
  if (end < 0) return { wrong: 'syntax', say: 'the address must stand between < and >' };
  const parameters = parseParameters(text.slice(end + 1));
  if (isUnreadable(parameters)) return parameters;
  const inside = text.slice(1, end);
  if (inside === '') return { path: undefined, parameters };
  const path = parsePath(inside);
  return isUnreadable(path) ? path : { path, parameters };
}

/** Index of the `>` that ends the path: one inside a quoted local part does not. */
function closingBracket(text: string): number {
  let quoted = false;
  for (let i = 1; i < text.length; i += 1) {
    const c = text[i];
    if (quoted && c === '\\') i += 1;
    else if (c === '"') quoted = !quoted;
    else if (c === '>' && !quoted) return i;
    else if (c === '<' && !quoted) return -1;
  }
  return -1;
}

function parseParameters(text: string): ReadonlyMap<string, string | undefined> | Unreadable {
  const parameters = new Map<string, string | undefined>();
  if (text !== '' && !/^\s/.test(text)) return { wrong: 'syntax', say: 'a blank must follow the address' };
  const words = text.split(' ').filter((one) => one !== '');
  if (words.length > maxParameters) return { wrong: 'parameter', say: 'too many parameters' };
  for (const one of words) {
    const equals = one.indexOf('=');
    const key = (equals < 0 ? one : one.slice(0, equals)).toUpperCase();
    const value = equals < 0 ? undefined : one.slice(equals + 1);
    if (!keyword.test(key) || (value !== undefined && !parameterValue.test(value)))
      return { wrong: 'parameter', say: 'malformed parameter' };
    if (parameters.has(key)) return { wrong: 'parameter', say: `parameter ${key} given twice` };
    parameters.set(key, value);
  }
  return parameters;
}

/** What MAIL and RCPT have against the spelling of an address; undefined: nothing. */
export function spellingProblem(text: string): string | undefined {
  const path = parsePath(text);
  return isUnreadable(path) ? path.say : undefined;
}

/** One path without its brackets. */
export function parsePath(text: string): Path | Unreadable {
  const bad = (say: string): Unreadable => ({ wrong: 'path', say });
  // RFC 5321 Appendix C: a source route is to be ignored.
  const route = text[0] === '@' ? text.indexOf(':') : -1;
  if (text[0] === '@' && (route < 0 || !/^@[^\s,:@]+(?:,@[^\s,:@]+)*$/.test(text.slice(0, route)))) return bad('malformed source route');
  const mailbox = route < 0 ? text : text.slice(route + 1);
  const split = splitLocal(mailbox);
  if (!split) return bad('malformed address');
  const local = readLocal(split.local);
  if (local === undefined) return bad('malformed local part');
  if (octets(local) > maxLocal) return bad('the local part is too long');
  const utf8 = /[^\u0000-\u007f]/.test(mailbox);
  if (split.domain === undefined) return { address: local, local, domain: undefined, utf8 };
  const domain = readDomain(split.domain);
  if (domain === undefined) return bad('malformed domain');
  const address = `${local}@${domain}`;
  if (octets(address) > maxPath) return bad('the address is too long');
  return { address, local, domain, utf8 };
}

function splitLocal(mailbox: string): { local: string; domain: string | undefined } | undefined {
  let at = mailbox.indexOf('@');
  if (mailbox[0] === '"') {
    let i = 1;
    while (i < mailbox.length && mailbox[i] !== '"') i += mailbox[i] === '\\' ? 2 : 1;
    if (i >= mailbox.length) return undefined;
    at = i + 1;
    if (at < mailbox.length && mailbox[at] !== '@') return undefined;
    if (at >= mailbox.length) at = -1;
  }
  if (at < 0) return mailbox === '' ? undefined : { local: mailbox, domain: undefined };
  if (at === 0 || at === mailbox.length - 1) return undefined;
  return { local: mailbox.slice(0, at), domain: mailbox.slice(at + 1) };
}

/** A dot string as it is; a quoted string without its quotes where it needs none. */
function readLocal(text: string): string | undefined {
  if (text[0] !== '"') return atom.test(text) ? text : undefined;
  const bare = text.slice(1, -1).replace(/\\(.)/gsu, '$1');
  if (bare === '') return undefined;
  if (atom.test(bare)) return bare;
  return `"${bare.replace(/["\\]/g, '\\$&')}"`;
}

/** A domain as lower-case A-labels, or an address literal; undefined where it is neither. */
export function readDomain(text: string): string | undefined {
  if (text.length > maxDomain) return undefined;
  if (text[0] === '[') {
    if (!text.endsWith(']')) return undefined;
    const inside = text.slice(1, -1);
    if (isIPv4(inside)) return `[${inside}]`;
    return /^ipv6:/i.test(inside) && isIPv6(inside.slice(5)) ? `[IPv6:${inside.slice(5).toLowerCase()}]` : undefined;
  }
  // domainToASCII maps and percent-decodes as a URL host would: what is ASCII already must not go through it.
  const ascii = /^[\u0000-\u007f]*$/.test(text) ? text.toLowerCase() : /[%/\\?#:@[\]\s]/.test(text) ? '' : domainToASCII(text);
  if (ascii === '' || ascii.length > maxDomain) return undefined;
  return ascii.split('.').every((one) => label.test(one)) ? ascii : undefined;
}

/** RFC 3461 §4: `+` and two upper-case hexadecimal digits is an octet; undefined where the text is not xtext. */
export function fromXtext(text: string): string | undefined {
  if (!/^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/.test(text)) return undefined;
  const decoded = Buffer.from(
    text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString('utf8');
  return controls.test(decoded) ? undefined : decoded;
}
