#!/usr/bin/env node
/** `mailtree`: the command line. Each command says in its own file what it does. */

import { Command } from 'commander';
import { version } from '../main/index.ts';
import { type Run, runner } from './program.ts';

const program = new Command('mailtree');
program
  .description('Mailtree: mail from one directory')
  .version(version)
  .option('--config <file>', 'configuration file (default: config/mailtree.yaml)');

type Add = (program: Command, run: Run) => void;

/** What adds the commands of each first word, in the order of the help text. */
const groups: Readonly<Record<string, readonly (() => Promise<Add>)[]>> = {
  start: [async () => (await import('./commands/start.ts')).addStartCommand],
  'status retry component': [async () => (await import('./commands/status.ts')).addStatusCommands],
  'etrn relays': [async () => (await import('./commands/etrn.ts')).addEtrnCommands],
  queue: [async () => (await import('./commands/queue.ts')).addQueueCommands],
  trace: [async () => (await import('./commands/trace.ts')).addTraceCommand],
  explain: [async () => (await import('./commands/explain.ts')).addExplainCommand],
  user: [async () => (await import('./commands/user.ts')).addUserCommands],
  alias: [async () => (await import('./commands/alias.ts')).addAliasCommands],
  connector: [async () => (await import('./commands/connector.ts')).addConnectorCommands],
  domain: [async () => (await import('./commands/domain.ts')).addDomainCommands],
  'tls tls-reports': [async () => (await import('./commands/tls.ts')).addTlsCommands],
  'dkim dns': [
    async () => (await import('./commands/dkim.ts')).addDkimCommands,
    async () => (await import('./commands/dns.ts')).addDnsCommand,
  ],
  peer: [async () => (await import('./commands/peer.ts')).addPeerCommands],
  repair: [async () => (await import('./commands/repair.ts')).addRepairCommand],
  modules: [async () => (await import('./commands/modules.ts')).addModuleCommands],
  directory: [
    async () => (await import('./commands/can.ts')).addCanCommand,
    async () => (await import('./commands/history.ts')).addHistoryCommands,
    async () => (await import('./commands/transfer.ts')).addTransferCommands,
  ],
};

/** The first word that is neither an option nor the file of `--config`. */
const word = process.argv.slice(2).find((text, n, all) => !text.startsWith('-') && all[n - 1] !== '--config');
// Code of other commands costs more than most commands do. Help, and a word that is none, need them all.
const wanted = Object.entries(groups).filter(([words]) => word !== undefined && words.split(' ').includes(word));
const run = runner(program);
for (const [, loads] of wanted.length > 0 ? wanted : Object.entries(groups)) for (const load of loads) (await load())(program, run);

// `mailtree start --config FILE` and `mailtree --config FILE start` mean the same.
for (const command of [program, ...program.commands.flatMap((c) => [c, ...c.commands])]) {
  if (command !== program) command.option('--config <file>', 'configuration file');
  command.hook('preAction', (_this, action) => {
    const given = action.opts<{ config?: string }>().config;
    if (given !== undefined) program.setOptionValue('config', given);
  });
}

await program.parseAsync();
