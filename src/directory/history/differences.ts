/**
 * What a change did to an entry, attribute by attribute and value by value.
 *
 * Promise: values of secrets never occur, only that they changed. What the server maintains itself (times, names of whoever
 * wrote) is left out.
 */

import type { Attribute, AttributeValue, Entry } from '../entry.ts';
import type { AttributeType, Schema } from '../schema/schema.ts';
import { sameness } from '../write/draft.ts';
import type { Recorded } from './change-record.ts';

export interface Difference {
  /** As the schema spells it, with its options. */
  readonly attribute: string;
  readonly removed: readonly AttributeValue[];
  readonly added: readonly AttributeValue[];
  /** True for a secret: it changed, and nobody is told how. */
  readonly secret: boolean;
}

const typeOf = (schema: Schema, name: string): AttributeType | undefined => schema.describe(name)?.type;

/** The form in which two values are the same; those of attributes that the schema has lost are compared as they are. */
export function comparable(schema: Schema, name: string, value: AttributeValue): string {
  const type = typeOf(schema, name);
  return type ? sameness(type, value) : typeof value === 'string' ? `s${value}` : `b${Buffer.from(value).toString('base64')}`;
}

/** Values of `from` that are not in `without`. */
export function valuesWithout(schema: Schema, name: string, from: readonly AttributeValue[], without: readonly AttributeValue[]) {
  const there = new Set(without.map((value) => comparable(schema, name, value)));
  return from.filter((value) => !there.has(comparable(schema, name, value)));
}

function byForm(schema: Schema, name: string, attribute: Attribute | undefined): Map<string, AttributeValue> {
  return new Map(attribute?.values.map((value) => [comparable(schema, name, value), value]));
}

/** The attributes that differ, but for those nobody can set. A value that only its spelling tells apart counts as changed. */
export function differencesOf(schema: Schema, before: Entry | undefined, after: Entry | undefined): Difference[] {
  const names = new Map([...(before?.attributes ?? []), ...(after?.attributes ?? [])].map(([lower, { name }]) => [lower, name]));
  const found: Difference[] = [];
  for (const [lower, name] of names) {
    if (typeOf(schema, name)?.userModifiable === false) continue;
    const [was, is] = [before?.attributes.get(lower), after?.attributes.get(lower)];
    // A group may have a hundred thousand members, and most changes leave it alone.
    if (was === is) continue;
    const [old, now] = [byForm(schema, name, was), byForm(schema, name, is)];
    const removed = [...old].filter(([form]) => !now.has(form)).map(([, value]) => value);
    const added = [...now].filter(([form]) => !old.has(form)).map(([, value]) => value);
    for (const [form, value] of now) {
      const spelling = old.get(form);
      if (typeof spelling !== 'string' || spelling === value) continue;
      removed.push(spelling);
      added.push(value);
    }
    if (removed.length + added.length > 0) found.push({ attribute: name, removed, added, secret: false });
  }
  return found;
}

/** The same for a change in the log. */
export function differences(schema: Schema, { change, secrets }: Pick<Recorded, 'change' | 'secrets'>): Difference[] {
  return [
    ...differencesOf(schema, change.before, change.after),
    ...secrets.map((attribute) => ({ attribute, removed: [], added: [], secret: true })),
  ];
}
