#!/usr/bin/env node
/**
 * `dbupdate [-h] [-r] [-u]`: checks the database of the message queue, and puts right what was damaged.
 *
 * The database of the directory is `mailtree directory reindex`'s business. Exit codes: 0 all is well, or is now · 1 refused · 2 something was
 * found (without -r and -u), or there is mail that cannot be read.
 * Source: manual chapter 6, "DBUPDATE"; checklist CLI-01
 */

import { Command } from 'commander';
import type { RebuildMode, RebuildReport } from '../main/index.ts';
import { rebuildStoredQueue } from '../main/index.ts';
import { json, runner, withHelp } from './program.ts';

const program = new Command('dbupdate');
const run = runner(program);

program
  .description('check the database of the message queue, and rebuild what follows from its messages; the server must not run')
  .option('--config <file>', 'configuration file of the server')
  .option('-r, --rebuild', 'rebuild all of it')
  .option('-u, --update', 'write only what is missing or wrong')
  .option('--json', 'as JSON')
  .action(
    run(async (config, options: { rebuild?: boolean; update?: boolean; json?: boolean }) => {
      const mode: RebuildMode = options.rebuild ? 'rebuild' : options.update ? 'update' : 'check';
      const report = await rebuildStoredQueue(config, mode);
      if (options.json) json(report);
      else for (const line of told(report, mode)) console.log(line);
      const { wrong, surplus, empty, unreadable } = report;
      if (unreadable > 0 || (mode === 'check' && wrong + surplus + empty > 0)) process.exitCode = 2;
    }),
  );

function told({ messages, recipients, wrong, surplus, empty, unreadable }: RebuildReport, mode: RebuildMode): string[] {
  const checked = mode === 'check';
  const lines = [`messages in the queue: ${messages}, recipients: ${recipients}`];
  if (wrong > 0) lines.push(`index entries that were missing or wrong: ${wrong}${checked ? '' : ', written'}`);
  if (surplus > 0) lines.push(`index entries that belong to nothing: ${surplus}${checked ? '' : ', removed'}`);
  if (empty > 0) lines.push(`messages without recipients: ${empty}${checked ? '' : ', removed'}`);
  if (unreadable > 0) lines.push(`records that cannot be read: ${unreadable}${checked ? '' : ', put aside (mailtree queue aside)'}`);
  if (wrong + surplus + empty + unreadable === 0) lines.push('nothing is wrong');
  else if (checked) lines.push('nothing was changed; dbupdate -r puts it right');
  if (mode === 'rebuild') lines.push('the queue is rebuilt');
  return lines;
}

await program.parseAsync(withHelp(program, process.argv.slice(2)), { from: 'user' });
