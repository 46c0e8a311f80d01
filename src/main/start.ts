/**
 * Loads the server when one is started: commands that only talk to a running one (sendmail, mailq, status) go without its code.
 */

import type { Config } from './config.ts';
import type { HistoryLine, HistoryQuestion, UndoHow, UndoReport } from './history.ts';
import type { Server, StartOptions } from './server.ts';

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

/** Undoes a change while no server runs; faults as for `historyOffline`. */
export async function undoOffline(config: Config, change: string, how: UndoHow): Promise<UndoReport> {
  const [{ withStoredDirectory }, { undoChange }] = await Promise.all([import('./open-directory.ts'), import('./history.ts')]);
  return withStoredDirectory(config, ({ directory }) => undoChange(directory, change, how));
}
