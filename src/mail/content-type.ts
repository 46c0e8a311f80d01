/**
 * The structured MIME fields: Content-Type, Content-Disposition, Content-Language.
 *
 * Promise: an answer for every input, in linear time. Parameters stay as written (RFC 2231 pieces included), names in lower
 * case, because IMAP hands them to the client so.
 * Spec: RFC 2045 §5; RFC 2183; RFC 3282
 */

import type { Parameters } from './structure.ts';

export interface ContentType {
  readonly type: string;
  readonly subtype: string;
  readonly parameters: Parameters;
}

const token = /[^\s()<>@,;:\\"/[\]?=\x00-\x1f\x7f]+/y;
const mostParameters = 100;

/** RFC 2045 §5.2: what a missing or unreadable field means. */
export const plainText: ContentType = { type: 'text', subtype: 'plain', parameters: [['charset', 'us-ascii']] };

export function parseContentType(value: string): ContentType {
  const at = skip(value, 0);
  const type = take(token, value, at);
  if (!type || value[skip(value, at + type.length)] !== '/') {
    // `Content-Type: text` is written by old programs.
    return type?.toLowerCase() === 'text' ? { ...plainText, parameters: parametersFrom(value, at + type.length) } : plainText;
  }
  const next = skip(value, skip(value, at + type.length) + 1);
  const subtype = take(token, value, next);
  if (!subtype) return plainText;
  return { type: type.toLowerCase(), subtype: subtype.toLowerCase(), parameters: parametersFrom(value, next + subtype.length) };
}

export function parseDisposition(value: string): { type: string; parameters: Parameters } | null {
  const at = skip(value, 0);
  const type = take(token, value, at);
  return type ? { type: type.toLowerCase(), parameters: parametersFrom(value, at + type.length) } : null;
}

/** The token a Content-Transfer-Encoding begins with, lower case; `7bit` where there is none. RFC 2045 §6.1 */
export function parseEncoding(value: string): string {
  return take(token, value, skip(value, 0))?.toLowerCase() ?? '7bit';
}

export function parseLanguages(value: string): string[] | null {
  const tags = value
    .slice(0, 2000)
    .split(',')
    .map((tag) => take(token, tag, skip(tag, 0)) ?? '')
    .filter((tag) => tag !== '');
  return tags.length > 0 ? tags : null;
}

export function parameter(parameters: Parameters, name: string): string | undefined {
  return parameters.find(([key]) => key === name)?.[1];
}

/** The boundary of a multipart, also where it is written by RFC 2231 (`boundary*`, `boundary*0` …). */
export function boundaryOf(parameters: Parameters): string | undefined {
  const given = parameter(parameters, 'boundary');
  if (given !== undefined) return given;
  const extended = parameter(parameters, 'boundary*');
  if (extended !== undefined) return decodeExtended(extended);
  let joined = '';
  for (let n = 0; n < mostParameters; n++) {
    const piece = parameter(parameters, `boundary*${n}`);
    const coded = piece === undefined ? parameter(parameters, `boundary*${n}*`) : undefined;
    if (piece === undefined && coded === undefined) break;
    joined += piece ?? (n === 0 ? decodeExtended(coded!) : percentDecoded(coded!));
  }
  return joined === '' ? undefined : joined;
}

/** `charset'language'text`. A boundary is ASCII, so the character set does not matter. */
function decodeExtended(value: string): string {
  return percentDecoded(value.replace(/^[^']*'[^']*'/, ''));
}

function percentDecoded(value: string): string {
  return value.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function take(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** Over white space and comments. */
function skip(text: string, from: number): number {
  let at = from;
  let depth = 0;
  for (; at < text.length; at++) {
    const c = text[at];
    if (c === '(') depth++;
    else if (depth > 0) {
      if (c === ')') depth--;
      else if (c === '\\') at++;
    } else if (c !== ' ' && c !== '\t' && c !== '\r' && c !== '\n') break;
  }
  return Math.min(at, text.length);
}

function parametersFrom(text: string, from: number): Parameters {
  const found: [string, string][] = [];
  const seen = new Set<string>();
  let at = from;
  while (at < text.length && found.length < mostParameters) {
    const semicolon = text.indexOf(';', at);
    if (semicolon < 0) break;
    at = skip(text, semicolon + 1);
    const name = take(token, text, at);
    if (!name) continue;
    at = skip(text, at + name.length);
    if (text[at] !== '=') continue;
    const [value, next] = valueFrom(text, skip(text, at + 1));
    at = next;
    const key = name.toLowerCase();
    // The first of two counts: a filter and a client must not see different ones.
    if (!seen.has(key)) found.push([key, value]);
    seen.add(key);
  }
  return found;
}

function valueFrom(text: string, from: number): [value: string, next: number] {
  if (text[from] !== '"') {
    const end = text.indexOf(';', from);
    const raw = text.slice(from, end < 0 ? text.length : end);
    // Unquoted values with characters that need quotes are common in file names; white space or a comment ends a proper one.
    const clean = /^[^\s("]+/.exec(raw)?.[0] ?? '';
    const rest = raw.slice(clean.length).trim();
    return [rest === '' || rest.startsWith('(') ? clean : raw.trim(), from + raw.length];
  }
  let out = '';
  let start = from + 1;
  let at = start;
  for (; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === 0x22) break;
    if (c === 0x5c) {
      out += text.slice(start, at);
      start = ++at;
    }
  }
  return [out + text.slice(start, at), at + 1];
}
