/** References to blobs and the reclaiming of those that nobody needs. */

import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { ManualClock, silentLog } from '../../src/base/index.ts';
import {
  type BlobId,
  type Blobs,
  below,
  CheckFailed,
  dereference,
  type FileBlobs,
  type KeyValue,
  type LevelKeyValue,
  openBlobs,
  openKeyValue,
  Reclaimer,
  type ReclaimerOptions,
  reference,
  referencesTo,
} from '../../src/storage/index.ts';
import { all, octets } from '../contracts/blobs.ts';
import { tempDir } from '../support/temp.ts';

jest.setTimeout(60_000);

const grace = 3_600_000;
let folder: Awaited<ReturnType<typeof tempDir>>;
let clock: ManualClock;
let keyValue: LevelKeyValue;
let blobs: FileBlobs;

beforeEach(async () => {
  folder = await tempDir();
  clock = new ManualClock();
  keyValue = await openKeyValue({ path: join(folder.path, 'db'), clock });
  blobs = await openBlobs({ path: join(folder.path, 'blobs'), clock });
});
afterEach(async () => {
  await keyValue.close();
  await blobs.close();
  await folder.remove();
});

const reclaimer = (options: Partial<ReclaimerOptions> = {}): Reclaimer =>
  new Reclaimer({ keyValue, blobs, clock, log: silentLog, grace, ...options });

const add = (blob: BlobId, holder: string, kv: KeyValue = keyValue): Promise<void> =>
  kv.transact(async () => ({ ...reference(blob, holder), result: undefined }), 'durable');
const drop = (blob: BlobId, holder: string): Promise<void> =>
  keyValue.transact(async () => ({ ...dereference(blob, holder), result: undefined }), 'durable');
const put = async (): Promise<BlobId> => (await blobs.put(octets(500))).id;

async function keys(prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const [key] of keyValue.scan(below(prefix))) found.push(key);
  return found;
}

test('a blob lives until its last reference is gone and the grace period over', async () => {
  const blob = await put();
  await add(blob, 'queue/1');
  await add(blob, 'store/a/b');
  const r = reclaimer();
  await drop(blob, 'queue/1');
  for (let n = 0; n < 3; n++) {
    expect(await r.run()).toEqual({ removed: 0, waiting: 0 });
    clock.advance(grace * 2);
  }
  await drop(blob, 'store/a/b');
  expect(await r.run()).toEqual({ removed: 0, waiting: 1 });
  clock.advance(grace - 1);
  expect(await r.run()).toEqual({ removed: 0, waiting: 1 });
  expect((await blobs.read(blob)).byteLength).toBe(500);
  clock.advance(1);
  expect(await r.run()).toEqual({ removed: 1, waiting: 0 });
  expect(await blobs.info(blob)).toBeUndefined();
});

test('a holder may have any name, and hold twice what it lets go once', async () => {
  const blob = await put();
  for (const holder of ['a', 'a/b', '%', 'ü\u0000', '']) {
    await add(blob, holder);
    await add(blob, holder);
  }
  expect(await keys('ref/')).toHaveLength(5);
  for (const holder of ['a', 'a/b', '%', 'ü\u0000', '']) await drop(blob, holder);
  expect(await keys('ref/')).toEqual([]);
});

test('a reference to a blob that is being reclaimed is refused, also long after', async () => {
  const blob = await put();
  await add(blob, 'x');
  await drop(blob, 'x');
  const r = reclaimer();
  await r.run();
  clock.advance(grace);
  expect((await r.run()).removed).toBe(1);
  await expect(add(blob, 'late')).rejects.toBeInstanceOf(CheckFailed);
  await r.run();
  await expect(add(blob, 'late')).rejects.toBeInstanceOf(CheckFailed);
  clock.advance(grace);
  await r.run();
  expect(await keys('')).toEqual([]);
});

test('a reference that comes back during the grace period saves the blob, and starts it anew when it goes', async () => {
  const blob = await put();
  await add(blob, 'x');
  await drop(blob, 'x');
  const r = reclaimer();
  await r.run();
  clock.advance(grace - 10);
  await add(blob, 'y');
  await drop(blob, 'y');
  clock.advance(20);
  expect(await r.run()).toEqual({ removed: 0, waiting: 1 });
  await add(blob, 'z');
  clock.advance(grace * 2);
  expect(await r.run()).toEqual({ removed: 0, waiting: 0 });
  expect(await keys('orphan/')).toEqual([]);
});

test('a reference added between the look and the mark wins', async () => {
  const blob = await put();
  await drop(blob, 'none');
  await reclaimer().run();
  clock.advance(grace);
  let added = false;
  const racing = new Proxy(keyValue, {
    get(target, name) {
      if (name !== 'transact') {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return async (...args: Parameters<KeyValue['transact']>) => {
        if (!added) await add(blob, 'quick', target);
        added = true;
        return target.transact(...args);
      };
    },
  });
  expect(await reclaimer({ keyValue: racing }).run()).toEqual({ removed: 0, waiting: 1 });
  expect((await blobs.read(blob)).byteLength).toBe(500);
  expect(await keys('reclaim/')).toEqual([]);
});

test('adding and reclaiming at the same time never leaves a reference without its blob', async () => {
  const ids: BlobId[] = [];
  for (let n = 0; n < 60; n++) ids.push(await put());
  for (const id of ids) await drop(id, 'none');
  const r = reclaimer();
  await r.run();
  clock.advance(grace);
  const running = r.run();
  const [, ...adds] = await Promise.all([
    running,
    ...ids.map(async (id, n) => {
      // Which of the others come too late is up to the disk; the last ones do.
      if (n >= 57) await running;
      for (let turn = 0; turn < n % 7; turn++) await new Promise((resolve) => setImmediate(resolve));
      return add(id, 'h').then(
        () => true,
        () => false,
      );
    }),
  ]);
  await r.run();
  for (const [n, id] of ids.entries()) expect((await blobs.info(id)) !== undefined).toBe(adds[n]);
  expect(adds).toContain(false);
});

test('blobs that never had a reference are found by the sweep, young ones are left', async () => {
  const lost = [await put(), (await blobs.put(octets(400_000))).id];
  const held = await put();
  await add(held, 'x');
  clock.advance(grace + 1);
  const young = await put();
  const r = reclaimer();
  expect(await r.sweep()).toBe(2);
  expect(await r.sweep()).toBe(0);
  await r.run();
  clock.advance(grace);
  expect(await r.run()).toEqual({ removed: 2, waiting: 0 });
  expect(await all(blobs.list())).toEqual([held, young].sort());
  for (const id of lost) expect(await blobs.info(id)).toBeUndefined();
  clock.advance(1);
  expect(await r.sweep()).toBe(1);
});

test('what a manifest names stays', async () => {
  const blob = await put();
  await drop(blob, 'x');
  let retained = true;
  const r = reclaimer({ retained: (id) => retained && id === blob });
  for (let n = 0; n < 3; n++) {
    expect(await r.run()).toEqual({ removed: 0, waiting: 1 });
    clock.advance(grace);
  }
  retained = false;
  await r.run();
  clock.advance(grace);
  expect((await r.run()).removed).toBe(1);
});

test('stopped at any step, it is finished by the next run and nothing needed is lost', async () => {
  for (let step = 0; ; step++) {
    const gone = [await put(), await put()];
    const kept = await put();
    for (const id of [...gone, kept]) await add(id, 'x');
    for (const id of gone) await drop(id, 'x');
    const r = reclaimer();
    await r.run();
    clock.advance(grace);
    let left = step;
    const breaking = <T extends object>(target: T, names: readonly string[]): T =>
      new Proxy(target, {
        get(_, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== 'function') return value;
          if (!names.includes(String(name))) return value.bind(target);
          return async (...args: unknown[]) => {
            if (left-- <= 0) throw new Error('stopped');
            return (value as (...all: unknown[]) => unknown).apply(target, args);
          };
        },
      });
    const broken = reclaimer({
      keyValue: breaking<KeyValue>(keyValue, ['transact']),
      blobs: breaking<Blobs>(blobs, ['remove']),
    });
    const finished = await broken.run().then(
      () => true,
      () => false,
    );
    await r.run();
    expect(await all(blobs.list())).toEqual([kept]);
    expect(await keys(referencesTo(kept).from)).toHaveLength(1);
    await drop(kept, 'x');
    await r.run();
    clock.advance(grace);
    await r.run();
    clock.advance(grace);
    await r.run();
    expect(await keys('')).toEqual([]);
    if (finished) break;
    expect(step).toBeLessThan(20);
  }
});

test('stopping ends a sweep and a run early', async () => {
  const blob = await put();
  await drop(blob, 'none');
  clock.advance(grace + 1);
  const r = reclaimer();
  const sweeping = r.sweep();
  const running = r.run();
  await r.stop();
  expect(await sweeping).toBe(0);
  expect(await running).toEqual({ removed: 0, waiting: 0 });
  expect((await blobs.read(blob)).byteLength).toBe(500);
});
