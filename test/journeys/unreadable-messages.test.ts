/**
 * Messages whose bytes are gone or damaged: each is put aside, or said to be unreadable, alone. Its destination is not put off, other mail
 * goes on, the notification address hears of it, and what was repaired is tried again.
 */

import { open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '../../src/base/index.ts';
import { below, openKeyValue } from '../../src/storage/index.ts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, Dialog, imap, ldapAdministrator, newest, subjects } from '../support/mail-clients.ts';
import { command, eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let dns: FakeDns;
let sink: Sink;
let files: ServerFiles;
let server: RunningServer;

beforeAll(async () => {
  sink = await startSink({ extensions: ['SIZE 10000000', '8BITMIME'] });
  dns = await startFakeDns({ 'far.test': { mx: [[10, 'mx.far.test']] }, 'mx.far.test': { a: ['127.0.0.1'] } });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  server = await runServer(files);
  const ldap = await ldapAdministrator(files);
  await ldap.modify('cn=mta,cn=mailtree', change('replace', 'mtPostmaster', 'user3@example.test'));
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', String(sink.port)));
  await ldap.unbind();
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await Promise.all([sink.stop(), dns.stop(), files.remove()]);
});

async function hand(to: string, subject: string, lines = 1): Promise<void> {
  const text = `Subject: ${subject}\n\n${`${subject} and some more words to fill a line\n`.repeat(lines)}`;
  expect(await command('sendmail', ['-f', 'user2@example.test', to], files, text)).toMatchObject({ code: 0, err: '' });
}

const large = 9_000;
const path = (...names: string[]): string => join(files.dir, 'data', 'blobs', ...names);
const largeFile = (blob: string): string => path('large', blob.slice(-2), blob);

/** A wrong bit in the data of a record of the only segment. */
async function flip(blob: string): Promise<void> {
  const file = await open(path('segments', '00000001.0000.seg'), 'r+');
  const at = Number.parseInt(blob.slice(8, 16), 16) + 48 + 40;
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  await file.close();
}

/** Blob of every message in the queue, in the order in which they came. */
async function blobsInQueue(): Promise<string[]> {
  const keyValue = await openKeyValue({ path: join(files.dir, 'data', 'mail'), clock: systemClock });
  const blobs: string[] = [];
  for await (const [key, value] of keyValue.scan(below('queue/m/'))) {
    if (key.split('/').length === 3)
      blobs.push((JSON.parse(Buffer.from(value).toString()) as { message: { blob: { id: string } } }).message.blob.id);
  }
  await keyValue.close();
  return blobs;
}

interface AsideLine {
  readonly id: string;
  readonly slip: string;
  readonly queue: string;
  readonly problem: string;
}
const aside = async (): Promise<AsideLine[]> =>
  JSON.parse((await command('mailtree', ['queue', 'aside', '--json'], files)).out) as AsideLine[];
const sent = (): string[] => sink.messages.map(({ data }) => /^Subject: (.*)$/m.exec(data)?.[1] ?? '').sort();

test('each is put aside alone: its destination and everybody else go on', async () => {
  for (const component of ['SMTPC', 'LMDA']) expect((await command('mailtree', ['component', 'stop', component], files)).code).toBe(0);
  await hand('a@far.test', 'flipped');
  await hand('a@far.test', 'gone', large);
  await hand('a@far.test', 'short', large);
  await hand('user1@example.test', 'local flipped');
  for (const n of [1, 2, 3, 4, 5]) await hand('a@far.test', `good ${n}`, n === 5 ? large : 1);
  await hand('user1@example.test', 'local good');
  await eventually(async () => /^SMTPC +8 /m.test((await command('mailtree', ['queue', 'summary'], files)).out));
  expect(await server.stop()).toBe(0);
  const [flipped = '', gone = '', short = '', local = ''] = await blobsInQueue();
  await flip(flipped);
  await flip(local);
  const kept = await readFile(largeFile(gone));
  await rm(largeFile(gone));
  await truncate(largeFile(short), 300_000);
  server = await runServer(files);

  await eventually(async () => sink.messages.length >= 5);
  await eventually(async () => (await aside()).length === 4);
  expect(sent()).toEqual([1, 2, 3, 4, 5].map((n) => `good ${n}`));
  await eventually(async () => (await subjects(files, 'user1@example.test')).includes('local good'));
  expect(await subjects(files, 'user1@example.test')).toEqual(['local good']);
  expect((await aside()).map(({ queue, problem }) => `${queue} ${problem}`).sort()).toEqual(
    [
      `LOCAL the bytes of the message (${local}): a stored message is damaged`,
      `SMTPC the bytes of the message (${flipped}): a stored message is damaged`,
      `SMTPC the bytes of the message (${gone}): no such message`,
      `SMTPC the bytes of the message (${short}): a stored message is damaged`,
    ].sort(),
  );
  const { out } = await command('mailtree', ['queue', 'destinations'], files);
  expect(out).not.toContain('far.test');
  await hand('a@far.test', 'good 6');
  await eventually(async () => sink.messages.length === 6);
  await eventually(async () => (await subjects(files, 'user3@example.test')).length > 0);
  expect((await newest(files, 'user3@example.test')).toString()).toContain('mailtree queue aside');

  // Repaired: it goes, and what is not is put aside again.
  await writeFile(largeFile(gone), kept);
  for (const { id, slip } of await aside()) expect((await command('mailtree', ['queue', 'aside', 'retry', id, slip], files)).code).toBe(0);
  await eventually(async () => sent().includes('gone'));
  await eventually(async () => (await aside()).length === 3);
  for (const { id, slip } of await aside()) expect((await command('mailtree', ['queue', 'aside', 'delete', id, slip], files)).code).toBe(0);
  expect(await aside()).toEqual([]);
  expect(sink.messages).toHaveLength(7);
}, 60_000);

test('in a mailbox it is said of that message alone, by IMAP and by POP3', async () => {
  await hand('user1@example.test', 'second', large);
  await hand('user1@example.test', 'third');
  await eventually(async () => (await subjects(files, 'user1@example.test')).length === 3);
  expect(await server.stop()).toBe(0);
  const keyValue = await openKeyValue({ path: join(files.dir, 'data', 'mail'), clock: systemClock });
  const held = new Set<string>();
  for await (const [key] of keyValue.scan(below('ref/'))) held.add(key.split('/')[1] ?? '');
  await keyValue.close();
  const [blob = ''] = [...held].filter((one) => one[8] === 'x');
  await truncate(largeFile(blob), 200_000);
  server = await runServer(files);

  const client = await imap(files, 'user1@example.test');
  await client.mailboxOpen('INBOX');
  for (const [uid, subject] of [
    [1, 'local good'],
    [3, 'third'],
  ] as const)
    expect(((await client.fetchOne(String(uid), { source: true }, { uid: true })) as { source: Buffer }).source.toString()).toContain(
      `Subject: ${subject}`,
    );
  await client.logout();
  const pop = await Dialog.open(files.ports.pop3);
  const line = /^[^\n]*\n/;
  expect(await pop.until(line)).toMatch(/^\+OK/);
  for (const said of ['USER user1@example.test', `PASS ${password}`]) expect(await pop.ask(said, line)).toMatch(/^\+OK/);
  expect(await pop.ask('RETR 2', line)).toMatch(/^-ERR/);
  expect(await pop.ask('NOOP', line)).toMatch(/^\+OK/);
  pop.end();
}, 60_000);
