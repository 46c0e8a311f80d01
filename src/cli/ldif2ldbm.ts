#!/usr/bin/env node
/**
 * `ldif2ldbm LDIF [CONF]`: a new directory database from an LDIF file, in the place of the one there is.
 *
 * Promise: asks before; what goes wrong at any moment leaves the old database as it was.
 * Source: manual chapter 10, "Database Corruption Within Directory Services"; checklist DIR-12
 */

import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { Fault } from '../base/index.ts';
import { type Config, openOffline, version } from '../main/index.ts';
import { importRecords, LocalTarget } from '../transfer/index.ts';
import { loadConfig } from './config-file.ts';
import { conclude, prepare } from './ldif/import.ts';
import { complain } from './program.ts';

interface Flags {
  readonly yes?: boolean;
  readonly config?: string;
  readonly dropUnknown?: boolean;
  readonly fileUrls?: string;
}

const program = new Command('ldif2ldbm');

program
  .description('replace the directory database by what stands in an LDIF file; the server must be stopped')
  .version(version)
  .argument('<ldif>', 'the file; - is standard input')
  .argument('[conf]', 'configuration file of the server')
  .option('--config <file>', 'the same')
  .option('-y, --yes', 'do not ask')
  .option('--drop-unknown', 'leave out attributes and object classes that the schema does not have, and say which')
  .option('--file-urls <directory>', 'allow values from files ("attr:< file:///…") of this directory')
  .action(async (ldif: string, conf: string | undefined, flags: Flags) => {
    try {
      await replaceAll(loadConfig(conf ?? flags.config), ldif, flags);
    } catch (thrown) {
      complain(thrown, 'ldif2ldbm');
    }
  });

async function replaceAll(config: Config, ldif: string, flags: Flags): Promise<void> {
  const run = prepare(ldif, {
    dropUnknown: flags.dropUnknown ?? false,
    ...(flags.fileUrls === undefined ? {} : { fileUrls: flags.fileUrls }),
  });
  const offline = await openOffline(config, { create: true });
  try {
    for (const note of offline.notes) console.error(`note: ${note}`);
    if (!flags.yes) await ask(offline.path, run.source.name);
    const fresh = await offline.prepare({ copy: false });
    try {
      const target = new LocalTarget(fresh.directory);
      const summary = await importRecords(run.records(), { ...run.options, schema: offline.schema, target });
      run.progress.end();
      conclude({ ...run, flags: { allOrNothing: true } }, summary);
    } catch (thrown) {
      await fresh.drop();
      throw thrown;
    }
    const kept = await fresh.adopt({ keep: true });
    if (kept) console.log(`the database as it was is kept in ${kept}`);
  } finally {
    run.progress.end();
    await offline.close();
  }
}

/** Fault `refused` for any answer but yes, and where nobody is there to answer. */
async function ask(path: string, file: string): Promise<void> {
  if (!process.stdin.isTTY || file === 'standard input')
    throw new Fault('refused', `this replaces the whole directory in ${path}, and there is no terminal to ask: say --yes`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`This replaces the whole directory in ${path} by ${file}. Go on? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new Fault('refused', 'nothing was changed');
  } finally {
    terminal.close();
  }
}

await program.parseAsync();
