/**
 * The first start: what the directory holds before anybody changes it.
 *
 * Promise: done as a whole or not at all as far as the next start can see: the entry that marks it is written last, and
 * a start that finds the system context but not the mark goes on from there.
 */

import { readFileSync } from 'node:fs';
import { generatePassword } from '../base/index.ts';
import { type Attribute, type Directory, DirectoryFault, system } from '../directory/index.ts';
import { blacklistBase, dkimBase, mailAuthBase, spammerBase } from '../dit/index.ts';
import { type Dn, formatRdn, type LdifRecord, parseDn, parseFilter, parseLdif } from '../ldap-wire/index.ts';
import { type Config, doorNames, formatWhere } from './config.ts';

/** What the newcomer is told, once. */
export interface FirstStart {
  readonly adminDn: string;
  /** Only when it was generated. */
  readonly adminPassword: string | undefined;
  readonly accounts: readonly string[];
  readonly examplePassword: string | undefined;
  readonly howTo: readonly string[];
}

/** Some 139 bits. */
const generatedLength = 24;
const ldif = new URL('../../ldif/', import.meta.url);
const actor = system('first start');

/** Passwords of the first administrator and of the example accounts. */
export interface FirstPasswords {
  readonly admin: string;
  readonly example: string;
}

export function firstPasswords(config: Config): FirstPasswords {
  return {
    admin: config.adminPassword ?? generatePassword(generatedLength),
    example: config.examplePassword ?? generatePassword(generatedLength),
  };
}

/** Everything the first start writes, in order; the entry that marks it as done is the last one. */
export function firstEntries(
  config: Config,
  passwords: FirstPasswords,
): { readonly entries: readonly NewEntry[]; readonly examples: readonly NewEntry[] } {
  const base = parseDn(config.systemBase);
  const mark = markOf(config);
  const texts = {
    host: config.host,
    domain: config.domain,
    domainDn: dnOfDomain(config, config.domain).toString(),
    dc: config.domain.split('.')[0] ?? '',
    jadeDn: dnOfDomain(config, 'jade.net').toString(),
    system: config.systemBase,
  };
  const examples = config.example ? load('example.ldif', texts, passwords.example) : [];
  // An entry that is in both is the example's.
  const replaced = new Set(examples.map((record) => record.dn.key));
  const records = load('base.ldif', texts, passwords.admin)
    .filter((record) => !replaced.has(record.dn.key))
    .map((record) => seeded(record, base, config));
  const isMark = (record: { dn: Dn }): boolean => record.dn.key === mark.key;
  return { entries: [...records.filter((record) => !isMark(record)), ...examples, ...records.filter(isMark)], examples };
}

const markOf = (config: Config): Dn => parseDn(`cn=admin,cn=admins,${config.systemBase}`);

/** Fills an empty directory; undefined where it was filled before. */
export async function fillDirectory(
  directory: Directory,
  config: Config,
  passwords: FirstPasswords = firstPasswords(config),
): Promise<FirstStart | undefined> {
  if (await directory.read(actor, markOf(config))) return undefined;
  const { entries, examples } = firstEntries(config, passwords);
  for (const entry of entries) await addIfMissing(directory, entry);
  const accounts = examples.filter((r) => r.attributes.some((a) => a.name === 'userPassword')).map((r) => textOf(r.attributes, 'mail'));
  return {
    adminDn: markOf(config).toString(),
    adminPassword: config.adminPassword === undefined ? passwords.admin : undefined,
    accounts,
    examplePassword: config.example && config.examplePassword === undefined ? passwords.example : undefined,
    howTo: howTo(config, accounts),
  };
}

/** An entry, and the tree that is made where it is missing. */
const needed = [
  ['cn=default,cn=peers', 'cn=peers'],
  [mailAuthBase, mailAuthBase],
  [dkimBase, dkimBase],
  [blacklistBase, blacklistBase],
  [spammerBase, spammerBase],
  ['cn=forwarding,cn=mta', 'cn=forwarding,cn=mta'],
  ['cn=LoopDetection,cn=modules,cn=mta', 'cn=modules,cn=mta'],
] as const;

/** What this version cannot do without and the one that filled the directory did not have. */
export async function addNeeded(directory: Directory, config: Config): Promise<void> {
  const named = (relative: string): Dn => parseDn(`${relative},${config.systemBase}`);
  for (const [mark, base] of needed) {
    const above = named(base).parent;
    if (!above || !(await directory.read(actor, above)) || (await directory.read(actor, named(mark)))) continue;
    const { entries } = firstEntries(config, { admin: '', example: '' });
    for (const entry of entries) if (entry.dn.isWithin(named(base))) await addIfMissing(directory, entry);
  }
}

/** A further host of a directory that is there already: its component entries are made where they are missing. */
export async function addHost(directory: Directory, config: Config): Promise<void> {
  const host = parseDn(`cn=${config.host},cn=responder,${config.systemBase}`);
  if (await directory.read(actor, host)) return;
  const { entries } = firstEntries(config, { admin: '', example: '' });
  for (const entry of entries) if (entry.dn.isWithin(host)) await addIfMissing(directory, entry);
}

/**
 * The name under which this host's component entries stand. The configuration file's name counts at the first start only: later the
 * one host that the directory knows is this one, whatever the file says by then.
 */
export async function hostOf(directory: Directory, config: Config): Promise<string> {
  const hosts: string[] = [];
  const base = parseDn(`cn=responder,${config.systemBase}`);
  for await (const entry of directory.search(actor, { base, scope: 'one', filter: parseFilter('(objectClass=*)'), attributes: ['cn'] })) {
    hosts.push(entry.text('cn') ?? '');
  }
  return hosts.length === 1 ? (hosts[0] ?? config.host) : config.host;
}

export interface NewEntry {
  readonly dn: Dn;
  readonly attributes: readonly Attribute[];
}

/** `{name}` in the file is filled in as text before it is parsed (checked names only), `{password}` in the values after. */
function load(name: string, texts: Readonly<Record<string, string>>, password: string): NewEntry[] {
  const template = readFileSync(new URL(name, ldif), 'utf8').replace(/\{(\w+)\}/g, (whole, key: string) => texts[key] ?? whole);
  return parseLdif(template).map((record: LdifRecord) => {
    if (record.kind !== 'content') throw new Error(`${name}:${record.line}: not an entry`);
    return {
      dn: record.dn,
      attributes: record.attributes.map((attribute) => ({
        name: attribute.name,
        values: attribute.values.map((value) => (value === '{password}' ? password : value)),
      })),
    };
  });
}

/** The configuration file's values in place of the defaults: names, DNS servers, where this host's doors listen. */
function seeded(record: NewEntry, base: Dn, config: Config): NewEntry {
  const values = new Map<string, readonly string[]>();
  const relative = record.dn.isWithin(base)
    ? record.dn.rdns
        .slice(0, record.dn.rdns.length - base.rdns.length)
        .map(formatRdn)
        .join(',')
        .toLowerCase()
    : '';
  // The entry of the base is called what the configuration calls it.
  const own = record.dn.key === base.key ? base.rdns[0]?.find(({ type }) => type.toLowerCase() === 'cn')?.value : undefined;
  if (own !== undefined) values.set('cn', [own]);
  if (relative === 'cn=server') {
    values.set('mtHostName', [config.host]).set('mtLocalDomain', [config.domain]);
    if (config.dns.length > 0) values.set('mtDnsServer', config.dns);
  }
  if (relative.endsWith(`,cn=${config.host},cn=responder`)) {
    for (const door of doorNames) {
      const attribute = listenAttribute(door);
      if (record.attributes.some((a) => a.name === attribute)) values.set(attribute, [formatWhere(config.listen[door])]);
    }
  }
  if (values.size === 0) return record;
  return {
    dn: record.dn,
    attributes: [...record.attributes.filter((a) => !values.has(a.name)), ...[...values].map(([name, list]) => ({ name, values: list }))],
  };
}

/** `mtSmtpListen` for the door `smtp`. */
export function listenAttribute(door: (typeof doorNames)[number]): string {
  return `mt${door[0]?.toUpperCase()}${door.slice(1)}Listen`;
}

export function dnOfDomain(config: Config, domain: string): Dn {
  return parseDn([...domain.split('.').map((label) => `dc=${label}`), ...(config.domainBase ? [config.domainBase] : [])].join(','));
}

async function addIfMissing(directory: Directory, entry: NewEntry): Promise<void> {
  try {
    await directory.add(actor, entry.dn, entry.attributes);
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault && thrown.result === 'entryAlreadyExists')) throw thrown;
  }
}

function textOf(attributes: readonly Attribute[], name: string): string {
  const value = attributes.find((attribute) => attribute.name === name)?.values[0];
  return typeof value === 'string' ? value : '';
}

function howTo(config: Config, accounts: readonly string[]): string[] {
  const { listen } = config;
  const at = (door: 'submission' | 'imap' | 'pop3' | 'ldap'): string => formatWhere(listen[door]);
  const named = { imap: 'IMAP', pop3: 'POP3', submission: 'submission' } as const;
  const open = (Object.keys(named) as (keyof typeof named)[])
    .filter((door) => listen[door] !== 'off')
    .map((door) => `${named[door]} ${at(door)}`);
  const [one, two] = accounts;
  return [
    ...(open.length > 0 ? [`  mail clients   user name: the address; ${open.join(', ')}, with STARTTLS`] : []),
    ...(listen.ldap === 'off' ? [] : [`  LDAP tools     ldap://${at('ldap')}, base dc=… (domains) and ${config.systemBase} (settings)`]),
    ...(one && two && listen.submission !== 'off' && listen.imap !== 'off'
      ? [
          '',
          '  Send a first message:',
          `    printf 'From: ${one}\\nTo: ${two}\\nSubject: first\\n\\nHello.\\n' | npx sendmail -f ${one} ${two}`,
          '  Read it (asks for the password):',
          `    curl --ssl-reqd -k --user ${two} 'imap://${at('imap')}/INBOX;UID=1'`,
          '  Where would a message go?',
          `    npx mailtree explain sales@${config.domain}`,
        ]
      : []),
  ];
}
