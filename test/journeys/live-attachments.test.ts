/** What a peer wants of attachments, changed by an independent LDAP client on a running server; a sink in the peer's place takes the mail. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { appleFile, attachmentsOf, bytesOf, plainMacFile } from '../../src/attachments/index.ts';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { openQueue } from '../../src/queue/index.ts';
import { openBlobs, openDataDirectory, openKeyValue } from '../../src/storage/index.ts';
import { all } from '../attachments/support.ts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, ldapAdministrator } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let dns: FakeDns;
let sink: Sink;
let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
const peers = 'cn=peers,cn=mailtree';
const remote = `cn=remote.test,${peers}`;
const above = `cn=test,${peers}`;
const offers = ['PIPELINING', 'SIZE 1000000', '8BITMIME'];

beforeAll(async () => {
  sink = await startSink({ extensions: offers });
  dns = await startFakeDns({ 'remote.test': { mx: [[10, 'mx.remote.test']] }, 'mx.remote.test': { a: ['127.0.0.1'] } });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  await start();
  // What the host offers is another thing for each message.
  await ldap.modify('cn=smtpc,cn=mailtree', [
    change('replace', 'mtSmtpcPort', String(sink.port)),
    change('replace', 'mtSmtpcIdleTime', '0'),
  ]);
  await ldap.modify('cn=server,cn=mailtree', change('replace', 'mtLogLevel', 'informational'));
  await ldap.add(above, { objectClass: 'mtPeer', cn: 'test' });
  await ldap.add(remote, { objectClass: 'mtPeer', cn: 'remote.test' });
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await Promise.all([sink.stop(), dns.stop(), files.remove()]);
});

async function start(): Promise<void> {
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
}

let number = 0;
const head = (subject: string): string =>
  `From: user1@example.test\r\nTo: friend@remote.test\r\nSubject: ${subject}\r\nMIME-Version: 1.0\r\n`;

/** What the sink gets of a message with this behind its header. */
async function sent(content: string): Promise<string> {
  const subject = `number ${++number}`;
  const message = `${head(subject)}${content}`;
  const given = await command('sendmail', ['-f', 'user1@example.test', 'friend@remote.test'], files, message);
  expect(given).toMatchObject({ code: 0, err: '' });
  return arrived(subject);
}

async function arrived(subject: string): Promise<string> {
  const found = (): string | undefined => sink.messages.find(({ data }) => data.includes(`Subject: ${subject}\r\n`))?.data;
  await eventually(async () => found() !== undefined);
  return found() ?? '';
}

const bodyOf = (message: string): string => message.slice(message.indexOf('\r\n\r\n') + 4);
const set = (dn: string, attribute: string, ...values: string[]): Promise<void> =>
  ldap.modify(dn, change(values.length > 0 ? 'replace' : 'delete', attribute, ...values));
const base64 = (octets: Buffer): string => octets.toString('base64').replace(/.{76}(?=.)/g, '$&\r\n');
const multi = (...parts: string[]): string =>
  `Content-Type: multipart/mixed; boundary=b\r\n\r\n${parts.map((part) => `--b\r\n${part}\r\n`).join('')}--b--\r\n`;
const text = 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe';
const pdf = `Content-Type: application/pdf; name=r.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(Buffer.from('%PDF data'))}`;
const apple = async (): Promise<string> => {
  const file = { ...plainMacFile('Report', bytesOf('apple data'), 'PDF ', 'CARO'), resource: bytesOf('fork') };
  return `Content-Type: application/applefile; name=Report\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(await all(appleFile('applesingle', file)))}`;
};

/** Form and name of each attachment. */
async function forms(message: string): Promise<[form: string, name: string][]> {
  const octets = Buffer.from(message, 'latin1');
  return (await attachmentsOf(bytesOf(octets))).map(({ apple: one, type, name, inText }) => [
    `${inText ? `${inText.is} ` : ''}${one?.form ?? type}`,
    one?.read.file?.name ?? name,
  ]);
}

test('with nothing set attachments go out octet for octet', async () => {
  const content = multi(text, pdf, await apple());
  expect((await sent(content)).endsWith(content)).toBe(true);
});

test('Apple attachments are encoded as the most specific entry says, and become ordinary ones where that is wished', async () => {
  const content = multi(text, pdf, await apple());
  await set(above, 'mtPeerAppleEncoding', 'binhex');
  expect(await forms(await sent(content))).toEqual([
    ['application/pdf', 'r.pdf'],
    ['binhex', 'Report'],
  ]);
  await set(remote, 'mtPeerAppleEncoding', 'base64-macbinary');
  expect(await forms(await sent(content))).toEqual([
    ['application/pdf', 'r.pdf'],
    ['macbinary', 'Report'],
  ]);
  await set(remote, 'mtPeerAppleEncoding');
  // One setting from the one entry, another from the other.
  await set(remote, 'mtPeerConvertToMac', 'TRUE');
  expect(await forms(await sent(content))).toEqual([
    ['binhex', 'r.pdf'],
    ['binhex', 'Report'],
  ]);
  await set(remote, 'mtPeerConvertFromMac', 'TRUE');
  expect(await forms(await sent(content))).toEqual([
    ['application/pdf', 'r.pdf'],
    ['application/pdf', 'Report.pdf'],
  ]);
  await set(remote, 'mtPeerConvertToMac');
  await set(remote, 'mtPeerConvertFromMac');
  await set(above, 'mtPeerAppleEncoding');
});

test('other attachments are encoded by uuencode where that is wished, and what cannot be is said in the log', async () => {
  await set(remote, 'mtPeerNativeEncoding', 'uuencode');
  const got = await sent(multi(text, pdf));
  expect(got).toContain('Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 r.pdf\r\n');
  const odd = multi(text, pdf.replace('base64\r\n', 'x-odd\r\n'));
  expect((await sent(odd)).endsWith(odd)).toBe(true);
  const line =
    /SMTPC: \[Informational\] \w+: the attachment "r\.pdf" goes out as it is: it is encoded in a way that is not known here \(x-odd\)\n/;
  await eventually(async () => line.test(readFileSync(join(files.dir, 'data', 'log', 'iemta.log'), 'utf8')));
  await set(remote, 'mtPeerNativeEncoding');
});

test('a peer that is older than MIME gets none, in 7 bit where it takes no more', async () => {
  await set(remote, 'mtPeerWithoutMime', 'TRUE');
  const got = await sent(multi(text, pdf, await apple()));
  expect(got).not.toMatch(/^(?:mime-version|content-)/im);
  expect(bodyOf(got)).toMatch(
    /^Gr\xc3\xbc\xc3\x9fe\r\n\r\nbegin 644 r\.pdf\r\n[\s\S]*\r\nend\r\n\r\n\(This file must be converted with BinHex 4\.0\)\r\n/,
  );
  sink.script = { extensions: ['SIZE 1000000'] };
  expect(bodyOf(await sent(multi(text, pdf)))).toMatch(/^Grusse\r\n\r\nbegin 644 r\.pdf\r\n/);
  sink.script = { extensions: offers };
  await set(remote, 'mtPeerWithoutMime');
  const content = multi(text, pdf);
  expect((await sent(content)).endsWith(content)).toBe(true);
});

test('the native part of a message from Notes is left out, unless its peer wants it', async () => {
  const notes = 'Content-Type: application/vnd.lotus-notes; name=memo.nsf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA';
  await set(remote, 'mtPeerQueueFirst', 'TRUE');
  await set(remote, 'mtPeerQueueInterval', '10080');
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  // In place of the Notes gateway.
  const ids = [
    await fromNotes(`${head('notes one')}${multi(text, notes, pdf)}`),
    await fromNotes(`${head('notes two')}${multi(text, notes, pdf)}`),
  ];
  await start();
  await eventually(async () => /waits for the queue run of remote\.test/.test((await command('mailq', [], files)).out));
  const queue = async (what: string, n: 0 | 1): Promise<void> =>
    expect(await command('mailtree', ['queue', what, ids[n] ?? ''], files)).toMatchObject({ code: 0, err: '' });
  await queue('hold', 1);
  await queue('now', 0);
  expect((await arrived('notes one')).endsWith(multi(text, pdf))).toBe(true);
  await set(remote, 'mtPeerNotesAsAttachment', 'TRUE');
  await queue('release', 1);
  await queue('now', 1);
  expect((await arrived('notes two')).endsWith(multi(text, notes, pdf))).toBe(true);
  await set(remote, 'mtPeerQueueFirst');
  // Whoever else sends such a file sends it.
  await set(remote, 'mtPeerNotesAsAttachment', 'FALSE');
  expect((await sent(multi(text, notes))).endsWith(multi(text, notes))).toBe(true);
});

async function fromNotes(message: string): Promise<string> {
  const data = await openDataDirectory(join(files.dir, 'data'));
  const keyValue = await openKeyValue({ path: join(files.dir, 'data', 'mail'), clock: systemClock, log: silentLog });
  const blobs = await openBlobs({ path: join(files.dir, 'data', 'blobs'), clock: systemClock, log: silentLog });
  const queue = await openQueue({
    keyValue,
    clock: systemClock,
    log: silentLog,
    random: Math.random,
    epoch: `test${number}${message.length}`,
  });
  const id = queue.newId();
  await queue.submit({
    id,
    sender: 'user1@example.test',
    recipients: [{ address: 'friend@remote.test' }],
    blob: await blobs.put(Buffer.from(message, 'latin1')),
    prefix: 'Received: from notes.example.test by mail.example.test; Thu, 1 Jan 2026 00:00:00 +0000\r\n',
    inputChannel: 'NOTESOUT',
    origin: {},
    smtputf8: false,
    eightBit: false,
    arrivedAt: systemClock.now(),
  });
  queue.close();
  await keyValue.close();
  await blobs.close();
  await data.close();
  return id;
}
