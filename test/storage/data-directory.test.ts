/** The data directory: its lock, its format, its modes. */

import { spawn } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { openDataDirectory } from '../../src/storage/index.ts';
import { tempDir } from '../support/temp.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function folder(): Promise<string> {
  const made = await tempDir();
  cleanups.push(made.remove);
  return join(made.path, 'data');
}

test('a directory that is in use is refused, and free again after closing', async () => {
  const path = await folder();
  const first = await openDataDirectory(path);
  expect(first.recovered).toEqual([]);
  await expect(openDataDirectory(path)).rejects.toMatchObject({
    kind: 'busy',
    say: `the data directory is in use by process ${process.pid}; stop it first`,
  });
  await first.close();
  await first.close();
  const second = await openDataDirectory(path);
  expect(second.recovered).toEqual([]);
  await second.close();
});

test('of many starts at once one wins', async () => {
  const path = await folder();
  const starts = await Promise.allSettled(Array.from({ length: 10 }, () => openDataDirectory(path)));
  const won = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  expect(won).toHaveLength(1);
  await won[0]?.close();
});

/** A process that holds the directory. Resolves when it does. */
async function holdElsewhere(path: string): Promise<{ pid: number; kill: () => Promise<void> }> {
  const source = new URL('../../src/storage/index.ts', import.meta.url).href;
  const script = `const { openDataDirectory } = await import(${JSON.stringify(source)});
    await openDataDirectory(${JSON.stringify(path)}); console.log('held'); setInterval(() => {}, 1000);`;
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  cleanups.push(kill);
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', () => reject(new Error('ended early')));
  });
  return { pid: child.pid ?? 0, kill };
}

test('another process keeps the lock until it ends, however it ends, and its end without closing is told', async () => {
  const path = await folder();
  const other = await holdElsewhere(path);
  await expect(openDataDirectory(path)).rejects.toMatchObject({ kind: 'busy', say: expect.stringContaining(`process ${other.pid};`) });
  await other.kill();
  const taken = await openDataDirectory(path);
  expect(taken.recovered).toEqual([`previous run (pid ${other.pid}) ended without closing`]);
  await taken.close();
  const after = await openDataDirectory(path);
  expect(after.recovered).toEqual([]);
  await after.close();
});

test('a damaged lock or holder file does not keep the server from starting', async () => {
  const path = await folder();
  await (await openDataDirectory(path)).close();
  for (const name of await readdir(join(path, 'lock'))) await writeFile(join(path, 'lock', name), 'rubbish');
  await writeFile(join(path, 'holder'), '\u0000\u0000\u0000');
  const opened = await openDataDirectory(path);
  expect(opened.recovered).toEqual(['previous run (pid unknown) ended without closing']);
  await opened.close();
});

test('a newer format is refused, so is one that nobody wrote', async () => {
  const path = await folder();
  await (await openDataDirectory(path)).close();
  await writeFile(join(path, 'format'), 'mailtree data, format 99\n');
  await expect(openDataDirectory(path)).rejects.toMatchObject({ kind: 'unsupported', say: expect.stringContaining('format 99') });
  await writeFile(join(path, 'format'), 'something else');
  await expect(openDataDirectory(path)).rejects.toMatchObject({ kind: 'unsupported' });
  await rm(join(path, 'format'));
  await (await openDataDirectory(path)).close();
});

test('an older format is migrated step by step, and a step that fails is done again', async () => {
  const path = await folder();
  await (await openDataDirectory(path, 1)).close();
  const done: string[] = [];
  let broken = true;
  const steps = new Map<number, (path: string) => Promise<void>>([
    [1, async (at: string) => void done.push(`1 ${at === path}`)],
    [
      2,
      async () => {
        if (broken) throw new Error('no');
        done.push('2');
      },
    ],
  ]);
  await expect(openDataDirectory(path, 3, steps)).rejects.toThrow('no');
  expect(await readFile(join(path, 'format'), 'utf8')).toBe('mailtree data, format 2\n');
  broken = false;
  const opened = await openDataDirectory(path, 3, steps);
  expect(opened.recovered).toEqual(['data directory brought from format 2 to 3']);
  expect(done).toEqual(['1 true', '2']);
  await opened.close();
  await expect(openDataDirectory(path, 5, new Map())).rejects.toMatchObject({ kind: 'unsupported' });
});

test('the directory and what is in it are for the owner alone', async () => {
  const path = await folder();
  await mkdir(path);
  await chmod(path, 0o755);
  const opened = await openDataDirectory(path);
  expect(opened.recovered).toEqual(['data directory could be read by others (mode 755); now 700']);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  for (const name of ['format', 'holder']) expect((await stat(join(path, name))).mode & 0o777).toBe(0o600);
  expect((await stat(join(path, 'lock'))).mode & 0o777).toBe(0o700);
  await opened.close();
});

test('a place where no directory can be made is refused with the reason, at once', async () => {
  await expect(openDataDirectory('/proc/no/such/place')).rejects.toThrow(
    /^the data directory \S+ cannot be made: ENOENT: no such file or directory/,
  );
  const path = await folder();
  await writeFile(path, 'a file');
  await expect(openDataDirectory(path)).rejects.toThrow(/^the data directory \S+ cannot be made: /);
});
