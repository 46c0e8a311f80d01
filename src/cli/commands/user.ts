/** `mailtree user add|list|delete`: people with a mailbox. Source: manual chapter 5, "User Records"; checklist DIR-08 */

import type { Command } from 'commander';
import { Fault, generatePassword } from '../../base/index.ts';
import type { Filter } from '../../ldap-wire/index.ts';
import { asAdministrator } from '../administrator.ts';
import { addressGiven, domainDn, entryOf, equal, inDomain, like, treeBase } from '../entries.ts';
import { type Run, table } from '../program.ts';

/** Some 116 bits. */
const generatedLength = 20;

interface AddOptions {
  readonly name?: string;
  readonly password?: string;
  readonly quota?: string;
}

export function addUserCommands(program: Command, run: Run): void {
  const user = program.command('user').description('users: people with a mailbox');
  user
    .command('add <address>')
    .description('make a user; without --password a password is generated and shown once')
    .option('--name <name>', 'full name')
    .option('--password <password>', 'at least 6 characters; other users of this machine may see it in the process list')
    .option('--quota <megabytes>', 'size of the mailbox')
    .action(
      run(async (config, address: string, options: AddOptions) => {
        const given = addressGiven(address);
        const name = options.name?.trim() || given.local;
        const words = name.split(/\s+/);
        const password = options.password ?? generatePassword(generatedLength);
        if (options.quota !== undefined && !/^[1-9]\d{0,8}$/.test(options.quota))
          throw new Fault('malformed', '--quota must be a whole number of megabytes');
        const attributes: [string, string][] = [
          ['mail', given.text],
          ['cn', name],
          ['sn', words[words.length - 1] ?? name],
          ['userPassword', password],
          ...(words.length > 1 ? [['givenName', words.slice(0, -1).join(' ')] as [string, string]] : []),
          ...(options.quota === undefined ? [] : [['mailQuotaSize', String(Number(options.quota) * 1_048_576)] as [string, string]]),
        ];
        const dn = domainDn(config, given.domain).child([{ type: 'mail', value: given.text }]);
        await asAdministrator(config, (client) =>
          inDomain(given.domain, () =>
            client.add(dn, [
              { name: 'objectClass', values: ['inetOrgPerson', 'mtMailUser', 'inetLocalMailRecipient'] },
              ...attributes.map(([attribute, value]) => ({ name: attribute, values: [value] })),
            ]),
          ),
        );
        console.log(`added ${given.text}`);
        if (options.password === undefined) console.log(`password: ${password}`);
      }),
    );
  user
    .command('list [pattern]')
    .description('users whose address matches; * stands for anything')
    .action(
      run(async (config, pattern: string | undefined) => {
        const filter: Filter = { type: 'and', filters: [equal('objectClass', 'person'), like('mail', pattern ?? '*')] };
        const found = await asAdministrator(config, (client) => client.search({ base: treeBase(config), scope: 'sub', filter }));
        table(
          ['address', 'name', 'status', 'aliases'],
          found.map((entry) => [
            entry.text('mail') ?? '',
            entry.text('cn') ?? '',
            entry.text('accountStatus') ?? 'active',
            entry.texts('mailLocalAddress').join(' '),
          ]),
        );
      }),
    );
  user
    .command('delete <address>')
    .description('remove a user and its connectors; messages in the mailbox are kept')
    .action(
      run(async (config, address: string) => {
        const given = addressGiven(address);
        await asAdministrator(config, async (client) => {
          const entry = await entryOf(client, config, given.text);
          if (!entry.isA('person')) throw new Fault('refused', `${given.text} is not a user: ${entry.dn.toString()}`);
          for (const child of await client.search({ base: entry.dn, scope: 'one', filter: { type: 'present', attribute: 'objectClass' } }))
            await client.delete(child.dn);
          await client.delete(entry.dn);
        });
        console.log(`deleted ${given.text}`);
      }),
    );
}
