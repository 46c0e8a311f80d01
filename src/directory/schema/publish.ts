/**
 * The schema as clients see it: the subschema subentry `cn=subschema`.
 *
 * Spec: RFC 4512 §4.2
 */

import { parseDn } from '../../ldap-wire/index.ts';
import { Entry } from '../entry.ts';
import type { Schema } from './schema.ts';

export const subschemaName = 'cn=subschema';

/** Values of a syntax that need not be shown as text (RFC 2252 §4.3.2 calls them binary). */
export function subschemaEntry(schema: Schema): Entry {
  const { attributeTypes, objectClasses, matchingRules, syntaxes } = schema.parts;
  const uses = matchingRules.map((rule) => ({
    rule,
    types: attributeTypes.filter((type) => [type.equality, type.ordering, type.substring].includes(rule)),
  }));
  return new Entry(parseDn(subschemaName), [
    { name: 'objectClass', values: ['top', 'subentry', 'subschema', 'extensibleObject'] },
    { name: 'cn', values: ['subschema'] },
    { name: 'structuralObjectClass', values: ['subentry'] },
    { name: 'subtreeSpecification', values: ['{}'] },
    { name: 'attributeTypes', values: attributeTypes.map((type) => type.text) },
    { name: 'objectClasses', values: objectClasses.map((item) => item.text) },
    { name: 'matchingRules', values: matchingRules.map((rule) => `( ${rule.oid} NAME '${rule.name}' SYNTAX ${rule.syntax} )`) },
    {
      name: 'matchingRuleUse',
      values: uses
        .filter(({ types }) => types.length > 0)
        .map(({ rule, types }) => `( ${rule.oid} NAME '${rule.name}' APPLIES ( ${types.map((type) => type.name).join(' $ ')} ) )`),
    },
    {
      name: 'ldapSyntaxes',
      values: syntaxes.map((syntax) => `( ${syntax.oid} DESC '${syntax.name}'${syntax.textual ? '' : " X-NOT-HUMAN-READABLE 'TRUE'"} )`),
    },
  ]);
}
