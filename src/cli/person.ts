/**
 * What the commands know of a user beside the address: one table of options and the attributes they stand for.
 *
 * Source: manual chapter 5, "User Records" (names, telephone, address); RFC 4519, RFC 2798
 */

import type { Command } from 'commander';
import { Fault, generatePassword } from '../base/index.ts';
import type { Attribute, Entry, Modification } from '../directory/index.ts';
import { accountPermissions } from '../dit/index.ts';
import { askPassword } from './administrator.ts';
import { hideArguments } from './program.ts';

interface Field {
  /** As commander names it: `postalCode` for `--postal-code`. */
  readonly option: string;
  readonly attribute: string;
  readonly flag: string;
  readonly about: string;
}

export const personFields: readonly Field[] = [
  { option: 'first', attribute: 'givenName', flag: '--first <name>', about: 'first name' },
  { option: 'last', attribute: 'sn', flag: '--last <name>', about: 'last name' },
  { option: 'telephone', attribute: 'telephoneNumber', flag: '--telephone <number>', about: 'telephone number' },
  { option: 'mobile', attribute: 'mobile', flag: '--mobile <number>', about: 'mobile telephone number' },
  { option: 'fax', attribute: 'facsimileTelephoneNumber', flag: '--fax <number>', about: 'fax number' },
  { option: 'title', attribute: 'title', flag: '--title <title>', about: 'title in the organisation' },
  { option: 'organization', attribute: 'o', flag: '--organization <name>', about: 'organisation' },
  { option: 'department', attribute: 'ou', flag: '--department <name>', about: 'department' },
  { option: 'postalAddress', attribute: 'postalAddress', flag: '--postal-address <lines>', about: 'postal address, lines separated by $' },
  { option: 'street', attribute: 'street', flag: '--street <street>', about: 'street and number' },
  { option: 'postalCode', attribute: 'postalCode', flag: '--postal-code <code>', about: 'postal code' },
  { option: 'city', attribute: 'l', flag: '--city <name>', about: 'city' },
  { option: 'state', attribute: 'st', flag: '--state <name>', about: 'state or province' },
  { option: 'description', attribute: 'description', flag: '--description <text>', about: 'remark' },
];

const statuses = ['active', 'nologin', 'disabled'] as const;
const unlimited = ['unlimited', 'none', ''];

export interface PersonOptions {
  readonly name?: string;
  readonly quota?: string;
  readonly status?: string;
  readonly permission?: string;
  readonly password?: string;
  readonly passwordStdin?: boolean;
  readonly [field: string]: unknown;
}

export function addPersonOptions(command: Command): Command {
  command.option('--name <name>', 'full name');
  for (const { flag, about } of personFields) command.option(flag, about);
  return command
    .option('--quota <megabytes>', 'size of the mailbox; "unlimited" for no limit')
    .option(
      '--permission <permission>',
      `${accountPermissions.join(', ')}: whether the account only sends, only receives, or both (default)`,
    )
    .option('--status <status>', `${statuses.join(', ')}: nologin receives but cannot log in, disabled neither`);
}

export function addPasswordOptions(command: Command): Command {
  return command
    .option('--password <password>', 'at least 6 characters; other users of this machine may see it in the process list')
    .option('--password-stdin', 'read the password from standard input');
}

/** The password given, asked for, or made up (then it must be shown once). */
export async function passwordGiven(options: PersonOptions): Promise<{ readonly password: string; readonly madeUp: boolean }> {
  if (options.password !== undefined && options.passwordStdin)
    throw new Fault('malformed', 'give --password or --password-stdin, not both');
  if (options.passwordStdin) return { password: await askPassword('Password: '), madeUp: false };
  if (options.password !== undefined) hideArguments();
  if (options.password !== undefined) return { password: options.password, madeUp: false };
  // Some 116 bits.
  return { password: generatePassword(20), madeUp: true };
}

/** Megabytes as octets for `mailQuotaSize`; undefined is no limit. Fault `malformed` names the option. */
export function quotaOctets(option: string, megabytes: string): string | undefined {
  if (unlimited.includes(megabytes.toLowerCase())) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(megabytes)) throw new Fault('malformed', `${option} must be a whole number of megabytes, or "unlimited"`);
  return String(Number(megabytes) * 1_048_576);
}

/** `mtAccountPermission`; undefined is both, which needs no value. Fault `malformed` names the option. */
export function permissionGiven(option: string, text: string): string | undefined {
  const wanted = text.toLowerCase().replace('+', '-');
  if (!(accountPermissions as readonly string[]).includes(wanted))
    throw new Fault('malformed', `${option} must be one of ${accountPermissions.join(', ')}`);
  return wanted === 'send-receive' ? undefined : wanted;
}

/** What the options say, by attribute; an empty value takes the attribute away. */
export function personAttributes(options: PersonOptions): Map<string, string | undefined> {
  const found = new Map<string, string | undefined>();
  for (const { option, attribute } of personFields) {
    const value = options[option];
    if (typeof value === 'string') found.set(attribute, value.trim() || undefined);
  }
  if (options.name !== undefined) found.set('cn', options.name.trim() || undefined);
  if (options.quota !== undefined) found.set('mailQuotaSize', quotaOctets('--quota', options.quota));
  if (options.permission !== undefined) found.set('mtAccountPermission', permissionGiven('--permission', options.permission));
  if (options.status !== undefined) {
    const status = options.status.toLowerCase();
    if (!(statuses as readonly string[]).includes(status)) throw new Fault('malformed', `--status must be one of ${statuses.join(', ')}`);
    found.set('accountStatus', status === 'active' ? undefined : status);
  }
  return found;
}

/** Attributes of a new user: names that were not given are made of those that were. */
export function newPerson(local: string, options: PersonOptions): Attribute[] {
  const given = personAttributes(options);
  const full = given.get('cn') ?? ([given.get('givenName'), given.get('sn')].filter((part) => part !== undefined).join(' ') || local);
  const words = full.split(/\s+/);
  given.set('cn', full);
  given.set('sn', given.get('sn') ?? words[words.length - 1] ?? full);
  if (!given.has('givenName') && words.length > 1) given.set('givenName', words.slice(0, -1).join(' '));
  return [...given].flatMap(([name, value]) => (value === undefined ? [] : [{ name, values: [value] }]));
}

/** What turns the entry into what the options say. A full name made of first and last name follows them. */
export function personChanges(entry: Entry, options: PersonOptions): Modification[] {
  const given = personAttributes(options);
  if (given.has('sn') && given.get('sn') === undefined) throw new Fault('malformed', '--last cannot be empty: every user has a last name');
  const full = (first: string | undefined, last: string | undefined): string =>
    [first, last].filter((part) => part !== undefined).join(' ');
  const was = full(entry.text('givenName'), entry.text('sn'));
  if (!given.has('cn') && (given.has('givenName') || given.has('sn')) && entry.text('cn') === was) {
    given.set('cn', full(given.has('givenName') ? given.get('givenName') : entry.text('givenName'), given.get('sn') ?? entry.text('sn')));
  }
  if (given.has('cn') && given.get('cn') === undefined) throw new Fault('malformed', '--name cannot be empty: every user has a name');
  return [...given].map(([name, value]) => ({ operation: 'replace', attribute: { name, values: value === undefined ? [] : [value] } }));
}
