/**
 * Whether an entry matches a filter, in three-valued logic.
 *
 * A filter is compiled once per search: attribute names resolved with their subtypes, assertion values normalised. What
 * the schema does not know, or what cannot be compared, is Undefined; so is what the asker may not search.
 * Spec: RFC 4511 §4.5.1.7, X.511 §7.8
 */

import type { Filter } from '../../ldap-wire/index.ts';
import type { AttributeValue } from '../entry.ts';
import { DirectoryFault } from '../port.ts';
import type { Stored } from '../records/view.ts';
import type { MatchingRule } from '../schema/matching.ts';
import type { AttributeType, Described, Schema } from '../schema/schema.ts';

/** True, false, or undefined for Undefined. */
export type Truth = boolean | undefined;
/** Whether the asker may use this attribute of this entry in a filter. */
export type MaySearch = (stored: Stored, attribute: AttributeType) => boolean;
/** Values that no record holds: hasSubordinates, entryDN, subschemaSubentry. */
export type Computed = (stored: Stored, attribute: string) => readonly AttributeValue[] | undefined;
export type Matcher = (stored: Stored, may: MaySearch | undefined) => Truth;

const deepest = 64;
const never: Matcher = () => undefined;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** An assertion value in the form the syntax holds: text for textual syntaxes, octets for the others. */
export function assertion(value: Uint8Array, textual: boolean): AttributeValue | undefined {
  if (!textual) return value;
  try {
    return decoder.decode(value);
  } catch {
    return undefined;
  }
}

/** The attribute types a description stands for, with the options an attribute must have. */
interface Wanted {
  readonly types: readonly AttributeType[];
  readonly options: readonly string[];
}

function wantedOf(schema: Schema, description: string): Wanted | undefined {
  const described = schema.describe(description);
  return described && { types: schema.withSubtypes(described.type), options: described.options };
}

export class Compiler {
  readonly #schema: Schema;
  readonly #computed: Computed;

  constructor(schema: Schema, computed: Computed) {
    this.#schema = schema;
    this.#computed = computed;
  }

  /** A way to the values of an attribute with those derived from it, without what the asker may not search. */
  reader(described: Described): (stored: Stored, may: MaySearch | undefined) => Iterable<AttributeValue> {
    const types = this.#schema.withSubtypes(described.type);
    return (stored, may) =>
      types.flatMap((type) => (may && !may(stored, type) ? [] : [...this.#values(stored, type, described.options)].flat()));
  }

  /** Throws DirectoryFault adminLimitExceeded for a filter nested too deep. */
  compile(filter: Filter, depth = 0): Matcher {
    if (depth > deepest) throw new DirectoryFault('adminLimitExceeded', `the filter is nested more than ${deepest} deep`);
    switch (filter.type) {
      case 'and':
        return junction(
          filter.filters.map((part) => this.compile(part, depth + 1)),
          false,
        );
      case 'or':
        return junction(
          filter.filters.map((part) => this.compile(part, depth + 1)),
          true,
        );
      case 'not': {
        const inner = this.compile(filter.filter, depth + 1);
        return (stored, may) => {
          const truth = inner(stored, may);
          return truth === undefined ? undefined : !truth;
        };
      }
      case 'present':
        return this.#present(filter.attribute);
      case 'equal':
      case 'approx':
        return this.#compare(filter.attribute, filter.value, 'equality', (order) => order === 0);
      case 'greaterOrEqual':
        return this.#compare(filter.attribute, filter.value, 'ordering', (order) => order >= 0);
      case 'lessOrEqual':
        return this.#compare(filter.attribute, filter.value, 'ordering', (order) => order <= 0);
      case 'substring':
        return this.#substring(filter);
      case 'extensible':
        return this.#extensible(filter);
    }
  }

  /** Runs `test` over every value the asker may search; Undefined where all of them are out of reach. */
  #over(wanted: Wanted, test: (values: readonly AttributeValue[], type: AttributeType) => Truth): Matcher {
    const { types, options } = wanted;
    return (stored, may) => {
      let truth: Truth = false;
      for (const type of types) {
        if (may && !may(stored, type)) {
          truth = undefined;
          continue;
        }
        for (const values of this.#values(stored, type, options)) {
          const one = test(values, type);
          if (one) return true;
          if (one === undefined) truth = undefined;
        }
      }
      return truth;
    };
  }

  *#values(stored: Stored, type: AttributeType, options: readonly string[]): Iterable<readonly AttributeValue[]> {
    if (options.length === 0) {
      const plain = stored.entry.attributes.get(type.lower)?.values ?? this.#computed(stored, type.lower);
      if (plain) yield plain;
    }
    if (!stored.optioned) return;
    for (const [key, attribute] of stored.entry.attributes) {
      const [base, ...has] = key.split(';');
      if (base === type.lower && has.length > 0 && options.every((option) => has.includes(option))) yield attribute.values;
    }
  }

  #present(attribute: string): Matcher {
    if (attribute.toLowerCase() === 'objectclass') {
      const type = this.#schema.attribute('objectClass');
      return type ? (stored, may) => (may && !may(stored, type) ? undefined : true) : never;
    }
    const wanted = wantedOf(this.#schema, attribute);
    return wanted ? this.#over(wanted, (values) => values.length > 0) : never;
  }

  #compare(attribute: string, value: Uint8Array, by: 'equality' | 'ordering', holds: (order: number) => boolean): Matcher {
    const wanted = wantedOf(this.#schema, attribute);
    const type = wanted?.types[0];
    const rule = by === 'equality' ? type?.equality : (type?.ordering ?? orderable(type?.equality));
    if (!wanted || !type || !rule) return never;
    const asserted = normalised(rule, value, type.syntax.textual);
    return asserted === undefined ? never : this.#over(wanted, ruleTest(rule, asserted, holds));
  }

  #substring(filter: Extract<Filter, { type: 'substring' }>): Matcher {
    const wanted = wantedOf(this.#schema, filter.attribute);
    const type = wanted?.types[0];
    const rule = type?.substring;
    if (!wanted || !type || !rule) return never;
    const part = (octets: Uint8Array, place: 'initial' | 'any' | 'final'): string | undefined => {
      const value = assertion(octets, type.syntax.textual);
      return value === undefined ? undefined : rule.part(value, place);
    };
    const initial = filter.initial ? part(filter.initial, 'initial') : '';
    const final = filter.final ? part(filter.final, 'final') : '';
    const any = filter.any.map((octets) => part(octets, 'any'));
    if (initial === undefined || final === undefined || any.includes(undefined)) return never;
    const contains = (text: string): boolean => {
      if (!text.startsWith(initial)) return false;
      let at = initial.length;
      for (const piece of any as string[]) {
        const found = text.indexOf(piece, at);
        if (found < 0) return false;
        at = found + piece.length;
      }
      return text.length - final.length >= at && text.endsWith(final);
    };
    return this.#over(wanted, (values) =>
      eachValue(values, (value) => {
        const text = rule.normalise(value);
        return text === undefined ? undefined : contains(text);
      }),
    );
  }

  #extensible(filter: Extract<Filter, { type: 'extensible' }>): Matcher {
    const named = filter.rule === undefined ? undefined : this.#schema.rule(filter.rule);
    if (filter.rule !== undefined && named?.kind !== 'equality') return never;
    const wanted = filter.attribute === undefined ? undefined : wantedOf(this.#schema, filter.attribute);
    if (filter.attribute !== undefined && !wanted) return never;
    if (!named && !wanted) return never;
    const rule = named ?? wanted?.types[0]?.equality;
    if (!rule) return never;
    const types = wanted?.types ?? this.#schema.parts.attributeTypes.filter((type) => type.equality === rule);
    const textual = wanted?.types[0]?.syntax.textual ?? types[0]?.syntax.textual ?? true;
    const asserted = normalised(rule, filter.value, textual);
    if (asserted === undefined) return never;
    const inside = this.#over(
      { types, options: wanted?.options ?? [] },
      ruleTest(rule, asserted, (order) => order === 0),
    );
    if (!filter.dnAttributes) return inside;
    const lower = new Set(types.flatMap((type) => [type.lower, type.oid, ...type.names.map((name) => name.toLowerCase())]));
    const inName = (stored: Stored): boolean =>
      stored.entry.dn.rdns.some((rdn) => rdn.some((ava) => lower.has(ava.type.toLowerCase()) && rule.normalise(ava.value) === asserted));
    return (stored, may) => inName(stored) || inside(stored, may);
  }
}

/** `>=` on attributes without an ordering rule is Undefined, but for integers and times, whose equality forms sort. */
export function orderable(rule: MatchingRule | undefined): MatchingRule | undefined {
  if (rule?.name === 'integerMatch') return { ...rule, compare: (a, b) => (BigInt(a) < BigInt(b) ? -1 : a === b ? 0 : 1) };
  return undefined;
}

function normalised(rule: MatchingRule, value: Uint8Array, textual: boolean): string | undefined {
  const asserted = assertion(value, textual);
  return asserted === undefined ? undefined : rule.normalise(asserted);
}

function eachValue(values: readonly AttributeValue[], test: (value: AttributeValue) => Truth): Truth {
  let truth: Truth = false;
  for (const value of values) {
    const one = test(value);
    if (one) return true;
    if (one === undefined) truth = undefined;
  }
  return truth;
}

function ruleTest(rule: MatchingRule, asserted: string, holds: (order: number) => boolean): (values: readonly AttributeValue[]) => Truth {
  return (values) =>
    eachValue(values, (value) => {
      const text = rule.normalise(value);
      return text === undefined ? undefined : holds(rule.compare(text, asserted));
    });
}

/** `or` is true when one is; `and` is false when one is; else Undefined wins over the rest. Empty: and true, or false (RFC 4526). */
function junction(parts: readonly Matcher[], decisive: boolean): Matcher {
  return (stored, may) => {
    let truth: Truth = !decisive;
    for (const part of parts) {
      const one = part(stored, may);
      if (one === decisive) return decisive;
      if (one === undefined) truth = undefined;
    }
    return truth;
  };
}
