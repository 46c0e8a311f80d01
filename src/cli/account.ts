/**
 * Opening, moving and closing accounts: several LDAP writes that mean one thing to an administrator.
 *
 * An account is closed by taking its LOCAL connectors away and marking the entry `deleted` (qmail-ldap's word): nobody can log in or
 * write to it any more, and the entry stays for the address book until it is deleted itself. Opening one for such an
 * entry again makes the same mailbox live (it is known by entryUUID).
 * Source: manual chapter 4, "Creating User Accounts", "Deleting User Accounts"
 */

import { Fault } from '../base/index.ts';
import { type Attribute, DirectoryFault, type Entry, type Modification } from '../directory/index.ts';
import type { LdapClient } from '../directory-remote/index.ts';
import type { Dn, Rdn } from '../ldap-wire/index.ts';
import { childrenOf } from './entries.ts';

const userClasses = ['inetOrgPerson', 'mtMailUser', 'inetLocalMailRecipient'] as const;
const closed = 'deleted';

const isClosed = (entry: Entry): boolean => entry.text('accountStatus')?.toLowerCase() === closed;

export const hasAccount = (entry: Entry): boolean => entry.isA('mtMailUser') && !isClosed(entry);

/** A new user, or a mailbox for an entry whose account was closed. Fault `exists` where there is one already. */
export async function openAccount(client: LdapClient, domain: Dn, address: string, attributes: readonly Attribute[]): Promise<Dn> {
  const dn = domain.child([{ type: 'mail', value: address }]);
  try {
    await client.add(dn, [{ name: 'objectClass', values: userClasses }, { name: 'mail', values: [address] }, ...attributes]);
    return dn;
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault) || thrown.result !== 'entryAlreadyExists') throw thrown;
    const [there] = await client.search({ base: dn, scope: 'base', filter: { type: 'present', attribute: 'objectClass' } });
    if (!there || !isClosed(there)) throw new Fault('exists', `${address} exists already: ${dn.toString()}`);
    await client.modify(dn, [
      ...attributes.map((attribute): Modification => ({ operation: 'replace', attribute })),
      { operation: 'replace', attribute: { name: 'accountStatus', values: [] } },
    ]);
    return dn;
  }
}

/** Closes the mailbox, keeps the entry. */
export async function closeAccount(client: LdapClient, entry: Entry): Promise<void> {
  if (!hasAccount(entry)) throw new Fault('refused', `${entry.text('mail') ?? entry.dn.toString()} has no mailbox`);
  for (const child of await childrenOf(client, entry.dn))
    if (child.isA('mtConnector') && child.text('mtChannel')?.toUpperCase() === 'LOCAL') await client.delete(child.dn);
  await client.modify(entry.dn, [
    { operation: 'replace', attribute: { name: 'accountStatus', values: [closed] } },
    { operation: 'replace', attribute: { name: 'userPassword', values: [] } },
  ]);
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
 * A new primary address, in another domain too; connectors that named the old one name the new one. Both addresses are the account's
 * while it moves, so that no message is refused meanwhile.
 */
export async function moveAccount(
  client: LdapClient,
  entry: Entry,
  to: string,
  domain: Dn,
  keep: { readonly alias: boolean },
): Promise<void> {
  const from = entry.text('mail') ?? '';
  const rdn: Rdn = [{ type: 'mail', value: to }];
  const named = entry.dn.rdns[0]?.some((ava) => ava.type.toLowerCase() === 'mail') ?? false;
  const elsewhere = entry.dn.parent?.key !== domain.key;
  if (!named && elsewhere)
    throw new Fault('refused', `${entry.dn.toString()} is not named by its address: rename it to mail=… with an LDAP tool first`);
  const alias = (operation: 'add' | 'delete', value: string): Modification => ({
    operation,
    attribute: { name: 'mailLocalAddress', values: [value] },
  });
  const has = (address: string): boolean => entry.texts('mailLocalAddress').some((each) => each.toLowerCase() === address.toLowerCase());
  const renamed = from.toLowerCase() !== to.toLowerCase();
  if (renamed && !has(from)) await client.modify(entry.dn, [alias('add', from)]);
  const dn = named ? domain.child(rdn) : entry.dn;
  if (named) await client.rename(entry.dn, { rdn, deleteOldRdn: true, ...(elsewhere ? { newSuperior: domain } : {}) });
  else await client.modify(dn, [{ operation: 'replace', attribute: { name: 'mail', values: [to] } }]);
  for (const child of await childrenOf(client, dn)) {
    if (!child.isA('mtConnector') || child.text('mtIdentifier')?.toLowerCase() !== from.toLowerCase()) continue;
    await client.modify(child.dn, [{ operation: 'replace', attribute: { name: 'mtIdentifier', values: [to] } }]);
  }
  const surplus = [...(renamed && !keep.alias ? [from] : []), ...(renamed && has(to) ? [to] : [])];
  if (surplus.length > 0)
    await client.modify(
      dn,
      surplus.map((address) => alias('delete', address)),
    );
}
