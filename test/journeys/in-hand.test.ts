/** Mail that is just being sent, and an administrator who does not want to wait: what is wanted is done when the attempt has failed. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, ldapAdministrator, subjects, waiting } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let dns: FakeDns;
let sink: Sink;
let files: ServerFiles;
let server: RunningServer;
const domains = ['kept.test', 'gone.test', 'back.test', 'moved.test', 'taken.test'];

beforeAll(async () => {
  // Takes messages to the end of their data, and then says nothing.
  sink = await startSink({ reply: (verb) => (verb === '.' ? 'mute' : undefined) });
  const mx = { mx: [[10, 'mx.test']] as const };
  dns = await startFakeDns({ ...Object.fromEntries(domains.map((domain) => [domain, mx])), 'mx.test': { a: ['127.0.0.1'] } });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  server = await runServer(files);
  const ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', String(sink.port)));
  await ldap.unbind();
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await Promise.all([dns.stop(), files.remove()]);
});

const queue = (...args: string[]) => command('mailtree', ['queue', ...args], files);
const found = async (domain: string) =>
  (await waiting(files)).flatMap(({ recipients }) => recipients).filter(({ address }) => address.endsWith(domain));

test('hold, delete, bounce and requeue of mail in hand are said to come later, and come', async () => {
  for (const domain of domains)
    expect(await command('sendmail', ['-f', 'user1@example.test', `a@${domain}`], files, `Subject: ${domain}\n\nx\n`)).toMatchObject({
      code: 0,
    });
  await eventually(async () => sink.heard.filter((line) => line === 'DATA').length === domains.length);

  const later =
    /^0 messages with 0 recipients were .*\njust being worked on: 1 recipient; it is done after the attempt in hand, unless that succeeds\n$/;
  const orders = [
    ['hold', '--destination', 'kept.test', '--note', 'ask Anna', '--all-matching'],
    ['delete', '--destination', 'gone.test', '--all-matching'],
    ['bounce', '--destination', 'back.test', '--reason', 'weg', '--all-matching'],
    ['requeue', '--destination', 'moved.test', '--all-matching'],
  ];
  for (const order of orders) {
    const { code, out, err } = await queue(...order);
    expect([order[0], code, err, out]).toEqual([order[0], 0, '', expect.stringMatching(later)]);
  }
  expect(await found('gone.test')).toHaveLength(1);

  await sink.stop();
  await eventually(async () => (await found('gone.test')).length === 0);
  await eventually(async () => (await found('back.test')).length === 0);
  await eventually(async () => (await subjects(files, 'user1@example.test')).length === 1);
  await eventually(async () => (await found('kept.test'))[0]?.held !== undefined);
  expect((await found('kept.test'))[0]).toMatchObject({ state: 'held', held: { note: 'ask Anna' } });
  // Routed anew and tried at once, which cannot work any more.
  await eventually(async () => /ECONNREFUSED/.test((await found('moved.test'))[0]?.reason ?? ''));
  expect(await found('taken.test')).toHaveLength(1);
  const { out } = await command('mailtree', ['trace', 'a@gone.test'], files);
  expect(out).toMatch(/deleted/i);
}, 60_000);
