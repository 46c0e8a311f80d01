#!/usr/bin/env node
/** `mailtree`: the command line. Each command says in its own file what it does. */

import { Command } from 'commander';
import { version } from '../main/index.ts';
import { addAliasCommands } from './commands/alias.ts';
import { addCanCommand } from './commands/can.ts';
import { addConnectorCommands } from './commands/connector.ts';
import { addDomainCommands } from './commands/domain.ts';
import { addExplainCommand } from './commands/explain.ts';
import { addHistoryCommands } from './commands/history.ts';
import { addStartCommand } from './commands/start.ts';
import { addStatusCommands } from './commands/status.ts';
import { addTransferCommands } from './commands/transfer.ts';
import { addUserCommands } from './commands/user.ts';
import { runner } from './program.ts';

const program = new Command('mailtree');
program
  .description('Mailtree: mail from one directory')
  .version(version)
  .option('--config <file>', 'configuration file (default: config/mailtree.yaml)');

const run = runner(program);
addStartCommand(program);
addStatusCommands(program, run);
addExplainCommand(program, run);
addUserCommands(program, run);
addAliasCommands(program, run);
addConnectorCommands(program, run);
addDomainCommands(program, run);
addCanCommand(program, run);
addHistoryCommands(program, run);
addTransferCommands(program, run);

// `mailtree start --config FILE` and `mailtree --config FILE start` mean the same.
for (const command of [program, ...program.commands.flatMap((c) => [c, ...c.commands])]) {
  if (command !== program) command.option('--config <file>', 'configuration file');
  command.hook('preAction', (_this, action) => {
    const given = action.opts<{ config?: string }>().config;
    if (given !== undefined) program.setOptionValue('config', given);
  });
}

await program.parseAsync();
