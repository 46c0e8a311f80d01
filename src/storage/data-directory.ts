/**
 * The data directory: one process at a time, one format, nobody else's eyes.
 *
 * The lock is LevelDB's own (a record lock of the operating system on a small database kept for nothing else): the system
 * gives it back when the process ends in any way, so it cannot be stale and needs no guess about process ids. Beside it a
 * file says which process holds it; found at a start with the lock free, it tells that the run before ended without closing.
 */

import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Level } from 'level';
import { errorCode, Fault, makeFolders } from '../base/index.ts';
import { realDisk } from './disk.ts';
import { causeOf } from './engine.ts';
import { settleReplacements } from './replacement.ts';

/** The format this program writes. */
export const dataFormat = 1;

/** What makes a directory of format n one of format n + 1; runs under the lock and may be run again after a crash. */
export type Migrations = ReadonlyMap<number, (path: string) => Promise<void>>;

const migrations: Migrations = new Map();

export interface DataDirectory {
  readonly path: string;
  /** What was found and put right; for the log. */
  readonly recovered: readonly string[];
  close(): Promise<void>;
}

function make(path: string, folder: string): void {
  try {
    makeFolders(folder);
  } catch (cause) {
    throw unusable(path, 'made', cause);
  }
}

/** Undefined where that cannot be seen. */
function ownerOf(path: string): number | undefined {
  try {
    return statSync(path).uid;
  } catch {
    return undefined;
  }
}

/** What is wrong with the data directory, and whose it is where that is the reason. */
function unusable(path: string, what: string, cause: unknown): Fault {
  if (cause instanceof Fault) return cause;
  const owner = ownerOf(path);
  const user = process.geteuid?.();
  const foreign = (errorCode(cause) === 'EACCES' || errorCode(cause) === 'EPERM') && owner !== undefined && owner !== user;
  const hint = foreign
    ? `; ${path} belongs to user ${owner}, and this is user ${user}: run it as that user, or give it away (chown -R)`
    : '';
  return new Fault('unavailable', `the data directory ${path} cannot be ${what}: ${systemReason(cause)}${hint}`, { cause });
}

/** What the system said; of a full disk, in words that say it. */
function systemReason(thrown: unknown): string {
  const text = (thrown as Partial<Error> | undefined)?.message ?? String(thrown);
  return errorCode(thrown) === 'ENOSPC' || /no space left/i.test(text) ? 'no space left on the device' : text;
}

/** The process that the file names; 0 when it cannot be told, undefined when there is none. */
async function readHolder(path: string): Promise<number | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    return /^\d{1,15}\n$/.test(text) ? Number(text) : 0;
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return undefined;
    throw thrown;
  }
}

/** Takes the lock, or throws Fault `busy` naming the process that has it. */
async function lock(path: string, folder: string, holderFile: string): Promise<Level> {
  const { Level } = await import('level');
  for (let attempt = 0; ; attempt++) {
    const db = new Level(folder, { writeBufferSize: 64 * 1024, cacheSize: 0 });
    try {
      await db.open();
      return db;
    } catch (thrown) {
      if (errorCode(causeOf(thrown)) === 'LEVEL_LOCKED') {
        const holder = await readHolder(holderFile).catch(() => undefined);
        const who = holder ? `process ${holder}` : 'another process';
        throw new Fault('busy', `the data directory is in use by ${who}; stop it first`, { cause: thrown });
      }
      if (attempt > 0) throw unusable(path, 'locked', causeOf(thrown) ?? thrown);
      // It holds nothing: what a crash damaged is thrown away. The file that is locked stays.
      for (const name of await readdir(folder)) if (name !== 'LOCK') await rm(join(folder, name), { force: true });
    }
  }
}

/** Writes a small file so that after a crash it is there with the old or the new text, never torn. */
async function writeWhole(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, `${name}.${randomBytes(6).toString('hex')}.tmp`);
  const fd = await realDisk.open(temporary, 'wx+');
  try {
    await realDisk.write(fd, [Buffer.from(text)], 0);
    await realDisk.sync(fd);
  } finally {
    await realDisk.close(fd);
  }
  await realDisk.rename(temporary, join(folder, name));
  await realDisk.syncDirectory(folder);
}

const formatLine = /^mailtree data, format (\d{1,9})\n$/;

async function readFormat(path: string): Promise<number | undefined> {
  let text: string;
  try {
    text = await readFile(join(path, 'format'), 'utf8');
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return undefined;
    throw thrown;
  }
  const match = formatLine.exec(text);
  if (!match) throw new Fault('unsupported', `${join(path, 'format')} does not say which format the data directory has`);
  return Number(match[1]);
}

async function bringToFormat(path: string, format: number, steps: Migrations): Promise<string[]> {
  const found = await readFormat(path);
  if (found === undefined) {
    await writeWhole(path, 'format', `mailtree data, format ${format}\n`);
    return [];
  }
  if (found > format) {
    throw new Fault('unsupported', `the data directory has format ${found}, this program knows ${format} at most: use the newer program`);
  }
  const done: string[] = [];
  for (let from = found; from < format; from++) {
    const step = steps.get(from);
    if (!step) throw new Fault('unsupported', `the data directory has format ${found}, which this program can no longer read`);
    await step(path);
    await writeWhole(path, 'format', `mailtree data, format ${from + 1}\n`);
    done.push(`data directory brought from format ${from} to ${from + 1}`);
  }
  return done;
}

/**
 * Makes the directory if it is missing, locks it, checks its format. Faults: `busy` (a process has it; its id is in the
 * text), `unsupported` (format), `unavailable`. `format` and `steps` are for tests of migration.
 */
export async function openDataDirectory(path: string, format = dataFormat, steps: Migrations = migrations): Promise<DataDirectory> {
  const recovered: string[] = [];
  const run = join(path, 'lock');
  const holderFile = join(path, 'holder');
  make(path, run);
  const db = await lock(path, run, holderFile).catch((thrown: unknown) => {
    throw unusable(path, 'written', thrown);
  });
  try {
    const mode = (await stat(path)).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      await chmod(path, 0o700);
      recovered.push(`data directory could be read by others (mode ${mode.toString(8)}); now 700`);
    }
    const before = await readHolder(holderFile);
    if (before !== undefined) recovered.push(`previous run (pid ${before || 'unknown'}) ended without closing`);
    recovered.push(...(await settleReplacements(path)));
    recovered.push(...(await bringToFormat(path, format, steps)));
    await writeFile(holderFile, `${process.pid}\n`, { mode: 0o600 });
  } catch (thrown) {
    await db.close();
    if (errorCode(thrown) === undefined) throw thrown;
    throw unusable(path, 'written', thrown);
  }
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await rm(holderFile, { force: true });
    await db.close();
  };
  return {
    path,
    recovered,
    close() {
      closing ??= close();
      return closing;
    },
  };
}
