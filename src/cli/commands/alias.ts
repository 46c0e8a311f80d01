/** `mailtree alias add|rename|list|delete|rebuild`: further addresses of a user. Source: manual chapter 5, "Mail Aliases"; checklist DIR-10 */

import type { Command } from 'commander';
import { Fault } from '../../base/index.ts';
import type { Entry } from '../../directory/index.ts';
import type { LdapClient } from '../../directory-remote/index.ts';
import type { Config } from '../../main/index.ts';
import { asAdministrator } from '../administrator.ts';
import { askControl } from '../control-client.ts';
import { isLocal, matching } from '../domain.ts';
import { addressGiven, entryOf, like, stillFree, treeBase } from '../entries.ts';
import { json, type Run, table } from '../program.ts';

const aliasClass = 'inetLocalMailRecipient';

export function addAliasCommands(program: Command, run: Run): void {
  const alias = program.command('alias').description('aliases: further addresses of a user');
  alias
    .command('add <alias> <address>')
    .description('mail to <alias> is treated as mail to <address>')
    .action(
      run(async (config, aliasText: string, address: string) => {
        const given = addressGiven(aliasText);
        await asAdministrator(config, async (client) => {
          const entry = await entryOf(client, config, addressGiven(address).text);
          await mayBeAlias(client, config, entry, given);
          await stillFree(client, config, given.text, entry.dn);
          const allowed = entry.isA(aliasClass) || entry.isA('mtMailUser') || entry.isA('mtMailAlias');
          await client.modify(entry.dn, [
            ...(allowed ? [] : [{ operation: 'add', attribute: { name: 'objectClass', values: [aliasClass] } } as const]),
            { operation: 'add', attribute: { name: 'mailLocalAddress', values: [given.text] } },
          ]);
        });
        console.log(`added ${given.text}`);
      }),
    );
  alias
    .command('rename <alias> <new>')
    .description('give an alias another name; it stays with its user')
    .action(
      run(async (config, aliasText: string, newText: string) => {
        const [given, wanted] = [addressGiven(aliasText), addressGiven(newText)];
        await asAdministrator(config, async (client) => {
          const entry = await aliasOwner(client, config, given.text);
          await mayBeAlias(client, config, entry, wanted);
          await stillFree(client, config, wanted.text, entry.dn);
          await client.modify(entry.dn, [
            { operation: 'delete', attribute: { name: 'mailLocalAddress', values: [given.text] } },
            { operation: 'add', attribute: { name: 'mailLocalAddress', values: [wanted.text] } },
          ]);
        });
        console.log(`renamed ${given.text} to ${wanted.text}`);
      }),
    );
  alias
    .command('list [pattern]')
    .description('aliases that match; * stands for anything')
    .option('--of <address>', 'only those of this user')
    .option('--json', 'as JSON')
    .action(
      run(async (config, pattern: string | undefined, options: { of?: string; json?: boolean }) => {
        const wanted = pattern ?? '*';
        const found = await asAdministrator(config, async (client) =>
          options.of === undefined
            ? client.search({
                base: treeBase(config),
                scope: 'sub',
                filter: like('mailLocalAddress', wanted),
                attributes: ['mail', 'mailLocalAddress'],
              })
            : [await entryOf(client, config, addressGiven(options.of).text)],
        );
        const matches = matching(wanted);
        const rows = found
          .flatMap((entry) =>
            entry
              .texts('mailLocalAddress')
              .filter((text) => matches.test(text))
              .map((text) => ({ alias: text, address: entry.text('mail') ?? entry.dn.toString() })),
          )
          .sort((x, y) => x.alias.localeCompare(y.alias));
        if (options.json) return json(rows);
        table(
          ['alias', 'address'],
          rows.map((row) => [row.alias, row.address]),
        );
      }),
    );
  alias
    .command('delete <alias>')
    .description('take an alias away from its user')
    .action(
      run(async (config, aliasText: string) => {
        const given = addressGiven(aliasText);
        await asAdministrator(config, async (client) => {
          const entry = await aliasOwner(client, config, given.text);
          await client.modify(entry.dn, [{ operation: 'delete', attribute: { name: 'mailLocalAddress', values: [given.text] } }]);
        });
        console.log(`deleted ${given.text}`);
      }),
    );
  alias
    .command('rebuild')
    .description('have the running server read all addresses and domains afresh; it follows changes by itself, so this is for doubts only')
    .action(
      run(async (config) => {
        await askControl(config, { method: 'POST', path: '/view/refresh' });
        console.log('addresses, domains and settings were read afresh');
      }),
    );
}

/** Mail for it comes here, and the entry does not have it already. */
async function mayBeAlias(
  client: LdapClient,
  config: Config,
  entry: Entry,
  { text, domain }: ReturnType<typeof addressGiven>,
): Promise<void> {
  if (!(await isLocal(client, config, domain.toLowerCase()))) throw new Fault('not-found', `${domain} is not a local domain`);
  if ([...entry.texts('mail'), ...entry.texts('mtMailAddress')].some((own) => own.toLowerCase() === text.toLowerCase()))
    throw new Fault('refused', `${text} is the own address of ${entry.dn.toString()}: it needs no alias`);
}

/** The entry whose alias this is; Fault `refused` where it is somebody's primary address. */
async function aliasOwner(client: LdapClient, config: Config, address: string): Promise<Entry> {
  const entry = await entryOf(client, config, address);
  if (!entry.texts('mailLocalAddress').some((text) => text.toLowerCase() === address.toLowerCase()))
    throw new Fault('refused', `${address} is the primary address of ${entry.dn.toString()}, not an alias`);
  return entry;
}
