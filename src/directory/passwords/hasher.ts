/**
 * Hashing away from the event loop: a small pool of workers behind a bounded queue.
 *
 * Promise: when the queue is full the answer is `busy`, at once; nothing waits on libuv's threads.
 */

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Piscina } from 'piscina';
import { asFault, Fault, onDemand } from '../../base/index.ts';
import run, { type HashTask } from './hash-worker.ts';

const piscina = onDemand<{ readonly Piscina: typeof Piscina }>('piscina', import.meta.url);

export interface Hasher {
  /** Place of the first stored form that this password fits, or -1. */
  check(password: string, stored: readonly string[]): Promise<number>;
  /** A SCRAM verifier. */
  derive(password: string, iterations: number): Promise<string>;
  close(): Promise<void>;
}

/** Development and tests run the TypeScript itself; `--import tsx` alone does not reach into a worker. */
function typeScriptLoader(): string {
  const tsx = pathToFileURL(
    createRequire(import.meta.url)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs'),
  ).href;
  return `data:text/javascript,import { register } from ${JSON.stringify(tsx)}; register();`;
}

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** `threads` workers at most (default 2), `queue` tasks waiting at most (default 200). */
export function workerHasher(options: { readonly threads?: number; readonly queue?: number } = {}): Hasher {
  let pool: Piscina | undefined;
  const open = (): Piscina => {
    const made = new (piscina().Piscina)({
      filename: new URL(`./hash-worker.${extension}`, import.meta.url).href,
      minThreads: 0,
      maxThreads: options.threads ?? 2,
      maxQueue: options.queue ?? 200,
      // A worker is some 10 MB and is back within 50 ms.
      idleTimeout: 5_000,
      execArgv: extension === 'ts' ? ['--import', typeScriptLoader()] : [],
    });
    // A worker that dies takes its tasks along; they fail, and the next log-in gets a fresh pool.
    made.on('error', () => {
      if (pool === made) pool = undefined;
      made.destroy().catch(() => {});
    });
    return made;
  };
  const ask = async (task: HashTask): Promise<number | string> => {
    pool ??= open();
    if (pool.queueSize >= (options.queue ?? 200)) throw new Fault('busy', 'too many log-ins at the same time, please try again');
    try {
      return (await pool.run(task)) as number | string;
    } catch (thrown) {
      throw new Fault('unavailable', 'passwords cannot be checked at the moment', { cause: asFault(thrown) });
    }
  };
  return {
    check: async (password, stored) => Number(await ask({ task: 'check', password, stored })),
    derive: async (password, iterations) => String(await ask({ task: 'derive', password, iterations })),
    close: async () => {
      await pool?.destroy();
      pool = undefined;
    },
  };
}

/** The same on the caller's thread: for command-line tools and tests. */
export const inlineHasher: Hasher = {
  check: async (password, stored) => Number(await run({ task: 'check', password, stored })),
  derive: async (password, iterations) => String(await run({ task: 'derive', password, iterations })),
  close: async () => {},
};
