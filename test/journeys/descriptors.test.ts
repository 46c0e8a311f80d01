/** File descriptors run out, because very many clients come: nothing is lost, nothing spins, and all is well when they have gone. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mailboxContents } from '../support/load.ts';
import { change, Dialog, greetedSmtp, ldapAdministrator, plain, waiting } from '../support/mail-clients.ts';
import { command, cpuOf, eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

const user = 'user1@example.test';
const limit = 160;
let files: ServerFiles;
let server: RunningServer;
let sink: Sink;
let flood: Socket[] = [];

beforeAll(async () => {
  sink = await startSink();
  files = await prepareServer({ extra: 'dns: [127.0.0.1:1]' });
  server = await runServer(files, { command: ['bash', '-c', `ulimit -n ${limit}; exec "$0" "$@"`] });
  const hosts = join(files.dir, 'hosts');
  writeFileSync(hosts, '127.0.0.1 far.test\n');
  const ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpc,cn=mailtree', [
    change('replace', 'mtSmtpcPort', String(sink.port)),
    change('replace', 'mtSmtpcHostTable', hosts),
    change('replace', 'mtSmtpcNameResolution', 'HostTableThenDNS'),
  ]);
  await ldap.unbind();
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await Promise.all([sink.stop(), files.remove()]);
});

/** Sends over a connection that is there already. */
async function send(dialog: Dialog, id: string, to = user): Promise<string> {
  for (const line of ['MAIL FROM:<user2@example.test>', `RCPT TO:<${to}>`, 'DATA']) {
    const reply = await dialog.say(line);
    if (!/^[23]/.test(reply)) return reply;
  }
  return await dialog.say(`X-Load-Id: ${id}\r\n\r\ntext of ${id}\r\n.`);
}

async function greeted(): Promise<Dialog> {
  const dialog = await Dialog.open(files.ports.smtp);
  expect(await dialog.reply()).toMatch(/^220/);
  expect(await dialog.say('EHLO client.test')).toMatch(/^250/);
  return dialog;
}

/** Opens connections; those the server keeps stay open until `leave`. */
async function crowd(places: readonly (number | string)[], count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const place = places[n % places.length] as number | string;
    const socket = typeof place === 'number' ? connect(place, '127.0.0.1') : connect(place);
    socket.on('error', () => {}).resume();
    flood.push(socket);
  }
  await eventually(async () => flood.every((socket) => !socket.connecting));
}
function leave(): void {
  for (const socket of flood) socket.destroy();
  flood = [];
}

const descriptors = (): number => readdirSync(`/proc/${server.pid}/fd`).length;
const log = (): string => readFileSync(join(files.dir, 'data', 'log', 'iemta.log'), 'utf8');
const ids = async (): Promise<string[]> => (await mailboxContents(files, user)).map(({ id }) => id).sort();

test('connections of all doors together leave descriptors for files; whoever was in goes on, and the log says why others are not', async () => {
  const { imap, pop3, ldap, submission, smtp } = files.ports;
  const early = await greeted();
  await crowd([imap, pop3, ldap, submission, smtp], 300);
  await eventually(async () => /all doors together have \d+ connections.*ulimit -n/.test(log()));
  expect(log().match(/all doors together/g)).toHaveLength(1);
  expect(descriptors()).toBeLessThan(limit - 20);
  expect(await send(early, 'crowded')).toMatch(/^250/);
  const late = await Dialog.open(smtp);
  expect(await late.until(/\n/)).toMatch(/^(421 .*\r\n)?$/);
  // This host's own administrator gets through.
  expect((await command('mailtree', ['status', '--config', files.config], files)).code).toBe(0);
  leave();
  early.end();
  late.end();
  // Until the server has seen them go there is no room for who reads the mailbox either.
  await eventually(async () => descriptors() < limit / 2);
  await eventually(async () => (await ids()).includes('crowded'));
});

test('with no descriptor left mail that is taken is kept, and goes its way when there are some again', async () => {
  const early = await greeted();
  const own = await greetedSmtp(files.ports.submission);
  expect(await own.say(plain('user2@example.test', password))).toMatch(/^235/);
  // Another file, which has not been read yet.
  const hosts = join(files.dir, 'hosts2');
  writeFileSync(hosts, '127.0.0.1 near.test\n');
  const ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcHostTable', hosts));
  await ldap.unbind();

  // Connections by the socket are not counted with the others.
  await crowd([files.ldapi], limit + 40);
  await eventually(async () => descriptors() >= limit);
  const cpu = cpuOf(server.pid);
  const accepted: string[] = [];
  for (let n = 0; n < 20; n++) if (/^250/.test(await send(early, `full${n}`))) accepted.push(`full${n}`);
  const out = await send(own, 'out', 'a@near.test');
  expect(out).toMatch(/^250/);
  expect(cpuOf(server.pid) - cpu).toBeLessThan(5);

  leave();
  await eventually(async () => descriptors() < limit / 2);
  await eventually(async () => (await ids()).length === accepted.length + 1, 30_000);
  expect(await ids()).toEqual(['crowded', ...accepted].sort());
  // Mail to other hosts waits; told to go it goes, and the table has been read.
  await eventually(async () => {
    if (sink.messages.length === 0)
      await command('mailtree', ['queue', 'now', '--everything', '--all-matching', '--config', files.config], files);
    return sink.messages.length === 1;
  });
  await eventually(async () => (await waiting(files)).length === 0);
  expect(sink.messages).toHaveLength(1);
  const ready = await fetch(`http://127.0.0.1:${files.ports.http}/health/ready`);
  expect(ready.status).toBe(200);
  early.end();
  own.end();
}, 60_000);
