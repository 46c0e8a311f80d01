/**
 * `mailtree domain add|edit|list|show|browse|delete`: local mail domains.
 * Source: manual chapters 3, 5 ("Browse Domains") and 7; checklist MTA-01, MTA-05, DIR-11, DOM-01, DOM-03
 */

import type { Command } from 'commander';
import { Fault } from '../../base/index.ts';
import type { Entry } from '../../directory/index.ts';
import type { LdapClient } from '../../directory-remote/index.ts';
import type { Filter } from '../../ldap-wire/index.ts';
import type { Config } from '../../main/index.ts';
import { asAdministrator } from '../administrator.ts';
import {
  administratorDn,
  changeDomain,
  checkAlias,
  type DomainChange,
  dcName,
  domainEntry,
  domainGiven,
  domainsGiven,
  isTrue,
  makeDomain,
  matching,
  removeDomain,
  removeDomainAdministrator,
  removeSubdomains,
  setDomainAdministrator,
} from '../domain.ts';
import { domainLimits, type LimitOptions, limitChanges, limitsAsNumbers, usedAndAllowed } from '../domain-limits.ts';
import { childrenOf, domainDn, equal, inDomain, treeBase } from '../entries.ts';
import { addPasswordOptions, type PersonOptions, passwordGiven } from '../person.ts';
import { json, type Run, table } from '../program.ts';

interface DomainOptions extends LimitOptions {
  readonly aliasOf?: string;
  readonly subdomains?: boolean;
  readonly description?: string;
}

export function addDomainCommands(program: Command, run: Run): void {
  const domain = program.command('domain').description('local mail domains');
  const adding = domain
    .command('add <name>')
    .description('make a domain local; *.name means all its sub-domains and not itself')
    .option('--alias-of <domain>', 'another name for that domain')
    .option('--subdomains', 'its sub-domains are local too')
    .option('--description <text>', 'remark')
    .action(run(add));
  const editing = domain
    .command('edit <name>')
    .description('change a domain; an empty value ("") takes an attribute away')
    .option('--alias-of <domain>', 'another name for that domain')
    .option('--subdomains', 'its sub-domains are local too')
    .option('--no-subdomains', 'only the domain itself is local')
    .option('--description <text>', 'remark')
    .action(run(edit));
  for (const command of [adding, editing]) for (const { flag, help } of domainLimits) command.option(flag, help);
  domain
    .command('list [pattern]')
    .alias('find')
    .description('local domains; * stands for anything')
    .option('--json', 'as JSON')
    .action(run(list));
  domain.command('show <name>').description('everything about a domain').option('--json', 'as JSON').action(run(show));
  domain
    .command('browse [name]')
    .description('the levels of the tree: what stands below a domain, or at the top')
    .option('--json', 'as JSON')
    .action(run(browse));
  addPasswordOptions(
    domain
      .command('administrator <name>')
      .description(
        'give a domain an administrator, cn=admin below it, or that one another password; made up and shown once where none is given',
      ),
  )
    .option('--delete', 'take the administrator away')
    .action(run(administrator));
  domain.command('delete <name>').description('the domain is no longer local; it must have no users any more').action(run(remove));
}

function changesOf(options: DomainOptions): DomainChange[] {
  return [
    ...(options.aliasOf === undefined
      ? []
      : [{ name: 'mtDomainAlias', value: options.aliasOf === '' ? '' : domainGiven(options.aliasOf) }]),
    ...(options.subdomains === undefined ? [] : [{ name: 'mtSubdomains', value: options.subdomains ? 'TRUE' : '' }]),
    ...(options.description === undefined ? [] : [{ name: 'description', value: options.description }]),
    ...limitChanges(options),
  ];
}

async function add(config: Config, text: string, options: DomainOptions): Promise<void> {
  const { name, below } = domainsGiven(text);
  const only = below ? [{ name: 'mtSubdomainsOnly', value: 'TRUE' }] : [];
  await asAdministrator(config, async (client) => {
    const changes = changesOf(options);
    await checkAlias(client, config, changes);
    await makeDomain(client, config, name, [...only, ...changes]);
  });
  console.log(`added ${below ? '*.' : ''}${name}`);
}

async function edit(config: Config, text: string, options: DomainOptions): Promise<void> {
  const name = domainGiven(text);
  const changes = changesOf(options);
  if (changes.length === 0) throw new Fault('malformed', 'nothing to change was given (--help lists what can be)');
  await asAdministrator(config, async (client) => {
    const { dn } = await domainEntry(client, config, name);
    await checkAlias(client, config, changes);
    await changeDomain(client, dn, changes);
  });
  console.log(`changed ${name}`);
}

async function administrator(config: Config, text: string, options: PersonOptions & { readonly delete?: boolean }): Promise<void> {
  const name = domainGiven(text);
  const dn = await asAdministrator(config, async (client) => administratorDn((await domainEntry(client, config, name)).dn));
  if (options.delete) {
    await asAdministrator(config, (client) => removeDomainAdministrator(client, dn));
    return console.log(`deleted ${dn.toString()}`);
  }
  const { password, madeUp } = await passwordGiven(options);
  const made = await asAdministrator(config, (client) => setDomainAdministrator(client, dn, password));
  console.log(`${made ? 'added' : 'changed the password of'} ${dn.toString()}`);
  if (madeUp) console.log(`password: ${password}`);
}

async function remove(config: Config, text: string): Promise<void> {
  const { name, below } = domainsGiven(text);
  await asAdministrator(config, (client) => (below ? removeSubdomains : removeDomain)(client, config, name));
  console.log(`deleted ${below ? '*.' : ''}${name}`);
}

async function list(config: Config, pattern: string | undefined, options: { json?: boolean }): Promise<void> {
  const fits = matching(pattern ?? '*');
  const found = await asAdministrator(config, (client) =>
    client.search({
      base: treeBase(config),
      scope: 'sub',
      filter: equal('objectClass', 'mtMailDomain'),
      attributes: ['*', ...domainLimits.map(({ used }) => used)],
    }),
  );
  const rows = found.map(rowOf).filter((row) => fits.test(row.domain));
  rows.sort((a, b) => a.domain.localeCompare(b.domain));
  if (options.json) return json(rows.map(({ shown: _shown, ...row }) => row));
  table(
    ['domain', ...domainLimits.map(({ title }) => title), 'alias of', 'sub-domains', 'description'],
    rows.map((row) => [
      row.domain,
      ...domainLimits.map(({ title }) => row.shown[title] ?? ''),
      row.aliasOf,
      row.subdomainsOnly ? 'only' : row.subdomains ? 'yes' : '',
      row.description,
    ]),
  );
}

const rowOf = (entry: Entry) => ({
  domain: dcName(entry.dn),
  aliasOf: entry.text('mtDomainAlias') ?? '',
  subdomains: isTrue(entry, 'mtSubdomains') || isTrue(entry, 'mtSubdomainsOnly'),
  subdomainsOnly: isTrue(entry, 'mtSubdomainsOnly'),
  description: entry.text('description') ?? '',
  limits: limitsAsNumbers(entry),
  shown: usedAndAllowed(entry),
});

async function show(config: Config, text: string, options: { json?: boolean }): Promise<void> {
  const name = domainGiven(text);
  const shown = await asAdministrator(config, async (client) => {
    const entry = await domainEntry(client, config, name);
    const below = await childrenOf(client, entry.dn);
    const count = (fits: (entry: Entry) => boolean): number => below.filter(fits).length;
    return {
      ...rowOf(entry),
      dn: entry.dn.toString(),
      aliases: count((child) => child.isA('mtMailAlias') || child.isA('nisMailAlias')),
      'sub-domains below': below.filter(isLevel).map((child) => dcName(child.dn)),
      administrator: below.find((child) => child.isA('mtAdministrator'))?.dn.toString() ?? '',
    };
  });
  const { shown: usage, ...plain } = shown;
  if (options.json) return json(plain);
  const { subdomains, subdomainsOnly, aliasOf, limits: _limits, ...rest } = plain;
  const local = subdomainsOnly ? 'yes, and it is not itself' : subdomains ? 'yes' : 'no';
  const fields = { ...rest, ...usage, 'alias of': aliasOf, 'sub-domains local': local };
  table(
    ['', ''],
    Object.entries(fields).map(([field, value]) => [field, Array.isArray(value) ? value.join(' ') : String(value)]),
  );
}

const isLevel = (entry: Entry): boolean => entry.dn.rdns[0]?.[0]?.type.toLowerCase() === 'dc';

async function browse(config: Config, text: string | undefined, options: { json?: boolean }): Promise<void> {
  const base = text === undefined ? treeBase(config) : domainDn(config, domainGiven(text));
  const rows = await asAdministrator(config, async (client) => {
    const levels = await inDomain(text ?? '', () => client.search({ base, scope: 'one', filter: levelsOnly }));
    const found = [];
    for (const level of levels) found.push({ domain: dcName(level.dn), local: level.isA('mtMailDomain'), ...(await below(client, level)) });
    return found.sort((a, b) => a.domain.localeCompare(b.domain));
  });
  if (options.json) return json(rows);
  table(
    ['domain', 'local', 'sub-domains', 'users'],
    rows.map((row) => [row.domain, row.local ? 'yes' : 'no', String(row.subdomains), String(row.users)]),
  );
}

const levelsOnly: Filter = { type: 'present', attribute: 'dc' };

async function below(client: LdapClient, level: Entry): Promise<{ subdomains: number; users: number }> {
  const count = async (filter: Filter): Promise<number> =>
    (await client.search({ base: level.dn, scope: 'one', filter, attributes: ['1.1'] })).length;
  return { subdomains: await count(levelsOnly), users: await count(equal('objectClass', 'person')) };
}
