/**
 * Stored entries and changes as octets, and back.
 *
 * An entry's record knows its parent and relative name only, so renaming a subtree touches one record. Numbers are
 * decimal text, entries JSON with octets in base64.
 */

import type { Ava, Rdn } from '../../ldap-wire/index.ts';
import type { Attribute } from '../entry.ts';

/** What stands in an entry's record. */
export interface EntryRecord {
  readonly parent: number;
  readonly rdn: Rdn;
  readonly attributes: readonly Attribute[];
}

type PlainValue = string | readonly [string];
type PlainAttribute = readonly [string, ...PlainValue[]];
export type PlainAttributes = readonly PlainAttribute[];

const decoder = new TextDecoder();

/** Small records share their memory with others of the same moment: allocating each by itself costs more than filling it. */
export const encodeText = (text: string): Uint8Array => Buffer.from(text, 'utf8');
export const decodeText = (octets: Uint8Array): string => decoder.decode(octets);

const octetsOf = (value: readonly [string]): Uint8Array => new Uint8Array(Buffer.from(value[0], 'base64'));

function attributeText({ name, values }: Attribute): string {
  let text = `[${JSON.stringify(name)}`;
  for (const value of values) {
    text += typeof value === 'string' ? `,${JSON.stringify(value)}` : `,["${Buffer.from(value).toString('base64')}"]`;
  }
  return `${text}]`;
}

/** JSON of `PlainAttributes`, made without making them: it is written with every change. */
export function attributesText(attributes: Iterable<Attribute>): string {
  let text = '';
  for (const attribute of attributes) text += text === '' ? attributeText(attribute) : `,${attributeText(attribute)}`;
  return `[${text}]`;
}

const isText = (value: PlainValue): value is string => typeof value === 'string';

function richAttribute(plain: PlainAttribute): Attribute {
  const values = plain.slice(1);
  return { name: plain[0], values: values.every(isText) ? values : values.map((value) => (isText(value) ? value : octetsOf(value))) };
}

export function richAttributes(plain: PlainAttributes): Attribute[] {
  return plain.map(richAttribute);
}

/** Places of attributes that another list has as well: from where, and how many. */
type Run = readonly [from: number, count: number];
export type PlainReference = readonly (PlainAttribute | Run)[];

/** JSON of a list of attributes most of which are those of another list: `richReference` reads it. */
export function referenceText(attributes: readonly Attribute[], other: readonly Attribute[]): string {
  const places = new Map<Attribute, number>();
  for (let n = 0; n < other.length; n++) places.set(other[n] as Attribute, n);
  const parts: string[] = [];
  for (let n = 0; n < attributes.length; ) {
    const from = places.get(attributes[n] as Attribute);
    if (from === undefined) {
      parts.push(attributeText(attributes[n++] as Attribute));
      continue;
    }
    const begin = n++;
    while (n < attributes.length && other[from + n - begin] === attributes[n]) n++;
    parts.push(`[${from},${n - begin}]`);
  }
  return `[${parts.join(',')}]`;
}

/** The attributes that are those of the other list are the same objects. */
export function richReference(plain: PlainReference, other: readonly Attribute[]): Attribute[] {
  return plain.flatMap((part) => {
    const [from, count] = part;
    if (typeof from !== 'number') return richAttribute(part as PlainAttribute);
    return other.slice(from, from + Number(count));
  });
}

/** A relative name as it is stored: pairs, and a third element for one that is encoded. */
type PlainRdn = readonly (readonly [string, string, 1?])[];
const plainRdn = (rdn: Rdn): PlainRdn => rdn.map((ava) => (ava.encoded ? [ava.type, ava.value, 1] : [ava.type, ava.value]));
const richRdn = (plain: PlainRdn): Rdn =>
  plain.map(([type, value, encoded]): Ava => (encoded ? { type, value, encoded: true } : { type, value }));

/** `text`: that of the attributes, where somebody has made it already. */
export function encodeEntry({ parent, rdn, attributes }: EntryRecord, text = attributesText(attributes)): Uint8Array {
  return encodeText(`[${parent},${JSON.stringify(plainRdn(rdn))},${text}]`);
}

export function decodeEntry(octets: Uint8Array): EntryRecord {
  const [parent, rdn, attributes] = JSON.parse(decodeText(octets)) as [number, PlainRdn, PlainAttributes];
  return { parent, rdn: richRdn(rdn), attributes: richAttributes(attributes) };
}

export const encodeNumber = (n: number): Uint8Array => encodeText(String(n));
export const decodeNumber = (octets: Uint8Array | undefined): number => (octets === undefined ? 0 : Number(decodeText(octets)));
