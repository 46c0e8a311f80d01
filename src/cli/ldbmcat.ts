#!/usr/bin/env node
/**
 * `ldbmcat [CONF]`: the whole directory as LDIF, passwords and operational attributes included, into the next free `ldif.N`.
 *
 * Promise: never writes over a file. Works while the server runs, by way of its control socket.
 * Source: manual chapter 10, "Database Corruption Within Directory Services"; checklist DIR-12
 */

import { closeSync, fsyncSync, unlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { bundledOnly, type Config, version } from '../main/index.ts';
import { loadConfig } from './config-file.ts';
import { exportByControl, exportOffline, toFile, toStdout, warnOfReaders, writeExport } from './ldif/export.ts';
import { tryOffline } from './ldif/import.ts';
import { openFresh } from './ldif/rejects.ts';
import { complain } from './program.ts';

const program = new Command('ldbmcat');

program
  .description('export the directory database to the next free file ldif.N')
  .version(version)
  .argument('[conf]', 'configuration file of the server')
  .option('--config <file>', 'the same')
  .option('-d, --directory <directory>', 'where the file is made (default: the data directory)')
  .option('--stdout', 'to standard output instead of a file')
  .action(async (conf: string | undefined, flags: { config?: string; directory?: string; stdout?: boolean }) => {
    try {
      await exportAll(loadConfig(conf ?? flags.config), flags);
    } catch (thrown) {
      complain(thrown, 'ldbmcat');
    }
  });

async function exportAll(config: Config, flags: { readonly directory?: string; readonly stdout?: boolean }): Promise<void> {
  bundledOnly(config);
  const wish = { base: '', filter: '', operational: true, secrets: true };
  const offline = await tryOffline(config);
  try {
    const pieces = offline ? exportOffline(offline, wish) : exportByControl(config, wish);
    if (flags.stdout) {
      warnOfReaders();
      await writeExport(pieces, toStdout, 'standard output');
      return;
    }
    const folder = resolve(flags.directory ?? config.data);
    const { fd, path } = openFresh((n) => join(folder, `ldif.${n}`));
    try {
      await writeExport(pieces, toFile(fd), path);
      fsyncSync(fd);
    } catch (thrown) {
      // Half an export would be taken for a whole one.
      unlinkSync(path);
      throw thrown;
    } finally {
      closeSync(fd);
    }
    console.log(`${join(config.data, 'directory')} has been successfully exported to LDIF file ${path}`);
  } finally {
    await offline?.close();
  }
}

await program.parseAsync();
