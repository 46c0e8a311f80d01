/** Mail to other hosts: the MX a DNS names, deferral, retry, and reports to the sender. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { type ParsedMail, simpleParser } from 'mailparser';
import nodemailer from 'nodemailer';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { selfSigned } from '../support/ldap-door.ts';
import { change, control, greetedSmtp, ldapAdministrator, newest, sendAs, subjects, waiting } from '../support/mail-clients.ts';
import { command, eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { freePort } from '../support/temp.ts';

let dns: FakeDns;
let sink: Sink;
let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
const smtpc = 'cn=smtpc,cn=mailtree';

beforeAll(async () => {
  sink = await startSink({ tls: selfSigned() });
  dns = await startFakeDns({
    'remote.test': {
      mx: [
        [20, 'second.remote.test'],
        [10, 'first.remote.test'],
      ],
    },
    'first.remote.test': { a: ['127.0.0.1'] },
    'second.remote.test': { a: ['127.0.0.1'] },
    'fallback.test': {
      mx: [
        [10, 'dead.fallback.test'],
        [20, 'second.remote.test'],
      ],
    },
    'dead.fallback.test': { a: ['127.0.0.9'] },
    'nomx.test': { a: ['127.0.0.1'] },
    'nomail.test': { mx: [[0, '.']] },
  });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  await ldap.modify(smtpc, change('replace', 'mtSmtpcPort', String(sink.port)));
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await Promise.all([sink.stop(), dns.stop(), files.remove()]);
});

/** Submits as user1 with STARTTLS, by nodemailer. */
async function submit(to: string | string[], subject: string, more: object = {}): Promise<void> {
  const transport = nodemailer.createTransport({
    host: '127.0.0.1',
    port: files.ports.submission,
    requireTLS: true,
    auth: { user: 'user1@example.test', pass: password },
    tls: { rejectUnauthorized: false },
  });
  await transport.sendMail({ from: 'user1@example.test', to, subject, text: 'Grüße', ...more });
  transport.close();
}

const sent = (subject: string) => sink.messages.find(({ data }) => data.includes(`Subject: ${subject}\r\n`));

async function report(subject: string): Promise<{ raw: string; mail: ParsedMail; fields: string }> {
  await eventually(async () => (await newestWith(subject)) !== undefined);
  const raw = (await newestWith(subject)) ?? '';
  const mail = await simpleParser(raw, { keepDeliveryStatus: true });
  const fields = mail.attachments.find(({ contentType }) => contentType === 'message/delivery-status')?.content.toString() ?? '';
  return { raw, mail, fields };
}

async function newestWith(text: string): Promise<string | undefined> {
  if ((await subjects(files, 'user1@example.test')).length === 0) return undefined;
  const raw = (await newest(files, 'user1@example.test')).toString('latin1');
  return raw.includes(text) ? raw : undefined;
}

test("a user's mail goes out encrypted to the preferred MX, with the sender's envelope and one Received line of ours", async () => {
  await submit('friend@remote.test', 'outward');
  await eventually(async () => sent('outward') !== undefined);
  const message = sent('outward');
  expect(message).toMatchObject({ from: 'user1@example.test', to: ['friend@remote.test'], encrypted: true });
  expect(message?.data).toMatch(/^Received: from [\s\S]*? by mail\.example\.test [\s\S]*?with ESMTPSA/);
  expect((await simpleParser(message?.data ?? '')).text?.trim()).toBe('Grüße');
  const asked = dns.asked.filter((question) => /^A+ /.test(question));
  expect(asked).toContain('A first.remote.test');
  expect(dns.asked).toContain('MX remote.test');
  expect(await waiting(files)).toEqual([]);
});

test('a domain without MX is reached at its own address, and the next MX is tried when the first is dead', async () => {
  await submit(['friend@nomx.test', 'friend@fallback.test'], 'by other ways');
  await eventually(async () => sink.messages.filter(({ data }) => data.includes('Subject: by other ways\r\n')).length === 2);
});

test('mail for a dead host is deferred with its reason, and goes out at `retry` once the host is back', async () => {
  const port = await freePort();
  await ldap.modify(smtpc, change('replace', 'mtSmtpcPort', String(port)));
  await submit('friend@remote.test', 'patient');
  await eventually(async () => (await waiting(files)).some(({ recipients }) => recipients.some(({ attempts }) => attempts > 0)));
  const [listing] = await waiting(files);
  expect(listing?.recipients).toMatchObject([{ address: 'friend@remote.test', queue: 'SMTPC', destination: 'remote.test', attempts: 1 }]);
  expect(listing?.recipients[0]?.reason).toMatch(/refused|ECONNREFUSED/i);
  const status = JSON.parse((await command('mailtree', ['status', '--json'], files)).out) as { queues: object[] };
  expect(status.queues).toContainEqual({ queue: 'SMTPC', pending: 0, deferred: 1, held: 0, aside: 0 });
  expect((await command('mailq', [], files)).out).toMatch(/\(.*\)\n +friend@remote\.test\n/);
  await ldap.modify(smtpc, change('replace', 'mtSmtpcPort', String(sink.port)));
  expect(await control(files, '/queue/SMTPC/retry', 'POST')).toEqual({ recipients: 1 });
  await eventually(async () => sent('patient') !== undefined);
  await eventually(async () => (await waiting(files)).length === 0);
});

test('a temporary refusal defers, a permanent one at RCPT comes back as a report that names it, and the others are served', async () => {
  sink.script.reply = (verb, line) => (verb === 'RCPT' && line.includes('<nobody@') ? '550 5.1.1 nobody of that name' : undefined);
  await submit(['nobody@remote.test', 'friend@remote.test'], 'half refused');
  await eventually(async () => sent('half refused') !== undefined);
  const { mail, fields, raw } = await report('nobody of that name');
  sink.script.reply = () => undefined;
  expect(raw).toMatch(/^Return-Path: <>\r\n/);
  expect(raw).toMatch(/^Content-Type: multipart\/report;[\s\S]*?report-type="?delivery-status/im);
  expect(mail.to).toMatchObject({ text: 'user1@example.test' });
  expect(mail.headers.get('auto-submitted')).toBe('auto-replied');
  expect(mail.text).toContain('nobody@remote.test');
  expect(fields).toMatch(/^Reporting-MTA: dns; ?mail\.example\.test\r?$/im);
  expect(fields).toMatch(/^Final-Recipient: rfc822; ?nobody@remote\.test\r?$/im);
  expect(fields).toMatch(/^Action: failed\r?$/im);
  expect(fields).toMatch(/^Status: 5\.1\.1\r?$/im);
  expect(fields).toMatch(/^Diagnostic-Code: smtp; ?550 5\.1\.1 nobody of that name\r?$/im);
  expect(fields).toMatch(/^Remote-MTA: dns; ?first\.remote\.test\r?$/im);
  expect(fields).not.toContain('friend@remote.test');
  expect(raw).toMatch(/Content-Type: (message\/rfc822|text\/rfc822-headers)/i);
  expect(raw).toContain('Subject: half refused');
});

test('a refusal of the data comes back as a report, too, and so does a domain that takes no mail or does not exist', async () => {
  sink.script.reply = (verb) => (verb === '.' ? '552 5.3.4 too much for me' : undefined);
  await submit('friend@remote.test', 'refused data');
  expect((await report('too much for me')).fields).toMatch(/^Status: 5\.3\.4\r?$/im);
  sink.script.reply = () => undefined;
  await submit('friend@nomail.test', 'null MX');
  const nomail = await report('friend@nomail.test');
  expect(nomail.fields).toMatch(/^Status: 5\.1\.10\r?$/im);
  await submit('friend@missing.test', 'no such domain');
  const missing = await report('friend@missing.test');
  expect(missing.fields).toMatch(/^Status: 5\.1\.2\r?$/im);
  expect(await waiting(files)).toEqual([]);
});

test('a report that cannot be delivered is not reported, and NOTIFY=NEVER keeps quiet', async () => {
  sink.script.reply = (verb) => (verb === 'RCPT' ? '550 5.1.1 nobody at all' : undefined);
  const before = await subjects(files, 'user1@example.test');
  const dialog = await greetedSmtp(files.ports.submission);
  await dialog.say(`AUTH PLAIN ${Buffer.from(`\0user1@example.test\0${password}`).toString('base64')}`);
  expect(await dialog.say('MAIL FROM:<user1@example.test>')).toMatch(/^250 /);
  expect(await dialog.say('RCPT TO:<friend@remote.test> NOTIFY=NEVER')).toMatch(/^250 /);
  await dialog.say('DATA');
  expect(await dialog.say('Subject: never\r\n\r\nHello.\r\n.')).toMatch(/^250 /);
  dialog.end();
  // The null sender, to an address that forwards outward.
  await ldap.modify('mail=user2@example.test,dc=example,dc=test', change('add', 'mailRoutingAddress', 'friend@remote.test'));
  const attempts = (): number => sink.heard.filter((line) => line.startsWith('RCPT')).length;
  const heard = attempts();
  expect(await sendAs(files, ['user2@example.test'], 'from nobody', { from: '' })).toMatch(/^250 /);
  await eventually(async () => attempts() > heard);
  await eventually(async () => (await waiting(files)).length === 0);
  expect(await subjects(files, 'user1@example.test')).toEqual(before);
  expect(sink.messages.filter(({ from }) => from === '')).toEqual([]);
  sink.script.reply = () => undefined;
});
