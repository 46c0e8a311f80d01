/**
 * Replacing a whole database: the new one is made beside the old one and takes its place when it is complete.
 *
 * Promise: whatever happens at any moment, the next opening of the data directory finds the old database or the new one, whole.
 * `name.next` is one in the making and is thrown away; `name.ready` is complete and takes the place of `name`, which is kept
 * as `name.old` until the next replacement (or thrown away as `name.gone`). All of it under the lock of the data directory.
 */

import { constants, copyFile, link, mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errorCode } from '../base/index.ts';
import { realDisk } from './disk.ts';

const next = '.next';
const ready = '.ready';
const old = '.old';
const gone = '.gone';

/** An empty place for the new database; what an earlier attempt left there is removed. */
export async function prepareReplacement(path: string): Promise<string> {
  const place = `${path}${next}`;
  await rm(place, { recursive: true, force: true });
  return place;
}

/**
 * The same, with a copy of the database as it is. The database must be closed. Tables are never written again once they are
 * whole, so both may have them; the rest is copied.
 */
export async function copyForReplacement(path: string): Promise<string> {
  const place = await prepareReplacement(path);
  await mkdir(place, { recursive: true, mode: 0o700 });
  for (const name of await filesOf(path)) {
    if (name === 'LOCK' || name.startsWith('LOG')) continue;
    const [from, to] = [join(path, name), join(place, name)];
    if (!name.endsWith('.ldb') || !(await linked(from, to))) await copyFile(from, to, constants.COPYFILE_EXCL);
  }
  return place;
}

/** False where the file system has no second names for files. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch {
    return false;
  }
}

async function filesOf(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return [];
    throw thrown;
  }
}

/**
 * Puts the new database, complete and closed, in the place of the old one, which is kept (`keep`) or thrown away. Returns where it is
 * kept, if there was one.
 */
export async function replaceDatabase(path: string, how: { readonly keep: boolean } = { keep: true }): Promise<string | undefined> {
  const place = `${path}${next}`;
  for (const name of await readdir(place)) {
    const file = await realDisk.open(join(place, name), 'r');
    try {
      await realDisk.sync(file);
    } finally {
      await realDisk.close(file);
    }
  }
  await realDisk.syncDirectory(place);
  await realDisk.rename(place, `${path}${ready}`);
  await realDisk.syncDirectory(join(path, '..'));
  const aside = how.keep ? old : gone;
  const kept = await settle(path, aside);
  if (how.keep) return kept;
  await rm(`${path}${gone}`, { recursive: true, force: true });
  return undefined;
}

/** From here on the new one counts; every step may be done again. */
async function settle(path: string, aside: string): Promise<string | undefined> {
  const had = (await filesOf(path)).length > 0;
  if (had) {
    await rm(`${path}${aside}`, { recursive: true, force: true });
    await realDisk.rename(path, `${path}${aside}`);
  }
  await rm(path, { recursive: true, force: true });
  await realDisk.rename(`${path}${ready}`, path);
  await realDisk.syncDirectory(join(path, '..'));
  return had ? `${path}${aside}` : undefined;
}

/** Throws the unfinished database away. */
export async function dropReplacement(path: string): Promise<void> {
  await rm(`${path}${next}`, { recursive: true, force: true });
}

/** Finishes or undoes what an earlier process did not come to the end of. What was done, for the log. */
export async function settleReplacements(data: string): Promise<string[]> {
  const done: string[] = [];
  for (const name of await filesOf(data)) {
    const path = join(data, name.slice(0, name.lastIndexOf('.')));
    if (name.endsWith(ready)) {
      await settle(path, old);
      done.push(`the replacement of the database ${basename(path)} was completed`);
    } else if (name.endsWith(gone)) {
      await rm(join(data, name), { recursive: true, force: true });
    } else if (name.endsWith(next)) {
      await dropReplacement(path);
      done.push(`an unfinished replacement of the database ${basename(path)} was removed`);
    }
  }
  return done;
}
