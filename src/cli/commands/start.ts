/** `mailtree start`: runs the server until SIGTERM or SIGINT. */

import type { Command } from 'commander';
import { asFault } from '../../base/index.ts';
import { type FirstStart, type Server, startServer } from '../../main/index.ts';
import { loadConfig } from '../config-file.ts';
import { complain } from '../program.ts';

/** Stopping takes at most this long, then the process ends all the same: what was acknowledged is on disk. */
const stopWithinMs = 10_000;

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('run the server in the foreground; SIGTERM ends it cleanly')
    .action(async () => {
      try {
        const server = await startServer(loadConfig(program.opts<{ config?: string }>().config), {
          firstStart: welcome,
          print: (line) => console.log(line),
        });
        endOnSignal(server);
        console.log('mailtree ready');
      } catch (thrown) {
        complain(thrown);
        // Something may be open already (a listener, a database): an unsuccessful start does not linger.
        process.exit(1);
      }
    });
}

function endOnSignal(server: Server): void {
  let ending = false;
  const end = (signal: string): void => {
    if (ending) process.exit(1);
    ending = true;
    server.log.info(`${signal}: stopping`);
    setTimeout(() => process.exit(1), stopWithinMs).unref();
    server.stop().then(
      () => process.exit(0),
      (thrown: unknown) => {
        complain(asFault(thrown));
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
}

/** What a newcomer needs to know, once. */
function welcome(first: FirstStart): void {
  const lines = ['', 'First start. Note these, they are shown only once:', ''];
  if (first.adminPassword) lines.push(`  administrator  ${first.adminDn}`, `  password       ${first.adminPassword}`, '');
  if (first.accounts.length > 0) {
    lines.push(`  accounts       ${first.accounts.join(', ')}`);
    if (first.examplePassword) lines.push(`  password       ${first.examplePassword} (the same for all of them)`);
    lines.push('');
  }
  lines.push(...first.howTo, '');
  console.log(lines.join('\n'));
}
