/**
 * The directory of a data directory, opened with its schema and every rule of the platform.
 *
 * Opening a data directory that no server has is open-directory.ts's business.
 */

import { join } from 'node:path';
import type { Clock, Live, Log } from '../base/index.ts';
import { type BundledDirectory, type DirectorySettings, loadSchema, nameBy, openDirectory, type Schema } from '../directory/index.ts';
import { platformRules } from '../dit/index.ts';
import { parseDn } from '../ldap-wire/index.ts';
import { type KeyValue, openKeyValue } from '../storage/index.ts';
import type { Config } from './config.ts';
import { declared } from './declarations.ts';
import { schemaFolders } from './schema-folders.ts';

export interface StoredDirectory {
  readonly keyValue: KeyValue;
  readonly schema: Schema;
  readonly directory: BundledDirectory;
}

export interface DirectoryNeeds {
  readonly settings: Live<DirectorySettings>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface StoredDirectoryOptions extends DirectoryNeeds {
  /** Takes what must be closed, in the order of opening. */
  readonly onClose: (close: () => Promise<void>) => void;
}

/** Where the directory's database stands. */
export function directoryPath(config: Config): string {
  return join(config.data, 'directory');
}

/** The schema in force: the product's files and the administrator's. */
export async function schemaOf(config: Config): Promise<Schema> {
  const schema = await loadSchema(schemaFolders(config));
  // Tools that never open the directory look names up as well.
  nameBy(schema);
  return schema;
}

/** The directory on an open database, whose closing is the caller's business. */
export function directoryOn(
  config: Config,
  parts: DirectoryNeeds & Pick<StoredDirectory, 'keyValue' | 'schema'>,
): Promise<BundledDirectory> {
  const [systemBase, domainBase] = [parseDn(config.systemBase), parseDn(config.domainBase)];
  const elsewhere = config.suffixes.map(parseDn);
  return openDirectory({
    ...parts,
    systemBase,
    suffixes: [...(domainBase.rdns.length === 0 ? [] : [domainBase]), ...elsewhere],
    elsewhere,
    rules: platformRules({ systemBase, domainBase, elsewhere, settings: declared.settings }),
  });
}

/** The caller holds the lock of the data directory. */
export async function openStoredDirectory(config: Config, options: StoredDirectoryOptions): Promise<StoredDirectory> {
  const { settings, clock, log, onClose } = options;
  const keyValue = await openKeyValue({ path: directoryPath(config), clock, log });
  onClose(() => keyValue.close());
  const schema = await schemaOf(config);
  const directory = await directoryOn(config, { settings, keyValue, schema, clock, log });
  onClose(() => directory.close());
  return { keyValue, schema, directory };
}
