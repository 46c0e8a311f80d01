/**
 * A database that does not open any more, made readable again as far as its files are.
 *
 * Promise: works on a copy, which takes the place of the database when it opens; the old one is kept beside it. What no file has any more
 * is gone, and of what was deleted lately something may be there again: what belongs together is for the rooms to check.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../base/index.ts';
import { engineReason, openLevel } from './engine.ts';
import { copyForReplacement, dropReplacement, replaceDatabase } from './replacement.ts';

export interface Repaired {
  /** Records that can be read. */
  readonly records: number;
  /** Where the old database is; undefined where it opens and was left alone. */
  readonly kept: string | undefined;
}

const options = { cacheSize: 8 * 1024 * 1024, writeBufferSize: 4 * 1024 * 1024 };

/** Nobody may have it open: the caller has the lock of the data directory. Fault `unavailable` where nothing can be made of it. */
export async function repairDatabase(path: string): Promise<Repaired> {
  const opens = await count(path).catch((thrown: unknown) => {
    if (thrown instanceof Fault && thrown.kind !== 'busy') return undefined;
    throw thrown;
  });
  if (opens !== undefined) return { records: opens, kept: undefined };
  const { Level } = await import('level');
  // The library hands this through without saying so.
  const { repair } = Level as unknown as { repair(location: string): Promise<void> };
  const copy = await copyForReplacement(path);
  try {
    await repair(copy);
    // What it has read, and what it could not: the old one has that, too.
    await rm(join(copy, 'lost'), { recursive: true, force: true });
    const records = await count(copy);
    return { records, kept: await replaceDatabase(path) };
  } catch (thrown) {
    await dropReplacement(path);
    throw new Fault('unavailable', `the database ${path} cannot be repaired: ${engineReason(thrown)}; it was left as it is`, {
      cause: thrown,
    });
  }
}

/** Reads everything. */
async function count(path: string): Promise<number> {
  const engine = await openLevel(path, options);
  let records = 0;
  try {
    for await (const page of engine.pages({ from: '', to: '\u{10ffff}' }, {})) records += page.length;
  } finally {
    await engine.close();
  }
  return records;
}
