/**
 * The schema in force: attribute types, object classes, syntaxes and matching rules, found by name or number.
 *
 * Promise: immutable once built; every reference resolved; each name and number published once. Building it from files
 * is build.ts's business, showing it to clients publish.ts's.
 * Spec: RFC 4512 §2, §4.1
 */

import type { MatchingRule } from './matching.ts';
import { mayTravelAsBinary, type Syntax, travelsAsBinary } from './syntaxes.ts';

/** Limits of an own attribute beyond its syntax, from the `X-MT-…` extensions. */
export interface ValueLimits {
  readonly min?: bigint;
  readonly max?: bigint;
  /** As the schema spells them, by their lower-case form. */
  readonly choices?: ReadonlyMap<string, string>;
  readonly pattern?: RegExp;
  /** What the pattern wants, for people. */
  readonly patternHelp?: string;
  readonly length?: number;
}

export interface AttributeType {
  readonly oid: string;
  /** First name as the schema spells it (the OID where it has none). */
  readonly name: string;
  readonly names: readonly string[];
  readonly lower: string;
  readonly sup: AttributeType | undefined;
  readonly syntax: Syntax;
  readonly equality: MatchingRule | undefined;
  readonly ordering: MatchingRule | undefined;
  readonly substring: MatchingRule | undefined;
  readonly single: boolean;
  readonly userModifiable: boolean;
  readonly operational: boolean;
  /** Never readable by anybody bound. */
  readonly secret: boolean;
  readonly limits: ValueLimits | undefined;
  /** As published. */
  readonly text: string;
}

export interface ObjectClass {
  readonly oid: string;
  readonly name: string;
  readonly names: readonly string[];
  readonly lower: string;
  readonly kind: 'abstract' | 'structural' | 'auxiliary';
  /** All superclasses, nearest first, without itself. */
  readonly ancestors: readonly ObjectClass[];
  /** Lower-case canonical names, with those of the superclasses. */
  readonly must: ReadonlySet<string>;
  readonly may: ReadonlySet<string>;
  readonly text: string;
}

/** An attribute description taken apart: type and options (`cn;lang-en`). */
export interface Described {
  readonly type: AttributeType;
  /** Lower-case, sorted, without `binary`. */
  readonly options: readonly string[];
  /** As stored: the schema's spelling with the options. */
  readonly name: string;
  /** Key of the entry's map. */
  readonly lower: string;
}

export interface SchemaParts {
  readonly attributeTypes: readonly AttributeType[];
  readonly objectClasses: readonly ObjectClass[];
  readonly syntaxes: readonly Syntax[];
  readonly matchingRules: readonly MatchingRule[];
}

const optionPattern = /^[A-Za-z0-9-]{1,64}$/;

/** Whether a value's options satisfy the asked-for one; `lang-en-` is a range and takes `lang-en` and `lang-en-us` (RFC 3866 §3). */
export function hasOption(has: readonly string[], wanted: string): boolean {
  if (!wanted.endsWith('-')) return has.includes(wanted);
  return has.some((option) => option.startsWith(wanted) || (wanted !== 'lang-' && option === wanted.slice(0, -1)));
}

export class Schema {
  readonly parts: SchemaParts;
  /** What was said twice in the files and left out; for the log. */
  readonly notes: readonly string[];
  readonly #types = new Map<string, AttributeType>();
  readonly #classes = new Map<string, ObjectClass>();
  readonly #rules = new Map<string, MatchingRule>();
  readonly #subtypes = new Map<AttributeType, AttributeType[]>();
  readonly #described = new Map<string, Described>();

  /** When the newest of its files was changed, in milliseconds since 1970; undefined where it is not from files. */
  readonly modifiedAt: number | undefined;

  constructor(parts: SchemaParts, notes: readonly string[], modifiedAt?: number) {
    this.parts = parts;
    this.notes = notes;
    this.modifiedAt = modifiedAt;
    for (const type of parts.attributeTypes) {
      for (const key of [type.oid, ...type.names]) this.#types.set(key.toLowerCase(), type);
      for (let up: AttributeType | undefined = type; up; up = up.sup) {
        const list = this.#subtypes.get(up);
        if (list) list.push(type);
        else this.#subtypes.set(up, [type]);
      }
    }
    for (const item of parts.objectClasses) for (const key of [item.oid, ...item.names]) this.#classes.set(key.toLowerCase(), item);
    for (const item of parts.matchingRules) for (const key of [item.oid, item.name]) this.#rules.set(key.toLowerCase(), item);
  }

  attribute(name: string): AttributeType | undefined {
    return this.#types.get(name) ?? this.#types.get(name.toLowerCase());
  }

  objectClass(name: string): ObjectClass | undefined {
    return this.#classes.get(name) ?? this.#classes.get(name.toLowerCase());
  }

  rule(name: string): MatchingRule | undefined {
    return this.#rules.get(name.toLowerCase());
  }

  /** Whether the rule may be applied to the attribute in an extensible match (RFC 4512 §4.1.4). */
  applies(rule: MatchingRule, type: AttributeType): boolean {
    return rule.applies.has(type.syntax.oid) || [type.equality, type.ordering, type.substring].includes(rule);
  }

  /** The type and everything derived from it. */
  withSubtypes(type: AttributeType): readonly AttributeType[] {
    return this.#subtypes.get(type) ?? [type];
  }

  /** An attribute description, or undefined where type or options are not known (RFC 4512 §2.5). */
  describe(description: string): Described | undefined {
    const known = this.#described.get(description);
    if (known) return known;
    const [base = '', ...given] = description.split(';');
    const type = this.attribute(base);
    if (!type || given.length > 8 || !given.every((option) => optionPattern.test(option))) return undefined;
    const all = [...new Set(given.map((option) => option.toLowerCase()))];
    if (all.includes('binary') && !mayTravelAsBinary(type.syntax)) return undefined;
    const options = all.filter((option) => option !== 'binary').sort();
    const name = [type.name, ...options, ...(travelsAsBinary(type.syntax) ? ['binary'] : [])].join(';');
    const made = { type, options, name, lower: name.toLowerCase() };
    if (this.#described.size < 5000) this.#described.set(description, made);
    return made;
  }
}
