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
import { held } from '../schema/forms.ts';
import { type AttributeType, type Described, hasOption, type Schema } from '../schema/schema.ts';
import { extensibleTest, ruleTest, type Substrings, substringTest, type Truth, type ValuesTest } from './value-tests.ts';

/** Whether the asker may use this attribute of this entry in a filter. */
export type MaySearch = (stored: Stored, attribute: AttributeType) => boolean;
/** Values that no record holds: hasSubordinates, entryDN, subschemaSubentry. */
export type Computed = (stored: Stored, attribute: string) => readonly AttributeValue[] | undefined;
export type Matcher = (stored: Stored, may: MaySearch | undefined) => Truth;

const deepest = 64;
const never: Matcher = () => undefined;

/** An assertion value in the form the syntax holds: text for textual syntaxes, octets for the others. */
export const assertion = (value: Uint8Array, textual: boolean): AttributeValue | undefined => held(value, textual);

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

  /** Runs `test` over every value the asker may search; Undefined where some are out of reach, unless these are as if they were not there. */
  #over(wanted: Wanted, test: (values: readonly AttributeValue[], type: AttributeType) => Truth, hidden?: false): Matcher {
    const { types, options } = wanted;
    return (stored, may) => {
      let truth: Truth = false;
      for (const type of types) {
        if (may && !may(stored, type)) {
          if (hidden === undefined) truth = undefined;
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
      if (base === type.lower && has.length > 0 && options.every((option) => hasOption(has, option))) yield attribute.values;
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

  /** Each type by its own rule: one that is derived may compare in another way than its supertype (RFC 4511 §4.5.1.7.1). */
  #compare(attribute: string, value: Uint8Array, by: 'equality' | 'ordering', holds: (order: number) => boolean): Matcher {
    const wanted = wantedOf(this.#schema, attribute);
    if (!wanted) return never;
    return this.#byRule(wanted, (type) => {
      const asserted = type[by]?.assertion(value);
      return type[by] && asserted !== undefined ? ruleTest(type[by], asserted, holds) : undefined;
    });
  }

  #substring(filter: Substrings & { readonly attribute: string }): Matcher {
    const wanted = wantedOf(this.#schema, filter.attribute);
    return wanted ? this.#byRule(wanted, (type) => type.substring && substringTest(type.substring, filter)) : never;
  }

  /** A matcher that tests values of each type with what is made for its rule, once for each rule; Undefined where that is nothing. */
  #byRule(wanted: Wanted, make: (type: AttributeType) => ValuesTest | undefined): Matcher {
    const tests = new Map<string, ValuesTest | undefined>();
    const signs = new Map<AttributeType, string>();
    for (const type of wanted.types) {
      const sign = [type.equality, type.ordering, type.substring].map((rule) => rule?.name).join();
      signs.set(type, sign);
      if (!tests.has(sign)) tests.set(sign, make(type));
    }
    const [only] = tests.values();
    if (tests.size === 1) return only ? this.#over(wanted, only) : never;
    return this.#over(wanted, (values, type) => tests.get(signs.get(type) ?? '')?.(values));
  }

  #extensible(filter: Extract<Filter, { type: 'extensible' }>): Matcher {
    const named = filter.rule === undefined ? undefined : this.#schema.rule(filter.rule);
    const wanted = filter.attribute === undefined ? undefined : wantedOf(this.#schema, filter.attribute);
    if ((filter.rule !== undefined && !named) || (filter.attribute !== undefined && !wanted)) return never;
    const [type] = wanted?.types ?? [];
    const rule = named ?? type?.equality;
    if (!rule || (named && type && !this.#schema.applies(named, type))) return never;
    const types = wanted?.types ?? this.#schema.parts.attributeTypes.filter((each) => this.#schema.applies(rule, each));
    const test = extensibleTest(rule, filter.value);
    if (!test) return never;
    // Where none is named all that the asker may search are asked: one that is hidden is as if it were not there, in any entry.
    const inside = this.#over({ types, options: wanted?.options ?? [] }, test, wanted ? undefined : false);
    if (!filter.dnAttributes) return inside;
    const typeNames = new Set(types.flatMap((each) => [each.oid, ...each.names.map((name) => name.toLowerCase())]));
    const inName = (stored: Stored, may: MaySearch | undefined): Truth => {
      let truth: Truth = false;
      for (const { type: name, value, encoded } of stored.entry.dn.rdns.flat()) {
        if (encoded || !typeNames.has(name.toLowerCase())) continue;
        const ava = this.#schema.attribute(name);
        const one = may && ava && !may(stored, ava) ? undefined : test([value]);
        if (one) return true;
        if (one === undefined) truth = undefined;
      }
      return truth;
    };
    return junction([inName, inside], true);
  }
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
