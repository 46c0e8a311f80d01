/** `mailtree domain add|list|delete`: local mail domains. Source: manual chapters 3 and 5; checklist MTA-01, MTA-05, DIR-11 */

import type { Command } from 'commander';
import { Fault } from '../../base/index.ts';
import { DirectoryFault } from '../../directory/index.ts';
import type { LdapClient } from '../../directory-remote/index.ts';
import type { Dn } from '../../ldap-wire/index.ts';
import type { Config } from '../../main/index.ts';
import { asAdministrator } from '../administrator.ts';
import { domainDn, equal, inDomain, treeBase } from '../entries.ts';
import { type Run, table } from '../program.ts';

interface AddOptions {
  readonly aliasOf?: string;
  readonly subdomains?: boolean;
}

function domainGiven(text: string): string {
  const name = text.toLowerCase();
  if (name.length > 253 || !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/.test(name))
    throw new Fault('malformed', `${text} is not a domain name`);
  return name;
}

export function addDomainCommands(program: Command, run: Run): void {
  const domain = program.command('domain').description('local mail domains');
  domain
    .command('add <name>')
    .description('make a domain local')
    .option('--alias-of <domain>', 'another name for that domain')
    .option('--subdomains', 'its sub-domains are local too')
    .action(
      run(async (config, text: string, options: AddOptions) => {
        const name = domainGiven(text);
        const extras = [
          ...(options.aliasOf === undefined ? [] : [{ name: 'mtDomainAlias', values: [domainGiven(options.aliasOf)] }]),
          ...(options.subdomains ? [{ name: 'mtSubdomains', values: ['TRUE'] }] : []),
        ];
        await asAdministrator(config, (client) => addDomain(client, config, name, extras));
        console.log(`added ${name}`);
      }),
    );
  domain
    .command('list')
    .description('all local domains')
    .action(
      run(async (config) => {
        const found = await asAdministrator(config, (client) =>
          client.search({ base: treeBase(config), scope: 'sub', filter: equal('objectClass', 'mtMailDomain') }),
        );
        table(
          ['domain', 'alias of', 'sub-domains'],
          found.map((entry) => [nameOf(entry.dn), entry.text('mtDomainAlias') ?? '', entry.text('mtSubdomains') === 'TRUE' ? 'yes' : '']),
        );
      }),
    );
  domain
    .command('delete <name>')
    .description('the domain is no longer local; it must have no users any more')
    .action(
      run(async (config, text: string) => {
        const name = domainGiven(text);
        await asAdministrator(config, (client) => inDomain(name, () => client.delete(domainDn(config, name))));
        console.log(`deleted ${name}`);
      }),
    );
}

const nameOf = (dn: Dn): string =>
  dn.rdns
    .filter((rdn) => rdn[0]?.type.toLowerCase() === 'dc')
    .map((rdn) => rdn[0]?.value ?? '')
    .join('.');

/** An entry that is there already as a bare upper level becomes a mail domain. */
async function addDomain(
  client: LdapClient,
  config: Config,
  name: string,
  extras: readonly { name: string; values: string[] }[],
): Promise<void> {
  const dn = domainDn(config, name);
  try {
    await client.add(dn, [
      { name: 'objectClass', values: ['domain', 'mtMailDomain'] },
      { name: 'dc', values: [name.split('.')[0] ?? name] },
      ...extras,
    ]);
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault) || thrown.result !== 'entryAlreadyExists') throw thrown;
    const [there] = await client.search({ base: dn, scope: 'base', filter: { type: 'present', attribute: 'objectClass' } });
    if (!there || there.isA('mtMailDomain')) throw new Fault('exists', `${name} is a local domain already`);
    await client.modify(dn, [
      { operation: 'add', attribute: { name: 'objectClass', values: ['mtMailDomain'] } },
      ...extras.map((attribute) => ({ operation: 'replace', attribute }) as const),
    ]);
  }
}
