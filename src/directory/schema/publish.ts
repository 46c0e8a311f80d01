/**
 * The schema as clients see it: the subschema subentry `cn=subschema`.
 *
 * Spec: RFC 4512 §4.2
 */

import { parseDn } from '../../ldap-wire/index.ts';
import { Entry } from '../entry.ts';
import type { Schema } from './schema.ts';
import { type Syntax, travelsAsBinary } from './syntaxes.ts';
import { generalizedTime } from './time.ts';

export const subschemaName = 'cn=subschema';

function syntaxText(syntax: Syntax): string {
  const binary = travelsAsBinary(syntax) ? " X-BINARY-TRANSFER-REQUIRED 'TRUE'" : '';
  return `( ${syntax.oid} DESC '${syntax.name}'${binary}${syntax.textual ? '' : " X-NOT-HUMAN-READABLE 'TRUE'"} )`;
}

/** `modifyTimestamp` is that of the newest schema file, so that tools which keep the schema know when to read it again. */
export function subschemaEntry(schema: Schema): Entry {
  const { attributeTypes, objectClasses, matchingRules, syntaxes } = schema.parts;
  const uses = matchingRules.map((rule) => ({ rule, types: attributeTypes.filter((type) => schema.applies(rule, type)) }));
  const time = schema.modifiedAt === undefined ? undefined : generalizedTime(schema.modifiedAt);
  return new Entry(parseDn(subschemaName), [
    { name: 'objectClass', values: ['top', 'subentry', 'subschema', 'extensibleObject'] },
    { name: 'cn', values: ['subschema'] },
    { name: 'structuralObjectClass', values: ['subentry'] },
    { name: 'subtreeSpecification', values: ['{}'] },
    ...(time === undefined ? [] : ['createTimestamp', 'modifyTimestamp'].map((name) => ({ name, values: [time] }))),
    { name: 'attributeTypes', values: attributeTypes.map((type) => type.text) },
    { name: 'objectClasses', values: objectClasses.map((item) => item.text) },
    { name: 'matchingRules', values: matchingRules.map((rule) => `( ${rule.oid} NAME '${rule.name}' SYNTAX ${rule.syntax} )`) },
    {
      name: 'matchingRuleUse',
      values: uses
        .filter(({ types }) => types.length > 0)
        .map(({ rule, types }) => `( ${rule.oid} NAME '${rule.name}' APPLIES ( ${types.map((type) => type.name).join(' $ ')} ) )`),
    },
    { name: 'ldapSyntaxes', values: syntaxes.map(syntaxText) },
  ]);
}
