/** What senders are told, and how messages are made to fit, changed by LDAP on a running server. */

import { chmod, writeFile } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { simpleParser } from 'mailparser';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { type NewMessage, openQueue } from '../../src/queue/index.ts';
import { openBlobs, openKeyValue } from '../../src/storage/index.ts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, Dialog, ldapAdministrator, newest, plain, subjects } from '../support/mail-clients.ts';
import { command, eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
let dns: FakeDns;
let sink: Sink;
const smtpc = 'cn=smtpc,cn=mailtree';
const us = 'user1@example.test';
const everything = ['SIZE', 'PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN'];
const hour = 3_600_000;

/** Messages that came five hours ago: put into the queue while no server runs. */
async function aged(...messages: (Pick<NewMessage, 'sender' | 'recipients'> & Partial<NewMessage> & { text: string })[]): Promise<void> {
  const clock = systemClock;
  const keyValue = await openKeyValue({ path: join(files.dir, 'data', 'mail'), clock });
  const blobs = await openBlobs({ path: join(files.dir, 'data', 'blobs'), clock });
  const queue = await openQueue({ keyValue, clock, log: silentLog, random: Math.random, epoch: 'aged' });
  for (const { text, ...message } of messages)
    await queue.submit({
      id: queue.newId(),
      blob: await blobs.put(Buffer.from(text)),
      prefix: '',
      inputChannel: 'SMTPD',
      origin: { user: 'cn=user1', protocol: 'ESMTPA', helo: 'client.example.test' },
      smtputf8: false,
      eightBit: false,
      arrivedAt: clock.now() - 5 * hour,
      ...message,
    });
  queue.close();
  await blobs.close();
  await keyValue.close();
}

beforeAll(async () => {
  dns = await startFakeDns({
    'far.test': { mx: [[10, 'mx.far.test']] },
    'late.test': { mx: [[10, 'mx.far.test']] },
    'later.test': { mx: [[10, 'mx.far.test']] },
    'victim.test': { mx: [[10, 'mx.far.test']] },
    'mx.far.test': { a: ['127.0.0.1'] },
    'forged.test': { mx: [[10, 'mx.far.test']], txt: ['v=spf1 -all'] },
    '1.0.0.127.bl.test': { a: ['127.0.0.2'] },
  });
  sink = await startSink({ extensions: everything });
  files = await prepareServer({ extra: `dns: ['127.0.0.1:${dns.port}']` });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  // What the host offers is another thing for each message.
  await ldap.modify(smtpc, [change('replace', 'mtSmtpcPort', String(sink.port)), change('replace', 'mtSmtpcIdleTime', '0')]);
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await Promise.all([sink.stop(), dns.stop()]);
  await files.remove();
});

beforeEach(() => {
  sink.script.reply = () => undefined;
  sink.script.extensions = everything;
});

const set = (attribute: string, ...values: string[]): Promise<void> => ldap.modify(smtpc, change('replace', attribute, ...values));
const logFile = (): string => join(files.dir, 'data', 'log', 'iemta.log');
const log = (): string => (existsSync(logFile()) ? readFileSync(logFile(), 'utf8') : '');
const refuse = (verb: string, reply: string) => {
  sink.script.reply = (heard) => (heard === verb ? reply : undefined);
};
const retry = (domain: string) => command('mailtree', ['retry', domain], files);

/** The newest message of user1, when it has this subject, read by mailparser. */
async function report(subject: string): Promise<{ text: string; raw: string }> {
  await eventually(async () => (await subjects(files, us)).at(-1) === subject);
  const raw = await newest(files, us);
  const client = await simpleParser(raw, { keepDeliveryStatus: true });
  return { text: client.text ?? '', raw: raw.toString('latin1') };
}

/** As user1, who logs in. */
async function submit(to: string, body: string, more: { mail?: string; rcpt?: string; header?: string } = {}): Promise<string> {
  const dialog = await Dialog.open(files.ports.submission);
  await dialog.reply();
  await dialog.say('EHLO client.example.test');
  await dialog.say(plain(us, password));
  for (const line of [`MAIL FROM:<${us}>${more.mail ?? ''}`, `RCPT TO:<${to}>${more.rcpt ?? ''}`, 'DATA']) {
    const answer = await dialog.say(line);
    if (!/^[23]/.test(answer)) return answer;
  }
  dialog.socket.write(Buffer.from(`From: ${us}\r\nSubject: mine\r\n${more.header ?? ''}\r\n${body}\r\n.\r\n`, 'latin1'));
  const answer = await dialog.reply();
  dialog.end();
  return answer;
}

/** As somebody on the Internet. */
async function stranger(from: string, to: string, localAddress = '127.0.0.1'): Promise<void> {
  const socket = connect({ port: files.ports.smtp, host: '127.0.0.1', localAddress });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const dialog = new Dialog(socket);
  await dialog.reply();
  for (const line of ['EHLO mx.elsewhere.test', `MAIL FROM:<${from}>`, `RCPT TO:<${to}>`]) await dialog.say(line);
  expect(await dialog.say('DATA')).toMatch(/^354/);
  expect(await dialog.say('Subject: from far\r\n\r\nx\r\n.')).toMatch(/^250/);
  dialog.end();
}

test('notices of delay and of success after it, when they are switched on, in an administrator’s words', async () => {
  expect(await server.stop()).toBe(0);
  await ldap.unbind();
  const text = 'Subject: the late one\r\nMessage-ID: <late@example.test>\r\n\r\nhello\r\n';
  await aged(
    { sender: us, recipients: [{ address: 'friend@late.test' }], text },
    { sender: us, recipients: [{ address: 'quiet@late.test', dsn: { notify: ['never'] } }], text },
    { sender: us, recipients: [{ address: 'friend@later.test' }], text: 'Subject: the second\r\n\r\nhello\r\n' },
  );
  refuse('MAIL', '451 4.3.2 not today');
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  const deferred = async (times: number) => (log().match(/Deferred .* to friend@late\.test/g) ?? []).length >= times;
  await eventually(() => deferred(1));
  expect(await subjects(files, us)).toEqual([]);
  await set('mtSmtpcDelayNoticeText', 'Late by %{hours} hours: "%{subject}" for %{recipients}.\nAsk %{postmaster}.');
  await set('mtSmtpcDelayNoticeAfter', '6');
  await set('mtSmtpcDelayNotice', 'TRUE');
  await retry('late.test');
  await eventually(() => deferred(2));
  expect(await subjects(files, us)).toEqual([]);
  await set('mtSmtpcDelayNoticeAfter', '5');
  await retry('late.test');
  const delay = await report('Delayed mail (still being tried)');
  expect(delay.text).toContain('Late by 5 hours: "the late one" for friend@late.test.\nAsk postmaster@example.test.\n');
  expect(delay.text).toContain('said: 451 4.3.2 not today');
  expect(delay.raw).toMatch(/Action: delayed\r\nStatus: 4\.3\.2\r\n[\s\S]*Will-Retry-Until: /);
  expect(delay.raw).toContain('In-Reply-To: <late@example.test>\r\n');
  await set('mtSmtpcSuccessNotice', 'TRUE');
  await writeFile(join(files.dir, 'data', 'sent.txt'), 'Now it is gone: %{subject}\n');
  await set('mtSmtpcSuccessNoticeFile', 'sent.txt');
  sink.script.reply = () => undefined;
  await retry('late.test');
  const success = await report('Delayed mail has been sent');
  expect(success.text).toContain('Now it is gone: the late one');
  expect(success.raw).toContain('Final-Recipient: rfc822; friend@late.test\r\nAction: relayed\r\n');
  await eventually(async () => log().includes('to quiet@late.test channel=SMTPC host'));
  expect(await subjects(files, us)).toEqual(['Delayed mail (still being tried)', 'Delayed mail has been sent']);
});

test('the notice of a delay has its words from a file, too, and that of success from the directory', async () => {
  refuse('MAIL', '451 4.3.2 not today');
  await set('mtSmtpcDelayNoticeText');
  await writeFile(join(files.dir, 'data', 'late.txt'), 'From the file: %{subject}\n');
  await set('mtSmtpcDelayNoticeFile', 'late.txt');
  await retry('later.test');
  expect((await report('Delayed mail (still being tried)')).text).toContain('From the file: the second\n');
  await set('mtSmtpcSuccessNoticeText', 'From the directory: %{subject}');
  sink.script.reply = () => undefined;
  await retry('later.test');
  expect((await report('Delayed mail has been sent')).text).toContain('From the directory: the second\n');
});

test('a bounce has the text of the directory, of a file, or the built-in one where the file cannot be read', async () => {
  refuse('RCPT', '550 5.1.1 nobody of this name');
  const bounced = async (): Promise<string> => {
    const before = (await subjects(files, us)).length;
    expect(await submit('nobody@far.test', 'x')).toMatch(/^250/);
    await eventually(async () => (await subjects(files, us)).length > before);
    return (await report('Undeliverable mail')).text;
  };
  expect(await bounced()).toContain('Your message could not be delivered to:\n\n  <nobody@far.test>\n');
  const path = join(files.dir, 'bounce.txt');
  await writeFile(path, 'Es tut uns leid: „%{subject}“ kam nicht an.\n');
  await chmod(path, 0o600);
  await set('mtSmtpcBounceFile', path);
  expect(await bounced()).toContain('Your message could not be delivered to:');
  expect(log()).toMatch(/\[Error\] the text of a notice cannot be used: .*bounce\.txt: not everybody/);
  await chmod(path, 0o644);
  const german = await bounced();
  expect(german).toContain('Es tut uns leid: „mine“ kam nicht an.');
  expect(german).toContain('There is no mailbox of this name. Please check how the address is spelled.');
  await set('mtSmtpcBounceText', 'Text of the directory');
  expect(await bounced()).toMatch(/^Text of the directory\n/);
  // The same words where an administrator returns the mail.
  refuse('RCPT', '451 4.7.1 not today');
  expect(await submit('waiting@far.test', 'x')).toMatch(/^250/);
  const before = (await subjects(files, us)).length;
  const bounce = ['queue', 'bounce', '--recipient', 'waiting@far.test', '--state', 'deferred', '--all-matching', '--reason', 'moved'];
  await eventually(async () => (await command('mailtree', bounce, files)).code === 0);
  await eventually(async () => (await subjects(files, us)).length > before);
  expect((await report('Undeliverable mail')).text).toMatch(/^Text of the directory\n[\s\S]*moved/);
});

test('reports about spam are given up after their own time', async () => {
  await server.stop();
  await ldap.unbind();
  const about = { sender: '', origin: { protocol: 'report' }, spam: true, text: 'Subject: report\r\n\r\nx\r\n' };
  await aged({ ...about, recipients: [{ address: 'forged@victim.test' }] });
  refuse('MAIL', '451 4.3.2 not today');
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  // Four hours are over.
  await eventually(async () => /Rejected .* to forged@victim\.test .*tried for|Rejected .* to forged@victim\.test/.test(log()));
  await set('mtSmtpcSpamBouncePeriod', '6');
  await server.stop();
  await ldap.unbind();
  await aged({ ...about, recipients: [{ address: 'second@victim.test' }] });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  await eventually(async () => /Deferred .* to second@victim\.test/.test(log()));
});

test('a flood of mail in one name makes no flood of reports to it', async () => {
  await ldap.modify(await baseOf('user2@example.test'), [change('replace', 'mailForwardingAddress', 'gone@far.test')]);
  await set('mtSmtpcReportsPerHour', '2');
  sink.script.reply = (verb, line) => (verb === 'RCPT' && line.includes('gone@far.test') ? '550 5.1.1 gone' : undefined);
  const reports = (): number => sink.messages.filter(({ from, to }) => from === '' && to.includes('poor@victim.test')).length;
  for (let n = 0; n < 4; n++) await stranger('poor@victim.test', 'user2@example.test');
  await eventually(async () => (log().match(/Rejected .* to gone@far\.test/g) ?? []).length >= 4);
  await eventually(async () => reports() === 2);
  expect(log()).toContain('<poor@victim.test> got as many reports in an hour as one address may');
  await set('mtSmtpcReportsPerHour', '0');
  await stranger('poor@victim.test', 'user2@example.test');
  await eventually(async () => reports() === 3);
  expect(sink.messages.at(-1)?.data).toContain('(you wrote to user2@example.test)');
  // Whose domain says that it sends no mail did not send this.
  await stranger('poor@forged.test', 'user2@example.test', '127.0.0.77');
  await eventually(async () => log().includes('no report to <poor@forged.test>: the domain of the sender disowns the message'));
  expect(sink.messages.filter(({ to }) => to.includes('poor@forged.test'))).toEqual([]);
});

async function baseOf(mail: string): Promise<string> {
  const { searchEntries } = await ldap.search('dc=test', { scope: 'sub', filter: `(mail=${mail})` });
  return searchEntries[0]?.dn ?? '';
}

test('what was noted about spam goes only to peers that keep it', async () => {
  await ldap.add('cn=bl.test,cn=dnsbl,cn=mta,cn=mailtree', { objectClass: 'mtDnsBl', cn: 'bl.test', mtDnsBlAction: 'pass' });
  const dn = await baseOf('user2@example.test');
  await ldap.modify(dn, change('replace', 'mailForwardingAddress', 'friend@far.test'));
  const forwarded = async (count: number): Promise<string> => {
    await stranger('somebody@victim.test', 'user2@example.test');
    const here = () => sink.messages.filter(({ to }) => to.includes('friend@far.test'));
    await eventually(async () => here().length === count);
    return here().at(-1)?.data ?? '';
  };
  expect(await forwarded(1)).not.toMatch(/X-Mailtree/i);
  await ldap.add('cn=far.test,cn=peers,cn=mailtree', { objectClass: 'mtPeer', cn: 'far.test', mtPeerKeepSpamHeaders: 'TRUE' });
  expect(await forwarded(2)).toContain('\r\nX-Mailtree-DNSBL: bl.test (127.0.0.2)\r\n');
  await ldap.modify(dn, change('delete', 'mailForwardingAddress'));
});

test('DSN and SIZE switched off hold for both directions', async () => {
  const wishes = { mail: ' RET=HDRS ENVID=abc+2B', rcpt: ' NOTIFY=SUCCESS ORCPT=rfc822;first@example.test' };
  const lines = () => sink.messages.at(-1)?.lines.join('\n') ?? '';
  const before = sink.messages.length;
  expect(await submit('dsn@far.test', 'x', wishes)).toMatch(/^250/);
  await eventually(async () => sink.messages.length > before);
  expect(lines()).toMatch(/ SIZE=\d+/);
  expect(lines()).toMatch(/RET=HDRS ENVID=abc\+2B[\s\S]*NOTIFY=SUCCESS ORCPT=rfc822;first@example\.test/);
  refuse('MAIL', '451 4.3.2 not today');
  expect(await submit('dsn@far.test', 'x', wishes)).toMatch(/^250/);
  await eventually(async () => /Deferred .* to dsn@far\.test/.test(log()));
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdOfferDsn', 'FALSE'));
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdOfferSize', 'FALSE'));
  expect(await submit('dsn@far.test', 'x', wishes)).toMatch(/^555 5\.5\.4 /);
  sink.script.reply = () => undefined;
  await retry('far.test');
  expect((await report('Mail relayed')).raw).toContain('Original-Recipient: rfc822;first@example.test\r\n');
  expect(lines()).not.toMatch(/RET|ENVID|NOTIFY|ORCPT|SIZE/);
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdOfferDsn', 'TRUE'));
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdOfferSize', 'TRUE'));
});

test('to a host that takes 7 bit only text goes labelled with the local character set, and back comes what is signed', async () => {
  sink.script.extensions = ['DSN'];
  await ldap.modify('cn=server,cn=mailtree', change('replace', 'mtLocalCharset', 'iso-8859-1'));
  await eventually(async () => {
    expect(await submit('seven@far.test', 'Gr\xfc\xdfe, und noch etwas mehr Text')).toMatch(/^250/);
    await eventually(async () => sink.messages.some(({ to }) => to.includes('seven@far.test')));
    return /charset=iso-8859-1/.test(sink.messages.at(-1)?.data ?? '');
  });
  const got = sink.messages.at(-1);
  expect(got?.data).toMatch(/Content-Transfer-Encoding: quoted-printable\r\n[\s\S]*\r\n\r\nGr=FC=DFe, und noch/);
  expect(got?.lines.join()).not.toContain('BODY=');
  const signed = 'MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n';
  await submit('seven@far.test', '--b\r\n\r\n\xfc\r\n--b\r\n\r\nsig\r\n--b--', { header: signed });
  expect((await report('Undeliverable mail')).raw).toMatch(/Status: 5\.6\.3\r\n/);
});
