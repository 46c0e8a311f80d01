/** Keys of DKIM as the commands handle them, and asking the DNS about them. Checklist MTA-24 */

import { constant, createResolver, Fault, type Resolver } from '../base/index.ts';
import { DirectoryFault } from '../directory/index.ts';
import type { LdapClient } from '../directory-remote/index.ts';
import { type DkimKey, dkimBase, dkimKeyOf, dkimNameText, type KeyState } from '../dit/index.ts';
import { type Dn, parseDn } from '../ldap-wire/index.ts';
import { keyRecord, type MadeKey, readKeyRecord, zoneStrings } from '../mail-auth/index.ts';
import { type Config, dnsServer } from '../main/index.ts';
import { childrenOf } from './entries.ts';

const baseOf = (config: Config): Dn => parseDn(`${dkimBase},${config.systemBase}`);

/** Of one domain, or of all: sorted by domain and selector. */
export async function keysOf(client: LdapClient, config: Config, domain?: string): Promise<DkimKey[]> {
  const entries = await childrenOf(client, baseOf(config));
  return entries
    .flatMap((entry) => dkimKeyOf(entry) ?? [])
    .filter((key) => domain === undefined || key.domain === domain)
    .sort((a, b) => `${a.domain} ${a.selector}`.localeCompare(`${b.domain} ${b.selector}`));
}

/** The key that is meant. Faults `not-found`; `malformed` where several could be. */
export function keyGiven(keys: readonly DkimKey[], domain: string, selector: string | undefined, among: readonly KeyState[]): DkimKey {
  const fits = keys.filter((key) => (selector === undefined ? among.includes(key.state) : key.selector === selector));
  if (fits.length === 1 && fits[0]) return fits[0];
  if (fits.length > 1)
    throw new Fault('malformed', `${domain} has several such keys (${fits.map((key) => key.selector).join(', ')}): give --selector`);
  throw new Fault('not-found', selector === undefined ? `${domain} has no such key` : `${domain} has no key with the selector ${selector}`);
}

/** Files a key, in the state `new`. Fault `exists`. */
export async function addKey(client: LdapClient, config: Config, name: { domain: string; selector: string }, key: MadeKey): Promise<void> {
  const cn = dkimNameText(name);
  try {
    await client.add(baseOf(config).child([{ type: 'cn', value: cn }]), [
      { name: 'objectClass', values: ['mtDkimKey'] },
      { name: 'cn', values: [cn] },
      { name: 'mtDkimKeyType', values: [key.type] },
      { name: 'mtDkimState', values: ['new'] },
      { name: 'mtDkimPublicKey', values: [key.publicKey] },
      { name: 'mtDkimPrivateKey', values: [key.privateKey] },
    ]);
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault) || thrown.result !== 'entryAlreadyExists') throw thrown;
    throw new Fault('exists', `there is a key ${cn} already`);
  }
}

export async function setState(client: LdapClient, key: DkimKey, state: KeyState): Promise<void> {
  await client.modify(parseDn(key.dn), [{ operation: 'replace', attribute: { name: 'mtDkimState', values: [state] } }]);
}

/** `s202611`, or with a letter behind it where that is taken. */
export function freeSelector(keys: readonly DkimKey[], type: MadeKey['type'], now: Date): string {
  const month = `${type === 'rsa' ? 'r' : 'e'}${now.getFullYear()}${String(now.getMonth() + 1).padStart(2, '0')}`;
  const taken = new Set(keys.map((key) => key.selector));
  for (const letter of ['', ...'bcdefghijklmnopqrstuvwxyz']) if (!taken.has(`${month}${letter}`)) return `${month}${letter}`;
  throw new Fault('too-many', `there are too many keys of ${month}: give --selector`);
}

/** A line of a zone file. */
export function zoneLine(key: Pick<DkimKey, 'domain' | 'selector' | 'type' | 'publicKey'>): string {
  return `${dkimNameText(key)}. IN TXT ${zoneStrings(keyRecord(key))}`;
}

/** The DNS as the server asks it. */
export async function resolverOf(client: LdapClient, config: Config): Promise<Resolver> {
  const [server] = await client.search({
    base: parseDn(`cn=server,${config.systemBase}`),
    scope: 'base',
    filter: { type: 'present', attribute: 'objectClass' },
    attributes: ['mtDnsServer'],
  });
  const servers = (server?.texts('mtDnsServer') ?? []).flatMap(dnsServer);
  return createResolver({ servers: constant(servers), retries: () => 1 });
}

/** What is wrong with the record in the DNS; undefined where it is right. */
export async function recordProblem(key: DkimKey, resolver: Pick<Resolver, 'txt'>): Promise<string | undefined> {
  const name = dkimNameText(key);
  const answer = await resolver.txt(name);
  if (answer.outcome === 'temporary') return `${name} cannot be looked up: ${answer.reason}`;
  if (answer.outcome !== 'found') return `${name} is not in the DNS`;
  const [text = ''] = answer.records;
  if (answer.records.length > 1) return `${name} has ${answer.records.length} TXT records, and must have one`;
  const read = readKeyRecord(text);
  if (typeof read === 'string') return `${name}: ${read}`;
  const published = /(?:^|;)\s*p\s*=([^;]*)/.exec(text)?.[1]?.replace(/\s+/g, '') ?? '';
  if (published.replace(/=+$/, '') !== key.publicKey.replace(/=+$/, '')) return `${name} has another key`;
  return read.testing ? `${name} says that DKIM is only tried out (t=y)` : undefined;
}
