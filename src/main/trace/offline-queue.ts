/**
 * The queue of a data directory while no server runs, for looking at alone.
 *
 * Promise: the lock of the data directory keeps it and a starting server out of each other's way.
 */

import { join } from 'node:path';
import { silentLog, systemClock } from '../../base/index.ts';
import { queueReader } from '../../queue/index.ts';
import { openDataDirectory, openKeyValue } from '../../storage/index.ts';
import type { Config } from '../config.ts';
import { queueFor } from './queue-for.ts';
import type { TraceQueue } from './trace.ts';

/** Fault `busy` where a server runs. */
export async function withOfflineQueue<T>(config: Config, work: (queue: TraceQueue) => Promise<T>): Promise<T> {
  const data = await openDataDirectory(config.data);
  try {
    const keyValue = await openKeyValue({ path: join(config.data, 'mail'), clock: systemClock, log: silentLog });
    try {
      return await work(queueFor(queueReader(keyValue)));
    } finally {
      await keyValue.close();
    }
  } finally {
    await data.close();
  }
}
