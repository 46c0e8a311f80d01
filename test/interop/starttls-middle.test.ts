/**
 * Somebody sits between two mail hosts and takes STARTTLS away, breaks it, or puts words in front of it: what is said in the clear never counts as
 * said under encryption, and mail that must be encrypted waits.
 */

import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { change, Dialog } from '../support/mail-clients.ts';
import { eventually, password } from '../support/server.ts';
import { type Named, startNamed } from './support/dns/named.ts';
import { mailDomains } from './support/dns/zones.ts';
import { type MailHost, startMailHost } from './support/mail-host.ts';
import { type Middle, startMiddle } from './support/middle.ts';
import type { Neighbour } from './support/neighbours/neighbour.ts';
import { startPostfixNeighbour } from './support/neighbours/postfix.ts';
import { type Network, openNetwork } from './support/network.ts';
import { RawSmtp } from './support/raw-smtp.ts';

const at = {
  ours: '198.51.100.1',
  postfix: '198.51.100.2',
  out: '198.51.100.5',
  in: '198.51.100.6',
  client: '198.51.100.9',
  dns: '198.51.100.53',
};
const user = 'user1@example.test';
let net: Network<keyof typeof at>;
let named: Named;
let mail: MailHost;
let postfix: Neighbour;
/** Between us and Postfix, and between Postfix and us. */
let outward: Middle;
let inward: Middle;

beforeAll(async () => {
  net = await openNetwork(at, { nameserver: at.dns });
  named = await startNamed({
    address: at.dns,
    port: 53,
    command: net.hosts.dns.command,
    zones: mailDomains({ example: at.in, postfix: at.out }),
  });
  [mail, postfix] = await Promise.all([
    startMailHost(net.hosts.ours, { name: 'mx.example.test', domain: 'example.test', nameserver: named.server }),
    startPostfixNeighbour({
      host: net.hosts.postfix,
      name: 'mx.postfix.test',
      domain: 'postfix.test',
      users: ['friend'],
      relayFor: [at.client],
    }),
  ]);
  outward = await startMiddle(net.hosts.out, at.postfix);
  inward = await startMiddle(net.hosts.in, at.ours);
}, 120_000);

afterAll(async () => {
  await mail.stop();
  await postfix.stop();
  await named.stop();
  await net.close();
});

beforeEach(() => {
  for (const middle of [outward, inward]) {
    middle.meddling = {};
    middle.forget();
  }
});

const message = (subject: string) => Buffer.from(`From: ${user}\r\nSubject: ${subject}\r\n\r\nsecret of ${subject}\r\n`);
async function submit(subject: string): Promise<void> {
  const smtp = await RawSmtp.open(mail.files.ports.submission);
  await smtp.logIn(user, password);
  expect(await smtp.send(user, 'friend@postfix.test', message(subject))).toMatch(/^250 /);
  await smtp.quit();
}
const has = (box: readonly string[], subject: string): boolean => box.some((text) => text.includes(`Subject: ${subject}`));
const arrived = (subject: string) => eventually(async () => has(postfix.inbox('friend'), subject), 30_000);
const encryption = (value: string) => mail.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcTls', value));
/** Takes the keyword out of what the server offers. */
const stripped = { toClient: (line: string) => line.replace(/^250([- ])STARTTLS/, '250$1XXXXXXXX') };

test('who only reads along reads nothing', async () => {
  await submit('left alone');
  await arrived('left alone');
  expect(outward.seen).toContain('STARTTLS');
  expect(outward.seen).not.toContain('MAIL FROM');
  expect(outward.seen).not.toContain('secret');
});

test.each([
  ['the offer is taken away', stripped],
  ['the request is answered with a refusal', { toServer: (line: string, answer: (text: string) => void) => refuse(line, answer) }],
  [
    'the request is answered with rubbish',
    { toServer: (line: string, answer: (text: string) => void) => refuse(line, answer, '220 go ahead\r\nno TLS at all\r\n') },
  ],
])('mail that must be encrypted waits where %s, and goes when it can', async (what, meddling) => {
  await encryption('required');
  outward.meddling = meddling;
  await submit(what);
  await eventually(() => mail.deferred(), 30_000);
  expect(outward.seen).not.toMatch(/MAIL FROM|secret/i);
  expect(has(postfix.inbox('friend'), what)).toBe(false);
  outward.meddling = {};
  const smtp = await RawSmtp.over(await net.hosts.client.connect(at.ours, 25));
  expect(await smtp.say('ETRN postfix.test\r\n')).toMatch(/^25[0-3] /);
  smtp.close();
  await arrived(what);
  await mail.drained();
  await encryption('opportunistic');
});

function refuse(line: string, answer: (text: string) => void, text = '454 4.7.0 TLS not available\r\n'): string {
  if (!/^STARTTLS/i.test(line)) return line;
  answer(text);
  return '';
}

test('mail that may be encrypted goes all the same where the offer is taken away', async () => {
  outward.meddling = stripped;
  await submit('in the clear');
  await arrived('in the clear');
  expect(outward.seen).toContain('secret of in the clear');
});

test('answers put behind the one to STARTTLS are not taken for those to what is said under encryption', async () => {
  const forged = '250-mx.postfix.test\r\n250 AUTH PLAIN\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go on\r\n250 2.0.0 Ok: queued as FORGED\r\n';
  outward.meddling = { toClient: (line) => (line.startsWith('220 2.0.0') ? `${line}${forged}` : line) };
  await encryption('required');
  await submit('answers put in front');
  await eventually(async () => has(postfix.inbox('friend'), 'answers put in front') || (await mail.deferred()), 30_000);
  expect(outward.seen).not.toMatch(/MAIL FROM|secret/i);
  outward.meddling = {};
  const smtp = await RawSmtp.over(await net.hosts.client.connect(at.ours, 25));
  await smtp.say('ETRN postfix.test\r\n');
  smtp.close();
  await arrived('answers put in front');
  await mail.drained();
  await encryption('opportunistic');
});

const injected = 'MAIL FROM:<evil@stranger.test>\r\nRCPT TO:<user2@example.test>\r\nDATA\r\nSubject: injected\r\n\r\nevil\r\n.\r\n';

test('commands put behind the STARTTLS of Postfix are not done', async () => {
  inward.meddling = { toServer: (line) => (/^STARTTLS/i.test(line) ? `${line}${injected}` : line) };
  const smtp = await RawSmtp.over(await net.hosts.client.connect(at.postfix, 25));
  expect(await smtp.send('somebody@postfix.test', user, message('with company'))).toMatch(/^250 /);
  await smtp.quit();
  await eventually(async () => has(await mail.inbox(user), 'with company') || /with company|status=deferred/.test(postfix.log()), 30_000);
  inward.meddling = {};
  await postfix.flush();
  await eventually(async () => has(await mail.inbox(user), 'with company'), 30_000);
  await mail.drained();
  expect(await mail.inbox('user2@example.test')).toEqual([]);
});

test('commands pipelined behind STARTTLS in one piece are not done, before or after the handshake', async () => {
  for (const rest of [injected, 'EHLO evil.test\r\n', `${injected.slice(0, 40)}`, 'NOOP\r\n'.repeat(500) + injected]) {
    const socket = await net.hosts.client.connect(at.ours, 25);
    const plain = new Dialog(socket);
    await plain.reply();
    await plain.say('EHLO client.test');
    expect(await plain.say(`STARTTLS\r\n${rest.replace(/\r\n$/, '')}`)).toMatch(/^220 /);
    socket.removeAllListeners('data');
    const secure = connectTls({ socket, rejectUnauthorized: false });
    secure.on('error', () => {});
    const dialog = new Dialog(secure as never);
    const said = await dialog.say('NOOP');
    // What comes is the answer to this, or the connection has ended.
    if (dialog.open) expect(said).toMatch(/^250 /);
    if (dialog.open) expect(await dialog.say('MAIL FROM:<client@client.test>')).toMatch(/^503 /);
    dialog.end();
    socket.destroy();
  }
  await mail.drained();
  expect(await mail.inbox('user2@example.test')).toEqual([]);
});
