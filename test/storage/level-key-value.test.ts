/** The LevelDB engine: the contract, and what is its own: groups, flushes, failures, crashes. */

import { readdir, stat, truncate } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { afterEach, expect, jest, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import { type KeyValueOptions, type LevelKeyValue, openKeyValue, type Part, sortable } from '../../src/storage/index.ts';
import { bytes, keyValueContract, put, text } from '../contracts/key-value.ts';
import { copyAsCrashed, tempDir } from '../support/temp.ts';

// Some of these wait for the disk hundreds of times.
jest.setTimeout(60_000);

keyValueContract('level', async () => {
  const folder = await tempDir();
  const clock = new ManualClock();
  let keyValue = await openKeyValue({ path: joinPath(folder.path, 'db'), clock });
  return {
    keyValue,
    async reopen() {
      await keyValue.close();
      keyValue = await openKeyValue({ path: joinPath(folder.path, 'db'), clock });
      return keyValue;
    },
    async remove() {
      await keyValue.close();
      await folder.remove();
    },
  };
});

type Wrap = NonNullable<KeyValueOptions['wrap']>;
type Engine = ReturnType<Wrap>;

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function folder(): Promise<string> {
  const made = await tempDir();
  cleanups.push(made.remove);
  return made.path;
}

async function open(path: string, options: Partial<KeyValueOptions> = {}): Promise<LevelKeyValue> {
  const keyValue = await openKeyValue({ path, clock: new ManualClock(), ...options });
  cleanups.push(() => keyValue.close());
  return keyValue;
}

/** An engine whose writes wait to be let through, or are made to fail. */
class Gate {
  readonly writes: { size: number; sync: boolean; pass: () => void; fail: (thrown: unknown) => void }[] = [];
  open = false;
  reopenings = 0;

  readonly wrap: Wrap = (engine: Engine): Engine => ({
    getNow: (key) => engine.getNow(key),
    get: (key) => engine.get(key),
    getMany: (keys) => engine.getMany(keys),
    pages: (range, options) => engine.pages(range, options),
    snapshot: () => engine.snapshot(),
    logNumber: () => engine.logNumber(),
    syncNames: () => engine.syncNames(),
    reopen: async (owed) => {
      this.reopenings++;
      await engine.reopen(owed);
    },
    get readable() {
      return engine.readable;
    },
    close: () => engine.close(),
    write: async (changes, sync) => {
      const written = { size: changes.size, sync, pass: () => {}, fail: (_: unknown) => {} };
      const passed = new Promise<void>((pass, fail) => {
        Object.assign(written, { pass, fail });
      });
      this.writes.push(written);
      if (!this.open) await passed;
      await engine.write(changes, sync);
    },
  });
}

/** Lets everything happen that waits for nothing outside. */
async function settle(): Promise<void> {
  for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
}

test('while one flush runs everybody else joins the next', async () => {
  const gate = new Gate();
  const kv = await open(await folder(), { wrap: gate.wrap });
  const first = kv.transact(put(['t/0', 'x']), 'durable');
  await settle();
  const others = Array.from({ length: 20 }, (_, n) => kv.transact(put([`t/${n + 1}`, 'x']), 'durable'));
  await settle();
  expect(gate.writes.map((w) => w.size)).toEqual([1]);
  gate.writes[0]?.pass();
  await first;
  await settle();
  expect(gate.writes.map((w) => w.size)).toEqual([1, 20]);
  gate.writes[1]?.pass();
  await Promise.all(others);
  gate.open = true;
});

test('nobody outside sees a durable change before its flush, parts do', async () => {
  const gate = new Gate();
  const kv = await open(await folder(), { wrap: gate.wrap });
  let woken = 0;
  let answered = 0;
  kv.subscribe('topic', () => {
    woken++;
  });
  const look: Part<string | undefined> = async (read) => ({ result: text(await read.get('t/k')) });
  void kv.transact(async () => ({ puts: [['t/k', bytes('1')]], wake: ['topic'], result: 0 }), 'durable').then(() => answered++);
  await settle();
  const looked = kv.transact(look, 'soon').then((value) => {
    answered++;
    return value;
  });
  const refused = kv
    .transact(async () => ({ checks: [{ absent: 't/k' }], result: 0 }), 'soon')
    .catch((thrown: Error) => {
      answered++;
      return thrown.name;
    });
  await settle();
  expect([woken, answered, kv.getNow('t/k'), await kv.get('t/k')]).toEqual([0, 0, undefined, undefined]);
  gate.open = true;
  gate.writes[0]?.pass();
  expect([await looked, await refused]).toEqual(['1', 'CheckFailed']);
  expect([woken, answered, text(kv.getNow('t/k'))]).toEqual([1, 3, '1']);
});

test('a group is flushed when one of its parts is durable; a soon one within a second', async () => {
  const gate = new Gate();
  gate.open = true;
  const clock = new ManualClock();
  const kv = await open(await folder(), { wrap: gate.wrap, clock });
  await kv.transact(put(['t/a', '1']), 'soon');
  await kv.transact(put(['t/b', '1']), 'soon');
  expect(gate.writes.map((w) => w.sync)).toEqual([false, false]);
  clock.advance(1000);
  await kv.transact(async () => ({ result: 0 }), 'soon');
  await settle();
  expect(gate.writes.map((w) => w.sync)).toEqual([false, false, true]);
  clock.advance(10_000);
  await settle();
  expect(gate.writes).toHaveLength(3);
  await Promise.all([kv.transact(put(['t/c', '1']), 'soon'), kv.transact(put(['t/d', '1']), 'durable')]);
  expect(gate.writes.map((w) => w.sync)).toEqual([false, false, true, true]);
  await kv.flush();
  expect(gate.writes).toHaveLength(4);
});

test('a failed write fails its group and everything behind it, and stops writing', async () => {
  const gate = new Gate();
  const kv = await open(await folder(), { wrap: gate.wrap });
  gate.open = true;
  await kv.transact(put(['t/before', '1']), 'durable');
  gate.open = false;
  let woken = 0;
  kv.subscribe('topic', () => {
    woken++;
  });
  const group = kv.transact(async () => ({ puts: [['t/lost', bytes('1')]], wake: ['topic'], result: 0 }), 'durable');
  await settle();
  const behind = kv.transact(async (read) => ({ puts: [['t/behind', (await read.get('t/lost'))!]], result: 0 }), 'durable');
  const soon = kv.transact(put(['t/soon', '1']), 'soon');
  const endless = kv.transact(() => new Promise<never>(() => {}), 'durable');
  const queued = kv.transact(put(['t/queued', '1']), 'durable');
  const outcomes = Promise.allSettled([group, behind, soon, endless, queued]);
  await settle();
  gate.writes.at(-1)?.fail(new Error('IO error: /secret/path/000003.log: No space left on device'));
  for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { kind: 'no-space' } });
  await expect(group).rejects.toMatchObject({ kind: 'no-space', say: 'the database has stopped writing: No space left on device' });
  await expect(kv.transact(put(['t/after', '1']), 'durable')).rejects.toMatchObject({ kind: 'no-space', cause: expect.any(Error) });
  await expect(kv.flush()).rejects.toMatchObject({ kind: 'no-space' });
  expect(kv.healthy).toBe(false);
  expect(woken).toBe(0);
  expect(text(await kv.get('t/before'))).toBe('1');
  expect(await kv.get('t/lost')).toBeUndefined();
});

test('a part that never ends is given up and does not stop the others', async () => {
  const clock = new ManualClock();
  const kv = await open(await folder(), { clock });
  const stuck = kv.transact(() => new Promise<never>(() => {}), 'durable');
  const next = kv.transact(put(['t/next', '1']), 'durable');
  await settle();
  clock.advance(60_000);
  await expect(stuck).rejects.toMatchObject({ kind: 'bug' });
  await next;
  expect(text(await kv.get('t/next'))).toBe('1');
});

test('other events get their turn while many parts run', async () => {
  const kv = await open(await folder());
  let turns = 0;
  let working = true;
  const tick = (): void => {
    turns++;
    if (working) setImmediate(tick);
  };
  setImmediate(tick);
  const busy: Part<void> = async () => {
    const until = performance.now() + 0.5;
    while (performance.now() < until);
    return { result: undefined };
  };
  await Promise.all(Array.from({ length: 100 }, () => kv.transact(busy, 'soon')));
  working = false;
  expect(turns).toBeGreaterThan(10);
});

test('a second opening of the same database is refused', async () => {
  const path = await folder();
  await open(path);
  await expect(openKeyValue({ path, clock: new ManualClock() })).rejects.toMatchObject({ kind: 'busy' });
});

/** The log file that is being written, and its length. */
async function logFile(path: string): Promise<{ name: string; size: number }> {
  const name =
    (await readdir(path))
      .filter((file) => file.endsWith('.log'))
      .sort()
      .at(-1) ?? '';
  return { name, size: (await stat(joinPath(path, name))).size };
}

test('wherever the log is cut behind the last flush, what was flushed is there and the rest is a beginning', async () => {
  const path = await folder();
  const kv = await open(joinPath(path, 'db'));
  for (let n = 0; n < 5; n++) await kv.transact(put([`t/durable/${n}`, `${n}`]), 'durable');
  const flushed = await logFile(joinPath(path, 'db'));
  for (let n = 0; n < 20; n++) {
    await kv.transact(put([`t/soon/${sortable(n)}/a`, 'x'.repeat(40)], [`t/soon/${sortable(n)}/b`, 'y']), 'soon');
  }
  const all = await logFile(joinPath(path, 'db'));
  expect(all.size).toBeGreaterThan(flushed.size);
  for (let cut = flushed.size; cut <= all.size; cut += 61) {
    const copy = joinPath(path, `copy-${cut}`);
    await copyAsCrashed(joinPath(path, 'db'), copy);
    await truncate(joinPath(copy, all.name), cut);
    const again = await openKeyValue({ path: copy, clock: new ManualClock() });
    const found: string[] = [];
    for await (const [key] of again.scan({ from: 't/', to: 't0' }, { keysOnly: true })) found.push(key);
    await again.close();
    expect(found.slice(0, 5)).toEqual([0, 1, 2, 3, 4].map((n) => `t/durable/${n}`));
    const soon = found.slice(5);
    expect(soon.length % 2).toBe(0);
    expect(soon).toEqual(soon.map((_, n) => `t/soon/${sortable(n >> 1)}/${n % 2 ? 'b' : 'a'}`));
  }
});

test('the log file is never changed with something unflushed in the old one, and its name is flushed before what it holds is answered for', async () => {
  const path = await folder();
  let unflushed = false;
  let nameUnflushed = false;
  let changes = 0;
  let log = '';
  const kv = await open(path, {
    writeBufferSize: 64 * 1024,
    wrap: (engine) => ({
      getNow: (key) => engine.getNow(key),
      get: (key) => engine.get(key),
      getMany: (keys) => engine.getMany(keys),
      pages: (range, options) => engine.pages(range, options),
      snapshot: () => engine.snapshot(),
      logNumber: () => engine.logNumber(),
      reopen: (owed) => engine.reopen(owed),
      readable: true,
      close: () => engine.close(),
      async syncNames() {
        await engine.syncNames();
        nameUnflushed = false;
      },
      async write(written, sync) {
        await engine.write(written, sync);
        const { name } = await logFile(path);
        if (log !== '' && name !== log) {
          changes++;
          nameUnflushed = true;
          expect(unflushed).toBe(false);
        }
        log = name;
        unflushed = !sync;
      },
    }),
  });
  let seed = 1;
  for (let n = 0; n < 1000; n++) {
    seed = (seed * 48271) % 0x7fffffff;
    await kv.transact(put([`t/${seed}`, 'v'.repeat(seed % 900)]), seed % 5 === 0 ? 'durable' : 'soon');
    expect(nameUnflushed).toBe(false);
  }
  expect(changes).toBeGreaterThan(3);
  expect(kv.healthy).toBe(true);
});

test('a value is the one written last, whether it was small, large or removed before', async () => {
  const kv = await open(await folder());
  const values = ['a', 'b'.repeat(5000), 'c', undefined, 'd'.repeat(5000), undefined, 'e'];
  for (let round = 0; round < 3; round++) {
    for (const value of values) {
      const change = value === undefined ? { deletes: ['t/k'] } : { puts: [['t/k', bytes(value)] as const] };
      await kv.transact(async () => ({ ...change, result: 0 }), round % 2 ? 'durable' : 'soon');
      const seen = await kv.transact(async (read) => ({ result: text(await read.get('t/k')) }), 'soon');
      expect([seen, text(kv.getNow('t/k')), text(await kv.get('t/k'))]).toEqual([value, value, value]);
    }
    // Enough other records to push this one out of every cache.
    await kv.transact(put(...Array.from({ length: 2500 }, (_, n): [string, string] => [`t/${round}/${n}`, 'x'])), 'durable');
    expect(text(kv.getNow('t/k'))).toBe('e');
  }
});

test('a part that never ends does not keep the database from closing', async () => {
  const clock = new ManualClock();
  const kv = await open(await folder(), { clock });
  const stuck = kv.transact(() => new Promise<never>(() => {}), 'durable');
  const behind = kv.transact(put(['t/k', '1']), 'durable');
  await settle();
  const closed = kv.close();
  clock.advance(10_000);
  await expect(stuck).rejects.toMatchObject({ kind: 'bug' });
  await behind;
  await closed;
});
