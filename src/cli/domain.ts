/** Domains as the commands name, make and remove them. Source: RFC 2247 (dc names); manual chapters 3 and 7 */

import { Fault } from '../base/index.ts';
import { DirectoryFault, type Entry } from '../directory/index.ts';
import type { LdapClient } from '../directory-remote/index.ts';
import { ditClasses } from '../dit/index.ts';
import type { Dn } from '../ldap-wire/index.ts';
import { normalizeDomain } from '../mail/index.ts';
import type { Config } from '../main/index.ts';
import { childrenOf, domainDn, inDomain } from './entries.ts';

/** An attribute and its one value; '' takes it away. */
export interface DomainChange {
  readonly name: string;
  readonly value: string;
}

/** A domain name in lower case and A-labels. Fault `malformed` names what was given. */
export function domainGiven(text: string): string {
  const name = normalizeDomain(text.toLowerCase()) ?? '';
  if (name.length > 253 || !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/.test(name))
    throw new Fault('malformed', `${text} is not a domain name`);
  return name;
}

/** `*.ima.com`: the sub-domains of ima.com, and not itself (manual chapter 3, "Local Domains"). */
export function domainsGiven(text: string): { readonly name: string; readonly below: boolean } {
  const below = text.startsWith('*.');
  return { name: domainGiven(below ? text.slice(2) : text), below };
}

export const isTrue = (entry: Entry, attribute: string): boolean => entry.text(attribute)?.toUpperCase() === 'TRUE';

/** `jade.net` of `dc=jade,dc=net` and of whatever base the tree has. */
export const dcName = (dn: Dn): string =>
  dn.rdns
    .filter((rdn) => rdn[0]?.type.toLowerCase() === 'dc')
    .map((rdn) => rdn[0]?.value ?? '')
    .join('.');

/** What a pattern with `*` matches, without regard to case. */
export function matching(pattern: string): RegExp {
  const pieces = pattern.split('*').map((piece) => piece.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${pieces.join('.*')}$`, 'i');
}

/** The entry of a local domain; Fault `not-found` where it is none. */
export async function domainEntry(client: LdapClient, config: Config, name: string): Promise<Entry> {
  const [entry] = await inDomain(name, () =>
    client.search({
      base: domainDn(config, name),
      scope: 'base',
      filter: { type: 'present', attribute: 'objectClass' },
      attributes: ['*', '+'],
    }),
  );
  if (!entry?.isA('mtMailDomain')) throw new Fault('not-found', `${name} is not a local domain`);
  return entry;
}

/** An entry that is there already as a bare upper level becomes a mail domain. */
export async function makeDomain(client: LdapClient, config: Config, name: string, changes: readonly DomainChange[]): Promise<Dn> {
  const dn = domainDn(config, name);
  const given = changes.filter(({ value }) => value !== '').map((change) => ({ name: change.name, values: [change.value] }));
  try {
    await client.add(dn, [
      { name: 'objectClass', values: ['domain', 'mtMailDomain'] },
      { name: 'dc', values: [name.split('.')[0] ?? name] },
      ...given,
    ]);
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault) || thrown.result !== 'entryAlreadyExists') throw thrown;
    const [there] = await client.search({ base: dn, scope: 'base', filter: { type: 'present', attribute: 'objectClass' } });
    if (there?.isA('mtMailDomain') && (await widened(client, there, given))) return dn;
    if (!there || there.isA('mtMailDomain')) throw new Fault('exists', `${name} is a local domain already`);
    await client.modify(dn, [
      { operation: 'add', attribute: { name: 'objectClass', values: ['mtMailDomain'] } },
      ...given.map((attribute) => ({ operation: 'replace', attribute }) as const),
    ]);
  }
  return dn;
}

/** Fault `not-found` where a domain is to be another name for one that is not local. */
export async function checkAlias(client: LdapClient, config: Config, changes: readonly DomainChange[]): Promise<void> {
  const alias = changes.find(({ name }) => name === 'mtDomainAlias')?.value;
  if (!alias) return;
  if (!(await isLocal(client, config, alias)))
    throw new Fault('not-found', `${alias} is not a local domain: addresses would be looked up nowhere`);
}

/** Whether mail for a domain is ours: by its own entry, or as a sub-domain. */
export async function isLocal(client: LdapClient, config: Config, domain: string): Promise<boolean> {
  const labels = domain.split('.');
  for (let n = 0; n < labels.length; n++) {
    const base = domainDn(config, labels.slice(n).join('.'));
    const found = await client.search({ base, scope: 'base', filter: { type: 'present', attribute: 'objectClass' } }).catch(missing);
    const [entry] = found;
    if (!entry?.isA('mtMailDomain')) continue;
    if (n === 0 ? !isTrue(entry, 'mtSubdomainsOnly') : isTrue(entry, 'mtSubdomains') || isTrue(entry, 'mtSubdomainsOnly')) return true;
  }
  return false;
}

function missing(thrown: unknown): Entry[] {
  if (thrown instanceof DirectoryFault && thrown.result === 'noSuchObject') return [];
  throw thrown;
}

/** Does nothing where there is nothing to change. */
export async function changeDomain(client: LdapClient, dn: Dn, changes: readonly DomainChange[]): Promise<void> {
  if (changes.length === 0) return;
  await client.modify(
    dn,
    changes.map(({ name, value }) => ({ operation: 'replace', attribute: { name, values: value === '' ? [] : [value] } })),
  );
}

/** A domain joins its sub-domains, or they join it, where the entry spoke for the others alone; false: nothing new. */
async function widened(client: LdapClient, there: Entry, given: readonly { name: string; values: string[] }[]): Promise<boolean> {
  const below = given.some(({ name }) => name === 'mtSubdomainsOnly');
  if (isTrue(there, 'mtSubdomainsOnly') ? below : !below || isTrue(there, 'mtSubdomains')) return false;
  await client.modify(there.dn, [
    { operation: 'replace', attribute: { name: 'mtSubdomainsOnly', values: [] } },
    { operation: 'replace', attribute: { name: 'mtSubdomains', values: ['TRUE'] } },
    ...given
      .filter(({ name }) => name !== 'mtSubdomainsOnly' && name !== 'mtSubdomains')
      .map((attribute) => ({ operation: 'replace', attribute }) as const),
  ]);
  return true;
}

/** The sub-domains are no longer local; the domain stays if it was so itself. */
export async function removeSubdomains(client: LdapClient, config: Config, name: string): Promise<void> {
  const entry = await domainEntry(client, config, name);
  if (isTrue(entry, 'mtSubdomainsOnly')) return removeDomain(client, config, name);
  if (!isTrue(entry, 'mtSubdomains')) throw new Fault('not-found', `*.${name} is not local`);
  await client.modify(entry.dn, [{ operation: 'replace', attribute: { name: 'mtSubdomains', values: [] } }]);
}

/**
 * The domain is no longer local. Its administrator goes with it; users, aliases and lists must be gone already, and sub-domains keep
 * the entry as a bare level of the tree.
 */
export async function removeDomain(client: LdapClient, config: Config, name: string): Promise<void> {
  const entry = await domainEntry(client, config, name);
  const { dn } = entry;
  const below = await childrenOf(client, dn);
  const admin = below.find((child) => child.isA('mtAdministrator'));
  const levels = below.filter((child) => child.dn.rdns[0]?.[0]?.type.toLowerCase() === 'dc');
  const others = below.filter((child) => child !== admin && !levels.includes(child));
  if (others.length > 0)
    throw new Fault(
      'refused',
      `${name} has ${others.length} ${others.length === 1 ? 'entry' : 'entries'} below it, the first is ${others[0]?.dn.toString()}`,
    );
  if (admin) await client.delete(admin.dn);
  if (levels.length === 0) return client.delete(dn);
  const own = (ditClasses.find(({ name: each }) => each === 'mtMailDomain')?.may ?? []).filter((attribute) => entry.has(attribute));
  await client.modify(dn, [
    ...own.map((attribute) => ({ operation: 'replace', attribute: { name: attribute, values: [] } }) as const),
    { operation: 'delete', attribute: { name: 'objectClass', values: ['mtMailDomain'] } },
  ]);
}

export const administratorDn = (domain: Dn): Dn => domain.child([{ type: 'cn', value: 'admin' }]);

/** Gives a domain its administrator, `cn=admin` below it. Fault `exists` where it has one. */
export async function addDomainAdministrator(client: LdapClient, domain: Dn, password: string): Promise<void> {
  try {
    await client.add(administratorDn(domain), [
      { name: 'objectClass', values: ['mtAdministrator'] },
      { name: 'cn', values: ['admin'] },
      { name: 'userPassword', values: [password] },
    ]);
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault) || thrown.result !== 'entryAlreadyExists') throw thrown;
    throw new Fault('exists', `${dcName(domain)} has an administrator already`);
  }
}

/** Fault `not-found` where there is none. */
export async function removeDomainAdministrator(client: LdapClient, dn: Dn): Promise<void> {
  try {
    await client.delete(dn);
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault) || thrown.result !== 'noSuchObject') throw thrown;
    throw new Fault('not-found', `there is no administrator ${dn.toString()}`);
  }
}

/** Adds the administrator or sets its password; true where it was added. */
export async function setDomainAdministrator(client: LdapClient, dn: Dn, password: string): Promise<boolean> {
  try {
    await client.modify(dn, [{ operation: 'replace', attribute: { name: 'userPassword', values: [password] } }]);
    return false;
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault) || thrown.result !== 'noSuchObject' || !dn.parent) throw thrown;
    await addDomainAdministrator(client, dn.parent, password);
    return true;
  }
}
