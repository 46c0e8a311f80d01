/** Loads the directory's code when the data directory is opened without a server: other commands go without it. */

import type { Schema } from '../directory/index.ts';
import type { Config } from './config.ts';
import type { Offline } from './open-directory.ts';

export type { Offline, OpenedDirectory, Replacement, Trial } from './open-directory.ts';

/** As in open-directory.ts. */
export async function openOffline(config: Config, how: { readonly create?: boolean } = {}): Promise<Offline> {
  const { openOffline: open } = await import('./open-directory.ts');
  return open(config, how);
}

/** The schema in force. */
export async function loadSchemaOf(config: Config): Promise<Schema> {
  const { schemaOf } = await import('./directory.ts');
  return schemaOf(config);
}
