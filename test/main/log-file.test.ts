import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { LiveValue, ManualClock, silentLog } from '../../src/base/index.ts';
import { oldLogName, openLogFile, openLogFolder, sequenceOf } from '../../src/main/log-file.ts';
import { handleOldLogs } from '../../src/main/old-logs.ts';
import { openBlobs } from '../../src/storage/index.ts';
import { FakeDit } from '../support/fake-dit.ts';
import { testQueue } from '../support/queue.ts';
import { tempDir } from '../support/temp.ts';

const removes: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const remove of removes.splice(0).reverse()) await remove();
});

async function folder(): Promise<string> {
  const { path, remove } = await tempDir();
  removes.push(remove);
  return path;
}

function open(path: string, maxSize = 10_240) {
  const complaints: string[] = [];
  const aside: string[] = [];
  const size = new LiveValue(maxSize);
  const file = openLogFile({
    folder: openLogFolder(path),
    form: 'text',
    maxSize: size,
    complain: (text) => complaints.push(text),
    onOld: (name) => aside.push(name),
    lostLine: (lines) => `lost ${lines}`,
  });
  return { file, complaints, aside, size };
}

const old = (path: string): string[] =>
  readdirSync(path)
    .filter((name) => oldLogName.test(name))
    .sort((a, b) => (sequenceOf(a) ?? 0) - (sequenceOf(b) ?? 0));

test('there is a file from the start, which nobody else may read', async () => {
  const path = await folder();
  open(path);
  const { size, mode } = statSync(join(path, 'iemta.log'));
  expect([size, mode & 0o077]).toEqual([0, 0]);
});

test('under load every line is in one file, whole and in order, and old files have their size in their names', async () => {
  const path = await folder();
  const { file, aside, complaints } = open(path);
  const lines = Array.from({ length: 5_000 }, (_, n) => `line ${n} ${'ü'.repeat(n % 50)}`);
  for (const [n, line] of lines.entries()) {
    file.write(line);
    if (n % 97 === 0) file.flush();
  }
  file.flush();
  const names = old(path);
  expect(names.length).toBeGreaterThan(20);
  expect(aside).toEqual(names);
  for (const [n, name] of names.entries()) {
    expect(name).toMatch(/^\d{2}(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\d{3}---\d+$/);
    expect(sequenceOf(name)).toBe(n + 1);
    expect(statSync(join(path, name)).size).toBe(Number(name.split('---')[1]));
    expect(statSync(join(path, name)).mode & 0o077).toBe(0);
  }
  const text = [...names, 'iemta.log'].map((name) => readFileSync(join(path, name), 'utf8')).join('');
  expect(text).toBe(`${lines.join('\n')}\n`);
  expect(complaints).toEqual([]);
});

test('there is a current file at any time, only for ourselves to read', async () => {
  const path = await folder();
  const { file } = open(path);
  file.write('x'.repeat(11_000));
  file.flush();
  expect(old(path)).toHaveLength(1);
  const { size, mode } = statSync(join(path, 'iemta.log'));
  expect([size, mode & 0o077]).toEqual([0, 0]);
});

test('the sequence goes on after a restart, also where all old files were deleted', async () => {
  const path = await folder();
  const fill = (): void => {
    const { file } = open(path);
    file.write('x'.repeat(11_000));
    file.flush();
  };
  fill();
  fill();
  expect(old(path).map(sequenceOf)).toEqual([1, 2]);
  for (const name of old(path)) rmSync(join(path, name));
  fill();
  expect(old(path).map(sequenceOf)).toEqual([3]);
  rmSync(join(path, 'sequence'));
  fill();
  expect(old(path).map(sequenceOf)).toEqual([3, 4]);
});

test('the size may change at any time; 0 is no limit, less than 10,240 counts as that', async () => {
  const path = await folder();
  const { file, size } = open(path, 0);
  file.write('x'.repeat(20_000));
  file.flush();
  expect(old(path)).toEqual([]);
  size.set(1);
  file.write('y');
  file.flush();
  expect(old(path)).toHaveLength(1);
  file.write('z'.repeat(9_000));
  file.flush();
  expect(old(path)).toHaveLength(1);
});

test('what cannot be written is told once and counted in the log when there is room again', async () => {
  const path = await folder();
  // A folder in its place refuses writes as a full disk does.
  mkdirSync(join(path, 'iemta.log'));
  const { file, complaints } = open(path, 0);
  for (const text of ['a', 'b', 'c']) {
    file.write(text);
    file.flush();
  }
  expect(complaints).toEqual([expect.stringContaining('iemta.log cannot be written')]);
  rmdirSync(join(path, 'iemta.log'));
  file.write('d');
  file.flush();
  expect(readFileSync(join(path, 'iemta.log'), 'utf8')).toBe('\nlost 3\nd\n');
});

test('a log folder that cannot be used says so', async () => {
  const path = join(await folder(), 'file');
  writeFileSync(path, '');
  expect(() => openLogFolder(path)).toThrow(`the log folder ${path} cannot be used`);
});

async function handled(settings: { sendOldLog: boolean; keepOldLogs: boolean; logFilesKept: number }) {
  const path = await folder();
  const { file, aside } = open(path);
  for (let n = 0; n < 4; n += 1) {
    file.write(`file ${n} ${'x'.repeat(11_000)}`);
    file.flush();
  }
  const base = await testQueue();
  removes.push(() => base.close());
  const blobs = await openBlobs({ path: join(path, 'blobs'), clock: new ManualClock() });
  removes.push(() => blobs.close());
  const logs = { folder: path, onOld: (taker: (name: string) => void) => aside.splice(0).forEach(taker) };
  const { queue, clock } = base;
  const end = handleOldLogs(logs, { settings: new LiveValue(settings), queue, blobs, clock, mta: new FakeDit().mta, log: silentLog });
  await end();
  const mails: { to: string | undefined; text: string }[] = [];
  for await (const { message, recipients } of queue.list())
    mails.push({ to: recipients[0]?.address, text: Buffer.from(await blobs.read(message.blob.id, 0, message.blob.size)).toString() });
  return { path, mails };
}

test('old files are kept, or so many of them, or none', async () => {
  expect(old((await handled({ sendOldLog: false, keepOldLogs: true, logFilesKept: 0 })).path)).toHaveLength(4);
  expect(old((await handled({ sendOldLog: false, keepOldLogs: true, logFilesKept: 2 })).path).map(sequenceOf)).toEqual([3, 4]);
  const { path, mails } = await handled({ sendOldLog: false, keepOldLogs: false, logFilesKept: 0 });
  expect([old(path), mails]).toEqual([[], []]);
});

test('an old file is mailed whole to the postmaster, and deleted where it is not to be kept', async () => {
  const { path, mails } = await handled({ sendOldLog: true, keepOldLogs: false, logFilesKept: 0 });
  expect(old(path)).toEqual([]);
  expect(mails).toHaveLength(4);
  const [first] = mails;
  expect(first?.to).toMatch(/^postmaster@/);
  expect(first?.text).toMatch(/\r\nSubject: Log file \d\d\w{3}001---\d+ of /);
  const attached = /\r\n\r\n([A-Za-z0-9+/=\r\n]+)--=_\w+--\r\n$/.exec(first?.text ?? '')?.[1] ?? '';
  expect(Buffer.from(attached, 'base64').toString()).toBe(`file 0 ${'x'.repeat(11_000)}\n`);
  expect(Math.max(...(first?.text ?? '').split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(76);
});

test('a file that could not be mailed stays, is tried again, and is not forgotten by a restart', async () => {
  const path = await folder();
  const { file, aside } = open(path);
  for (let n = 0; n < 3; n += 1) {
    file.write(`file ${n} ${'x'.repeat(11_000)}`);
    file.flush();
  }
  const base = await testQueue();
  removes.push(() => base.close());
  const blobs = await openBlobs({ path: join(path, 'blobs'), clock: new ManualClock() });
  removes.push(() => blobs.close());
  const { queue, clock } = base;
  let full = true;
  const warnings: string[] = [];
  const settings = new LiveValue({ sendOldLog: true, keepOldLogs: false, logFilesKept: 0 });
  const needs = {
    settings,
    clock,
    blobs,
    mta: new FakeDit().mta,
    log: { ...silentLog, warning: (text: string) => void warnings.push(text) },
    queue: {
      newId: () => queue.newId(),
      submit: async (message: Parameters<typeof queue.submit>[0]) => {
        if (full) throw new Error('no space left');
        return queue.submit(message);
      },
    },
  };
  const mailed = async (): Promise<number> => {
    let count = 0;
    for await (const _ of queue.list()) count += 1;
    return count;
  };
  const logs = { folder: path, onOld: (taker: (name: string) => void) => aside.splice(0).forEach(taker) };
  await handleOldLogs(logs, needs)();
  expect([old(path).length, await mailed(), warnings.length]).toEqual([3, 0, 3]);
  // Another process, with a disk that is still full; then there is room.
  const end = handleOldLogs(logs, needs);
  while (warnings.length < 6) await new Promise((resolve) => setImmediate(resolve));
  full = false;
  clock.advance(15 * 60_000);
  while ((await mailed()) < 3 || old(path).length > 0) await new Promise((resolve) => setImmediate(resolve));
  await end();
  expect(readdirSync(path).filter((name) => name === 'unmailed')).toEqual([]);
  await handleOldLogs(logs, needs)();
  expect([await mailed(), warnings.length]).toEqual([3, 6]);
});
