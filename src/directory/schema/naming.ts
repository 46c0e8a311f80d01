/**
 * How names compare by a schema: every attribute type by its first name, its values by its own equality rule.
 *
 * Spec: RFC 4517 §4.2.15
 */

import { type NamingRule, useNamingRules } from '../../ldap-wire/index.ts';
import type { Schema } from './schema.ts';

/** Rules whose form is the one names have anyway. */
const plain = new Set(['caseIgnoreMatch', 'caseIgnoreIA5Match', 'presentationAddressMatch']);

/** Names are compared by this schema from now on, in the whole process: before any key of a name is made or looked up. */
export function nameBy(schema: Schema): void {
  useNamingRules(namingRules(schema));
}

function namingRules(schema: Schema): (type: string) => NamingRule | undefined {
  const found = new Map<string, NamingRule>();
  for (const type of schema.parts.attributeTypes) {
    const { equality } = type;
    const rule = !equality || plain.has(equality.name) ? { type: type.lower } : { type: type.lower, form: equality.normalise };
    for (const name of [type.oid, ...type.names]) found.set(name.toLowerCase(), rule);
  }
  return (type) => found.get(type);
}
