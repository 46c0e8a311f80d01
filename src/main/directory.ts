/**
 * The directory of a data directory, opened with its schema and every rule of the platform: by the server, or by a command while
 * no server runs.
 *
 * Promise: a command never writes beside a running server: the lock of the data directory keeps one out of the other's way.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, constant, Fault, type Live, type Log, silentLog, systemClock } from '../base/index.ts';
import {
  type BundledDirectory,
  type DirectorySettings,
  directorySettings,
  loadSchema,
  openDirectory,
  type Schema,
} from '../directory/index.ts';
import { platformRules } from '../dit/index.ts';
import { parseDn } from '../ldap-wire/index.ts';
import { defaultsOf } from '../settings/index.ts';
import { type KeyValue, openDataDirectory, openKeyValue } from '../storage/index.ts';
import type { Config } from './config.ts';
import { notBundled } from './config-directory.ts';
import { schemaFolders } from './schema-folders.ts';

export interface StoredDirectory {
  readonly keyValue: KeyValue;
  readonly schema: Schema;
  readonly directory: BundledDirectory;
}

export interface StoredDirectoryOptions {
  readonly settings: Live<DirectorySettings>;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes what must be closed, in the order of opening. */
  readonly onClose: (close: () => Promise<void>) => void;
}

/** The caller holds the lock of the data directory. */
export async function openStoredDirectory(config: Config, options: StoredDirectoryOptions): Promise<StoredDirectory> {
  const { settings, clock, log, onClose } = options;
  const keyValue = await openKeyValue({ path: join(config.data, 'directory'), clock, log });
  onClose(() => keyValue.close());
  const schema = await loadSchema(schemaFolders(config));
  const [systemBase, domainBase] = [parseDn(config.systemBase), parseDn(config.domainBase)];
  const directory = await openDirectory({
    settings,
    keyValue,
    schema,
    clock,
    log,
    systemBase,
    suffixes: [...(config.domainBase === '' ? [] : [config.domainBase]), ...config.suffixes].map(parseDn),
    rules: platformRules({ systemBase, domainBase }),
  });
  onClose(() => directory.close());
  return { keyValue, schema, directory };
}

/** Works on the directory while no server runs. Fault `busy` where one does, `not-found` where there is no directory yet. */
export async function withStoredDirectory<T>(config: Config, work: (stored: StoredDirectory) => Promise<T>): Promise<T> {
  if (config.directory) throw notBundled();
  if (!existsSync(join(config.data, 'directory'))) throw new Fault('not-found', `there is no directory in ${config.data}`);
  const closers: (() => Promise<void>)[] = [];
  const data = await openDataDirectory(config.data);
  closers.push(() => data.close());
  try {
    const stored = await openStoredDirectory(config, {
      settings: constant(defaultsOf(directorySettings)),
      clock: systemClock,
      log: silentLog,
      onClose: (close) => closers.push(close),
    });
    return await work(stored);
  } finally {
    for (const close of closers.reverse()) await close();
  }
}
