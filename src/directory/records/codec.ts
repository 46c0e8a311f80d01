/**
 * Stored entries and changes as octets, and back.
 *
 * An entry's record knows its parent and relative name only, so renaming a subtree touches one record. Numbers are
 * decimal text, entries JSON with octets in base64.
 */

import type { Ava, Rdn } from '../../ldap-wire/index.ts';
import type { Attribute, AttributeValue } from '../entry.ts';

/** What stands in an entry's record. */
export interface EntryRecord {
  readonly parent: number;
  readonly rdn: Rdn;
  readonly attributes: readonly Attribute[];
}

type PlainValue = string | readonly [string];
type PlainAttribute = readonly [string, ...PlainValue[]];
export type PlainAttributes = readonly PlainAttribute[];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const encodeText = (text: string): Uint8Array => encoder.encode(text);
export const decodeText = (octets: Uint8Array): string => decoder.decode(octets);

const plainValue = (value: AttributeValue): PlainValue => (typeof value === 'string' ? value : [Buffer.from(value).toString('base64')]);
const richValue = (value: PlainValue): AttributeValue =>
  typeof value === 'string' ? value : new Uint8Array(Buffer.from(value[0], 'base64'));

export function plainAttributes(attributes: Iterable<Attribute>): PlainAttributes {
  return Array.from(attributes, (attribute): PlainAttribute => [attribute.name, ...attribute.values.map(plainValue)]);
}

export function richAttributes(plain: PlainAttributes): Attribute[] {
  return plain.map(([name, ...values]) => ({ name, values: values.map(richValue) }));
}

/** A relative name as it is stored: pairs, and a third element for one that is encoded. */
type PlainRdn = readonly (readonly [string, string, 1?])[];
const plainRdn = (rdn: Rdn): PlainRdn => rdn.map((ava) => (ava.encoded ? [ava.type, ava.value, 1] : [ava.type, ava.value]));
const richRdn = (plain: PlainRdn): Rdn =>
  plain.map(([type, value, encoded]): Ava => (encoded ? { type, value, encoded: true } : { type, value }));

export function encodeEntry(record: EntryRecord): Uint8Array {
  return encodeText(JSON.stringify([record.parent, plainRdn(record.rdn), plainAttributes(record.attributes)]));
}

export function decodeEntry(octets: Uint8Array): EntryRecord {
  const [parent, rdn, attributes] = JSON.parse(decodeText(octets)) as [number, PlainRdn, PlainAttributes];
  return { parent, rdn: richRdn(rdn), attributes: richAttributes(attributes) };
}

export const encodeNumber = (n: number): Uint8Array => encodeText(String(n));
export const decodeNumber = (octets: Uint8Array | undefined): number => (octets === undefined ? 0 : Number(decodeText(octets)));
