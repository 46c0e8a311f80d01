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

/** A port on loopback that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
