/**
 * Entries that are computed: the root DSE. The subschema is the directory's own.
 *
 * Spec: RFC 4512 §5.1, RFC 3674
 */

import { type Actor, Entry, monitorBase, monitorName, system } from '../directory/index.ts';
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
    read: (dn: Dn, actor: Actor, mechanisms: readonly string[]) => (dn.rdns.length === 0 ? rootDse(parts, actor, mechanisms) : undefined),
    operational: (attribute) => !alwaysShown.has(attribute.toLowerCase()),
  };
}

async function rootDse(
  { directory, config, certificate }: Pick<Parts, 'directory' | 'config' | 'certificate'>,
  actor: Actor,
  mechanisms: readonly string[],
): Promise<Entry> {
  // Domains stand below top-level dc entries, which come and go with them.
  const contexts = await contextsFor(directory, actor, parseDn(config.systemBase));
  const observes = await directory.read(actor, monitorBase, ['1.1']);
  const startTls = '1.3.6.1.4.1.1466.20037';
  const values: readonly (readonly [string, readonly string[]])[] = [
    ['objectClass', ['top', 'extensibleObject']],
    ['namingContexts', contexts],
    ['monitorContext', observes ? [monitorName] : []],
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

/**
 * The trees that the asker may know of (RFC 4512 §5.1 lets a server withhold the rest): those whose top the asker may see, the one the asker's
 * own entry is in, and the system's own. To a stranger who may see nothing at all there are none.
 */
async function contextsFor(directory: Parts['directory'], actor: Actor, systemBase: Dn): Promise<string[]> {
  const tops = { base: rootDn, scope: 'one', filter: parseFilter('(objectClass=*)'), attributes: ['1.1'] } as const;
  const names = async (who: Actor): Promise<Dn[]> => {
    const found: Dn[] = [];
    for await (const { dn } of directory.search(who, tops)) if (dn.key !== systemBase.key) found.push(dn);
    return found;
  };
  const all = await names(system('ldapd'));
  const seen = new Set((await names(actor)).map(({ key }) => key));
  const known = all.filter((top) => seen.has(top.key) || actor.dn?.isWithin(top));
  const isStranger = actor.as !== 'system' && !actor.dn;
  return isStranger && known.length === 0 && all.length > 0 ? [] : [systemBase, ...known].map((dn) => dn.toString());
}
