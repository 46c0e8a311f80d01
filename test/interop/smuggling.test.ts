/**
 * What might be taken for the end of a message and is none: in from strangers, through Postfix and Exim to us, and from us to Postfix, Exim and
 * smtp-sink. One message stays one message, whoever reads the line ends more generously than RFC 5321 §2.3.8 allows.
 */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { change } from '../support/mail-clients.ts';
import { eventually } from '../support/server.ts';
import { type Named, startNamed } from './support/dns/named.ts';
import { mailDomains } from './support/dns/zones.ts';
import { type MailHost, startMailHost } from './support/mail-host.ts';
import { startEximNeighbour } from './support/neighbours/exim.ts';
import type { Neighbour } from './support/neighbours/neighbour.ts';
import { startPostfixNeighbour } from './support/neighbours/postfix.ts';
import { type Network, openNetwork } from './support/network.ts';
import { RawSmtp } from './support/raw-smtp.ts';
import { type SmtpSink, startSmtpSink } from './support/smtp-sink.ts';

const at = {
  ours: '198.51.100.1',
  postfix: '198.51.100.2',
  exim: '198.51.100.3',
  sink: '198.51.100.4',
  client: '198.51.100.9',
  dns: '198.51.100.53',
};
let net: Network<keyof typeof at>;
let named: Named;
let mail: MailHost;
let postfix: Neighbour;
let exim: Neighbour;
let sink: SmtpSink;

beforeAll(async () => {
  net = await openNetwork(at, { nameserver: at.dns });
  named = await startNamed({
    address: at.dns,
    port: 53,
    command: net.hosts.dns.command,
    zones: {
      ...mailDomains({ example: at.ours, postfix: at.postfix, exim: at.exim, sink: at.sink }),
      'jade.net': { '@': { mx: [[10, 'mx.example.test']] } },
    },
  });
  const common = { users: ['first', 'second'], relayFor: [at.client] };
  [mail, postfix, exim, sink] = await Promise.all([
    startMailHost(net.hosts.ours, { name: 'mx.example.test', domain: 'example.test', nameserver: named.server }),
    // As generous as it can be made.
    startPostfixNeighbour({
      ...common,
      host: net.hosts.postfix,
      name: 'mx.postfix.test',
      domain: 'postfix.test',
      main: ['smtpd_forbid_bare_newline = no', 'smtpd_forbid_unauth_pipelining = no'],
    }),
    startEximNeighbour({ ...common, host: net.hosts.exim, name: 'mx.exim.test', domain: 'exim.test' }),
    startSmtpSink(net.hosts.sink),
  ]);
  await mail.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdRelayAllow', at.client));
}, 120_000);

afterAll(async () => {
  await mail.stop();
  for (const one of [postfix, exim, sink]) await one.stop();
  await named.stop();
  await net.close();
});

const breaks = ['\r\n', '\n', '\r', '\r\r\n', '\n\r', '\0\r\n', '\r\0\n', '\r\n\0', '\x0b', '\x85'];
/** All of them around a dot but the one that ends a message, and some more. */
const fakes = [
  ...breaks.flatMap((before) => breaks.map((after) => `${before}.${after}`)).filter((fake) => fake !== '\r\n.\r\n'),
  '\n\n.\r\n',
  '\r\n..\r\n',
  '\r\n. \r\n',
  '\r\n.\t\r\n',
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\r\n.\r\n'.replace('.', '\x2e\x08'),
];
const smuggled = (to: string, n: number): string =>
  `MAIL FROM:<evil-${n}@stranger.test>\r\nRCPT TO:<${to}>\r\nDATA\r\nSubject: smuggled ${n}\r\n\r\nsmuggled`;
const outer = (to: string, fake: string, n: number): Buffer =>
  Buffer.from(`Subject: outer ${n}\r\n\r\nbefore${fake}${smuggled(to, n)}\r\n`, 'latin1');

/** Every fake in a message to the first, with one to the second inside; what each was answered. */
async function sendAll(address: string, domain: string, users = ['first', 'second']): Promise<string[]> {
  const answers: string[] = [];
  const [first, second] = users.map((user) => `${user}@${domain}`) as [string, string];
  for (const [n, fake] of fakes.entries()) {
    // A new connection for each: whoever takes a fake for the end gets out of step.
    const smtp = await RawSmtp.over(await net.hosts.client.connect(address, 25));
    const said = await smtp
      .send(`outer-${n}@stranger.test`, first, outer(second, fake, n))
      .catch((thrown: Error) => `closed: ${thrown.message}`);
    answers.push(said.trim());
    smtp.close();
  }
  return answers;
}
const subjects = (box: readonly string[]) => box.map((text) => /^Subject: (.*?)\r?$/m.exec(text)?.[1] ?? '').sort();
const outers = fakes.map((_, n) => `outer ${n}`).sort();

test('in: nothing but CRLF . CRLF ends a message', async () => {
  const answers = await sendAll(at.ours, 'example.test', ['user1', 'user2']);
  expect(answers.filter((one) => !/^250 2\.0\.0 Ok: queued as \w+$/.test(one))).toEqual([]);
  await mail.drained();
  const inbox = await mail.inbox('user1@example.test');
  expect(subjects(inbox)).toEqual(outers);
  for (const text of inbox) {
    expect(text).toMatch(/\r\nSubject: smuggled \d+\r\n\r\nsmuggled\r\n$/);
    // Every line end is one.
    expect(text.replace(/\r\n/g, '')).not.toMatch(/[\r\n]/);
  }
  expect(await mail.inbox('user2@example.test')).toEqual([]);
}, 120_000);

test('in, by chunks: their length alone ends them', async () => {
  const inside = `\r\n.\r\n${smuggled('user2@example.test', 999)}\r\n.\r\n`;
  const whole = `Subject: chunk\r\n\r\nbefore${inside}`;
  const cuts = [
    [whole.length],
    [whole.indexOf('.') - 1],
    [whole.indexOf('.')],
    [whole.indexOf('.') + 1, whole.indexOf('.') + 2],
    [3, 4, 5],
  ];
  for (const places of cuts) {
    const smtp = await RawSmtp.over(await net.hosts.client.connect(at.ours, 25));
    const parts = [0, ...places].map((from, n, all) => whole.slice(from, all[n + 1] ?? whole.length));
    const commands = parts.map((part, n) => `BDAT ${part.length}${n === parts.length - 1 ? ' LAST' : ''}\r\n${part}`).join('');
    const replies = [await smtp.say(`MAIL FROM:<chunks@stranger.test>\r\nRCPT TO:<user3@example.test>\r\n${commands}`)];
    for (let n = 0; n <= parts.length; n += 1) replies.push(await smtp.reply());
    expect(replies.map((one) => one.slice(0, 3))).toEqual(replies.map(() => '250'));
    // DATA after a first chunk is no way to change one's mind about the end.
    await smtp.say('MAIL FROM:<chunks@stranger.test>\r\n');
    await smtp.say('RCPT TO:<user2@example.test>\r\n');
    expect(await smtp.say('BDAT 5\r\n12345')).toMatch(/^250 /);
    expect(await smtp.say('DATA\r\n')).toMatch(/^503 /);
    smtp.close();
  }
  await mail.drained();
  expect(subjects(await mail.inbox('user3@example.test'))).toEqual(cuts.map(() => 'chunk'));
  expect(await mail.inbox('user2@example.test')).toEqual([]);
}, 120_000);

test.each(['postfix', 'exim', 'sink'] as const)(
  'out to %s: it gets as many messages as we took',
  async (kind) => {
    const answers = await sendAll(at.ours, `${kind}.test`);
    expect(answers.filter((one) => !one.startsWith('250 '))).toEqual([]);
    await mail.drained();
    const got = (): string[] => (kind === 'sink' ? sink.messages() : (kind === 'postfix' ? postfix : exim).inbox('first'));
    await eventually(async () => subjects(got()).filter((subject) => subject !== '').length >= fakes.length, 60_000);
    expect(subjects(got())).toEqual(outers);
    if (kind === 'sink') expect(sink.messages().filter((text) => /^X-Mail-Args:.*evil|^X-Rcpt-Args:.*second/m.test(text))).toEqual([]);
    else expect((kind === 'postfix' ? postfix : exim).inbox('second')).toEqual([]);
  },
  120_000,
);

test.each(['postfix', 'exim'] as const)(
  'through %s: we have the messages that it took, no more and no less',
  async (kind) => {
    const there = kind === 'postfix' ? postfix : exim;
    const before = there.log().length;
    const known = new Set([...(await mail.inbox('user1@jade.net')), ...(await mail.inbox('user2@jade.net'))].map((text) => text));
    await sendAll(at[kind], 'jade.net', ['user1', 'user2']).catch(() => {});
    await eventually(async () => (await there.waiting()) === 0, 60_000);
    await mail.drained();
    const log = there.log().slice(before);
    const took = [
      ...log.matchAll(kind === 'postfix' ? /qmgr\[\d+\]: \w+: from=<([\w-]+@stranger\.test)>/g : / <= ([\w-]+@stranger\.test) /g),
    ];
    const both = [...(await mail.inbox('user1@jade.net')), ...(await mail.inbox('user2@jade.net'))].filter((text) => !known.has(text));
    const have = both.map((text) => /^Return-Path: <(.*)>\r$/m.exec(text)?.[1]);
    expect(have.sort()).toEqual(took.map(([, sender]) => sender).sort());
    expect(have.length).toBeGreaterThan(50);
  },
  120_000,
);
