/**
 * Opening, moving and closing accounts: several LDAP writes that mean one thing to an administrator.
 *
 * An account is closed by taking its LOCAL connectors away and marking the entry `deleted` (qmail-ldap's word): nobody can log in or
 * write to it any more, and the entry stays for the address book until it is deleted itself. Opening one for such an
 * entry again makes the same mailbox live (it is known by entryUUID).
 * Source: manual chapter 4, "Creating User Accounts", "Deleting User Accounts"
 */

import { asFault, Fault } from '../base/index.ts';
import { type Attribute, DirectoryFault, type Entry, type Modification } from '../directory/index.ts';
import type { LdapClient } from '../directory-remote/index.ts';
import type { Dn, Rdn } from '../ldap-wire/index.ts';
import type { Address } from '../mail/index.ts';
import type { Config } from '../main/index.ts';
import { childrenOf, domainDn, stillFree } from './entries.ts';
import { newPerson, type PersonOptions, personChanges } from './person.ts';

const userClasses = ['inetOrgPerson', 'mtMailUser', 'inetLocalMailRecipient'] as const;
const closed = 'deleted';

const replace = (name: string, values: readonly string[]): Modification => ({ operation: 'replace', attribute: { name, values } });

const isClosed = (entry: Entry): boolean => entry.text('accountStatus')?.toLowerCase() === closed;

export const hasAccount = (entry: Entry): boolean => entry.isA('mtMailUser') && !isClosed(entry);

/**
 * A new user, or a mailbox for an entry whose account was closed: that one keeps what is not given, its names above all.
 * Fault `exists` where there is one already.
 */
export async function openAccount(
  client: LdapClient,
  config: Config,
  given: Address & { readonly text: string },
  person: PersonOptions,
  more: readonly Attribute[],
): Promise<Dn> {
  const address = given.text;
  const dn = domainDn(config, given.domain).child([{ type: 'mail', value: address }]);
  const names = newPerson(given.local, person);
  await stillFree(client, config, address, dn);
  try {
    await client.add(dn, [{ name: 'objectClass', values: userClasses }, { name: 'mail', values: [address] }, ...names, ...more]);
    return dn;
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault) || thrown.result !== 'entryAlreadyExists') throw thrown;
    const [there] = await client.search({ base: dn, scope: 'base', filter: { type: 'present', attribute: 'objectClass' } });
    if (!there || !isClosed(there)) throw new Fault('exists', `${address} exists already: ${dn.toString()}`);
    await client.modify(dn, [
      replace('accountStatus', []),
      ...personChanges(there, person),
      ...more.map((attribute): Modification => ({ operation: 'replace', attribute })),
    ]);
    return dn;
  }
}

/** Closes the mailbox, keeps the entry. */
export async function closeAccount(client: LdapClient, entry: Entry): Promise<void> {
  if (!hasAccount(entry)) throw new Fault('refused', `${entry.text('mail') ?? entry.dn.toString()} has no mailbox`);
  for (const child of await childrenOf(client, entry.dn))
    if (child.isA('mtConnector') && child.text('mtChannel')?.toUpperCase() === 'LOCAL') await client.delete(child.dn);
  await client.modify(entry.dn, [replace('accountStatus', [closed]), replace('userPassword', [])]);
}

/** The entry with all that is below it: in one step where the server knows how, else from the leaves up. */
export async function removeEntry(client: LdapClient, dn: Dn): Promise<void> {
  try {
    await client.delete(dn, { subtree: true });
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault) || thrown.result !== 'unavailableCriticalExtension') throw thrown;
    for (const child of await childrenOf(client, dn)) await removeEntry(client, child.dn);
    await client.delete(dn);
  }
}

/**
 * A new primary address, in another domain too, with the `changes` that go along; connectors that named the old one name the new
 * one. Both addresses are the account's while it moves, so that no message is refused meanwhile. What cannot be moved is changed back.
 */
export async function moveAccount(
  client: LdapClient,
  entry: Entry,
  to: string,
  domain: Dn,
  how: { readonly keepAlias: boolean; readonly changes: readonly Modification[] },
): Promise<void> {
  const from = entry.text('mail') ?? '';
  const named = entry.dn.rdns[0]?.some((ava) => ava.type.toLowerCase() === 'mail') ?? false;
  const elsewhere = entry.dn.parent?.key !== domain.key;
  if (!named && elsewhere)
    throw new Fault('refused', `${entry.dn.toString()} is not named by its address: rename it to mail=… with an LDAP tool first`);
  const has = (address: string): boolean => entry.texts('mailLocalAddress').some((each) => each.toLowerCase() === address.toLowerCase());
  const renamed = from !== '' && from.toLowerCase() !== to.toLowerCase();
  const first = [...how.changes, ...(renamed && !has(from) ? [alias('add', from)] : []), ...(named ? [] : [replace('mail', [to])])];
  if (first.length > 0) await client.modify(entry.dn, first);
  const rdn: Rdn = [{ type: 'mail', value: to }];
  if (named) {
    try {
      await client.rename(entry.dn, { rdn, deleteOldRdn: true, ...(elsewhere ? { newSuperior: domain } : {}) });
    } catch (thrown) {
      await changeBack(client, entry, first, thrown);
    }
  }
  const dn = named ? domain.child(rdn) : entry.dn;
  for (const child of await childrenOf(client, dn)) {
    if (!child.isA('mtConnector') || child.text('mtIdentifier')?.toLowerCase() !== from.toLowerCase()) continue;
    await client.modify(child.dn, [replace('mtIdentifier', [to])]);
  }
  const surplus = [...(renamed && !how.keepAlias ? [from] : []), ...(renamed && has(to) ? [to] : [])];
  if (surplus.length > 0)
    await client.modify(
      dn,
      surplus.map((address) => alias('delete', address)),
    );
}

const alias = (operation: 'add' | 'delete', address: string): Modification => ({
  operation,
  attribute: { name: 'mailLocalAddress', values: [address] },
});

/** The entry becomes again what it was before these changes; then the fault that asked for it is thrown. */
async function changeBack(client: LdapClient, entry: Entry, changes: readonly Modification[], thrown: unknown): Promise<never> {
  const names = new Set(changes.map(({ attribute }) => attribute.name));
  const back = [...names].map((name) => replace(name, entry.texts(name)));
  try {
    if (back.length > 0) await client.modify(entry.dn, back);
  } catch {
    const { kind, say } = asFault(thrown);
    throw new Fault(kind, `${say}; ${[...names].join(', ')} stay changed`, { cause: thrown });
  }
  throw thrown;
}
