/**
 * What senders hear, with other servers in play: hosts that forward to each other, a Postfix that knows neither 8BITMIME nor DSN, and its reports
 * to our users. Reports are read by Python's email, for which every departure from the standards is an error.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { change } from '../support/mail-clients.ts';
import { eventually, password } from '../support/server.ts';
import { tempDir } from '../support/temp.ts';
import { type Named, startNamed } from './support/dns/named.ts';
import { type MailHost, startMailHost } from './support/mail-host.ts';
import type { Neighbour } from './support/neighbours/neighbour.ts';
import { startPostfixNeighbour } from './support/neighbours/postfix.ts';
import { type Network, openNetwork } from './support/network.ts';
import { RawSmtp } from './support/raw-smtp.ts';
import { python } from './support/tool.ts';

const at = { one: '198.51.100.1', two: '198.51.100.2', postfix: '198.51.100.3', client: '198.51.100.9', dns: '198.51.100.53' };
const sender = 'user1@one.test';
let net: Network<keyof typeof at>;
let named: Named;
let one: MailHost;
let two: MailHost;
let postfix: Neighbour;
let temp: Awaited<ReturnType<typeof tempDir>>;

beforeAll(async () => {
  temp = await tempDir();
  net = await openNetwork(
    { one: [at.one], two: [at.two], postfix: [at.postfix], client: [at.client], dns: [at.dns] },
    { nameserver: at.dns },
  );
  const zone = (name: string, address: string) => ({ '@': { mx: [[10, `mail.${name}`]] as [number, string][] }, mail: { a: [address] } });
  named = await startNamed({
    address: at.dns,
    port: 53,
    command: net.hosts.dns.command,
    zones: { 'one.test': zone('one.test', at.one), 'two.test': zone('two.test', at.two), 'postfix.test': zone('postfix.test', at.postfix) },
  });
  const host = (name: 'one' | 'two') =>
    startMailHost(net.hosts[name], { name: `mail.${name}.test`, domain: `${name}.test`, nameserver: named.server });
  [one, two, postfix] = await Promise.all([
    host('one'),
    host('two'),
    startPostfixNeighbour({
      host: net.hosts.postfix,
      name: 'mail.postfix.test',
      domain: 'postfix.test',
      users: ['friend'],
      relayFor: [at.client],
      main: [
        'virtual_alias_maps = inline:{ circle@postfix.test=user2@one.test }',
        'smtpd_discard_ehlo_keywords = 8bitmime, smtputf8, dsn, chunking',
      ],
    }),
  ]);
}, 120_000);

afterAll(async () => {
  await one.stop();
  await two.stop();
  await postfix.stop();
  await named.stop();
  await net.close();
  await temp.remove();
});

async function submit(to: string, content: string, parameters: Parameters<RawSmtp['send']>[3] = {}): Promise<void> {
  const smtp = await RawSmtp.open(one.files.ports.submission);
  await smtp.logIn(sender, password);
  const header = `From: ${sender}\r\nTo: <${to}>\r\nMIME-Version: 1.0\r\n`;
  expect(await smtp.send(sender, to, Buffer.from(header + content, 'latin1'), parameters)).toMatch(/^250 /);
  await smtp.quit();
}

interface Read {
  readonly reportType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly statusType: string;
  readonly message: Readonly<Record<string, string>>;
  readonly recipients: readonly Readonly<Record<string, string>>[];
  readonly originalType: string;
  readonly original: string;
  readonly defects: readonly string[];
}

/** The reports to user1 that speak of this, read by Python. */
async function reports(mark: string, count = 1): Promise<Read[]> {
  let found: string[] = [];
  await eventually(async () => {
    found = (await one.inbox(sender)).filter((text) => /multipart\/report/i.test(text) && text.includes(mark));
    return found.length >= count;
  }, 60_000);
  expect(found).toHaveLength(count);
  return Promise.all(
    found.map((text, n) => {
      const file = join(temp.path, `${mark.replace(/\W/g, '')}${n}`);
      writeFileSync(file, Buffer.from(text, 'latin1'));
      return python<Read>('read_report.py', [file]);
    }),
  );
}

test('a circle of two Mailtrees ends, and the sender hears of it once', async () => {
  await one.modify('mail=user2@one.test,dc=one,dc=test', change('replace', 'mailRoutingAddress', 'user2@two.test'));
  await two.modify('mail=user2@two.test,dc=two,dc=test', change('replace', 'mailRoutingAddress', 'user2@one.test'));
  await submit('user2@two.test', 'Subject: circle of two\r\n\r\nround and round\r\n');
  const [report] = await reports('circle of two');
  expect(report?.recipients).toEqual([expect.objectContaining({ Action: 'failed', Status: '5.4.6' })]);
  expect(report?.text).toContain('Addresses forward to each other in a circle.');
  await Promise.all([one.drained(), two.drained()]);
  await reports('circle of two');
}, 120_000);

test('a circle with Postfix ends, too', async () => {
  await one.modify('mail=user2@one.test,dc=one,dc=test', change('replace', 'mailRoutingAddress', 'circle@postfix.test'));
  await submit('circle@postfix.test', 'Subject: circle with postfix\r\n\r\nround\r\n');
  const [report] = await reports('circle with postfix');
  expect(report?.recipients[0]).toMatchObject({ Action: 'failed' });
  expect(report?.recipients[0]?.Status).toMatch(/^5\.4\.6$/);
  await one.drained();
  await eventually(async () => (await postfix.waiting()) === 0, 30_000);
  await reports('circle with postfix');
}, 120_000);

test('to a host without 8BITMIME and SMTPUTF8 a message goes in 7 bit and says the same', async () => {
  const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
  const text = utf8(
    'Content-Type: multipart/mixed; boundary=b\r\nSubject: seven\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße an alle\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u0001\u00ff\r\n--b--\r\n',
  );
  await submit('friend@postfix.test', text, { mail: 'BODY=8BITMIME SMTPUTF8' });
  await eventually(async () => postfix.inbox('friend').some((got) => got.includes('Subject: seven')), 30_000);
  const got = postfix.inbox('friend').find((one) => one.includes('Subject: seven')) ?? '';
  expect(got).toMatch(/^[\x00-\x7f]*$/);
  const mail = await simpleParser(Buffer.from(got, 'latin1'));
  expect(mail.text?.trim()).toBe('Grüße an alle');
  expect(mail.attachments[0]?.content.toString('latin1')).toBe(utf8('\u0001\u00ff'));
});

test('a host that sends no notices is spoken for, and what it needs SMTPUTF8 for comes back', async () => {
  await submit('friend@postfix.test', 'Subject: relayed on\r\n\r\nx\r\n', {
    mail: 'RET=HDRS ENVID=the+2Bone',
    rcpt: 'NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;fr+2Biend@first.test',
  });
  const [relayed] = await reports('relayed on');
  expect(relayed).toMatchObject({
    reportType: 'delivery-status',
    statusType: 'message/delivery-status',
    originalType: 'text/rfc822-headers',
    defects: [],
    headers: { Subject: 'Mail relayed', To: sender, 'Auto-Submitted': 'auto-replied', 'MIME-Version': '1.0' },
    message: {
      'Reporting-MTA': 'dns; mail.one.test',
      'Original-Envelope-Id': 'the+one',
      'Received-From-MTA': 'dns; client.elsewhere.test',
    },
    recipients: [
      {
        'Original-Recipient': 'rfc822;fr+iend@first.test',
        'Final-Recipient': 'rfc822; friend@postfix.test',
        Action: 'relayed',
        Status: '2.0.0',
        'Remote-MTA': 'dns; mail.postfix.test',
      },
    ],
  });
  await submit('jürgen@postfix.test', 'Subject: needs more\r\n\r\nx\r\n', { mail: 'SMTPUTF8' });
  const [refused] = await reports('needs more');
  expect(refused?.defects).toEqual([]);
  expect(refused?.recipients).toEqual([
    expect.objectContaining({ 'Final-Recipient': 'utf-8; j\\x{FC}rgen@postfix.test', Action: 'failed', Status: '5.6.7' }),
  ]);
  expect(refused?.text).toContain('<jürgen@postfix.test>');
});

test('a bounce has everything a reader wants, and the message where RET asks for it', async () => {
  await submit('nobody@postfix.test', 'Subject: all of it\r\nMessage-ID: <all@one.test>\r\n\r\nthe text\r\n', { mail: 'RET=FULL ENVID=e' });
  const [report] = await reports('all of it');
  expect(report).toMatchObject({
    originalType: 'message/rfc822',
    defects: [],
    headers: { Subject: 'Undeliverable mail', 'In-Reply-To': '<all@one.test>' },
    recipients: [{ 'Final-Recipient': 'rfc822; nobody@postfix.test', Action: 'failed', 'Remote-MTA': 'dns; mail.postfix.test' }],
  });
  const [recipient = {}] = report?.recipients ?? [];
  expect(recipient.Status).toMatch(/^5\.1\.\d$/);
  expect(recipient['Diagnostic-Code']).toMatch(/^smtp; 550 5\.1\./);
  expect(Date.parse(recipient['Last-Attempt-Date'] ?? '')).toBeGreaterThan(Date.parse(report?.message['Arrival-Date'] ?? '') - 1);
  expect(recipient['Final-Log-ID']).toMatch(/^\w+$/);
  expect(report?.original).toContain('the text');
});

test('a report of Postfix to one of our users arrives as it was written', async () => {
  const smtp = await RawSmtp.over(await net.hosts.client.connect(at.postfix, 25));
  const content = Buffer.from(`From: ${sender}\r\nSubject: by way of postfix\r\n\r\nx\r\n`);
  expect(await smtp.send(sender, 'nobody@two.test', content)).toMatch(/^250 /);
  await smtp.quit();
  const [report] = await reports('by way of postfix');
  expect(report).toMatchObject({ defects: [], message: { 'Reporting-MTA': 'dns; mail.postfix.test' }, originalType: 'message/rfc822' });
  expect(report?.recipients[0]).toMatchObject({ 'Final-Recipient': 'rfc822; nobody@two.test', Action: 'failed' });
}, 60_000);
