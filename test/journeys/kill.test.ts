/**
 * The whole process is killed again and again while it works, and started again on the same data. What was answered must be
 * there, once.
 *
 * KILL_ROUNDS and KILL_SEED choose how often and what; the seed is printed.
 */

import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { constant, silentLog, systemClock } from '../../src/base/index.ts';
import { type Change, checkDirectory, directorySettings, inlineHasher, loadSchema, openDirectory } from '../../src/directory/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { openKeyValue } from '../../src/storage/index.ts';
import { DirectoryLoad, ImapLoad, type Load, mailboxContents, randomFrom, SmtpLoad, users } from '../support/load.ts';
import { command, eventually, prepareServer, runServer, type ServerFiles } from '../support/server.ts';

const rounds = Number(process.env['KILL_ROUNDS'] ?? 20);
const seed = Number(process.env['KILL_SEED'] ?? Date.now() % 1_000_000);
const random = randomFrom(seed);

let files: ServerFiles;

beforeAll(async () => {
  files = await prepareServer();
});

afterAll(() => files.remove());

/** Opens the directory of a server that does not run. */
async function offline<T>(work: (keyValue: Awaited<ReturnType<typeof openKeyValue>>) => Promise<T>): Promise<T> {
  const keyValue = await openKeyValue({ path: join(files.dir, 'data', 'directory'), clock: systemClock });
  try {
    return await work(keyValue);
  } finally {
    await keyValue.close();
  }
}

/** Starts the server and kills it after some milliseconds, ready or not. */
async function startAndKill(of: ServerFiles, ms: number): Promise<void> {
  const ended = new Promise<void>((done) => {
    const onSpawn = (child: ChildProcess): void => {
      child.once('exit', () => done());
      setTimeout(() => child.kill('SIGKILL'), ms);
    };
    runServer(of, { onSpawn }).catch(() => undefined);
  });
  await ended;
}

test('killed at random moments under load, the server has everything it answered for, once', async () => {
  const first = await runServer(files);
  expect(await first.stop()).toBe(0);
  const schema = await loadSchema([join(process.cwd(), 'schema')]);
  const before = await offline((keyValue) => checkDirectory(keyValue, schema));
  expect(before.faults).toEqual([]);

  const smtp = new SmtpLoad(files, random);
  const imap = new ImapLoad(files, random);
  const ldap = new DirectoryLoad(files, random);
  const loads: readonly Load[] = [smtp, imap, ldap];
  const recovered: string[] = [];
  let server = await runServer(files);
  for (let round = 0; round < rounds; round++) {
    const sessions = 8 + Math.floor(random() * 13);
    const working = Promise.all(loads.map((load) => load.run(sessions)));
    const had = smtp.answered;
    await Promise.race([working, eventually(async () => smtp.answered > had, 30_000)]);
    await new Promise((done) => setTimeout(done, random() * 1_200));
    for (const load of loads) load.stopping();
    await server.kill();
    await working;
    if (round % 5 === 4) await startAndKill(files, random() * 1_000);
    server = await runServer(files);
    expect(server.output()).toMatch(/previous run \(pid \d+\) ended without closing/);
    recovered.push(server.output());
  }
  const settled = await eventually(
    async () => (await command('mailq', ['--config', files.config], files)).out.includes('is empty'),
    60_000,
  );

  const contents = new Map<string, Awaited<ReturnType<typeof mailboxContents>>>();
  for (const user of users) contents.set(user, await mailboxContents(files, user));
  const mail = smtp.judge(contents);
  const appends = imap.judge(contents);
  const writes = await ldap.judge();
  const complaints = [...server.output().matchAll(/^.*\[Error\].*$/gm)].map(([line]) => line);
  expect(await server.stop()).toBe(0);

  const { faults, lastChange } = await offline((keyValue) => checkDirectory(keyValue, schema));
  const changes = await offline(async (keyValue) => {
    const directory = await openDirectory({
      keyValue,
      schema,
      settings: constant(defaultsOf(directorySettings)),
      clock: systemClock,
      log: silentLog,
      hasher: inlineHasher,
    });
    const heard: Change[] = [];
    const watch = await directory.watch(
      before.lastChange,
      (change) => heard.push(change),
      () => heard.splice(0),
    );
    await eventually(async () => watch.position === lastChange);
    watch.stop();
    await directory.close();
    return heard;
  });
  console.log(
    [
      `seed ${seed}, ${rounds} rounds; the queue was empty ${Math.round(settled)} ms after the last start`,
      mail.summary,
      appends.summary,
      writes.summary,
      'said at the starts:',
      ...new Set(
        recovered.flatMap((text) =>
          text
            .split('\n')
            .filter((line) => /given back|cut off|unfinished|made again/.test(line))
            .map((line) => line.slice(line.indexOf(']') + 2)),
        ),
      ),
    ].join('\n'),
  );
  expect([...mail.wrong, ...appends.wrong, ...writes.wrong, ...faults, ...complaints]).toEqual([]);
  expect(changes.map(({ position }) => position)).toEqual(changes.map((_, n) => before.lastChange + 1 + n));
  expect(changes.length).toBe(lastChange - before.lastChange);
  expect(changes.length).toBeGreaterThanOrEqual(writes.acknowledged);
}, 300_000);

test('killed at any moment of its first start, the server is complete after the next', async () => {
  for (let round = 0; round < Math.ceil(rounds / 4); round++) {
    const fresh = await prepareServer();
    await startAndKill(fresh, 200 + random() * 800);
    const server = await runServer(fresh);
    for (const user of users) expect(await mailboxContents(fresh, user)).toEqual([]);
    expect(server.output()).not.toMatch(/\[Error\]/);
    expect(await server.stop()).toBe(0);
    await fresh.remove();
  }
}, 300_000);
