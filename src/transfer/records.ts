/**
 * From a record of LDIF to the write it stands for, and what of it is not taken over.
 *
 * Spec: RFC 2849; tree delete draft-armijo-ldap-treedelete; ManageDsaIT RFC 3296
 */

import { type Attribute, type AttributeValue, DirectoryFault, type Entry, type Modification, type Schema } from '../directory/index.ts';
import type { LdifRecord } from '../ldap-wire/index.ts';
import type { Addition, Write } from './target.ts';

const treeDelete = '1.2.840.113556.1.4.805';
/** Asks that referrals be treated as entries; there are none here, so it is always so. */
const manageDsaIt = '2.16.840.1.113730.3.4.2';
/** What other servers keep in entries for themselves, and write into their exports. */
const foreign = new Set(['contextcsn', 'numsubordinates', 'hassubordinates', 'entrydn', 'subschemasubentry', 'entryid', 'nsuniqueid']);

export type Entered = LdifRecord & { readonly kind: 'content' | 'add' };
export const isEntry = (record: LdifRecord): record is Entered => record.kind === 'content' || record.kind === 'add';

/** Throws DirectoryFault unavailableCriticalExtension for a control that must be obeyed and cannot be. */
export function checkControls(record: LdifRecord): void {
  for (const { oid, critical } of record.controls) {
    if (oid === manageDsaIt || (oid === treeDelete && record.kind === 'delete') || !critical) continue;
    const why = oid === treeDelete ? 'tree delete belongs to "changetype: delete" alone' : `the control ${oid} is critical and not known`;
    throw new DirectoryFault('unavailableCriticalExtension', why);
  }
}

/** The entry as it is to be added. `notTaken` is told every attribute that is left out: the server maintains it itself. */
export function additionOf(schema: Schema, record: Entered, operational: boolean, notTaken: (attribute: string) => void): Addition {
  const kept = record.attributes.filter(({ name }) => {
    const described = schema.describe(name);
    const left = described ? !operational && !described.type.userModifiable : foreign.has(name.toLowerCase());
    if (left) notTaken(described?.type.name ?? name);
    return !left;
  });
  return { kind: 'add', dn: record.dn, attributes: kept };
}

/** The entry without what the schema does not have. `dropped` is told each attribute and object class. */
export function withoutUnknown(schema: Schema, record: Entered, dropped: (what: string) => void): Entered {
  const attributes = record.attributes.flatMap((attribute) => {
    const described = schema.describe(attribute.name);
    if (described?.type.lower === 'objectclass') {
      const isKnown = (value: AttributeValue): boolean => schema.objectClass(String(value)) !== undefined;
      for (const value of attribute.values) if (!isKnown(value)) dropped(`object class ${String(value)}`);
      return [{ ...attribute, values: attribute.values.filter(isKnown) }];
    }
    if (described || foreign.has(attribute.name.toLowerCase())) return [attribute];
    dropped(`attribute ${attribute.name}`);
    return [];
  });
  return { ...record, attributes };
}

/** The write of a change record that is no entry. */
export function writeOf(record: Exclude<LdifRecord, Entered>): Exclude<Write, Addition> {
  const { dn } = record;
  if (record.kind === 'modify') return { kind: 'modify', dn, modifications: record.modifications };
  if (record.kind === 'delete') return { kind: 'delete', dn, subtree: record.controls.some(({ oid }) => oid === treeDelete) };
  const { rdn, deleteOldRdn, newSuperior } = record;
  return { kind: 'rename', dn, to: { rdn, deleteOldRdn, ...(newSuperior ? { newSuperior } : {}) } };
}

/**
 * What makes the entry that is there the one that is given: its user attributes as given, others removed; what names the entry, and
 * secrets that are not given, stay.
 */
export function replacing(schema: Schema, before: Entry, given: readonly Attribute[]): Modification[] {
  const modifications: Modification[] = [];
  const named = new Set<string>();
  for (const attribute of given) {
    const described = schema.describe(attribute.name);
    if (described && !described.type.userModifiable) continue;
    const name = described?.name ?? attribute.name;
    named.add(name.toLowerCase());
    const values = kept(schema, before, name, attribute);
    if (!same(schema, name, before.values(name), values)) modifications.push({ operation: 'replace', attribute: { name, values } });
  }
  const naming = new Set((before.dn.rdns[0] ?? []).map(({ type }) => schema.attribute(type)?.lower ?? type.toLowerCase()));
  for (const [lower, { name }] of before.attributes) {
    const type = schema.describe(name)?.type;
    if (named.has(lower) || !type || type.operational || !type.userModifiable || type.secret || naming.has(lower)) continue;
    modifications.push({ operation: 'delete', attribute: { name, values: [] } });
  }
  return modifications;
}

/** The given values with those that are understood: superclasses, and what names the entry. */
function kept(schema: Schema, before: Entry, name: string, attribute: Attribute): Attribute['values'] {
  const type = schema.attribute(name);
  if (type?.lower === 'objectclass') {
    const classes = attribute.values.flatMap((value) => {
      const found = schema.objectClass(String(value));
      return found ? [...[...found.ancestors].reverse(), found].map((item) => item.name) : [String(value)];
    });
    return [...new Set(classes)];
  }
  const own = (before.dn.rdns[0] ?? []).filter((ava) => !ava.encoded && schema.attribute(ava.type) === type).map((ava) => ava.value);
  const missing = own.filter((value) => !attribute.values.some((one) => normal(schema, name, one) === normal(schema, name, value)));
  return [...attribute.values, ...missing];
}

/** A value in the form in which it is compared. */
export function normal(schema: Schema, name: string, value: string | Uint8Array): string {
  const type = schema.describe(name)?.type;
  const form = type && !type.syntax.textual && typeof value === 'string' ? Buffer.from(value) : value;
  const text = typeof form === 'string' ? form : undefined;
  return type?.equality?.normalise(form) ?? text ?? Buffer.from(form as Uint8Array).toString('latin1');
}

function same(schema: Schema, name: string, a: Attribute['values'], b: Attribute['values']): boolean {
  if (a.length !== b.length) return false;
  const all = new Set(a.map((value) => normal(schema, name, value)));
  return b.every((value) => all.has(normal(schema, name, value)));
}
