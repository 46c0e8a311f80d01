/**
 * Loads the server when one is started: commands that only talk to a running one (sendmail, mailq, status) go without its code.
 */

import type { Config } from './config.ts';
import type { Server, StartOptions } from './server.ts';

/** Resolves when every component with Auto Start runs. Faults say what is wrong in one line; nothing stays open behind one. */
export async function startServer(config: Config, options: StartOptions): Promise<Server> {
  const server = await import('./server.ts');
  return server.startServer(config, options);
}
