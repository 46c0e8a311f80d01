/** `mailtree alias add|list|delete`: further addresses of a user. Source: manual chapter 5, "Mail Aliases"; checklist DIR-10 */

import type { Command } from 'commander';
import { Fault } from '../../base/index.ts';
import { asAdministrator } from '../administrator.ts';
import { addressGiven, entryOf, like, treeBase } from '../entries.ts';
import { type Run, table } from '../program.ts';

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
    .command('list [pattern]')
    .description('aliases that match; * stands for anything')
    .action(
      run(async (config, pattern: string | undefined) => {
        const wanted = pattern ?? '*';
        const found = await asAdministrator(config, (client) =>
          client.search({ base: treeBase(config), scope: 'sub', filter: like('mailLocalAddress', wanted) }),
        );
        const matches = new RegExp(
          `^${wanted
            .split('*')
            .map((piece) => piece.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
            .join('.*')}$`,
          'i',
        );
        table(
          ['alias', 'address'],
          found.flatMap((entry) =>
            entry
              .texts('mailLocalAddress')
              .filter((text) => matches.test(text))
              .map((text) => [text, entry.text('mail') ?? entry.dn.toString()]),
          ),
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
          const entry = await entryOf(client, config, given.text);
          if (!entry.texts('mailLocalAddress').some((text) => text.toLowerCase() === given.text.toLowerCase()))
            throw new Fault('refused', `${given.text} is the primary address of ${entry.dn.toString()}, not an alias`);
          await client.modify(entry.dn, [{ operation: 'delete', attribute: { name: 'mailLocalAddress', values: [given.text] } }]);
        });
        console.log(`deleted ${given.text}`);
      }),
    );
}
