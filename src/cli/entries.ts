/** Finding and naming entries of the domain tree for the commands. */

import { Fault } from '../base/index.ts';
import { DirectoryFault, type Entry, isListMember } from '../directory/index.ts';
import type { LdapClient } from '../directory-remote/index.ts';
import { type Dn, type Filter, makeDn, parseDn } from '../ldap-wire/index.ts';
import { type Address, normalizeAddress, parseAddress } from '../mail/index.ts';
import type { Config } from '../main/index.ts';

export function equal(attribute: string, value: string): Filter {
  return { type: 'equal', attribute, value: Buffer.from(value, 'utf8') };
}

/** `*` stands for anything; without one the value must be equal. */
export function like(attribute: string, pattern: string): Filter {
  const pieces = pattern.split('*').map((piece) => Buffer.from(piece, 'utf8'));
  if (pieces.length === 1) return equal(attribute, pattern);
  if (pieces.every((piece) => piece.length === 0)) return { type: 'present', attribute };
  const [first, last] = [pieces[0], pieces[pieces.length - 1]];
  return {
    type: 'substring',
    attribute,
    initial: first?.length ? first : undefined,
    any: pieces.slice(1, -1).filter((piece) => piece.length > 0),
    final: last?.length ? last : undefined,
  };
}

/** An address given on the command line; Fault `malformed` names it. */
export function addressGiven(text: string): Address & { readonly text: string } {
  const parsed = parseAddress(text);
  if (!parsed) throw new Fault('malformed', `${text} is not an address`);
  return { ...parsed, text: normalizeAddress(text) ?? `${parsed.local}@${parsed.domain}` };
}

export function domainDn(config: Config, domain: string): Dn {
  const base = config.domainBase === '' ? [] : parseDn(config.domainBase).rdns;
  return makeDn([
    ...domain
      .toLowerCase()
      .split('.')
      .map((label) => [{ type: 'dc', value: label }]),
    ...base,
  ]);
}

/** What is done to a domain's entry or below it; one that is not there is said in the words of whoever gave the name. */
export async function inDomain<T>(domain: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof DirectoryFault && thrown.result === 'noSuchObject')
      throw new Fault('not-found', `${domain} is not a local domain`);
    throw thrown;
  }
}

export function treeBase(config: Config): Dn {
  return parseDn(config.domainBase);
}

/** The one entry that has this address, as its own or as an alias; Fault `not-found` otherwise. */
export async function entryOf(client: LdapClient, config: Config, address: string, attributes: readonly string[] = []): Promise<Entry> {
  const names = ['mail', 'mailLocalAddress', 'mtMailAddress'];
  const found = await client.search({
    base: treeBase(config),
    scope: 'sub',
    filter: { type: 'or', filters: names.map((name) => equal(name, address)) },
    attributes,
  });
  // A list's members mention addresses and do not have them.
  const owner = found.find((entry) => !isListMember(entry));
  if (!owner) throw new Fault('not-found', `nobody has the address ${address}`);
  return owner;
}

/**
 * Where the directory is another server's, nobody there refuses an address that somebody has: mail to it would be deferred for both.
 * Fault `exists` says whose it is; the bundled directory looks in the transaction of the write, and needs no such question.
 */
export async function stillFree(client: LdapClient, config: Config, address: string, mover?: Dn): Promise<void> {
  if (!config.directory) return;
  try {
    const { dn } = await entryOf(client, config, address);
    if (dn.key !== mover?.key) throw new Fault('exists', `the address ${address} belongs to ${dn.toString()}`);
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.kind !== 'not-found') throw thrown;
  }
}

/** The same, where it must be a person. Fault `refused` says what it is instead. */
export async function userOf(client: LdapClient, config: Config, address: string): Promise<Entry> {
  const entry = await entryOf(client, config, address);
  if (!entry.isA('person')) throw new Fault('refused', `${address} is not a user: ${entry.dn.toString()}`);
  return entry;
}

/** The same by the primary address alone: whoever closes or removes an account must not hit it by an alias of somebody else's. */
export async function userByPrimary(client: LdapClient, config: Config, address: string): Promise<Entry> {
  const entry = await userOf(client, config, address);
  const primary = entry.texts('mail');
  if (primary.length > 0 && !primary.some((each) => each.toLowerCase() === address.toLowerCase()))
    throw new Fault('refused', `${address} is an alias of ${primary[0]}: give the primary address`);
  return entry;
}

export function childrenOf(client: LdapClient, dn: Dn): Promise<Entry[]> {
  return client.search({ base: dn, scope: 'one', filter: { type: 'present', attribute: 'objectClass' } });
}
