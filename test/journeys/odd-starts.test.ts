/** Starts after odd ends: what is in the way is said in a line that names it, nothing else is harmed, and the remedy in docs/storage.md works. */

import { createServer } from 'node:net';
import { copyFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { ldapAdministrator, subjects } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer | undefined;
const data = (...names: string[]): string => join(files.dir, 'data', ...names);

beforeAll(async () => {
  files = await prepareServer({ extra: 'dns: [127.0.0.1:1]' });
});
afterEach(async () => {
  if (server) expect(await server.stop()).toBe(0);
  server = undefined;
});
afterAll(() => files.remove());

async function start(): Promise<void> {
  server = await runServer(files);
}
async function stop(): Promise<void> {
  expect(await server?.stop()).toBe(0);
  server = undefined;
}

/** Starts it, which must fail; what it says. */
async function refused(): Promise<string> {
  const failed = await runServer(files).then(
    async (running) => {
      await running.stop();
      return 'it started';
    },
    (thrown: Error) => thrown.message,
  );
  expect(failed).toMatch(/^the server ended with code 1:/);
  const said = failed.split('\n').filter((line) => line.startsWith('mailtree: '));
  expect(said).toHaveLength(1);
  expect(failed).not.toMatch(/\n {4}at /);
  return said[0] ?? '';
}

async function hand(to: string, subject: string): Promise<void> {
  expect(await command('sendmail', ['-f', 'user2@example.test', to], files, `Subject: ${subject}\n\nx\n`)).toMatchObject({ code: 0 });
}

const manifest = (database: string): string =>
  data(database, readdirSync(data(database)).find((name) => name.startsWith('MANIFEST')) ?? '');

test('a database that does not open is named, and is repaired as the documentation has it', async () => {
  await start();
  await hand('user1@example.test', 'kept');
  await hand('a@far.test', 'waits');
  await eventually(async () => (await subjects(files, 'user1@example.test')).includes('kept'));
  await eventually(async () => /^SMTPC +0 +1 /m.test((await command('mailtree', ['queue', 'summary'], files)).out));
  const running = await command('mailtree', ['repair', 'mail', '--config', files.config], files);
  expect([running.code, running.err]).toEqual([1, expect.stringContaining('is in use by process')]);
  await stop();

  const damages: readonly [string, (database: string) => void, RegExp][] = [
    ['mail', (database) => rmSync(data(database, 'CURRENT')), /CURRENT: No such file/],
    ['mail', (database) => writeFileSync(data(database, 'CURRENT'), 'MANIFEST-999999\n'), /MANIFEST-999999: No such file/],
    ['directory', (database) => truncateSync(manifest(database), 0), /descriptor|MANIFEST|CURRENT/],
  ];
  for (const [database, damage, what] of damages) {
    damage(database);
    const said = await refused();
    expect(said).toMatch(what);
    expect(said).toContain(`the database ${data(database)} cannot be opened: `);
    expect(said).toContain('see docs/storage.md, "A database that does not open"');
    const repaired = await command('mailtree', ['repair', database, '--config', files.config], files);
    expect(repaired).toMatchObject({ code: 0, err: '' });
    expect(repaired.out).toMatch(
      new RegExp(`^the database ${database} is repaired, with \\d+ records; the old one is ${data(`${database}.old`)}\nnext: `),
    );
    const checked = database === 'mail' ? await command('dbupdate', ['-r', '--config', files.config], files) : undefined;
    if (checked) expect(checked.code).toBe(0);
    await start();
    expect(await subjects(files, 'user1@example.test')).toEqual(['kept']);
    expect((await command('mailtree', ['queue', 'list'], files)).out).toContain('a@far.test');
    await (await ldapAdministrator(files)).unbind();
    await stop();
  }
  const whole = await command('mailtree', ['repair', 'directory', '--config', files.config], files);
  expect(whole.out).toMatch(/opens, with \d+ records: nothing was changed/);
  expect((await command('mailtree', ['repair', 'mial', '--config', files.config], files)).err).toContain('there are mail, directory');
}, 120_000);

test('the data directory: another format, no format, what an earlier run left', async () => {
  const format = readFileSync(data('format'));
  writeFileSync(data('format'), 'mailtree data, format 7\n');
  expect(await refused()).toMatch(/the data directory has format 7, this program knows 1 at most: use the newer program/);
  writeFileSync(data('format'), 'what?\n');
  expect(await refused()).toContain(data('format'));
  writeFileSync(data('format'), format);
  // A process of that number runs, and is no server.
  writeFileSync(data('holder'), `${process.pid}\n`);
  await start();
  expect(server?.output()).toContain(`previous run (pid ${process.pid}) ended without closing`);
  expect(await refused()).toMatch(/in use by process \d+; stop it first/);
}, 60_000);

test('a port that is taken is named', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(files.ports.smtp, '127.0.0.1', resolve));
  try {
    expect(await refused()).toContain(`127.0.0.1 port ${files.ports.smtp}: another program is using it`);
  } finally {
    other.close();
  }
  await start();
}, 60_000);

test('a certificate that cannot be used costs TLS and nothing else, until it can', async () => {
  const [cert, key] = [data('tls', 'cert.pem'), data('tls', 'key.pem')];
  const good = files.dir;
  for (const file of [cert, key]) copyFileSync(file, join(good, file === cert ? 'cert' : 'key'));
  rmSync(key);
  await start();
  const ready = async (): Promise<string[]> =>
    ((await (await fetch(`http://127.0.0.1:${files.ports.http}/health/ready`)).json()) as { failing: string[] }).failing;
  expect(await ready()).toEqual(['certificate']);
  expect(readFileSync(cert)).toEqual(readFileSync(join(good, 'cert')));
  expect(readFileSync(data('log', 'iemta.log'), 'utf8')).toMatch(
    /\[Error\] the certificate in .* cannot be used, there is no TLS until it can.*ENOENT/,
  );
  await hand('user1@example.test', 'without TLS');
  await eventually(async () => /^LOCAL +0 /m.test((await command('mailtree', ['queue', 'summary'], files)).out));
  copyFileSync(join(good, 'key'), key);
  await eventually(async () => (await ready()).length === 0);
  expect(await subjects(files, 'user1@example.test')).toContain('without TLS');
}, 60_000);
