/**
 * Entries that are computed: the root DSE. The subschema is the directory's own.
 *
 * Spec: RFC 4512 §5.1, RFC 3674
 */

import { type Actor, Entry, system } from '../directory/index.ts';
import { type Dn, parseDn, parseFilter, rootDn } from '../ldap-wire/index.ts';
import { supportedControls, supportedExtensions, type Virtual } from '../ldapd/index.ts';
import type { Parts } from './server.ts';
import { version } from './version.ts';

/** RFC 4512 §5.1: all attributes of the root DSE but objectClass and the vendor's are operational. */
const alwaysShown = new Set(['objectclass', 'vendorname', 'vendorversion', 'cn']);

/** `+` (RFC 3673), `@class` (RFC 4529), absolute true and false (RFC 4526), language tags and ranges (RFC 3866), increment (RFC 4525). */
const features = [...['1', '2', '3', '4', '5'].map((number) => `1.3.6.1.4.1.4203.1.5.${number}`), '1.3.6.1.1.14'];

export function virtualEntries(parts: Pick<Parts, 'directory' | 'config' | 'certificate'>): Virtual {
  return {
    read: (dn: Dn, _actor: Actor, mechanisms: readonly string[]) => (dn.rdns.length === 0 ? rootDse(parts, mechanisms) : undefined),
    operational: (attribute) => !alwaysShown.has(attribute.toLowerCase()),
  };
}

async function rootDse(
  { directory, config, certificate }: Pick<Parts, 'directory' | 'config' | 'certificate'>,
  mechanisms: readonly string[],
): Promise<Entry> {
  const contexts = [config.systemBase];
  // Domains stand below top-level dc entries, which come and go with them.
  const tops = { base: rootDn, scope: 'one', filter: parseFilter('(objectClass=*)'), attributes: ['1.1'] } as const;
  for await (const top of directory.search(system('ldapd'), tops)) {
    if (top.dn.key !== parseDn(config.systemBase).key) contexts.push(top.dn.toString());
  }
  const startTls = '1.3.6.1.4.1.1466.20037';
  const values: readonly (readonly [string, readonly string[]])[] = [
    ['objectClass', ['top', 'extensibleObject']],
    ['namingContexts', contexts],
    ['subschemaSubentry', ['cn=subschema']],
    ['supportedLDAPVersion', ['3']],
    ['supportedControl', supportedControls],
    ['supportedExtension', supportedExtensions.filter((oid) => oid !== startTls || certificate.context.value !== undefined)],
    ['supportedFeatures', features],
    ['supportedSASLMechanisms', mechanisms],
    ['vendorName', ['Mailtree']],
    ['vendorVersion', [version]],
  ];
  return new Entry(
    rootDn,
    values.filter(([, list]) => list.length > 0).map(([name, list]) => ({ name, values: list })),
  );
}
