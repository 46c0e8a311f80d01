/**
 * An SPF record as it is handed to mailauth: with its syntax checked as a whole, and `%{d}` filled in.
 *
 * mailauth reads terms one after the other, so that a faulty one behind a match goes unseen; and it takes the sender's domain for the
 * current one in records that are included or redirected to.
 * Spec: RFC 7208 §4.6 (a syntax error anywhere is permerror), §7 (macros), §12 (grammar)
 */

import { isIPv4, isIPv6 } from 'node:net';

/** RFC 7208 §4.5 */
export const isSpf = (text: string): boolean => /^v=spf1(?: |$)/i.test(text);
const macro = /%\{([A-Za-z])(\d{0,3})(r?)([.\-+,/_=]*)\}/g;
const literal = /^(?:[\x21-\x24\x26-\x7e]|%%|%_|%-)*$/;
/** Ends in a macro, or in a dot and a label that is no number. */
const domainEnd = /(?:\}|\.(?=[A-Za-z0-9-]*[A-Za-z-])[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?)$/;
/** A record that no evaluation gets past. */
const faulty = 'v=spf1 syntax-error';

/** Other records come back as they are. */
export function prepared(text: string, domain: string): string {
  if (!isSpf(text)) return text;
  const terms = text
    .slice(6)
    .split(' ')
    .filter((term) => term !== '');
  const modifiers = terms.map((term) => /^(redirect|exp)=/i.exec(term)?.[1]?.toLowerCase()).filter((name) => name !== undefined);
  if (new Set(modifiers).size !== modifiers.length || !terms.every(isTerm)) return faulty;
  // The dot at the end of a name says nothing, and mailauth takes it for a fault.
  return ['v=spf1', ...terms.map((term) => withDomain(/[:=]/.test(term) ? term.replace(/\.(?=\/|$)/, '') : term, domain))].join(' ');
}

function isTerm(term: string): boolean {
  const modifier = /^([A-Za-z][A-Za-z0-9._-]*)=(.*)$/s.exec(term);
  if (modifier) {
    const [, name = '', value = ''] = modifier;
    return /^redirect$|^exp$/i.test(name) ? isDomainSpec(value) : isMacroString(value);
  }
  const [, name = '', rest = ''] = /^[+?~-]?([A-Za-z][A-Za-z0-9._-]*)(.*)$/s.exec(term) ?? [];
  switch (name.toLowerCase()) {
    case 'all':
      return rest === '';
    case 'include':
    case 'exists':
      return rest.startsWith(':') && isDomainSpec(rest.slice(1));
    case 'ptr':
      return rest === '' || (rest.startsWith(':') && isDomainSpec(rest.slice(1)));
    case 'a':
    case 'mx':
      return isHosts(rest);
    case 'ip4':
      return isNetwork(rest, isIPv4, 32);
    case 'ip6':
      return isNetwork(rest, isIPv6, 128);
    default:
      return false;
  }
}

const isLength = (text: string | undefined, most: number): boolean =>
  text === undefined || (/^(?:0|[1-9]\d{0,2})$/.test(text) && Number(text) <= most);

function isHosts(rest: string): boolean {
  const found = /^(?::(.+?))?(?:\/(\d+))?(?:\/\/(\d+))?$/s.exec(rest);
  if (!found) return false;
  const [, domain, four, six] = found;
  return (domain === undefined || isDomainSpec(domain)) && isLength(four, 32) && isLength(six, 128);
}

function isNetwork(rest: string, isAddress: (text: string) => boolean, most: number): boolean {
  const [, address = '', length] = /^:([^/]*)(?:\/(.*))?$/s.exec(rest) ?? [];
  return isAddress(address) && !address.includes('%') && isLength(length, most);
}

function isMacroString(text: string): boolean {
  // c, r and t belong into explanations.
  if ([...text.matchAll(macro)].some(([, letter = '']) => !/[slodiphv]/i.test(letter))) return false;
  return literal.test(text.replace(macro, ''));
}

const isDomainSpec = (text: string): boolean => isMacroString(text) && domainEnd.test(text);

function withDomain(term: string, domain: string): string {
  return term.replace(macro, (whole, letter: string, digits: string, reverse: string, delimiters: string) => {
    if (letter.toLowerCase() !== 'd') return whole;
    const text = delimiters === '' ? '.' : delimiters.replace(/[-\\\]^]/g, '\\$&');
    const parts = domain.split(new RegExp(`[${text}]`));
    if (reverse !== '') parts.reverse();
    const count = Number(digits);
    return (count > 0 ? parts.slice(-count) : parts).join('.');
  });
}
