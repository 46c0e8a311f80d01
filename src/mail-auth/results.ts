/**
 * Authentication-Results: writing ours, reading others', and telling those that only pretend to be ours.
 *
 * Promise: what strangers say (addresses, domains, reasons) stands in a field as one word or one quoted string, and is cut.
 * Spec: RFC 8601 §2.2 (form), §5 (removing forged ones)
 */

import { fieldValue, type HeaderField, normalizeDomain } from '../mail/index.ts';

export interface MethodResult {
  readonly method: string;
  readonly result: string;
  /** Stands in brackets. */
  readonly comment?: string | undefined;
  readonly reason?: string | undefined;
  /** `header.d` and the like. */
  readonly properties?: readonly (readonly [name: string, value: string | undefined])[];
}

const longestValue = 320;

/** A word as it is, anything else as a quoted string. */
export function propertyValue(text: string): string {
  const clean = text.replace(/[\u0000-\u001f\u007f]/g, '').slice(0, longestValue);
  return /^[A-Za-z0-9!#$%&'*+\-./^_`{|}~@\u0080-\uffff]+$/.test(clean) ? clean : `"${clean.replace(/["\\]/g, '\\$&')}"`;
}

const commentText = (text: string): string =>
  text
    .replace(/[\u0000-\u001f\u007f]/g, ' ')
    .slice(0, longestValue)
    .replace(/[()\\]/g, '\\$&');

/** The whole field, folded, with its line end. */
export function resultsField(id: string, results: readonly MethodResult[]): string {
  const lines = results.map(({ method, result, comment, reason, properties = [] }) => {
    const words = [
      `${method}=${result}`,
      ...(comment === undefined ? [] : [`(${commentText(comment)})`]),
      ...(reason === undefined ? [] : [`reason="${reason.replace(/[\u0000-\u001f\u007f]/g, ' ').replace(/["\\]/g, '\\$&')}"`]),
      ...properties.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`${name}=${propertyValue(value)}`])),
    ];
    return folded(words);
  });
  return `Authentication-Results: ${[id, ...(lines.length > 0 ? lines : ['none'])].join(';\r\n ')}\r\n`;
}

function folded(words: readonly string[]): string {
  let text = '';
  let width = 1;
  for (const word of words) {
    if (text !== '' && width + word.length > 76) {
      text += '\r\n  ';
      width = 2;
    } else if (text !== '') text += ' ';
    text += word;
    width += word.length + 1;
  }
  return text;
}

/** Text without comments, strings left as they are; of at most this many characters. */
function withoutComments(text: string): string {
  let out = '';
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < Math.min(text.length, 20_000); at += 1) {
    const c = text[at] as string;
    if (c === '\\' && (quoted || depth > 0)) {
      if (depth === 0) out += text.slice(at, at + 2);
      at += 1;
    } else if (quoted) {
      out += c;
      quoted = c !== '"';
    } else if (c === '(') depth += 1;
    else if (c === ')' && depth > 0) {
      depth -= 1;
      out += ' ';
    } else if (depth === 0) {
      out += c;
      quoted = c === '"';
    }
  }
  return out;
}

/** The methods and results that stand in the value of a field, behind its authserv-id. */
export function methodsOf(value: string): { readonly method: string; readonly result: string }[] {
  const parts = withoutComments(value)
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .split(';');
  return parts.flatMap((part) => {
    const found = /^\s*([A-Za-z0-9-]+)(?:\s*\/\s*\d+)?\s*=\s*([A-Za-z0-9-]+)/.exec(part);
    return found ? [{ method: (found[1] as string).toLowerCase(), result: (found[2] as string).toLowerCase() }] : [];
  });
}

/** Whose results a field claims to be. */
export function authservId(value: string): string {
  const text = withoutComments(value).trimStart();
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(text);
  return (quoted ? (quoted[1] as string).replace(/\\(.)/g, '$1') : (/^[^\s;]*/.exec(text)?.[0] ?? '')).toLowerCase();
}

/** Fields by which this server says what it found out: from outside they are lies. */
export const tagField = 'X-Mailtree-Authentication';
const ownTags = new Set([tagField.toLowerCase(), 'x-mailtree-dnsbl']);

/** However it is spelt: with a dot at the end, in A-labels or not. */
function plainName(text: string): string {
  const name = text.toLowerCase().replace(/\.$/, '');
  return normalizeDomain(name) ?? name;
}

/** Whether a field that came from outside pretends to be ours. */
export function pretends(field: HeaderField, ids: readonly string[]): boolean {
  const name = field.name.toLowerCase();
  if (ownTags.has(name)) return true;
  if (name !== 'authentication-results') return false;
  const id = plainName(authservId(fieldValue(field).slice(0, 20_000)));
  return ids.some((own) => plainName(own) === id);
}
