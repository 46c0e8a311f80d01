/** A database of a data directory that does not open, while no server runs: what `mailtree repair` does. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../base/index.ts';
import { openDataDirectory, type Repaired, repairDatabase } from '../storage/index.ts';
import type { Config } from './config.ts';

export const databases = ['mail', 'directory'] as const;
export type DatabaseName = (typeof databases)[number];

/** Fault `busy` where a server runs, `not-found` where there is no such database. */
export async function repairStored(config: Config, name: string): Promise<Repaired> {
  const path = join(config.data, name);
  if (!databases.some((one) => one === name))
    throw new Fault('malformed', `there is no database ${name}; there are ${databases.join(', ')}`);
  if (!existsSync(path)) throw new Fault('not-found', `there is no database at ${path}`);
  const data = await openDataDirectory(config.data);
  try {
    return await repairDatabase(path);
  } finally {
    await data.close();
  }
}
