/** `mailtree user add|edit|password|show|list|delete`: people with a mailbox. Source: manual chapters 4 and 5; checklist DIR-08 */

import type { Command } from 'commander';
import { Fault } from '../../base/index.ts';
import type { Entry, Modification } from '../../directory/index.ts';
import type { LdapClient } from '../../directory-remote/index.ts';
import type { Filter } from '../../ldap-wire/index.ts';
import type { Config } from '../../main/index.ts';
import { closeAccount, moveAccount, openAccount, removeEntry } from '../account.ts';
import { asAdministrator } from '../administrator.ts';
import {
  addressGiven,
  childrenOf,
  domainDn,
  entryOf,
  equal,
  inDomain,
  like,
  stillFree,
  treeBase,
  userByPrimary,
  userOf,
} from '../entries.ts';
import {
  addPasswordOptions,
  addPersonOptions,
  type PersonOptions,
  passwordGiven,
  personAttributes,
  personChanges,
  personFields,
} from '../person.ts';
import { json, type Run, table } from '../program.ts';

interface EditOptions extends PersonOptions {
  readonly mail?: string;
  readonly keepAlias?: boolean;
}

interface ListOptions {
  readonly first?: string;
  readonly last?: string;
  readonly domain?: string;
  readonly lists?: boolean;
  readonly json?: boolean;
}

export function addUserCommands(program: Command, run: Run): void {
  const user = program.command('user').description('users: people with a mailbox');
  addPasswordOptions(
    addPersonOptions(user.command('add <address>').description('make a user; without a password one is generated and shown once')),
  ).action(run(add));
  addPersonOptions(user.command('edit <address>').description('change a user; an empty value ("") takes an attribute away'))
    .option('--mail <address>', 'new primary address; the mailbox stays')
    .option('--keep-alias', 'with --mail: the old address stays as an alias')
    .action(run(edit));
  addPasswordOptions(user.command('password <address>').description('set a password; without one it is generated and shown once')).action(
    run(setPassword),
  );
  user.command('show <address>').description('everything about a user').option('--json', 'as JSON').action(run(show));
  user
    .command('list [pattern]')
    .alias('find')
    .description('users whose address matches; * stands for anything')
    .option('--first <pattern>', 'first name')
    .option('--last <pattern>', 'last name')
    .option('--domain <domain>', 'only users directly below this domain')
    .option('--lists', 'distribution lists and alias entries too')
    .option('--json', 'as JSON')
    .action(run(list));
  user
    .command('delete <address...>')
    .description('remove users and their connectors; messages in the mailbox are kept')
    .option('--account-only', 'close the mailbox, and keep the entry for the address book')
    .action(run(remove));
}

async function add(config: Config, address: string, options: PersonOptions): Promise<void> {
  const given = addressGiven(address);
  // What is wrong with them is told before a password is asked for.
  personAttributes(options);
  const { password, madeUp } = await passwordGiven(options);
  await asAdministrator(config, (client) =>
    inDomain(given.domain, () => openAccount(client, config, given, options, [{ name: 'userPassword', values: [password] }])),
  );
  console.log(`added ${given.text}`);
  if (madeUp) console.log(`password: ${password}`);
}

async function edit(config: Config, address: string, options: EditOptions): Promise<void> {
  const to = options.mail === undefined ? undefined : addressGiven(options.mail);
  await asAdministrator(config, async (client) => {
    const entry = await userOf(client, config, addressGiven(address).text);
    const changes = personChanges(entry, options);
    if (changes.length === 0 && !to) throw new Fault('malformed', 'nothing to change was given (--help lists what can be)');
    if (!to) return client.modify(entry.dn, changes);
    await stillFree(client, config, to.text, entry.dn);
    const how = { keepAlias: options.keepAlias ?? false, changes };
    await inDomain(to.domain, () => moveAccount(client, entry, to.text, domainDn(config, to.domain), how));
  });
  console.log(`changed ${to?.text ?? address}`);
}

async function setPassword(config: Config, address: string, options: PersonOptions): Promise<void> {
  const given = addressGiven(address);
  const { password, madeUp } = await passwordGiven(options);
  await asAdministrator(config, async (client) => {
    const entry = await userOf(client, config, given.text);
    const change: Modification = { operation: 'replace', attribute: { name: 'userPassword', values: [password] } };
    await client.modify(entry.dn, [change]);
  });
  console.log(`changed the password of ${given.text}`);
  if (madeUp) console.log(`password: ${password}`);
}

async function show(config: Config, address: string, options: { json?: boolean }): Promise<void> {
  const [entry, connectors] = await asAdministrator(config, async (client) => {
    const found = await entryOf(client, config, addressGiven(address).text, ['*', '+']);
    return [found, (await childrenOf(client, found.dn)).filter((child) => child.isA('mtConnector'))] as const;
  });
  const fields = { ...described(entry), connectors: connectors.map(connectorText) };
  if (options.json) return json(fields);
  table(
    ['', ''],
    Object.entries(fields)
      .filter(([, value]) => value !== undefined && value.length > 0)
      .flatMap(([name, value]) => [value ?? ''].flat().map((line, n) => [n === 0 ? name : '', line])),
  );
}

const connectorText = (entry: Entry): string =>
  [entry.text('mtChannel'), entry.text('mtIdentifier'), entry.text('mtPermission'), `(${entry.text('cn')})`].filter(Boolean).join(' ');

function described(entry: Entry): Record<string, string | readonly string[] | undefined> {
  const quota = entry.text('mailQuotaSize');
  return {
    dn: entry.dn.toString(),
    address: entry.text('mail'),
    kind: kindOf(entry),
    name: entry.text('cn'),
    ...Object.fromEntries(personFields.map(({ option, attribute }) => [option, entry.texts(attribute).join(', ') || undefined])),
    status: entry.text('accountStatus') ?? 'active',
    locked: lockedText(entry),
    password: entry.text('pwdReset')?.toUpperCase() === 'TRUE' ? 'must be changed first' : undefined,
    quota: quota === undefined ? 'unlimited' : `${Math.round(Number(quota) / 1_048_576)} MB`,
    aliases: [...entry.texts('mailLocalAddress'), ...entry.texts('mtMailAddress')],
    'forwards to': [...entry.texts('mailForwardingAddress'), ...entry.texts('rfc822MailMember')],
    'goes instead to': entry.text('mailRoutingAddress'),
    mailbox: entry.text('entryUUID'),
    created: entry.text('createTimestamp'),
    changed: entry.text('modifyTimestamp'),
    'changed by': entry.text('modifiersName'),
  };
}

/** The policy says how long a lock lasts; the moment is what the entry has. */
function lockedText(entry: Entry): string | undefined {
  const since = entry.text('pwdAccountLockedTime');
  if (since === undefined) return undefined;
  return since.startsWith('0000')
    ? 'for good (pwdAccountLockedTime)'
    : `since ${since}, after too many failed log-ins (pwdAccountLockedTime)`;
}

function kindOf(entry: Entry): string {
  if (entry.isA('mtMailAlias') || entry.isA('nisMailAlias')) return 'alias';
  return entry.isA('person') ? 'user' : 'list';
}

async function list(config: Config, pattern: string | undefined, options: ListOptions): Promise<void> {
  const people = equal('objectClass', 'person');
  const others = ['mtMailAlias', 'nisMailAlias', 'groupOfNames'].map((name) => equal('objectClass', name));
  const filters: Filter[] = [
    options.lists ? { type: 'or', filters: [people, ...others] } : people,
    { type: 'or', filters: ['mail', 'mailLocalAddress', 'mtMailAddress'].map((name) => like(name, pattern ?? '*')) },
    ...(options.first === undefined ? [] : [like('givenName', options.first)]),
    ...(options.last === undefined ? [] : [like('sn', options.last)]),
  ];
  const found = await asAdministrator(config, (client) => search(client, config, { type: 'and', filters }, options.domain));
  const rows = found
    .map((entry) => ({
      address: entry.text('mail') ?? '',
      first: entry.text('givenName') ?? '',
      last: entry.text('sn') ?? '',
      name: entry.text('cn') ?? '',
      kind: kindOf(entry),
      status: entry.text('accountStatus') ?? 'active',
      aliases: entry.texts('mailLocalAddress'),
    }))
    .sort((a, b) => a.address.localeCompare(b.address));
  if (options.json) return json(rows);
  table(
    ['address', 'name', ...(options.lists ? ['kind'] : []), 'status', 'aliases'],
    rows.map((row) => [row.address, row.name, ...(options.lists ? [row.kind] : []), row.status, row.aliases.join(' ')]),
  );
}

/** What a list shows: with everything else, a hundred thousand users would not fit. */
const listed = ['objectClass', 'mail', 'givenName', 'sn', 'cn', 'accountStatus', 'mailLocalAddress'];

function search(client: LdapClient, config: Config, filter: Filter, domain: string | undefined): Promise<Entry[]> {
  if (domain === undefined) return client.search({ base: treeBase(config), scope: 'sub', filter, attributes: listed });
  return inDomain(domain, () => client.search({ base: domainDn(config, domain), scope: 'one', filter, attributes: listed }));
}

async function remove(config: Config, addresses: string[], options: { accountOnly?: boolean }): Promise<void> {
  await asAdministrator(config, async (client) => {
    // A wrong one among them is told before anybody is deleted.
    const entries: [string, Entry][] = [];
    for (const address of addresses) entries.push([address, await userByPrimary(client, config, addressGiven(address).text)]);
    for (const [address, entry] of entries) {
      if (options.accountOnly) await closeAccount(client, entry);
      else await removeEntry(client, entry.dn);
      console.log(`${options.accountOnly ? 'closed the mailbox of' : 'deleted'} ${address}`);
    }
  });
}
