/** The queue of a data directory while no server runs, checked and put right: what `dbupdate` does. */

import { join } from 'node:path';
import { silentLog, systemClock } from '../base/index.ts';
import { type RebuildMode, type RebuildReport, rebuildQueue } from '../queue/index.ts';
import { openDataDirectory, openKeyValue } from '../storage/index.ts';
import type { Config } from './config.ts';

/** Fault `busy` where a server runs. */
export async function rebuildStoredQueue(config: Config, mode: RebuildMode): Promise<RebuildReport> {
  const data = await openDataDirectory(config.data);
  try {
    const keyValue = await openKeyValue({ path: join(config.data, 'mail'), clock: systemClock, log: silentLog });
    try {
      return await rebuildQueue(keyValue, systemClock, mode);
    } finally {
      await keyValue.close();
    }
  } finally {
    await data.close();
  }
}
