/**
 * String preparation for comparing text beyond what names need: prohibited characters, and the parts of a substring.
 *
 * Promise: `undefined` means the value takes part in no match. Plain ASCII takes a short way.
 * Spec: RFC 4518 §2.4, §2.6.1
 */

import { prepareExact, prepareIgnoringCase } from '../../ldap-wire/index.ts';

// §2.4: private use, non-characters, surrogates, the replacement character.
const prohibited = /[\ue000-\uf8ff\ufdd0-\ufdef\ufffd-\uffff\ud800-\udfff\u{f0000}-\u{10ffff}]/u;
const ascii = /^[\x20-\x7e]*$/;
const space = /^[\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/u;

/** A whole value, for equality and ordering. Leading and trailing spaces go, inner runs count as one. */
export function prepare(text: string, fold: boolean): string | undefined {
  if (!ascii.test(text) && prohibited.test(text)) return undefined;
  return fold ? prepareIgnoringCase(text) : prepareExact(text);
}

/** One part of a substring assertion: the spaces at its inner ends count, as one. */
export function preparePart(text: string, fold: boolean, part: 'initial' | 'any' | 'final'): string | undefined {
  const prepared = prepare(text, fold);
  if (prepared === undefined || text === '') return prepared;
  const before = part !== 'initial' && space.test(text[0] ?? '') ? ' ' : '';
  const after = part !== 'final' && space.test(text.at(-1) ?? '') ? ' ' : '';
  return prepared === '' ? before || after : before + prepared + after;
}
