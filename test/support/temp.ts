/** Temporary directories and free ports for tests. */

import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function tempDir(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'mailtree-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/**
 * Copies a directory as a crash would leave it, without its lock. LevelDB tidies up its files beside everything else: a copy during
 * which files came or went is none that any moment had, and is made again.
 */
export async function copyAsCrashed(from: string, to: string): Promise<void> {
  const files = async (): Promise<string> => (await readdir(from, { recursive: true })).sort().join('\n');
  for (;;) {
    const before = await files();
    try {
      await cp(from, to, { recursive: true, filter: (file) => !file.endsWith('/LOCK') });
      if ((await files()) === before) return;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
    }
    await rm(to, { recursive: true, force: true });
  }
}

/**
 * Below the range from which systems take ports for outgoing connections (Linux from 32768, RFC 6335 from 49152): a port of that range may be
 * taken by any connection between choosing it and listening on it. Each test worker has a slice of its own.
 */
const lowest = 11_000;
const sliceSize = 1_300;
const slices = 16;
const slice = lowest + (Number(process.env['JEST_WORKER_ID'] ?? slices) % slices) * sliceSize;
let next = Math.floor(Math.random() * sliceSize);

/** A port on loopback that is free; another one at every call. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < sliceSize; tries++) {
    const port = slice + (next++ % sliceSize);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${slice} to ${slice + sliceSize - 1}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
