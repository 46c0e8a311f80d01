/**
 * `mailtree etrn HOST [NAME…]`: asks a host to send what waits there for us; `mailtree relays`: which mail relay host is used.
 * Source: manual chapter 6 "ETRN Support", "Mail Relay Parameters"; checklist SMTPC-06, SMTPC-11
 */

import type { Command } from 'commander';
import type { EtrnAnswer, RelayStatus } from '../../smtpc/index.ts';
import { askControl } from '../control-client.ts';
import { json, type Run, say, table } from '../program.ts';

export function addEtrnCommands(program: Command, run: Run): void {
  program
    .command('etrn <host> [name...]')
    .description('ask a host by ETRN to send what waits there for this host and its alternate names, or for the names given')
    .option('--json', 'as JSON')
    .action(
      run(async (config, host: string, name: string[], options: { json?: boolean }) => {
        const answers = await askControl<EtrnAnswer[]>(config, { method: 'POST', path: '/smtpc/etrn', query: { host, name } });
        if (options.json) json(answers);
        else for (const one of answers) say(`${one.name}: ${one.code === undefined ? '' : `${one.code} `}${one.said}`);
        if (answers.some(({ ok }) => !ok)) process.exitCode = 1;
      }),
    );
  program
    .command('relays')
    .description('the mail relay hosts, and which of them is used now')
    .option('--json', 'as JSON')
    .action(
      run(async (config, options: { json?: boolean }) => {
        const status = await askControl<RelayStatus>(config, { path: '/smtpc/relays' });
        if (options.json) json(status);
        else print(status);
      }),
    );
}

function print({ primary, secondary, using, downSince, reason }: RelayStatus): void {
  if (using === 'none') {
    say('no mail relay host is set');
    return;
  }
  const down = downSince === undefined ? '' : `down since ${new Date(downSince).toISOString()}: ${reason ?? ''}`;
  table(
    ['relay host', '', 'state', ''],
    [
      [primary, 'primary', using === 'primary' ? 'used' : '', down],
      [secondary, 'secondary', using === 'secondary' ? 'used' : '', ''],
    ].filter(([name]) => name !== ''),
  );
}
