/**
 * The comparable forms of values, one function for each kind of matching.
 *
 * Two values are equal to a rule exactly where their forms are the same string. Every function costs about the length of its value.
 * Spec: RFC 4517 §4.2, RFC 4518
 */

import { parseDn } from '../../ldap-wire/index.ts';
import type { AttributeValue } from '../entry.ts';
import { certificateAssertion, certificateForm } from './certificate.ts';
import { addressLines, type PartPlace, prepare, prepareNumeric, preparePart, prepareTelephone, prepareWhole } from './prepare.ts';
import { numericOid } from './syntaxes.ts';
import { timeForm } from './time.ts';

export type Normalise = (value: AttributeValue) => string | undefined;
export type Part = (value: AttributeValue, place: PartPlace) => string | undefined;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A value in the form its syntax holds: text for textual syntaxes, octets for the others. */
export function held(value: AttributeValue, textual: boolean): AttributeValue | undefined {
  if (!textual) return typeof value === 'string' ? new Uint8Array(Buffer.from(value)) : value;
  if (typeof value === 'string') return value;
  try {
    return decoder.decode(value);
  } catch {
    return undefined;
  }
}

export const onText = (make: (text: string) => string | undefined): Normalise => {
  return (value) => {
    const text = held(value, true);
    return typeof text === 'string' ? make(text) : undefined;
  };
};
const partOf =
  (fold: boolean): Part =>
  (value, place) => {
    const text = held(value, true);
    return typeof text === 'string' ? preparePart(text, fold, place) : undefined;
  };

export const folded = onText((v) => prepare(v, true));
export const exact = onText((v) => prepare(v, false));
export const foldedWhole = onText((v) => prepareWhole(v, true));
export const exactWhole = onText((v) => prepareWhole(v, false));
export const foldedPart = partOf(true);
export const exactPart = partOf(false);
/** A part of an IA5 string is one itself (RFC 4517 §4.2.8). */
const ia5 =
  (part: Part): Part =>
  (value, place) =>
    Buffer.from(value as string).every((octet) => octet < 0x80) ? part(value, place) : undefined;
export const foldedIa5Part = ia5(foldedPart);
export const exactIa5Part = ia5(exactPart);
export const digits = onText(prepareNumeric);
export const phone = onText(prepareTelephone);

/** Lines are kept apart by a line feed, which no prepared text has: no part of an assertion reaches over a line's end. */
const byLines = (make: (line: string, fold: boolean) => string | undefined): Normalise =>
  onText((v) => {
    const prepared = addressLines(v).map((line) => make(line, true));
    return prepared.includes(undefined) ? undefined : prepared.join('\n');
  });
export const lines = byLines(prepare);
export const linesWhole = byLines(prepareWhole);

/** Whole numbers without leading zeros, up to the length the syntax takes. */
export const integer = onText((v) => (/^-?\d{1,1000}$/.test(v) ? BigInt(v).toString() : undefined));
export const boolean = onText((v) => (v === 'TRUE' || v === 'FALSE' ? v : undefined));
export const time = onText(timeForm);
export const uuid = onText((v) => (/^[0-9a-f-]{36}$/i.test(v) ? v.toLowerCase() : undefined));
export const octets: Normalise = (value) => Buffer.from(value as string).toString('latin1');

const asOctets = (value: AttributeValue): Uint8Array => (typeof value === 'string' ? Buffer.from(value) : value);
export const certificate: Normalise = (value) => certificateForm(asOctets(value));
export const assertedCertificate: Normalise = (value) => certificateAssertion(asOctets(value));

const dnKey = (text: string): string | undefined => {
  try {
    return parseDn(text).key;
  } catch {
    return undefined;
  }
};
export const name = onText(dnKey);
export const nameAndUid = onText((v) => {
  const uid = /#'[01]*'B(?= *$)/.exec(v);
  const key = dnKey(uid ? v.slice(0, uid.index) : v);
  return key === undefined ? undefined : key + (uid?.[0] ?? '');
});

export const isNumericOid = (text: string): boolean => numericOid.test(text);
/** The number or name a definition begins with; an assertion is one itself. */
const first = (text: string): string => /^\s*\(\s*([^\s()']+)/.exec(text)?.[1] ?? text;
export const firstOid = (nameOf: (text: string) => string): Normalise => onText((v) => nameOf(first(v)));
export const firstInteger = onText((v) => integer(first(v)));
export const firstString = onText((v) => prepare(/^\s*\(\s*'([^']*)'/.exec(v)?.[1] ?? v, true));

/** Compare functions of the rules that look inside a value: 0 where the assertion holds. */
export const amongWords = (value: string, word: string): number => (value.split(' ').includes(word) ? 0 : 1);
/** Keywords are runs of letters and digits. */
export const amongKeywords = (value: string, keyword: string): number => (value.split(/[^\p{L}\p{M}\p{N}]+/u).includes(keyword) ? 0 : 1);
export const allBits = (value: string, bits: string): number => ((BigInt(value) & BigInt(bits)) === BigInt(bits) ? 0 : 1);
export const anyBit = (value: string, bits: string): number => ((BigInt(value) & BigInt(bits)) !== 0n ? 0 : 1);
