/**
 * An access entry as a rule. A rule that cannot be understood is refused when it is written (write-rules.ts); one that stands in the
 * directory all the same, from before or by an older schema, denies nothing and allows nothing: it is reported and left out, and
 * the last word, "no", stays.
 */

import { asFault } from '../../base/index.ts';
import { type Dn, type Filter, parseDn, parseFilter } from '../../ldap-wire/index.ts';
import type { Entry } from '../entry.ts';
import type { AttributeType, Schema } from '../schema/schema.ts';
import type { Compiler } from '../search/evaluate.ts';
import { isFleeting } from '../search/select.ts';
import { accessClass, type Right, rights } from './classes.ts';

const plainWho = ['all', 'anonymous', 'authenticated', 'self', 'same-domain', 'domain-admin'] as const;

export type Who =
  | { readonly kind: (typeof plainWho)[number] }
  | { readonly kind: 'dn' | 'subtree' | 'group'; readonly dn: Dn }
  | { readonly kind: 'attribute'; readonly attribute: AttributeType };

export type Target = { readonly kind: 'all' | 'domains' | 'system' } | { readonly kind: 'entry' | 'children' | 'subtree'; readonly dn: Dn };

export interface AccessRule {
  readonly order: number;
  /** DN of its entry. */
  readonly name: string;
  /** Everything its entry says, in one comparable text. */
  readonly text: string;
  readonly who: readonly Who[];
  readonly targets: readonly Target[];
  readonly classes: readonly string[];
  readonly filter: EntryTest | undefined;
  readonly rights: ReadonlySet<Right>;
  readonly allow: boolean;
  /** Whether the rule speaks of this attribute. */
  covers(attribute: AttributeType): boolean;
}

export interface EntryTest {
  /** As it was written. */
  readonly text: string;
  fits(entry: Entry): boolean;
}

/** What is wrong with an access entry. */
export interface RuleProblem {
  readonly attribute: string;
  readonly say: string;
}

export interface RuleParts {
  readonly schema: Schema;
  readonly compiler: Compiler;
}

/** Bounds on one rule: it is asked about every entry that anybody reads. */
export const ruleLimits = { values: 200, filterLength: 2000, filterParts: 50 } as const;

class Wrong extends Error {
  readonly attribute: string;
  readonly say: string;

  constructor(attribute: string, say: string) {
    super(say);
    this.attribute = attribute;
    this.say = say;
  }
}

const shown = (text: string): string => `"${text.slice(0, 100)}"`;

function nameIn(attribute: string, text: string): Dn {
  try {
    const dn = parseDn(text.trim());
    if (dn.rdns.length > 0) return dn;
  } catch (thrown) {
    throw new Wrong(attribute, `${shown(text)} is not a distinguished name: ${asFault(thrown).say}`);
  }
  throw new Wrong(attribute, 'the name in it is empty');
}

function whoOf(text: string, { schema }: RuleParts): Who {
  const attribute = 'mtAccessWho';
  const plain = plainWho.find((word) => word === text.trim().toLowerCase());
  if (plain) return { kind: plain };
  const [, word = '', rest = ''] = /^([a-z]+):(.+)$/is.exec(text.trim()) ?? [];
  const kind = word.toLowerCase();
  if (kind === 'dn' || kind === 'subtree' || kind === 'group') return { kind, dn: nameIn(attribute, rest) };
  if (kind !== 'attribute')
    throw new Wrong(attribute, `${shown(text)} is none of ${plainWho.join(', ')}, dn:NAME, subtree:NAME, group:NAME, attribute:TYPE`);
  const type = schema.attribute(rest.trim());
  if (!type) throw new Wrong(attribute, `${shown(rest)} is not defined in the schema`);
  if (!holdsNames(type)) throw new Wrong(attribute, `${type.name} does not hold names of entries`);
  return { kind, attribute: type };
}

const holdsNames = (type: AttributeType): boolean =>
  type.equality?.name === 'distinguishedNameMatch' || type.equality?.name === 'uniqueMemberMatch';

function targetOf(text: string): Target {
  const plain = text.trim().toLowerCase();
  if (plain === '*') return { kind: 'all' };
  if (plain === 'domains' || plain === 'system') return { kind: plain };
  const [, word = '', rest = ''] = /^([a-z]+):(.+)$/is.exec(text.trim()) ?? [];
  const kind = word.toLowerCase();
  if (kind === 'entry' || kind === 'children' || kind === 'subtree') return { kind, dn: nameIn('mtAccessTarget', rest) };
  throw new Wrong('mtAccessTarget', `${shown(text)} is none of *, domains, system, entry:NAME, children:NAME, subtree:NAME`);
}

function coverage(names: readonly string[], { schema }: RuleParts): (attribute: AttributeType) => boolean {
  if (names.length === 0) return () => true;
  const lower = names.map((name) => name.trim().toLowerCase());
  const exact = new Set(lower);
  for (const name of lower) {
    const item = name.startsWith('@') ? schema.objectClass(name.slice(1)) : undefined;
    for (const each of item ? [...item.must, ...item.may] : []) exact.add(each);
  }
  const prefixes = lower.filter((name) => name.length > 1 && name.endsWith('*')).map((name) => name.slice(0, -1));
  return (attribute) => {
    if (exact.has(attribute.operational ? '+' : '*') || exact.has(attribute.oid)) return true;
    if (attribute.names.some((name) => exact.has(name.toLowerCase()))) return true;
    return prefixes.some((prefix) => attribute.lower.startsWith(prefix));
  };
}

/** Attributes a filter asks about; `undefined` for an item that names none. */
function* asked(filter: Filter): Generator<string | undefined> {
  if ('filters' in filter) for (const part of filter.filters) yield* asked(part);
  else if (filter.type === 'not') yield* asked(filter.filter);
  else yield filter.attribute;
}

function testOf(text: string, { schema, compiler }: RuleParts): EntryTest {
  const refuse = (say: string): never => {
    throw new Wrong('mtAccessFilter', say);
  };
  if (text.length > ruleLimits.filterLength) refuse(`is longer than ${ruleLimits.filterLength} characters`);
  let filter: Filter;
  try {
    filter = parseFilter(text);
  } catch (thrown) {
    return refuse(`${shown(text)} is not a filter: ${asFault(thrown).say}`);
  }
  const items = [...asked(filter)];
  if (items.length > ruleLimits.filterParts) refuse(`has more than ${ruleLimits.filterParts} parts`);
  for (const name of items) {
    const type = name === undefined ? refuse('has a part that names no attribute') : schema.describe(name)?.type;
    if (!type) return refuse(`${shown(name ?? '')} is not defined in the schema`);
    // Whoever writes such a rule would see what is secret by what it does.
    if (type.secret) refuse(`${type.name} is secret`);
    // A rule is about an entry as it stands, also one that is only about to be added.
    if (isFleeting(type.lower)) refuse(`${type.name} is not of the entry itself`);
  }
  const matcher = compiler.compile(filter);
  const known = new WeakMap<Entry, boolean>();
  return {
    text,
    fits(entry) {
      let fits = known.get(entry);
      if (fits === undefined) {
        fits = matcher({ id: 0, parent: 0, entry, optioned: true }, undefined) === true;
        known.set(entry, fits);
      }
      return fits;
    },
  };
}

/** The rule of one entry, or what is wrong with it. */
export function ruleOf(entry: Entry, parts: RuleParts): AccessRule | RuleProblem {
  try {
    return build(entry, parts);
  } catch (thrown) {
    if (thrown instanceof Wrong) return { attribute: thrown.attribute, say: thrown.say };
    throw thrown;
  }
}

const ruleAttributes = (accessClass.attributes ?? []).map(({ attribute }) => attribute);

function build(entry: Entry, parts: RuleParts): AccessRule {
  const order = Number(entry.text('mtAccessOrder'));
  const effect = entry.text('mtAccessEffect')?.toLowerCase();
  if (!Number.isSafeInteger(order)) throw new Wrong('mtAccessOrder', 'is not a number that can be counted with');
  if (effect !== 'allow' && effect !== 'deny') throw new Wrong('mtAccessEffect', 'is neither allow nor deny');
  const given = entry.texts('mtAccessRight').map((right) => right.toLowerCase() as Right);
  const wrong = given.find((right) => !rights.includes(right));
  if (wrong !== undefined || given.length === 0) throw new Wrong('mtAccessRight', `${shown(wrong ?? '')} is none of ${rights.join(', ')}`);
  const who = entry.texts('mtAccessWho').map((text) => whoOf(text, parts));
  if (who.length === 0) throw new Wrong('mtAccessWho', 'names nobody');
  const targets = entry.texts('mtAccessTarget').map(targetOf);
  const filter = entry.text('mtAccessFilter');
  return {
    order,
    name: entry.dn.toString(),
    text: JSON.stringify(ruleAttributes.map((attribute) => entry.texts(attribute))),
    who,
    targets: targets.length === 0 ? [{ kind: 'all' }] : targets,
    classes: entry.texts('mtAccessClass'),
    filter: filter === undefined ? undefined : testOf(filter, parts),
    rights: new Set(given),
    allow: effect === 'allow',
    covers: coverage(entry.texts('mtAccessAttribute'), parts),
  };
}

export const isRule = (made: AccessRule | RuleProblem): made is AccessRule => !('say' in made);
