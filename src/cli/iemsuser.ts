#!/usr/bin/env node
/**
 * `iemsuser`: accounts by the manual's own command, for scripts that know it. `-h` is a directory here, so help is `--help`.
 *
 * Source: manual chapter 4, "IEMSUSER"; checklist STORE-11
 */

import { Command } from 'commander';
import { Fault } from '../base/index.ts';
import type { Attribute } from '../directory/index.ts';
import { version } from '../main/index.ts';
import { closeAccount, hasAccount, openAccount } from './account.ts';
import { asAdministrator } from './administrator.ts';
import { type ActionFlags, actionOf, forbid, need, notHere } from './compatible.ts';
import { addressGiven, equal, inDomain, like, treeBase, userByPrimary } from './entries.ts';
import { type PersonOptions, permissionGiven, quotaOctets } from './person.ts';
import { hideArguments, runner, table } from './program.ts';

interface Options extends ActionFlags {
  readonly a?: string;
  readonly p?: string;
  readonly l?: string;
  readonly f?: string;
  readonly h?: string;
  readonly r?: string;
  readonly q?: string;
  readonly w?: string;
  readonly m?: string;
  readonly t?: string;
}

hideArguments('iemsuser');
const program = new Command('iemsuser');
const run = runner(program);
program
  .description('create, delete and list accounts; --help for this text')
  .version(version, '--version')
  .helpOption('--help', 'this text')
  .option('--config <file>', 'configuration file of the server')
  .option('-C', 'create an account')
  .option('-D', 'delete an account: the mailbox is closed, the directory entry stays')
  .option('-L', 'list all accounts')
  .option('-a <addr>', 'address, for -C and -D; with -L a pattern in which * stands for anything')
  .option('-p <passwd>', 'password, at least 6 characters')
  .option('-l <lname>', 'last name')
  .option('-f <fname>', 'first name')
  .option('-h <hdir>', 'directory of the mailbox')
  .option('-r <perm>', 'send, receive or send+receive (the default)')
  .option('-q <quota>', 'mailbox quota in MB (default: unlimited)')
  .option('-w <webfolder>', 'directory of the web folder')
  .option('-m <wperm>', 'enable or disable the web folder (default: disable)')
  .option('-t <wquota>', 'web folder quota in MB')
  .action(
    run(async (config, options: Options) => {
      const action = actionOf(options);
      if (action !== 'C') forbid(options, action, ['p', 'l', 'f', 'h', 'r', 'q', 'w', 'm', 't']);
      if (action === 'L') return await list();
      const given = addressGiven(need(options.a, 'a', 'the address', action));
      if (action === 'C') {
        const { person, more } = accountOf(options);
        await asAdministrator(config, (client) => inDomain(given.domain, () => openAccount(client, config, given, person, more)));
        if (options.h !== undefined) notHere('-h', 'mailMessageStore', 'all mailboxes are kept in the data directory');
        console.log(`created ${given.text}`);
      } else {
        await asAdministrator(config, async (client) => closeAccount(client, await userByPrimary(client, config, given.text)));
        console.log(`deleted ${given.text}`);
      }

      async function list(): Promise<void> {
        const filter = { type: 'and', filters: [equal('objectClass', 'mtMailUser'), like('mail', options.a ?? '*')] } as const;
        const found = await asAdministrator(config, (client) =>
          client.search({ base: treeBase(config), scope: 'sub', filter, attributes: listed }),
        );
        const megabytes = (octets: string | undefined): string =>
          octets === undefined ? 'unlimited' : String(Math.round(Number(octets) / 1_048_576));
        table(
          ['address', 'first name', 'last name', 'permission', 'quota MB', 'web folder', 'web folder quota MB'],
          found
            .filter((entry) => hasAccount(entry))
            .map((entry) => [
              entry.text('mail') ?? '',
              entry.text('givenName') ?? '',
              entry.text('sn') ?? '',
              (entry.text('mtAccountPermission') ?? 'send-receive').replace('-', '+'),
              megabytes(entry.text('mailQuotaSize')),
              entry.text('mtWebFolder')?.toUpperCase() === 'TRUE' ? 'enabled' : 'disabled',
              megabytes(entry.text('mtWebFolderQuota')),
            ])
            .sort(([a = ''], [b = '']) => a.localeCompare(b)),
        );
      }
    }),
  );

const listed = [
  ...['objectClass', 'accountStatus', 'mail', 'givenName', 'sn', 'mtAccountPermission', 'mailQuotaSize', 'mtWebFolder', 'mtWebFolderQuota'],
];

/** The attributes of `-C`. Password and last name have no default: a script that forgets them is told so. */
function accountOf(options: Options): { readonly person: PersonOptions; readonly more: readonly Attribute[] } {
  const folder = options.m?.toLowerCase();
  if (folder !== undefined && folder !== 'enable' && folder !== 'disable') throw new Fault('malformed', '-m must be enable or disable');
  const values: [string, string | undefined][] = [
    ['userPassword', need(options.p, 'p', 'the password', 'C')],
    ['mtAccountPermission', options.r === undefined ? undefined : permissionGiven('-r', options.r)],
    ['mailQuotaSize', options.q === undefined ? undefined : quotaOctets('-q', options.q)],
    ['mailMessageStore', options.h],
    ['mtWebFolderDirectory', options.w],
    ['mtWebFolder', folder === 'enable' ? 'TRUE' : undefined],
    ['mtWebFolderQuota', options.t === undefined ? undefined : quotaOctets('-t', options.t)],
  ];
  return {
    person: { last: need(options.l, 'l', 'the last name', 'C'), ...(options.f === undefined ? {} : { first: options.f }) },
    more: values.flatMap(([name, value]) => (value === undefined ? [] : [{ name, values: [value] }])),
  };
}

await program.parseAsync();
