/**
 * `mailtree connector add|edit|list|delete`: the ways mail for an address goes.
 * Source: manual chapter 5, "Connectors", "Listing Connectors"; checklist DIR-09
 */

import type { Command } from 'commander';
import { Fault, type OutputChannel, outputChannels } from '../../base/index.ts';
import { DirectoryFault, type Entry } from '../../directory/index.ts';
import type { LdapClient } from '../../directory-remote/index.ts';
import { permissions } from '../../dit/index.ts';
import type { Filter } from '../../ldap-wire/index.ts';
import type { Config } from '../../main/index.ts';
import { asAdministrator } from '../administrator.ts';
import { addressGiven, childrenOf, entryOf, equal, like, treeBase } from '../entries.ts';
import { json, type Run, table } from '../program.ts';

/** The manual's names for the channels to the other mail systems. */
const otherNames: Readonly<Record<string, OutputChannel>> = { CCMAIL: 'CCIN', 'CC:MAIL': 'CCIN', NOTES: 'NOTESIN' };
/** LOCAL knows only none and receive; the channels that are missing here ignore the permission. */
const permitted: Partial<Record<OutputChannel, readonly string[]>> = {
  LOCAL: ['none', 'receive'],
  CCIN: permissions,
  NOTESIN: permissions,
};

interface ConnectorOptions {
  readonly permission?: string;
  readonly name?: string;
  readonly channel?: string;
  readonly identifier?: string;
  readonly json?: boolean;
}

export function addConnectorCommands(program: Command, run: Run): void {
  const connector = program.command('connector').description('connectors: the ways mail for an address goes');
  const permission = `${permissions.join(', ')} (LOCAL: none or receive; DL, SMTPC and BSMTPOUT have none)`;
  connector
    .command('add <address> <channel> [identifier]')
    .description(`give an address a way: channel ${outputChannels.join(', ')}; the identifier is what the channel calls the recipient`)
    .option('--permission <permission>', permission)
    .option('--name <name>', 'name of the connector (default: the channel)')
    .action(run(add));
  connector
    .command('edit <address> <name>')
    .description('change the connector of this name')
    .option('--channel <channel>', 'channel')
    .option('--identifier <identifier>', 'identifier; "" takes it away')
    .option('--permission <permission>', permission)
    .action(run(edit));
  connector
    .command('list [address]')
    .description('connectors of an address, or the users of a connector; * stands for anything')
    .option('--channel <channel>', 'only of this channel')
    .option('--identifier <pattern>', 'only with such an identifier')
    .option('--json', 'as JSON')
    .action(run(list));
  connector.command('delete <address> <name>').description('take the connector of this name away').action(run(remove));
}

function channelGiven(text: string): OutputChannel {
  const upper = text.toUpperCase();
  const channel = otherNames[upper] ?? outputChannels.find((name) => name === upper);
  if (!channel) throw new Fault('malformed', `${text} is not a channel: ${outputChannels.join(', ')}`);
  return channel;
}

export function permissionGiven(text: string, channel: OutputChannel): string {
  const lower = text.toLowerCase().replace(/[+/]/, '-');
  const allowed = permitted[channel];
  if (!allowed) throw new Fault('malformed', `--permission: connectors of channel ${channel} have no permission`);
  if (!allowed.includes(lower)) throw new Fault('malformed', `--permission of channel ${channel} is one of ${allowed.join(', ')}`);
  return lower;
}

async function add(
  config: Config,
  address: string,
  channelText: string,
  identifier: string | undefined,
  options: ConnectorOptions,
): Promise<void> {
  const given = addressGiven(address);
  const channel = channelGiven(channelText);
  if (identifier === undefined && channel === 'BSMTPOUT')
    throw new Fault('malformed', 'BSMTPOUT needs an identifier: the address of the decoder');
  const values: [string, string | undefined][] = [
    ['mtChannel', channel],
    ['mtIdentifier', identifier],
    ['mtPermission', options.permission === undefined ? undefined : permissionGiven(options.permission, channel)],
  ];
  const name = await asAdministrator(config, async (client) => {
    const owner = await entryOf(client, config, given.text);
    const cn = options.name ?? (await freeName(client, owner, channel));
    await client.add(owner.dn.child([{ type: 'cn', value: cn }]), [
      { name: 'objectClass', values: ['mtConnector'] },
      { name: 'cn', values: [cn] },
      ...values.flatMap(([attribute, value]) => (value ? [{ name: attribute, values: [value] }] : [])),
    ]);
    return cn;
  });
  console.log(`added connector ${name} of ${given.text}`);
}

/** The channel's name, with a number where there is one of it already. */
async function freeName(client: LdapClient, owner: Entry, channel: OutputChannel): Promise<string> {
  const taken = new Set((await childrenOf(client, owner.dn)).flatMap((child) => child.texts('cn').map((cn) => cn.toLowerCase())));
  for (let n = 1; ; n++) {
    const name = n === 1 ? channel : `${channel} ${n}`;
    if (!taken.has(name.toLowerCase())) return name;
  }
}

/** The connector of an address by its name; Fault `not-found` names those that are there. */
async function connectorOf(client: LdapClient, config: Config, address: string, name: string): Promise<Entry> {
  const owner = await entryOf(client, config, addressGiven(address).text);
  const all = (await childrenOf(client, owner.dn)).filter((child) => child.isA('mtConnector'));
  const found = all.find((child) => child.texts('cn').some((cn) => cn.toLowerCase() === name.toLowerCase()));
  if (found) return found;
  const names = all.map((child) => child.text('cn')).join(', ');
  throw new Fault('not-found', `${address} has no connector ${name}${names === '' ? '' : `; it has ${names}`}`);
}

async function edit(config: Config, address: string, name: string, options: ConnectorOptions): Promise<void> {
  await asAdministrator(config, async (client) => {
    const entry = await connectorOf(client, config, address, name);
    const channel = channelGiven(options.channel ?? entry.text('mtChannel') ?? '');
    const changes: [string, string][] = [];
    if (options.channel !== undefined) changes.push(['mtChannel', channel]);
    if (options.identifier !== undefined) changes.push(['mtIdentifier', options.identifier]);
    if (options.permission !== undefined) changes.push(['mtPermission', permissionGiven(options.permission, channel)]);
    else if (options.channel !== undefined && entry.has('mtPermission')) {
      // A permission that the new channel does not know would mean something else there.
      if (!permitted[channel]?.includes(entry.text('mtPermission')?.toLowerCase() ?? '')) changes.push(['mtPermission', '']);
    }
    if (changes.length === 0) throw new Fault('malformed', 'nothing to change was given: --channel, --identifier or --permission');
    await client.modify(
      entry.dn,
      changes.map(([attribute, value]) => ({ operation: 'replace', attribute: { name: attribute, values: value === '' ? [] : [value] } })),
    );
  });
  console.log(`changed connector ${name} of ${address}`);
}

async function list(config: Config, address: string | undefined, options: ConnectorOptions): Promise<void> {
  const filters: Filter[] = [
    equal('objectClass', 'mtConnector'),
    ...(options.channel === undefined ? [] : [equal('mtChannel', channelGiven(options.channel))]),
    ...(options.identifier === undefined ? [] : [like('mtIdentifier', options.identifier)]),
  ];
  const rows = await asAdministrator(config, async (client) => {
    const filter: Filter = { type: 'and', filters };
    const owner = address === undefined || address.includes('*') ? undefined : await entryOf(client, config, addressGiven(address).text);
    const found = await client.search({ base: owner?.dn ?? treeBase(config), scope: owner ? 'one' : 'sub', filter });
    return withOwners(client, found, owner ? undefined : address);
  });
  if (options.json) return json(rows);
  table(
    ['address', 'name', 'connector', 'channel', 'identifier', 'permission'],
    rows.map((row) => [row.address, row.user, row.connector, row.channel, row.identifier, row.permission]),
  );
}

interface Row {
  readonly address: string;
  readonly user: string;
  readonly connector: string;
  readonly channel: string;
  readonly identifier: string;
  readonly permission: string;
}

/** Each connector with the entry it stands below; `pattern` picks those whose address fits. */
async function withOwners(client: LdapClient, connectors: readonly Entry[], pattern: string | undefined): Promise<Row[]> {
  const owners = new Map<string, Entry | undefined>();
  const rows: Row[] = [];
  for (const entry of connectors) {
    const parent = entry.dn.parent;
    if (!parent) continue;
    if (!owners.has(parent.key)) owners.set(parent.key, await ownerAt(client, parent, pattern));
    const owner = owners.get(parent.key);
    if (!owner) continue;
    rows.push({
      address: owner.text('mail') ?? owner.dn.toString(),
      user: owner.text('cn') ?? '',
      connector: entry.text('cn') ?? '',
      channel: entry.text('mtChannel') ?? '',
      identifier: entry.text('mtIdentifier') ?? '',
      permission: entry.text('mtPermission') ?? '',
    });
  }
  return rows.sort((a, b) => a.address.localeCompare(b.address) || a.connector.localeCompare(b.connector));
}

/** Undefined where it is gone meanwhile, or its address does not fit. */
async function ownerAt(client: LdapClient, dn: Entry['dn'], pattern: string | undefined): Promise<Entry | undefined> {
  try {
    return (
      await client.search({ base: dn, scope: 'base', filter: like(pattern === undefined ? 'objectClass' : 'mail', pattern ?? '*') })
    )[0];
  } catch (thrown) {
    if (thrown instanceof DirectoryFault && thrown.result === 'noSuchObject') return undefined;
    throw thrown;
  }
}

async function remove(config: Config, address: string, name: string): Promise<void> {
  await asAdministrator(config, async (client) => client.delete((await connectorOf(client, config, address, name)).dn));
  console.log(`deleted connector ${name} of ${address}`);
}
