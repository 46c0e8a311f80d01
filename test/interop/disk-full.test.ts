/**
 * The disk runs full while mail comes in (a small file system in memory; needs root): mail is refused for now, nothing that was
 * answered for is lost, and with space again the server goes on, at the latest after a restart.
 */

import { execFileSync } from 'node:child_process';
import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
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

beforeAll(async () => {
  files = await prepareServer();
  data = join(files.dir, 'data');
  execFileSync('mkdir', ['-m', '700', data]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m,mode=700', 'tmpfs', data]);
  server = await runServer(files);
  // Otherwise mail is refused long before the disk is full.
  const client = await administrator(files);
  const smtpd = parseDn('cn=smtpd,cn=mailtree');
  await client.modify(smtpd, [{ operation: 'replace', attribute: { name: 'mtSmtpdDriveMin', values: ['0'] } }]);
  client.close();
});

afterAll(async () => {
  await server.stop();
  execFileSync('umount', [data]);
  await files.remove();
});

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

test('a full disk refuses mail for now, loses none, and is over when there is room again', async () => {
  const answered: string[] = [];
  const refusals = new Set<string>();
  const ballast = join(data, 'ballast');
  let restarts = 0;
  for (const round of [1, 2]) {
    // Fills most of it at once, the rest by mail.
    try {
      writeFileSync(ballast, Buffer.alloc((round === 1 ? 25 : 33) * 1_048_576));
    } catch {
      // Full already.
    }
    for (let n = 0; n < 60; n++) {
      const id = `full${round}-${n}`;
      const reply = await send(id, [100, 3_000, 30_000][n % 3] as number);
      if (reply.startsWith('250')) answered.push(id);
      else refusals.add(reply);
    }
    expect(server.process.exitCode).toBeNull();
    rmSync(ballast, { force: true });
    const again = `after${round}`;
    let reply = await send(again, 10);
    if (!reply.startsWith('250')) {
      refusals.add(`with room again: ${reply}`);
      restarts += 1;
      await server.stop();
      server = await runServer(files);
      reply = await send(again, 10);
    }
    expect(reply).toMatch(/^250/);
    answered.push(again);
    await eventually(async () => answered.length <= (await ids()).length, 30_000);
  }
  console.log(`${answered.length} messages were taken, ${restarts} restarts were needed; refusals:\n${[...refusals].join('\n')}`);
  const there = (await ids()).sort();
  expect(there.filter((id) => answered.includes(id))).toEqual([...answered].sort());
  expect(new Set(there).size).toBe(there.length);
  expect([...refusals].filter((reply) => !/4\d\d /.test(reply))).toEqual([]);
  expect(refusals.size).toBeGreaterThan(0);
}, 180_000);

test('a database that found the disk full says so and takes no writes, and the next start has all that was answered for', async () => {
  const ballast = join(data, 'ballast');
  const fill = (): void => {
    for (const size of [1_048_576, 4_096, 1]) {
      try {
        for (;;) appendFileSync(ballast, Buffer.alloc(size));
      } catch {
        // No room for so much any more.
      }
    }
  };
  // One of the databases may have met the full disk before, by a log-in that was noted: it takes writes again after a restart.
  expect(await server.stop()).toBe(0);
  server = await runServer(files);
  const client = await administrator(files);
  const written: string[] = [];
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
        (fault: DirectoryFault) => refusals.add(`${fault.result}: ${fault.message}`),
      );
  };
  for (let n = 0; n < 30; n++) {
    if (n % 10 === 5) fill();
    await add(`full${n}@example.test`);
  }
  const { out } = await command('mailtree', ['status', '--config', files.config], files);
  expect(out).toContain('DATABASE NOT WRITABLE');
  // Reading and logging in do not need room.
  const contents = (await ids()).length;
  expect(contents).toBeGreaterThan(0);
  client.close();
  rmSync(ballast);
  console.log(`${written.length} entries were taken; refusals:\n${[...refusals].join('\n')}`);
  expect(refusals.size).toBeGreaterThan(0);
  expect([...refusals].filter((text) => !text.startsWith('unavailable: '))).toEqual([]);
  expect(server.output()).toMatch(/nothing is written any more until the next start/);

  expect(await server.stop()).toBe(0);
  server = await runServer(files);
  const after = await administrator(files);
  const found = await after.search({
    base: parseDn('dc=example,dc=test'),
    scope: 'sub',
    filter: parseFilter('(cn=Full)'),
    attributes: ['mail'],
  });
  expect(written.length).toBeGreaterThan(0);
  expect(found.map((entry) => entry.text('mail'))).toEqual(expect.arrayContaining(written));
  await after.delete(parseDn(`mail=user3@example.test,dc=example,dc=test`));
  after.close();
  expect(await send('afterwards', 10)).toMatch(/^250/);
  await eventually(async () => (await ids()).length === contents + 1);
}, 120_000);
