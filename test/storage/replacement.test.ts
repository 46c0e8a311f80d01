/** A whole new database in the place of the old one: at whatever step it is interrupted, one of the two is there. */

import { cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/base/index.ts';
import {
  copyForReplacement,
  dropReplacement,
  openDataDirectory,
  openKeyValue,
  prepareReplacement,
  replaceDatabase,
} from '../../src/storage/index.ts';
import { bytes, put, text } from '../contracts/key-value.ts';
import { tempDir } from '../support/temp.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function folder(): Promise<string> {
  const made = await tempDir();
  cleanups.push(made.remove);
  const path = join(made.path, 'data');
  await mkdir(path);
  return path;
}

async function write(path: string, value: string): Promise<void> {
  const kv = await openKeyValue({ path, clock: systemClock });
  await kv.transact(put(['t/a', value]), 'durable');
  await kv.close();
}

async function read(path: string): Promise<string | undefined> {
  const kv = await openKeyValue({ path, clock: systemClock });
  const found = text(await kv.get('t/a'));
  await kv.close();
  return found;
}

test('the new one takes the place, the old one is kept until the next', async () => {
  const data = await folder();
  const path = join(data, 'directory');
  await write(await prepareReplacement(path), 'first');
  expect(await replaceDatabase(path)).toBeUndefined();
  await write(await prepareReplacement(path), 'second');
  expect(await replaceDatabase(path)).toBe(`${path}.old`);
  expect([await read(path), await read(`${path}.old`)]).toEqual(['second', 'first']);
  await write(await prepareReplacement(path), 'third');
  await replaceDatabase(path);
  expect([await read(path), await read(`${path}.old`)]).toEqual(['third', 'second']);
});

test('a copy can be changed without touching what it was made of', async () => {
  const data = await folder();
  const path = join(data, 'directory');
  const kv = await openKeyValue({ path, clock: systemClock, writeBufferSize: 64 * 1024 });
  // Enough for tables, which both have.
  for (let n = 0; n < 200; n++) await kv.transact(async () => ({ puts: [[`t/${n}`, bytes('x'.repeat(2_000))]], result: 0 }), 'soon');
  await kv.transact(put(['t/a', 'before']), 'durable');
  await kv.close();
  expect((await readdir(path)).some((name) => name.endsWith('.ldb'))).toBe(true);
  const copy = await copyForReplacement(path);
  expect(await read(copy)).toBe('before');
  await write(copy, 'after');
  expect([await read(path), await read(copy)]).toEqual(['before', 'after']);
  await dropReplacement(path);
  expect(await readdir(data)).toEqual(['directory']);
  expect(await read(path)).toBe('before');
});

test.each([
  ['while the new one is made', ['directory', 'directory.next'], 'old'],
  ['when the new one is complete', ['directory', 'directory.ready'], 'new'],
  ['when the old one has been put aside', ['directory.old', 'directory.ready'], 'new'],
  ['when the new one has its place', ['directory', 'directory.old'], 'new'],
])('interrupted %s, the next opening finds a whole database', async (_, names, expected) => {
  const data = await folder();
  const made = await folder();
  await write(join(made, 'old'), 'old');
  await write(join(made, 'new'), 'new');
  for (const name of names) {
    const isNew = /next|ready/.test(name) || (name === 'directory' && names.includes('directory.old'));
    await cp(join(made, isNew ? 'new' : 'old'), join(data, name), { recursive: true });
  }
  const opened = await openDataDirectory(data);
  await opened.close();
  expect(await read(join(data, 'directory'))).toBe(expected);
  expect((await readdir(data)).filter((name) => /next|ready/.test(name))).toEqual([]);
});
