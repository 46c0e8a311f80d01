/**
 * What of an entry an asker gets: the attributes asked for, as far as they may be read.
 *
 * Promise: the same entry, rights and selection give the same Entry object, so a door can keep its encoding beside it.
 * Spec: RFC 4511 §4.5.1.8, RFC 3673 (`+`), RFC 4529 (`@class`), RFC 4522 §3 (`;binary`)
 */

import type { Verdict } from '../access/judge.ts';
import { type Attribute, type AttributeValue, Entry } from '../entry.ts';
import { decodeUsage, usageAttributes } from '../limits/usage.ts';
import type { Stored } from '../records/view.ts';
import { subschemaName } from '../schema/publish.ts';
import { type AttributeType, type Described, hasOption, type Schema } from '../schema/schema.ts';
import { isBer } from '../schema/syntaxes.ts';

export interface Selection {
  readonly sign: string;
  readonly typesOnly: boolean;
  /** Computed attributes that are wanted, by lower-case name. */
  readonly computed: readonly string[];
  /** Types that were asked for with `;binary` and are named so in the answer. */
  readonly binary: ReadonlySet<AttributeType>;
  wants(lower: string, type: AttributeType | undefined): boolean;
}

const variants = 16;
const computedNames = ['hassubordinates', 'entrydn', 'subschemasubentry', ...usageAttributes.keys()];
const allComputed: ReadonlySet<string> = new Set(computedNames);
/** Whether an attribute (lower-case name) has values that no record holds. */
export const isComputed = (lower: string): boolean => allComputed.has(lower);
const fleeting = new Set(['hassubordinates', ...usageAttributes.keys()]);
/** Whether it says something of what stands below, and so changes without the entry changing. */
export const isFleeting = (lower: string): boolean => fleeting.has(lower);

export class Selector {
  readonly #schema: Schema;
  readonly #childCount: (id: number) => number;
  readonly #usage: (id: number) => Uint8Array | undefined;
  readonly #selections = new Map<string, Selection>();

  constructor(schema: Schema, childCount: (id: number) => number, usage: (id: number) => Uint8Array | undefined) {
    this.#schema = schema;
    this.#usage = usage;
    this.#childCount = childCount;
  }

  /** Empty or undefined: all user attributes. */
  selection(attributes: readonly string[] | undefined, typesOnly: boolean): Selection {
    // Names come from strangers: no two lists may share a sign, or one asker would decide what another gets.
    const sign = JSON.stringify([typesOnly, ...(attributes ?? [])]);
    const known = this.#selections.get(sign);
    if (known) return known;
    const made = this.#make(sign, attributes ?? [], typesOnly);
    if (this.#selections.size >= 1000) this.#selections.clear();
    if (sign.length < 1000) this.#selections.set(sign, made);
    return made;
  }

  #make(sign: string, attributes: readonly string[], typesOnly: boolean): Selection {
    const list = attributes.map((name) => name.trim().toLowerCase());
    const user = list.length === 0 || list.includes('*');
    const operational = list.includes('+');
    const types = new Set<string>();
    const optioned: Described[] = [];
    const binary = new Set<AttributeType>();
    for (const name of list) {
      if (name.startsWith('@')) {
        const item = this.#schema.objectClass(name.slice(1));
        for (const each of item ? [...item.must, ...item.may] : []) types.add(each);
        continue;
      }
      const described = this.#schema.describe(name);
      if (!described) continue;
      if (isBer(described.type.syntax) && name.split(';').includes('binary')) binary.add(described.type);
      if (described.options.length > 0) optioned.push(described);
      else for (const type of this.#schema.withSubtypes(described.type)) types.add(type.lower);
    }
    return {
      sign,
      typesOnly,
      binary,
      computed: computedNames.filter((name) => operational || types.has(name)),
      wants: (lower, type) =>
        (type?.operational ? operational : user) ||
        types.has(type?.lower ?? lower) ||
        (type !== undefined && optioned.some((wanted) => this.#isSubtype(lower, type, wanted))),
    };
  }

  /** An attribute with at least the wanted options, of the wanted type or one derived from it (RFC 4512 §2.5.2). */
  #isSubtype(lower: string, type: AttributeType, wanted: Described): boolean {
    const [, ...has] = lower.split(';');
    return this.#schema.withSubtypes(wanted.type).includes(type) && wanted.options.every((option) => hasOption(has, option));
  }

  /** Values that no record holds. */
  computed(stored: Stored, name: string): readonly AttributeValue[] | undefined {
    if (name === 'entrydn') return [stored.entry.dn.toString()];
    if (name === 'hassubordinates') return [(stored.subordinates ?? this.#childCount(stored.id) > 0) ? 'TRUE' : 'FALSE'];
    if (name === 'subschemasubentry') return [subschemaName];
    const kind = usageAttributes.get(name);
    if (kind && stored.entry.isA('mtMailDomain')) return [decodeUsage(this.#usage(stored.id))[kind].toString()];
    return undefined;
  }

  select(stored: Stored, selection: Selection, verdict: Verdict): Entry {
    // Whether there are subordinates changes without the entry changing: such an answer is not kept.
    const keep = !selection.computed.some(isFleeting);
    const sign = keep ? `${verdict.sign}|${selection.sign}` : '';
    const known = keep ? stored.shown : undefined;
    const ready = known?.get(sign);
    if (ready) return ready;
    const made = this.#cut(stored, selection, verdict);
    if (keep) {
      const kept = known ?? new Map<string, Entry>();
      if (!known) stored.shown = kept;
      if (kept.size >= variants) kept.clear();
      kept.set(sign, made);
    }
    return made;
  }

  #cut(stored: Stored, selection: Selection, verdict: Verdict): Entry {
    const found: Attribute[] = [];
    const take = (name: string, values: readonly AttributeValue[]): void => {
      found.push(selection.typesOnly ? { name, values: [] } : { name, values });
    };
    for (const [lower, attribute] of stored.entry.attributes) {
      const type = this.#schema.describe(attribute.name)?.type;
      if (!selection.wants(lower, type)) continue;
      // What the schema has lost since it was written is shown to the server alone.
      if (type ? verdict.allows(type, 'read') : verdict.sign === 'system')
        take(type && selection.binary.has(type) ? `${attribute.name};binary` : attribute.name, attribute.values);
    }
    for (const name of selection.computed) {
      const type = this.#schema.attribute(name);
      const values = this.computed(stored, name);
      if (type && values && verdict.allows(type, 'read')) take(type.name, values);
    }
    return new Entry(stored.entry.dn, found);
  }
}
