/**
 * The disk runs full while mail comes in (small file systems in memory; needs root): mail is refused for now, nothing that was
 * answered for is lost, and with room again the same process goes on by itself.
 */

import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { DirectoryFault } from '../../src/directory/index.ts';
import { parseDn, parseFilter } from '../../src/ldap-wire/index.ts';
import { mailboxContents } from '../support/load.ts';
import { administrator, command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { Wire } from '../support/wire.ts';

const user = 'user1@example.test';

let files: ServerFiles;
let server: RunningServer;
let data: string;
let logs: string;

function mount(folder: string, size: string): string {
  execFileSync('mkdir', ['-p', '-m', '700', folder]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', folder]);
  return folder;
}

beforeAll(async () => {
  files = await prepareServer();
  data = mount(join(files.dir, 'data'), '40m');
  logs = mount(join(data, 'log'), '1m');
  server = await runServer(files);
  // Otherwise mail is refused long before the disk is full.
  const client = await administrator(files);
  const smtpd = parseDn('cn=smtpd,cn=mailtree');
  await client.modify(smtpd, [{ operation: 'replace', attribute: { name: 'mtSmtpdDriveMin', values: ['0'] } }]);
  client.close();
});

afterAll(async () => {
  await server.stop();
  for (const folder of [logs, data]) execFileSync('umount', [folder]);
  await files.remove();
});

/** Takes all room there is. */
function fill(folder: string): void {
  for (const size of [1_048_576, 4_096, 1]) {
    try {
      for (;;) appendFileSync(join(folder, 'ballast'), Buffer.alloc(size));
    } catch {
      // No room for so much any more.
    }
  }
}

const makeRoom = (folder: string): void => rmSync(join(folder, 'ballast'), { force: true });

async function failing(): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${files.ports.http}/health/ready`);
  return ((await answer.json()) as { failing: string[] }).failing;
}

const logText = (): string => readFileSync(join(logs, 'iemta.log'), 'utf8');

/** Sends one message and returns the last reply; the connection is new each time. */
async function send(id: string, lines: number): Promise<string> {
  const wire = await Wire.open(files.ports.smtp);
  try {
    await wire.reply();
    await wire.smtp('EHLO client.test\r\n');
    for (const line of ['MAIL FROM:<a@elsewhere.test>', `RCPT TO:<${user}>`, 'DATA']) {
      const reply = await wire.smtp(`${line}\r\n`);
      if (!/^[23]/.test(reply)) return reply;
    }
    return await wire.smtp(`X-Load-Id: ${id}\r\n\r\n${'a line of a message that fills the disk\r\n'.repeat(lines)}.\r\n`);
  } finally {
    wire.end();
  }
}

const ids = async (): Promise<string[]> => (await mailboxContents(files, user)).map(({ id }) => id);

/** Everything that was answered for is there, once. */
async function expectAll(answered: readonly string[]): Promise<void> {
  await eventually(async () => answered.length <= (await ids()).length, 30_000);
  const there = (await ids()).sort();
  expect(there.filter((id) => answered.includes(id))).toEqual([...answered].sort());
  expect(new Set(there).size).toBe(there.length);
}

const answered: string[] = [];

test('a full disk refuses mail for now, loses none, and is over when there is room again', async () => {
  const refusals = new Set<string>();
  for (const round of [1, 2, 3]) {
    // Fills most of it at once, the rest by mail; the last time in the middle of it.
    try {
      if (round < 3) writeFileSync(join(data, 'ballast'), Buffer.alloc((round === 1 ? 25 : 33) * 1_048_576));
    } catch {
      // Full already.
    }
    for (let n = 0; n < 60; n++) {
      if (round === 3 && n % 20 === 5) fill(data);
      if (round === 3 && n % 20 === 15) makeRoom(data);
      const id = `full${round}-${n}`;
      const reply = await send(id, [100, 3_000, 30_000][n % 3] as number);
      if (reply.startsWith('250')) answered.push(id);
      else refusals.add(reply);
    }
    makeRoom(data);
    const again = `after${round}`;
    await eventually(async () => (await send(again, 10)).startsWith('250'), 30_000);
    answered.push(again);
    await expectAll(answered);
  }
  console.log(`${answered.length} messages were taken; refusals:\n${[...refusals].join('\n')}`);
  expect([...refusals].filter((reply) => !/^45[12] 4\.3\.[01] /.test(reply))).toEqual([]);
  expect(refusals.size).toBeGreaterThan(0);
  expect(server.process.exitCode).toBeNull();
}, 180_000);

test('a database that found the disk full takes no changes until there is room, and has all that was answered for and nothing else', async () => {
  const client = await administrator(files);
  const written: string[] = [];
  const refused: string[] = [];
  const refusals = new Set<string>();
  const add = async (mail: string): Promise<void> => {
    const values = { objectClass: ['inetOrgPerson', 'mtMailUser'], mail: [mail], cn: ['Full'], sn: ['Full'] };
    await client
      .add(
        parseDn(`mail=${mail},dc=example,dc=test`),
        Object.entries(values).map(([name, of]) => ({ name, values: of })),
      )
      .then(
        () => written.push(mail),
        (fault: DirectoryFault) => {
          refused.push(mail);
          refusals.add(`${fault.result}: ${fault.message}`);
        },
      );
  };
  for (let n = 0; n < 30; n++) {
    if (n % 10 === 5) fill(data);
    await add(`full${n}@example.test`);
  }
  const { out } = await command('mailtree', ['status', '--config', files.config], files);
  expect(out).toContain('DATABASE NOT WRITABLE');
  expect(out).toMatch(/the database directory cannot be written: No space left on (the )?device; it goes on by itself/i);
  expect(await failing()).toContain('database');
  // Reading and logging in do not need room.
  const contents = (await ids()).length;
  expect(contents).toBeGreaterThan(0);
  makeRoom(data);
  expect(refusals.size).toBeGreaterThan(0);
  expect([...refusals].filter((text) => !text.startsWith('unavailable: '))).toEqual([]);
  await eventually(async () => (await failing()).length === 0, 30_000);
  await add('full-after@example.test');
  expect(written).toContain('full-after@example.test');
  const found = await client.search({
    base: parseDn('dc=example,dc=test'),
    scope: 'sub',
    filter: parseFilter('(cn=Full)'),
    attributes: ['mail'],
  });
  expect(found.map((entry) => entry.text('mail')).sort()).toEqual([...written].sort());
  client.close();
  expect(await send('afterwards', 10)).toMatch(/^250/);
  answered.push('afterwards');
  await expectAll(answered);
}, 120_000);

test('a full disk of the log costs lines alone, and how many is told', async () => {
  fill(logs);
  const lost = /log file .* cannot be written/g;
  // The last page of the file has room for some lines.
  for (let n = 0; n < 100 && !lost.test(server.output()); n++) {
    expect(await send(`unlogged${n}`, 10)).toMatch(/^250/);
    answered.push(`unlogged${n}`);
  }
  await expectAll(answered);
  makeRoom(logs);
  expect(await send('logged', 10)).toMatch(/^250/);
  answered.push('logged');
  await eventually(async () => /\d+ lines of the log could not be written/.test(logText()), 10_000);
  expect(server.output().match(lost)).toHaveLength(1);
}, 60_000);

test('an outage has a line when it begins and one when it ends, and is no flood', () => {
  const lines = logText().split('\n');
  const about = (pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length;
  const begun = about(/\[Error\] the database \w+ takes no changes/);
  expect(begun).toBeGreaterThan(0);
  expect(about(/\[Warning\] the database \w+ takes changes again/)).toBe(begun);
  expect(about(/\[(Error|Warning)\]/)).toBeLessThan(4 * begun + 20);
});

test('a restart has everything, too', async () => {
  expect(await server.stop()).toBe(0);
  server = await runServer(files);
  await expectAll(answered);
  expect(server.output()).not.toMatch(/ended without closing/);
}, 60_000);
