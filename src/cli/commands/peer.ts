/**
 * `mailtree peer add|edit|list|show|delete`: what is agreed with other hosts.
 * Source: manual chapter 3, "Peer Domain Configuration"; checklist SMTPC-14
 */

import type { Command } from 'commander';
import { Fault } from '../../base/index.ts';
import { DirectoryFault, type Entry } from '../../directory/index.ts';
import type { LdapClient } from '../../directory-remote/index.ts';
import { leastSize, type Peer, type PeerPolicy, Peers, peerName, peerSettings } from '../../dit/index.ts';
import { type Dn, parseDn } from '../../ldap-wire/index.ts';
import type { Config } from '../../main/index.ts';
import { formatValue, parseValue, type Setting } from '../../settings/index.ts';
import { asAdministrator } from '../administrator.ts';
import { type DomainChange, matching } from '../domain.ts';
import { childrenOf } from '../entries.ts';
import { json, type Run, table } from '../program.ts';

type Key = keyof PeerPolicy;
type PeerOptions = { readonly [key in Key]?: string } & { readonly description?: string };

const settings = Object.entries(peerSettings.settings) as [Key, Setting][];
const flagOf = (key: Key): string => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

export function addPeerCommands(program: Command, run: Run): void {
  const peer = program.command('peer').description('peers: what is agreed with other hosts and domains');
  const adding = peer
    .command('add <name>')
    .description(
      'a peer: a host, a domain (with all below it), an address, first-last or address/bits; what is not given comes from the peers above',
    )
    .action(run(add));
  const editing = peer
    .command('edit <name>')
    .description('change a peer, or default; an empty value ("") takes a setting away: the peers above decide again')
    .action(run(edit));
  for (const command of [adding, editing]) {
    for (const [key, setting] of settings) command.option(`${flagOf(key)} ${argumentOf(setting)}`, setting.label);
    command.option('--description <text>', 'remark');
  }
  peer.command('list [pattern]').description('the peers; * stands for anything').option('--json', 'as JSON').action(run(list));
  peer
    .command('show <name>')
    .description('what holds for a host, domain or address, and the entry that says it')
    .option('--json', 'as JSON')
    .action(run(show));
  peer.command('delete <name>').description('take a peer away; default stays').action(run(remove));
}

function argumentOf(setting: Setting): string {
  if (setting.type === 'boolean') return '<yes|no>';
  if (setting.type === 'choice') return `<${setting.choices.join('|')}>`;
  return setting.type === 'integer' ? `<${setting.unit ?? 'number'}>` : '<text>';
}

/** As it is compared and named: lower case, A-labels, ranges in their shortest form. */
function nameGiven(text: string): string {
  const name = peerName(text);
  if (!name) throw new Fault('malformed', `${text} is neither a host, a domain, an address, first-last nor address/bits`);
  return name.kind === 'default' ? 'default' : name.text;
}

const baseOf = (config: Config): Dn => parseDn(`cn=peers,${config.systemBase}`);

function changesOf(options: PeerOptions): DomainChange[] {
  const changes = settings.flatMap(([key, setting]) => {
    const given = options[key];
    return given === undefined ? [] : [{ name: setting.attribute, value: given === '' ? '' : valueGiven(flagOf(key), setting, given) }];
  });
  if (options.description !== undefined) changes.push({ name: 'description', value: options.description });
  return changes;
}

/** How the value is written. Fault `malformed` names the option and what it takes. */
function valueGiven(flag: string, setting: Setting, given: string): string {
  const text = setting.type === 'boolean' ? given.replace(/^(yes|on)$/i, 'TRUE').replace(/^(no|off)$/i, 'FALSE') : given;
  const value = parseValue(setting, text);
  const sized = setting.type === 'integer' && setting.unit === 'octets';
  const small = sized && typeof value === 'number' && value > 0 && value < leastSize;
  if (value !== undefined && !small) return formatValue(value);
  throw new Fault('malformed', `${flag}: "${given}" is not ${allowed(setting, sized)}`);
}

function allowed(setting: Setting, sized: boolean): string {
  if (setting.type === 'boolean') return 'yes or no';
  if (setting.type === 'choice') return `one of ${setting.choices.join(', ')}`;
  if (setting.type !== 'integer') return 'a text';
  return sized ? `0 (no limit) or a number from ${leastSize} to ${setting.max}` : `a number from ${setting.min} to ${setting.max}`;
}

async function add(config: Config, text: string, options: PeerOptions): Promise<void> {
  const name = nameGiven(text);
  const changes = changesOf(options).filter(({ value }) => value !== '');
  await asAdministrator(config, async (client) => {
    try {
      await client.add(baseOf(config).child([{ type: 'cn', value: name }]), [
        { name: 'objectClass', values: ['mtPeer'] },
        { name: 'cn', values: [name] },
        ...changes.map((change) => ({ name: change.name, values: [change.value] })),
      ]);
    } catch (thrown) {
      if (!(thrown instanceof DirectoryFault) || thrown.result !== 'entryAlreadyExists') throw thrown;
      throw new Fault('exists', `there is a peer ${name} already`);
    }
  });
  console.log(`added peer ${name}`);
}

/** The entry that has this name, be it its first or a further one. Fault `not-found`. */
async function entryNamed(client: LdapClient, config: Config, name: string): Promise<Entry> {
  const found = (await entriesOf(client, config)).find((entry) => entry.texts('cn').some((cn) => sameName(cn, name)));
  if (!found) throw new Fault('not-found', `there is no peer ${name}`);
  return found;
}

const sameName = (cn: string, name: string): boolean => {
  const known = peerName(cn);
  return known !== undefined && (known.kind === 'default' ? 'default' : known.text) === name;
};

const entriesOf = async (client: LdapClient, config: Config): Promise<Entry[]> =>
  (await childrenOf(client, baseOf(config))).filter((entry) => entry.isA('mtPeer'));

async function edit(config: Config, text: string, options: PeerOptions): Promise<void> {
  const name = nameGiven(text);
  const changes = changesOf(options);
  if (changes.length === 0) throw new Fault('malformed', 'nothing to change was given (--help lists what can be)');
  await asAdministrator(config, async (client) => {
    const { dn } = await entryNamed(client, config, name);
    await client.modify(
      dn,
      changes.map((change) => ({
        operation: 'replace',
        attribute: { name: change.name, values: change.value === '' ? [] : [change.value] },
      })),
    );
  });
  console.log(`changed peer ${name}`);
}

async function remove(config: Config, text: string): Promise<void> {
  const name = nameGiven(text);
  if (name === 'default') throw new Fault('refused', 'the peer default holds for everybody else and cannot be removed');
  await asAdministrator(config, async (client) => client.delete((await entryNamed(client, config, name)).dn));
  console.log(`deleted peer ${name}`);
}

/** The settings an entry has itself, as their options are called. */
function ownOf(entry: Entry): Record<string, number | boolean | string> {
  return Object.fromEntries(
    settings.flatMap(([key, setting]) => {
      const text = entry.text(setting.attribute);
      return text === undefined ? [] : [[key, parseValue(setting, text) ?? text]];
    }),
  );
}

async function list(config: Config, pattern: string | undefined, options: { json?: boolean }): Promise<void> {
  const fits = matching(pattern ?? '*');
  const entries = await asAdministrator(config, (client) => entriesOf(client, config));
  const rows = entries
    .map((entry) => ({ name: entry.texts('cn'), ...ownOf(entry), description: entry.text('description') ?? '' }))
    .filter(({ name }) => name.some((each) => fits.test(each)))
    .sort((a, b) => (a.name[0] ?? '').localeCompare(b.name[0] ?? ''));
  if (options.json) return json(rows);
  const shown: Key[] = [
    'accept',
    'transmit',
    'queueFirst',
    'queueInterval',
    'retryPeriod',
    'sessions',
    'messagesPerSession',
    'inboundSize',
    'outboundSize',
    'tls',
  ];
  table(
    ['peer', ...shown.map((key) => flagOf(key).slice(2)), 'description'],
    rows.map((row) => [row.name.join(' '), ...shown.map((key) => shownValue((row as Record<string, unknown>)[key])), row.description]),
  );
}

const shownValue = (value: unknown): string => (value === undefined ? '' : value === true ? 'yes' : value === false ? 'no' : String(value));

async function show(config: Config, text: string, options: { json?: boolean }): Promise<void> {
  nameGiven(text);
  const entries = await asAdministrator(config, (client) => entriesOf(client, config));
  const peer: Peer = new Peers(entries, (problem) => console.error(`mailtree: ${problem}`)).find([text]);
  if (options.json) return json({ host: text, ...peer });
  console.log(`${text}: the peer ${peer.peer}\n`);
  table(
    ['setting', 'value', 'said by'],
    settings.map(([key]) => [flagOf(key).slice(2), shownValue(peer[key]), peer.saidBy[key] ?? '(default)']),
  );
}
