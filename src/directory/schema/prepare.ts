/**
 * String preparation for comparing text beyond what names need: prohibited characters, and the forms in which substrings are looked for.
 *
 * Promise: `undefined` means the value takes part in no match. Plain ASCII takes a short way; nothing costs more than its length.
 * A whole value is compared with single inner spaces and none outside, which is equal exactly where the standard's form (two inside,
 * one at each end) is. Substrings need the standard's own form: `(cn=*a *b*)` finds "a b", because one of its two spaces is left for
 * neither part. Unassigned code points are not refused: what Unicode 3.2 did not assign are characters of today.
 * Spec: RFC 4518 §2.4, §2.6.1 (with erratum 1757), §2.6.2, §2.6.3
 */

import { beginsWithSpace, prepareExact, prepareIgnoringCase, prepareKeepingEnds } from '../../ldap-wire/index.ts';

export type PartPlace = 'initial' | 'any' | 'final';

// §2.4: private use, non-characters, surrogates, the replacement character.
const prohibited = /[\p{Co}\p{Noncharacter_Code_Point}\p{Cs}\ufffd]/u;
const ascii = /^[\x20-\x7e]*$/;
const single = / (?!\p{M})/gu;
/** §2.6.3: spaces, and hyphens of every kind that normalisation leaves. */
const insignificantInNumbers = /[ \-\u058a\u2010\u2011\u2212]/gu;

const allowed = (text: string): boolean => ascii.test(text) || !prohibited.test(text);
const doubled = (text: string): string => (text.includes(' ') ? text.replace(single, '  ') : text);

/** A whole value, for equality and ordering. Leading and trailing spaces go, inner runs count as one. */
export function prepare(text: string, fold: boolean): string | undefined {
  if (!allowed(text)) return undefined;
  return fold ? prepareIgnoringCase(text) : prepareExact(text);
}

/** A whole value, for looking for substrings in it. */
export function prepareWhole(text: string, fold: boolean): string | undefined {
  const prepared = prepare(text, fold);
  return prepared === undefined ? undefined : prepared === '' ? '  ' : ` ${doubled(prepared)} `;
}

/** One part of a substring assertion. */
export function preparePart(text: string, fold: boolean, place: PartPlace): string | undefined {
  if (!allowed(text)) return undefined;
  const prepared = prepareKeepingEnds(text, fold);
  if (prepared === '' || prepared === ' ') return ' ';
  const begins = beginsWithSpace(prepared);
  const ends = prepared.endsWith(' ');
  const inner = doubled(prepared.slice(begins ? 1 : 0, ends ? -1 : undefined));
  return `${begins || place === 'initial' ? ' ' : ''}${inner}${ends || place === 'final' ? ' ' : ''}`;
}

/** Telephone numbers: neither spaces nor hyphens count. */
export const prepareTelephone = (text: string): string | undefined => prepare(text, true)?.replace(insignificantInNumbers, '');

/** Numeric strings: spaces do not count. */
export const prepareNumeric = (text: string): string | undefined => prepare(text, false)?.replaceAll(' ', '');

/** The lines of a postal address, `\24` and `\5C` read (RFC 4517 §3.3.28). */
export function addressLines(text: string): string[] {
  return text.split('$').map((line) => line.replace(/\\(24|5[Cc])/g, (_, code: string) => (code === '24' ? '$' : '\\')));
}
