/** A database on trial behaves as any other, and leaves the one below alone. */

import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { systemClock } from '../../src/base/index.ts';
import { below, type Key, openKeyValue, ScratchKeyValue } from '../../src/storage/index.ts';
import { bytes, put, text } from '../contracts/key-value.ts';
import { tempDir } from '../support/temp.ts';

test('random changes on trial read as they would read in the database itself', async () => {
  const { path, remove } = await tempDir();
  const base = await openKeyValue({ path: join(path, 'base'), clock: systemClock });
  const top = await openKeyValue({ path: join(path, 'top'), clock: systemClock });
  const model = new Map<Key, string>();
  let seed = 7;
  const roll = (most: number): number => {
    seed = (seed * 48271) % 0x7fffffff;
    return seed % most;
  };
  for (let n = 0; n < 60; n++) model.set(`t/${String(roll(100)).padStart(3, '0')}`, `base ${n}`);
  await base.transact(put(...model), 'durable');
  const original = [...model];
  const scratch = new ScratchKeyValue(base.snapshot(), top);
  for (let n = 0; n < 300; n++) {
    const key = `t/${String(roll(100)).padStart(3, '0')}`;
    const limit = roll(5) + 1;
    const seen = await scratch.transact(async (read) => {
      const found = (await read.scan({ from: key, to: 't/~' }, limit)).map(([k, value]) => `${k}=${text(value)}`);
      const change = n % 3 === 0 ? { deletes: [key] } : { puts: [[key, bytes(`top ${n}`)] as const] };
      return { ...change, result: found };
    });
    const expected = [...model].filter(([k]) => k >= key).sort(([a], [b]) => (a < b ? -1 : 1));
    expect(seen).toEqual(expected.slice(0, limit).map(([k, value]) => `${k}=${value}`));
    if (n % 3 === 0) model.delete(key);
    else model.set(key, `top ${n}`);
    expect(text(scratch.getNow(key))).toBe(model.get(key));
  }
  const all: string[] = [];
  for await (const [key, value] of scratch.scan(below('t/'))) all.push(`${key}=${text(value)}`);
  expect(all).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${value}`));
  const changes = new Map<Key, string | undefined>();
  for await (const [key, value] of scratch.changes()) changes.set(key, text(value));
  for (const [key, value] of changes) expect(model.get(key)).toBe(value);
  await expect(scratch.transact(async () => ({ checks: [{ absent: [...model.keys()][0] ?? '' }], result: 0 }))).rejects.toThrow(
    /check failed/,
  );
  await scratch.close();
  for (const [key, value] of original) expect(text(base.getNow(key))).toBe(value);
  await base.close();
  await remove();
});
