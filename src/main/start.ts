/**
 * Loads the server when one is started: commands that only talk to a running one (sendmail, mailq, status) go without its code.
 */

import { Fault } from '../base/index.ts';
import type { RebuildMode, RebuildReport } from '../queue/index.ts';
import type { Repaired } from '../storage/index.ts';
import type { Config } from './config.ts';
import type { HistoryLine, HistoryQuestion, UndoHow, UndoReport } from './history.ts';
import type { Server, StartOptions } from './server.ts';
import type { Trace, TraceQueue } from './trace/trace.ts';

/** Resolves when every component with Auto Start runs. Faults say what is wrong in one line; nothing stays open behind one. */
export async function startServer(config: Config, options: StartOptions): Promise<Server> {
  const server = await import('./server.ts');
  return server.startServer(config, options);
}

/** The change history while no server runs. Fault `busy` where one does, `not-found` where there is no directory yet. */
export async function historyOffline(config: Config, question: HistoryQuestion): Promise<HistoryLine[]> {
  const [{ withStoredDirectory }, { readHistory }] = await Promise.all([import('./open-directory.ts'), import('./history.ts')]);
  return withStoredDirectory(config, ({ directory }) => readHistory(directory, question, Date.now()));
}

/** Everything about a message, from the log files and `queue` (undefined: from the files of the queue, where no server runs). */
export async function trace(config: Config, question: TraceAsked, queue: TraceQueue | undefined): Promise<Trace> {
  const [{ traceMessages }, { timeOf }, { useTimeZone }] = await Promise.all([
    import('./trace/trace.ts'),
    import('./history.ts'),
    import('./time-zone.ts'),
  ]);
  await useTimeZone(config.data);
  const { about, since, limit } = question;
  if (limit !== undefined && !/^[1-9]\d{0,3}$/.test(limit)) throw new Fault('malformed', `limit: "${limit}" is not a number up to 9999`);
  const asked = {
    about,
    limit: Number(limit ?? 100),
    ...(since === undefined ? {} : { since: timeOf('since', since, Date.now()) }),
  };
  if (queue) return await traceMessages(config.logs, asked, queue);
  const { withOfflineQueue } = await import('./trace/offline-queue.ts');
  return await withOfflineQueue(config, (offline) => traceMessages(config.logs, asked, offline));
}

/** Checks the queue of a data directory, or puts it right, while no server runs. Fault `busy` where one does. */
export async function rebuildStoredQueue(config: Config, mode: RebuildMode): Promise<RebuildReport> {
  const { rebuildStoredQueue: rebuild } = await import('./rebuild-queue.ts');
  return await rebuild(config, mode);
}

/** Makes a database that does not open readable again, while no server runs. Faults: `busy`, `not-found`, `unavailable`. */
export async function repairStored(config: Config, name: string): Promise<Repaired> {
  const { repairStored: repair } = await import('./repair.ts');
  return await repair(config, name);
}

export interface TraceAsked {
  /** Queue id, Message-ID or address. */
  readonly about: string;
  /** A time without a zone is one of the server's. */
  readonly since?: string | undefined;
  readonly limit?: string | undefined;
}

/** Undoes a change while no server runs; faults as for `historyOffline`. */
export async function undoOffline(config: Config, change: string, how: UndoHow): Promise<UndoReport> {
  const [{ withStoredDirectory }, { undoChange }] = await Promise.all([import('./open-directory.ts'), import('./history.ts')]);
  return withStoredDirectory(config, ({ directory }) => undoChange(directory, change, how));
}
