/**
 * Whether an entry as a whole is one the schema allows.
 *
 * Spec: RFC 4512 §2.4 (classes), §2.5 (attributes), §2.3.1 (naming)
 */

import type { Ava, Dn, Rdn } from '../../ldap-wire/index.ts';
import { type Attribute, type AttributeValue, Entry } from '../entry.ts';
import { DirectoryFault } from '../port.ts';
import type { AttributeType, ObjectClass, Schema } from '../schema/schema.ts';
import { checkedValue, type Draft } from './draft.ts';

/** The structural chain must be one: among the structural classes each is a superclass of the last. */
function structuralOf(classes: readonly ObjectClass[]): ObjectClass {
  const structural = classes.filter((item) => item.kind === 'structural');
  const lowest = structural.find((item) => structural.every((other) => other === item || item.ancestors.includes(other)));
  if (structural.length === 0) throw new DirectoryFault('objectClassViolation', 'attribute objectClass: no structural object class given');
  if (lowest) return lowest;
  const pair = structural.filter((item) => !structural.some((other) => other.ancestors.includes(item))).slice(0, 2);
  throw new DirectoryFault(
    'objectClassViolation',
    `attribute objectClass: ${pair.map((item) => item.name).join(' and ')} are both structural and unrelated`,
  );
}

interface Completed {
  readonly classes: readonly ObjectClass[];
  readonly structural: ObjectClass;
}

/** What a set of classes comes to. There are few sets, and every write asks. */
const completed = new WeakMap<Schema, Map<string, Completed>>();
const mostCompleted = 1000;

/** Puts the superclasses in, in the schema's spelling, and returns all classes with the structural one. */
export function completeClasses(schema: Schema, draft: Draft): Completed {
  const given = draft.values('objectClass').map(String);
  if (given.length === 0) throw new DirectoryFault('objectClassViolation', 'attribute objectClass: required and missing');
  const known = completed.get(schema) ?? new Map<string, Completed>();
  completed.set(schema, known);
  const sign = given.join(' ');
  const found = known.get(sign) ?? complete(schema, given);
  if (known.size >= mostCompleted) known.clear();
  known.set(sign, found);
  const { classes } = found;
  if (classes.length !== given.length || classes.some(({ name }, n) => name !== given[n])) {
    draft.set(
      'objectClass',
      classes.map((item) => item.name),
    );
  }
  return found;
}

function complete(schema: Schema, given: readonly string[]): Completed {
  const all = new Set<ObjectClass>();
  for (const name of given) {
    const item = schema.objectClass(name);
    if (!item)
      throw new DirectoryFault('invalidAttributeSyntax', `attribute objectClass: "${name.slice(0, 60)}" is not defined in the schema`);
    for (const each of [...[...item.ancestors].reverse(), item]) all.add(each);
  }
  const classes = [...all];
  return { classes, structural: structuralOf(classes) };
}

interface Allowed {
  readonly anything: boolean;
  readonly must: ReadonlySet<string>;
  readonly may: ReadonlySet<string>;
}
const allowed = new WeakMap<readonly ObjectClass[], Allowed>();

function allowedBy(classes: readonly ObjectClass[]): Allowed {
  const known = allowed.get(classes);
  if (known) return known;
  const made = {
    anything: classes.some((item) => item.lower === 'extensibleobject'),
    must: new Set(classes.flatMap((item) => [...item.must])),
    may: new Set(classes.flatMap((item) => [...item.may])),
  };
  allowed.set(classes, made);
  return made;
}

/** What was given for a new entry as far as it can be understood, for judging before anything is checked. */
export function asGiven(schema: Schema, dn: Dn, attributes: readonly Attribute[]): Entry {
  const found = new Map<string, AttributeValue[]>();
  for (const { name, values } of attributes) {
    const spelt = schema.describe(name)?.name ?? name;
    found.set(spelt, [...(found.get(spelt) ?? []), ...values]);
  }
  const classes = new Set<AttributeValue>();
  for (const name of found.get('objectClass') ?? []) {
    const item = schema.objectClass(String(name));
    for (const each of item ? [item, ...item.ancestors] : []) classes.add(each.name);
  }
  found.set('objectClass', [...classes]);
  return new Entry(
    dn,
    [...found].map(([name, values]) => ({ name, values })),
  );
}

export function checkAttributes(draft: Draft, classes: readonly ObjectClass[]): void {
  const { anything, must, may } = allowedBy(classes);
  for (const { described, count } of draft.lines()) {
    const { type } = described;
    if (type.single && count > 1) throw new DirectoryFault('constraintViolation', `attribute ${type.name}: takes one value only`);
    if (!type.operational && !anything && !must.has(type.lower) && !may.has(type.lower)) {
      throw new DirectoryFault('objectClassViolation', `attribute ${type.name}: not allowed by the object classes of the entry`);
    }
  }
  for (const lower of must) {
    if (draft.hasType(lower)) continue;
    const item = classes.find((each) => each.must.has(lower));
    throw new DirectoryFault(
      'objectClassViolation',
      `attribute ${nameIn(item, lower)}: required by object class ${item?.name ?? ''} and missing`,
    );
  }
}

/** The attribute as its class's definition spells it. */
function nameIn(item: ObjectClass | undefined, lower: string): string {
  return new RegExp(`\\b${lower}\\b`, 'i').exec(item?.text ?? '')?.[0] ?? lower;
}

/** An attribute that may stand in the name of an entry: one that can be compared and read, and everybody may read. */
function naming(schema: Schema, ava: Ava): AttributeType {
  const described = schema.describe(ava.type);
  if (!described || described.options.length > 0)
    throw new DirectoryFault('undefinedAttributeType', `attribute ${ava.type}: not defined in the schema`);
  const { type } = described;
  if (type.operational || type.secret || !type.equality || !type.syntax.textual || ava.encoded)
    throw new DirectoryFault('namingViolation', `attribute ${type.name}: cannot be used to name an entry`);
  return type;
}

/** Refuses a relative name that none could have, before anything else is asked about it. */
export function checkRelativeName(schema: Schema, rdn: Rdn): void {
  for (const ava of rdn) checkedValue(naming(schema, ava), ava.value);
  checkDistinct(schema, rdn);
}

/** Each attribute stands once in a relative name (X.501 §9.3): with `cn=a+cn=A` an entry would have two names. */
function checkDistinct(schema: Schema, rdn: Rdn): void {
  if (rdn.length === 1) return;
  const types = rdn.map((ava) => naming(schema, ava));
  const twice = types.find((type, n) => types.indexOf(type) !== n);
  if (twice) throw new DirectoryFault('namingViolation', `attribute ${twice.name}: stands twice in one relative name`);
}

/** Every attribute of the relative name is there with its value. On add, missing ones are put in. */
export function checkNaming(schema: Schema, draft: Draft, dn: Dn, how: { readonly complete: boolean }): void {
  if (how.complete) checkDistinct(schema, dn.rdns[0] ?? []);
  for (const ava of dn.rdns[0] ?? []) {
    const type = naming(schema, ava);
    const value = checkedValue(type, ava.value);
    if (draft.hasValue(type.name, value)) continue;
    if (how.complete && !(type.single && draft.has(type.name))) draft.add({ name: type.name, values: [value] });
    else if (how.complete)
      throw new DirectoryFault(
        'namingViolation',
        `attribute ${type.name}: its value is not the one in the name "${ava.value.slice(0, 60)}"`,
      );
    else
      throw new DirectoryFault(
        'notAllowedOnRDN',
        `attribute ${type.name}: the value in the entry's name cannot be removed; rename the entry`,
      );
  }
}
