/**
 * Reports that we make, read by others: Python's email package, Mailman's bounce reader, mailparser. And mail that goes in circles between hosts that
 * forward to each other: it ends, and the sender hears of it once.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { change } from '../support/mail-clients.ts';
import { eventually, password } from '../support/server.ts';
import { tempDir } from '../support/temp.ts';
import { type Named, startNamed } from './support/dns/named.ts';
import { mailDomains } from './support/dns/zones.ts';
import { type MailHost, startMailHost } from './support/mail-host.ts';
import type { Neighbour } from './support/neighbours/neighbour.ts';
import { startPostfixNeighbour } from './support/neighbours/postfix.ts';
import { type Network, openNetwork } from './support/network.ts';
import { RawSmtp } from './support/raw-smtp.ts';
import { type SmtpSink, startSmtpSink } from './support/smtp-sink.ts';
import { python } from './support/tool.ts';

const at = { ours: '198.51.100.1', second: '198.51.100.2', postfix: '198.51.100.3', sink: '198.51.100.4', dns: '198.51.100.53' };
const user = 'user1@example.test';
let net: Network<keyof typeof at>;
let named: Named;
let mail: MailHost;
let second: MailHost;
let postfix: Neighbour;
let sink: SmtpSink;
let temp: Awaited<ReturnType<typeof tempDir>>;

beforeAll(async () => {
  temp = await tempDir();
  net = await openNetwork(at, { nameserver: at.dns });
  named = await startNamed({
    address: at.dns,
    port: 53,
    command: net.hosts.dns.command,
    zones: {
      ...mailDomains({ example: at.ours, second: at.second, postfix: at.postfix, sink: at.sink, down: at.dns }),
    },
  });
  [mail, second, postfix, sink] = await Promise.all([
    startMailHost(net.hosts.ours, { name: 'mx.example.test', domain: 'example.test', nameserver: named.server }),
    startMailHost(net.hosts.second, { name: 'mx.second.test', domain: 'second.test', nameserver: named.server }),
    startPostfixNeighbour({
      host: net.hosts.postfix,
      name: 'mx.postfix.test',
      domain: 'postfix.test',
      users: ['friend'],
      main: ['virtual_alias_maps = inline:{loop@postfix.test=user3@example.test}'],
    }),
    startSmtpSink(net.hosts.sink, ['-e']),
  ]);
}, 120_000);

afterAll(async () => {
  await mail.stop();
  await second.stop();
  await postfix.stop();
  await sink.stop();
  await named.stop();
  await Promise.all([net.close(), temp.remove()]);
});

async function submit(to: readonly string[], content: string, parameters: { readonly mail?: string; readonly rcpt?: string } = {}) {
  const smtp = await RawSmtp.open(mail.files.ports.submission);
  await smtp.logIn(user, password);
  expect(await smtp.send(user, to, Buffer.from(content), parameters)).toMatch(/^250 /);
  await smtp.quit();
}
const message = (subject: string, more = ''): string =>
  `From: ${user}\r\nTo: friend@postfix.test\r\nSubject: ${subject}\r\nMessage-ID: <${subject.replaceAll(/\W/g, '-')}@example.test>\r\n${more}\r\nbody of ${subject}\r\n`;

interface Read {
  readonly header: Record<string, string>;
  readonly type: string;
  readonly reportType: string;
  readonly parts: readonly string[];
  readonly text: string;
  readonly status: readonly Record<string, string>[];
  readonly returned: Record<string, string> | string;
  readonly returnedBody: string | null;
  readonly defects: readonly string[];
  readonly temporary: readonly string[];
  readonly permanent: readonly string[];
}

/** The one report about the message, as each reader has it. */
async function reportAbout(subject: string, action: string): Promise<Read> {
  const isIt = (text: string): boolean =>
    /^Content-Type: multipart\/report/im.test(text) &&
    text.includes(`${subject.replaceAll(/\W/g, '-')}@example.test`) &&
    new RegExp(`^Action: ${action}`, 'm').test(text);
  let found: string[] = [];
  await eventually(async () => {
    found = (await mail.inbox(user)).filter(isIt);
    return found.length > 0;
  }, 30_000);
  expect(found).toHaveLength(1);
  const file = join(temp.path, 'report');
  writeFileSync(file, found[0] ?? '', 'latin1');
  const [read] = await python<[Read]>('reports.py', [file]);
  expect(read.defects).toEqual([]);
  expect([read.type, read.reportType]).toEqual(['multipart/report', 'delivery-status']);
  expect(read.header).toMatchObject({
    'Return-Path': '<>',
    To: user,
    'MIME-Version': '1.0',
    'Auto-Submitted': expect.stringMatching(/^auto-(replied|generated)/),
  });
  for (const name of ['From', 'Date', 'Message-ID', 'Subject']) expect(read.header[name]).toBeTruthy();
  const parsed = await simpleParser(Buffer.from(found[0] ?? '', 'latin1'), { keepDeliveryStatus: true });
  expect(parsed.attachments.map(({ contentType }) => contentType)).toContain('message/delivery-status');
  expect(parsed.text).toBeTruthy();
  expect(read.status[0]).toMatchObject({
    'Reporting-MTA': expect.stringMatching(/^dns; ?mx\.example\.test$/),
    'Arrival-Date': expect.any(String),
  });
  for (const recipient of read.status.slice(1))
    expect(recipient).toMatchObject({
      'Final-Recipient': expect.stringMatching(/^(rfc822|utf-8); ?\S+@\S+$/),
      Action: expect.stringMatching(/^(failed|delayed|delivered|relayed|expanded)$/),
      Status: expect.stringMatching(/^[245]\.\d{1,3}\.\d{1,3}$/),
    });
  return read;
}

test('failure of some recipients: who failed, why, and the message itself', async () => {
  await submit(['nobody@postfix.test', 'friend@postfix.test', 'nobody@nowhere.invalid'], message('some failed'), { mail: 'RET=FULL' });
  await mail.drained();
  // Recipients of different destinations may be reported together or apart.
  let found: string[] = [];
  await eventually(async () => {
    found = (await mail.inbox(user)).filter(
      (text) => /^Content-Type: multipart\/report/im.test(text) && text.includes('some-failed@example.test'),
    );
    return ['nobody@postfix.test', 'nobody@nowhere.invalid'].every((one) => found.join('').includes(one));
  }, 30_000);
  const files = found.map((text, n) => {
    const file = join(temp.path, `part-${n}`);
    writeFileSync(file, text, 'latin1');
    return file;
  });
  const read = await python<Read[]>('reports.py', files);
  for (const one of read) {
    expect(one.defects).toEqual([]);
    expect(one.parts).toEqual(['text/plain', 'message/delivery-status', 'message/rfc822']);
    expect(one.returned).toMatchObject({ Subject: 'some failed' });
    expect(one.returnedBody).toBe('body of some failed\n');
    expect(one.temporary).toEqual([]);
  }
  const recipients = read.flatMap(({ status }) => status.slice(1));
  const both = ['nobody@nowhere.invalid', 'nobody@postfix.test'];
  expect(recipients.map((one) => one['Final-Recipient']?.replace(/^rfc822; ?/, '')).sort()).toEqual(both);
  expect(read.flatMap(({ permanent }) => permanent).sort()).toEqual(both);
  expect(recipients.map((one) => one['Action'])).toEqual(['failed', 'failed']);
  expect(recipients.find((one) => one['Final-Recipient']?.includes('postfix'))).toMatchObject({
    'Remote-MTA': expect.stringMatching(/^dns; ?mx\.postfix\.test$/),
    'Diagnostic-Code': expect.stringMatching(/^smtp; ?550 5\.1\.1/),
  });
});

test('the header alone where the sender wants no more', async () => {
  await submit(['nobody@postfix.test'], message('header alone'), {
    mail: 'RET=HDRS ENVID=a+2Bb+3D',
    rcpt: 'ORCPT=rfc822;Old+2BOne@old.test',
  });
  const read = await reportAbout('header alone', 'failed');
  expect(read.parts).toEqual(['text/plain', 'message/delivery-status', 'text/rfc822-headers']);
  expect(read.returned).toContain('Subject: header alone');
  expect(read.returned).not.toContain('body of');
  expect(read.status[0]).toMatchObject({ 'Original-Envelope-Id': 'a+b=' });
  expect(read.status[1]).toMatchObject({ 'Original-Recipient': expect.stringMatching(/^rfc822; ?Old\+One@old\.test$/) });
});

test('success here, and where it went to a host that tells no more', async () => {
  await submit(['user2@example.test'], message('came here'), { rcpt: 'NOTIFY=SUCCESS' });
  expect((await reportAbout('came here', 'delivered')).status[1]).toMatchObject({
    Status: expect.stringMatching(/^2\./),
    'Final-Recipient': expect.stringMatching(/user2@example\.test$/),
  });
  await submit(['anybody@sink.test'], message('went on'), { rcpt: 'NOTIFY=SUCCESS,FAILURE' });
  const read = await reportAbout('went on', 'relayed');
  expect(read.status[1]).toMatchObject({ Status: expect.stringMatching(/^2\./), 'Remote-MTA': expect.stringMatching(/mx\.sink\.test$/) });
  expect([read.temporary, read.permanent]).toEqual([[], []]);
});

test('who wants no notice, and nobody at all, gets none', async () => {
  const count = async () => (await mail.inbox(user)).length;
  const before = await count();
  await submit(['nobody@postfix.test'], message('never'), { rcpt: 'NOTIFY=NEVER' });
  await mail.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdRelayAllow', '127.0.0.1'));
  const smtp = await RawSmtp.open(mail.files.ports.smtp);
  expect(await smtp.send('', 'nobody@postfix.test', Buffer.from(message('from nobody')))).toMatch(/^250 /);
  await smtp.quit();
  await mail.drained();
  expect(await count()).toBe(before);
});

test('a subject, a text and an address in UTF-8', async () => {
  await submit(['jürgen@postfix.test'], message('Grüße'), { mail: 'SMTPUTF8 BODY=8BITMIME' });
  let text = '';
  await eventually(async () => {
    text = (await mail.inbox(user)).find((one) => /^Content-Type: multipart\/report/im.test(one) && one.includes('rgen')) ?? '';
    return text !== '';
  }, 30_000);
  writeFileSync(join(temp.path, 'utf8'), text, 'latin1');
  const [read] = await python<[Read]>('reports.py', [join(temp.path, 'utf8')]);
  expect(read.defects).toEqual([]);
  expect(text).toMatch(/^Final-Recipient: (utf-8; ?j\\x\{FC\}rgen@postfix\.test|utf-8; ?j\u00c3\u00bcrgen@postfix\.test)/im);
});

test('late mail: a notice of the delay, and at last its end', async () => {
  await mail.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcDelayNotice', 'TRUE'));
  await submit(['friend@down.test'], message('late'));
  await eventually(() => mail.deferred(), 30_000);
  await mail.restart('+5h');
  const late = await reportAbout('late', 'delayed');
  expect(late.status[1]).toMatchObject({ Status: expect.stringMatching(/^4\.\d+\.\d+$/), 'Will-Retry-Until': expect.any(String) });
  expect(late.permanent).toEqual([]);
  await mail.restart('+6d');
  const end = await reportAbout('late', 'failed');
  expect(end.permanent).toEqual(['friend@down.test']);
  await mail.drained();
  await mail.restart();
}, 120_000);

test('two hosts that forward to each other: the message ends and its sender hears of it once', async () => {
  const entry = (name: string, domain: string) => `mail=${name}@${domain},dc=${domain.replace('.', ',dc=')}`;
  await mail.modify(entry('user3', 'example.test'), change('replace', 'mailRoutingAddress', 'loop@postfix.test'));
  await mail.modify(entry('user2', 'example.test'), change('replace', 'mailRoutingAddress', 'user2@second.test'));
  await second.modify(entry('user2', 'second.test'), change('replace', 'mailRoutingAddress', 'user2@example.test'));
  for (const [to, subject] of [
    ['user3@example.test', 'round with postfix'],
    ['user2@example.test', 'round with ourselves'],
  ] as const) {
    await submit([to], message(subject));
    const mark = `${subject.replaceAll(/\W/g, '-')}@example.test`;
    const about = async () => (await mail.inbox(user)).filter((text) => text.includes(mark));
    await eventually(async () => (await about()).length > 0, 60_000);
    await mail.drained();
    await second.drained();
    await eventually(async () => (await postfix.waiting()) === 0, 30_000);
    const reports = await about();
    expect(reports).toHaveLength(1);
    expect(reports[0]).toMatch(/^Content-Type: multipart\/report/im);
    expect(reports[0]).toMatch(/^Status: 5\.4\.[0-9]/im);
  }
}, 120_000);
