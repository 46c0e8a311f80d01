/** Postfix as a neighbour: it sends us mail, and our users send to it, by the MX a DNS names. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type MailPeer, startPostfixDovecot } from '../bench/peers/postfix-dovecot.ts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, ldapAdministrator } from '../support/mail-clients.ts';
import { eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { freePort, tempDir } from '../support/temp.ts';
import { belowTrace } from './support/corpus.ts';
import { RawSmtp } from './support/raw-smtp.ts';
import { tool } from './support/tool.ts';

const theirs = 'friend@peer.test';
const ours = 'user1@example.test';
let files: ServerFiles;
let server: RunningServer;
let dns: FakeDns;
let peer: MailPeer;
let temp: { path: string; remove: () => Promise<void> };

beforeAll(async () => {
  dns = await startFakeDns({ 'peer.test': { mx: [[10, 'mx.peer.test']] }, 'mx.peer.test': { a: ['127.0.0.1'] } });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  server = await runServer(files);
  temp = await tempDir();
  const [smtp, lmtp, imap, pop3] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  peer = await startPostfixDovecot({
    dir: temp.path,
    ports: { smtp, lmtp, imap, pop3 },
    users: [theirs],
    password,
    format: 'maildir',
    neighbour: { domain: 'example.test', smtp: files.ports.smtp },
  });
  const ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', String(smtp)));
  await ldap.unbind();
}, 120_000);

afterAll(async () => {
  await peer.stop();
  expect(await server.stop()).toBe(0);
  await Promise.all([dns.stop(), files.remove(), temp.remove()]);
});

const messages = [
  'Subject: plain\r\nFrom: a@b.test\r\n\r\nline\r\n.dot\r\n..dots\r\n\r\n',
  `Subject: eight bits\r\nFrom: a@b.test\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nMIME-Version: 1.0\r\n\r\n${'Gr\xc3\xbc\xc3\x9fe '.repeat(40)}\r\n`,
  `Subject: long\r\nFrom: a@b.test\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(20_000)}`,
].map((text) => Buffer.from(text, 'latin1'));

test('mail that Postfix relays to us arrives once and whole', async () => {
  const smtp = await RawSmtp.open(peer.smtp);
  for (const one of messages) expect(await smtp.send('somebody@peer.test', ours, one)).toMatch(/^250 /);
  await smtp.quit();
  const mailbox = (path: string, ...args: string[]) =>
    tool('curl', [
      '--silent',
      '--ssl-reqd',
      '--insecure',
      '--user',
      `${ours}:${password}`,
      `imap://127.0.0.1:${files.ports.imap}/${path}`,
      ...args,
    ]);
  await eventually(
    async () => (await mailbox('INBOX', '-X', 'STATUS INBOX (MESSAGES)')).out.includes(`MESSAGES ${messages.length}`),
    60_000,
  );
  await peer.drained();
  const got: Buffer[] = [];
  for (const [n] of messages.entries()) got.push(Buffer.from((await mailbox(`INBOX;MAILINDEX=${n + 1}`)).out, 'latin1'));
  const below = got.map((octets) => belowTrace(octets).toString('latin1'));
  // Postfix puts one Received, and a Message-ID and a Date where they lack, before or in the header; the body is the sender's.
  const bodies = (text: string) => text.slice(text.indexOf('\r\n\r\n'));
  expect(below.map(bodies).sort()).toEqual(messages.map((one) => bodies(one.toString('latin1'))).sort());
  for (const text of below) expect(text).toMatch(/^Received: from [\s\S]*by peer\.example\.test \(Postfix\)/);
}, 120_000);

test('mail of our users goes to Postfix by the MX of its domain and arrives once and whole', async () => {
  for (const [n, one] of messages.entries()) {
    const sent = await tool(
      'curl',
      [
        ...['--silent', '--show-error', '--ssl-reqd', '--insecure', '--user', `${ours}:${password}`],
        ...['--mail-from', ours, '--mail-rcpt', theirs, '--upload-file', '-', `smtp://127.0.0.1:${files.ports.submission}`],
      ],
      { input: one },
    );
    expect([n, sent.code, sent.all]).toEqual([n, 0, '']);
  }
  const inbox = join(temp.path, 'dovecot', 'mail', theirs, 'new');
  const there = () => {
    try {
      return readdirSync(inbox);
    } catch {
      return [];
    }
  };
  await eventually(async () => there().length >= messages.length, 60_000);
  await peer.drained();
  // Dovecot keeps lines with LF alone.
  const bodies = there().map((name) => readFileSync(join(inbox, name), 'latin1').replace(/\r?\n/g, '\r\n'));
  const below = (text: string) => text.slice(text.indexOf('\r\n\r\n'));
  expect(bodies.map(below).sort()).toEqual(messages.map((one) => below(one.toString('latin1'))).sort());
  expect(dns.asked).toContain('MX peer.test');
}, 120_000);

test('what Postfix refuses comes back to our user as a report', async () => {
  const sent = await tool('swaks', [
    ...['--server', '127.0.0.1', '--port', String(files.ports.submission), '--tls', '--auth', 'PLAIN', '--auth-user', ours],
    ...['--auth-password', password, '--from', ours, '--to', 'nobody@peer.test', '--header', 'Subject: refused'],
  ]);
  expect([sent.code, sent.code === 0 ? '' : sent.all]).toEqual([0, '']);
  const mailbox = (...args: string[]) =>
    tool('curl', [
      '--silent',
      '--ssl-reqd',
      '--insecure',
      '--user',
      `${ours}:${password}`,
      `imap://127.0.0.1:${files.ports.imap}/INBOX`,
      ...args,
    ]);
  await eventually(async () => /SEARCH \d/.test((await mailbox('-X', 'SEARCH HEADER Content-Type multipart/report')).out), 60_000);
  expect((await mailbox('-X', 'SEARCH BODY "nobody@peer.test" BODY "550"')).out).toMatch(/SEARCH \d/);
}, 120_000);
