/** What happens when the database could not be written for a while: it goes on by itself, exactly with what it had said. */

import { readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { type Log, ManualClock, silentLog } from '../../src/base/index.ts';
import { type KeyValueOptions, type LevelKeyValue, openKeyValue } from '../../src/storage/index.ts';
import { bytes, put, text } from '../contracts/key-value.ts';
import { tempDir } from '../support/temp.ts';

type Wrap = NonNullable<KeyValueOptions['wrap']>;
type Engine = ReturnType<Wrap>;

/** A device that fails when told to; what it refused may be on it all the same. */
class Device {
  full = false;
  shut = false;
  survives = false;
  /** Fails behind the write: it is done, its flush is not sure. */
  namesFail = false;
  #refused: Parameters<Engine['write']>[0][] = [];

  readonly wrap: Wrap = (engine: Engine): Engine => ({
    getNow: (key) => engine.getNow(key),
    get: (key) => engine.get(key),
    getMany: (keys) => engine.getMany(keys),
    pages: (range, options) => engine.pages(range, options),
    snapshot: () => engine.snapshot(),
    logNumber: async () => {
      if (this.namesFail) throw new Error('EMFILE: too many open files');
      return await engine.logNumber();
    },
    syncNames: () => engine.syncNames(),
    close: () => engine.close(),
    get readable() {
      return engine.readable;
    },
    write: async (changes, sync) => {
      if (!this.full) return await engine.write(changes, sync);
      this.#refused.push(changes);
      throw new Error('IO error: /x/000003.log: No space left on device');
    },
    reopen: async (owed) => {
      if (this.full) throw new Error('No space left on device');
      if (this.survives) for (const changes of this.#refused) await engine.write(changes, true);
      await engine.reopen(owed);
    },
  });
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Opened {
  readonly kv: LevelKeyValue;
  readonly clock: ManualClock;
  readonly path: string;
  readonly lines: string[];
}

async function open(device: Device, options: Partial<KeyValueOptions> = {}): Promise<Opened> {
  const folder = await tempDir();
  cleanups.push(folder.remove);
  const clock = new ManualClock();
  const lines: string[] = [];
  const log: Log = { ...silentLog, error: (line) => lines.push(`error ${line}`), warning: (line) => lines.push(`warning ${line}`) };
  const path = join(folder.path, 'mail');
  const kv = await openKeyValue({ path, clock, log, wrap: device.wrap, ...options });
  cleanups.push(() => kv.close());
  return { kv, clock, path, lines };
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setImmediate(resolve));
}

/** Time goes on until the database writes again. */
async function over({ kv, clock }: Opened): Promise<void> {
  await until(() => {
    clock.advance(5_000);
    return kv.healthy;
  });
}

test.each([false, true])(
  'when there is room again it goes on, and what was refused is not there (on the disk all the same: %s)',
  async (survives) => {
    const device = new Device();
    device.survives = survives;
    const opened = await open(device);
    const { kv, clock, lines } = opened;
    await kv.transact(put(['t/kept', '1'], ['t/changed', 'old']), 'durable');
    await kv.transact(put(['t/soon', '1']), 'soon');
    device.full = true;
    const refused = kv.transact(
      async () => ({
        puts: [
          ['t/refused', bytes('1')],
          ['t/changed', bytes('new')],
        ],
        deletes: ['t/kept'],
        result: 0,
      }),
      'durable',
    );
    await expect(refused).rejects.toMatchObject({ kind: 'no-space', told: true });
    expect(kv.healthy).toBe(false);
    expect(kv.problem).toBe('the database mail cannot be written: No space left on device; it goes on by itself when that is over');
    for (let n = 0; n < 20; n++) {
      clock.advance(5_000);
      await new Promise((resolve) => setImmediate(resolve));
      await expect(kv.transact(put(['t/again', '1']), 'soon')).rejects.toMatchObject({ kind: 'no-space' });
      expect([text(kv.getNow('t/kept')), text(await kv.get('t/changed'))]).toEqual(['1', 'old']);
    }
    expect(lines).toHaveLength(1);
    device.full = false;
    await over(opened);
    const found: string[] = [];
    for await (const [key, value] of kv.scan({ from: 't/', to: 't0' })) found.push(`${key}=${text(value)}`);
    expect(found).toEqual(['t/changed=old', 't/kept=1', 't/soon=1']);
    expect(kv.problem).toBeUndefined();
    await kv.transact(put(['t/after', '1']), 'durable');
    expect(text(await kv.get('t/after'))).toBe('1');
    expect(lines).toEqual([
      expect.stringMatching(/^error the database mail takes no changes, .*No space left on device.*make room$/),
      expect.stringMatching(/^warning the database mail takes changes again, after \d+ seconds$/),
    ]);
  },
);

test('what was answered for and not flushed is there again even where the log has lost it', async () => {
  const device = new Device();
  const opened = await open(device);
  const { kv, path } = opened;
  await kv.transact(put(['t/a', '1']), 'durable');
  for (let n = 0; n < 5; n++) await kv.transact(put([`t/soon${n}`, `${n}`]), 'soon');
  device.full = true;
  await expect(kv.transact(put(['t/refused', '1']), 'soon')).rejects.toMatchObject({ kind: 'no-space' });
  // As if the system had dropped the pages it could not write.
  const log = (await readdir(path)).find((name) => name.endsWith('.log')) ?? '';
  await truncate(join(path, log), 60);
  device.full = false;
  await over(opened);
  for (let n = 0; n < 5; n++) expect(text(await kv.get(`t/soon${n}`))).toBe(`${n}`);
  expect(await kv.get('t/refused')).toBeUndefined();
});

test('a write that is done but perhaps not for good is answered when that is sure', async () => {
  const device = new Device();
  const opened = await open(device, { writeBufferSize: 64 * 1024 });
  const { kv } = opened;
  device.namesFail = true;
  let woken = 0;
  kv.subscribe('topic', () => {
    woken++;
  });
  // Many enough to come near the end of a log file.
  let n = 0;
  let last: Promise<number> | undefined;
  while (kv.healthy) {
    const key = `t/${n++}`;
    last = kv.transact(async () => ({ puts: [[key, bytes('x'.repeat(4_000))]], wake: ['topic'], result: n }), 'durable');
    await Promise.race([last, until(() => !kv.healthy)]);
  }
  const before = woken;
  await expect(kv.transact(put(['t/no', '1']), 'durable')).rejects.toMatchObject({ kind: 'unavailable' });
  device.namesFail = false;
  await over(opened);
  expect(await last).toBe(n);
  expect(woken).toBe(before + 1);
  expect((await kv.get(`t/${n - 1}`))?.length).toBe(4_000);
});

test('closing during an outage ends it', async () => {
  const device = new Device();
  const opened = await open(device);
  device.full = true;
  await expect(opened.kv.transact(put(['t/a', '1']), 'durable')).rejects.toMatchObject({ kind: 'no-space' });
  await opened.kv.close();
  opened.clock.advance(60_000);
  const again = await openKeyValue({ path: opened.path, clock: new ManualClock() });
  expect(await again.get('t/a')).toBeUndefined();
  await again.close();
});

test('an iterator and a snapshot of before end as not available, and later ones work', async () => {
  const device = new Device();
  const opened = await open(device);
  const { kv } = opened;
  await kv.transact(put(...Array.from({ length: 2_000 }, (_, n): [string, string] => [`t/${10_000 + n}`, 'x'])), 'durable');
  const moment = kv.snapshot();
  const walk = kv.scan({ from: 't/', to: 't0' });
  await walk.next();
  device.full = true;
  await expect(kv.transact(put(['t/a', '1']), 'durable')).rejects.toMatchObject({ kind: 'no-space' });
  device.full = false;
  await over(opened);
  const rest = async (): Promise<void> => {
    for await (const _ of walk);
  };
  await expect(rest()).rejects.toMatchObject({ kind: 'unavailable' });
  expect(() => moment.getNow('t/10000')).toThrow(expect.objectContaining({ kind: 'unavailable' }));
  await moment.close();
  let count = 0;
  for await (const _ of kv.scan({ from: 't/', to: 't0' })) count++;
  expect(count).toBe(2_000);
});

test('a database whose CURRENT is missing is not taken for an empty one', async () => {
  const { kv, path } = await open(new Device());
  await kv.transact(put(['t/a', '1']), 'durable');
  await kv.close();
  const before = await readdir(path);
  await rm(join(path, 'CURRENT'));
  await expect(openKeyValue({ path, clock: new ManualClock() })).rejects.toMatchObject({
    kind: 'unavailable',
    say: expect.stringMatching(/^the database \S+\/mail cannot be opened: CURRENT: No such file or directory.*docs\/storage.md/),
  });
  expect((await readdir(path)).sort()).toEqual(before.filter((name) => name !== 'CURRENT').sort());
});
