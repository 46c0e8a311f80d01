/** `mailtree directory import|export|check|reindex`. Source: manual chapter 10, "Database Corruption Within Directory Services"; checklist DIR-12, DIR-17 */

import { closeSync } from 'node:fs';
import type { Command } from 'commander';
import { Fault } from '../../base/index.ts';
import { checkDirectory, type DirectoryReport, reindexDirectory } from '../../directory/index.ts';
import { bundledOnly, type Config } from '../../main/index.ts';
import { askControl } from '../control-client.ts';
import {
  type ExportWish,
  exportByControl,
  exportOffline,
  exportOverLdap,
  toFile,
  toStdout,
  warnOfReaders,
  writeExport,
} from '../ldif/export.ts';
import { type ImportFlags, runImport, tryOffline } from '../ldif/import.ts';
import { count, Progress } from '../ldif/progress.ts';
import { openFresh } from '../ldif/rejects.ts';
import type { Run } from '../program.ts';
import { directoryCommands } from './directory.ts';

interface ExportFlags {
  readonly base?: string;
  readonly filter?: string;
  readonly operational?: boolean;
  readonly withPasswords?: boolean;
  readonly output?: string;
}

export function addTransferCommands(program: Command, run: Run): void {
  const directory = directoryCommands(program);
  directory
    .command('import <file>')
    .description('LDIF into the directory: entries and changes; - is standard input. Works with and without a running server')
    .option('--dry-run', 'say what would be done and refused, and do nothing')
    .option('--all-or-nothing', 'do all of it, or nothing where one record is refused')
    .option('--continue', 'go on behind a refused record; what is refused goes into FILE.rejects')
    .option('--rejects <file>', 'another file for what is refused')
    .option('--replace', 'entries that are there become as they stand in the file, instead of being refused')
    .option('--keep-passwords', 'with --replace: passwords of the file count for new entries alone')
    .option('--drop-unknown', 'leave out attributes and object classes of entries that the schema does not have, and say which')
    .option('--file-urls <directory>', 'allow values from files ("attr:< file:///…") of this directory')
    .action(run((config, file: string, flags: ImportFlags) => runImport(config, file, flags)));
  directory
    .command('export')
    .description('the directory as LDIF on standard output. Works with and without a running server')
    .option('--base <dn>', 'this entry and what is below it')
    .option('--filter <filter>', 'only entries that match')
    .option('--operational', 'with entryUUID, createTimestamp and the like, as restoring needs them')
    .option('--with-passwords', 'with the stored forms of passwords; needs the user the server runs as')
    .option('--output <file>', 'into a new file that only its owner may read')
    .action(run(runExport));
  directory
    .command('check')
    .description('whether indexes, names, change log and entries agree, and every entry is one that schema and rules allow')
    .option('--json', 'as JSON')
    .action(run((config, flags: { json?: boolean }) => runCheck(config, flags)));
  directory
    .command('reindex')
    .description('make names and indexes anew from the entries; the server must be stopped')
    .action(run(runReindex));
}

async function runExport(config: Config, flags: ExportFlags): Promise<void> {
  const wish = { base: flags.base ?? '', filter: flags.filter ?? '', operational: flags.operational ?? false };
  if (flags.withPasswords) bundledOnly(config);
  const offline = await tryOffline(config);
  try {
    let pieces: AsyncIterable<string>;
    if (offline) pieces = exportOffline(offline, { ...wish, secrets: flags.withPasswords ?? false });
    else if (flags.withPasswords) pieces = exportByControl(config, { ...wish, secrets: true } satisfies ExportWish);
    else pieces = exportOverLdap(config, { ...wish, secrets: false });
    await writeTo(flags.output, pieces, flags.withPasswords ?? false);
  } finally {
    await offline?.close();
  }
}

async function writeTo(output: string | undefined, pieces: AsyncIterable<string>, secrets: boolean): Promise<void> {
  if (output === undefined) {
    if (secrets) warnOfReaders();
    await writeExport(pieces, toStdout, 'standard output');
    return;
  }
  const { fd } = openFresh((n) => {
    if (n > 0) throw new Fault('exists', `${output} is there already`);
    return output;
  });
  try {
    console.log(`exported ${count(await writeExport(pieces, toFile(fd), output))} entries to ${output}`);
  } finally {
    closeSync(fd);
  }
}

async function runCheck(config: Config, flags: { readonly json?: boolean }): Promise<void> {
  bundledOnly(config);
  const offline = await tryOffline(config);
  let report: DirectoryReport;
  const progress = new Progress({ what: 'check' });
  if (!offline) report = await askControl<DirectoryReport>(config, { path: '/directory/check' });
  else {
    try {
      const keyValue = await offline.openDatabase();
      try {
        report = await checkDirectory(keyValue, offline.schema, { progress: (entries) => progress.at(entries) });
      } finally {
        await keyValue.close();
      }
    } finally {
      await offline.close();
    }
  }
  progress.end();
  const { faults, warnings, entries, firstChange, lastChange } = report;
  if (faults.length > 0) process.exitCode = 2;
  if (flags.json) {
    console.log(JSON.stringify({ sound: faults.length === 0, running: !offline, ...report }, null, 2));
    return;
  }
  for (const fault of faults) console.log(`fault: ${fault}`);
  for (const warning of warnings) console.log(`warning: ${warning}`);
  const history = lastChange < firstChange ? 'no changes in the log' : `changes ${firstChange} to ${lastChange} in the log`;
  const more = (list: readonly string[]): string => (list.length >= 100 ? `${list.length} or more` : String(list.length));
  console.log(`${count(entries)} entries, ${history}: ${more(faults)} faults, ${more(warnings)} warnings`);
  if (faults.some((fault) => /index|name|children/.test(fault)))
    console.error('"mailtree directory reindex" makes names and indexes anew; the server must be stopped for it');
}

async function runReindex(config: Config): Promise<void> {
  bundledOnly(config);
  const offline = await tryOffline(config);
  if (!offline) throw new Fault('busy', 'a server is running: stop it first');
  const progress = new Progress({ what: 'reindex' });
  try {
    const { result, kept } = await offline.rebuild((keyValue) =>
      reindexDirectory(keyValue, offline.schema, { progress: (entries) => progress.at(entries) }),
    );
    progress.end();
    for (const note of result.notes) console.error(`note: ${note}`);
    console.log(
      `names and indexes of ${count(result.entries)} entries made anew in ${progress.seconds} s; the database as it was is kept in ${kept}`,
    );
  } finally {
    progress.end();
    await offline.close();
  }
}
