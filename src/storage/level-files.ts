/**
 * The files of a LevelDB database, looked at before it is opened.
 *
 * Why: an opening that meets trouble half-way goes on without what it could not read. With CURRENT missing LevelDB begins an empty
 * database and deletes the tables it knows nothing of; a log that it has no descriptor for is taken for empty. So nothing is opened
 * while it shows that it would end like that.
 */

import { closeSync, openSync } from 'node:fs';
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../base/index.ts';
import { diskFault, realDisk } from './disk.ts';

/** Files that hold records, or say where they are: a database that was only begun has the first MANIFEST and no more. */
const holding = /^(?:\d+\.(?:log|ldb|sst)|MANIFEST-0*(?:[2-9]|[1-9]\d+))$/;
/** Descriptors an opening may need, and some for whoever opens something at the same time. */
const descriptors = 48;
/** Octets written beside the records themselves. */
const slack = 1_048_576;

/** Fault `unavailable` where records are there but the file that says which of them count is not, and where descriptors are short. */
export async function refuseHeadless(path: string): Promise<void> {
  const names = await readdir(path);
  assertDescriptors();
  if (names.includes('CURRENT') || !names.some((name) => holding.test(name))) return;
  throw new Fault('unavailable', 'CURRENT: No such file or directory, and other files of a database are there');
}

/** Fault where the database, opened anew, could not write down what its logs hold: `no-space`, or `unavailable`. */
export async function assertRoom(path: string): Promise<void> {
  try {
    const logs = (await readdir(path)).filter((name) => name.endsWith('.log'));
    const sizes = await Promise.all(logs.map(async (name) => (await stat(join(path, name))).size));
    const needed = sizes.reduce((sum, size) => sum + size, slack);
    const { bavail, bsize } = await statfs(path);
    if (bavail * bsize < needed) throw new Fault('no-space', 'no space left on the device');
    await tryWriting(path, needed);
  } catch (thrown) {
    throw diskFault(thrown);
  }
  assertDescriptors();
}

/** A file system may promise more than it keeps (quotas, read-only since an error). */
async function tryWriting(path: string, octets: number): Promise<void> {
  const file = join(path, 'room.try');
  await realDisk.unlink(file).catch(() => undefined);
  const fd = await realDisk.open(file, 'wx+');
  try {
    const chunk = Buffer.alloc(slack);
    for (let at = 0; at < octets; at += chunk.length) await realDisk.write(fd, [chunk.subarray(0, octets - at)], at);
    await realDisk.sync(fd);
  } finally {
    await realDisk.close(fd);
    await realDisk.unlink(file).catch(() => undefined);
  }
}

function assertDescriptors(): void {
  const open: number[] = [];
  try {
    for (let n = 0; n < descriptors; n++) open.push(openSync('/dev/null', 'r'));
  } catch (cause) {
    throw new Fault('unavailable', 'too few file descriptors are free (ulimit -n)', { cause });
  } finally {
    for (const fd of open) closeSync(fd);
  }
}
