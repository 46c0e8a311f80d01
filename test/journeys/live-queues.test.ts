/** The parameters of SMTPC's queues and its priority weights, changed by LDAP on a running server and seen from the other side. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, ldapAdministrator } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let dns: FakeDns;
let sink: Sink;
let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
const smtpc = 'cn=smtpc,cn=mailtree';
const domains = ['a.test', 'b.test', 'c.test', 'd.test', 'e.test'];
const channels = ['f.test', 'g.test', 'h.test', 'i.test'];
/** Messages by connection. */
const taken = new Map<number, number>();
let hold = false;
let away = false;

beforeAll(async () => {
  sink = await startSink({
    reply: (verb, _, connection) => {
      if (verb === '.') taken.set(connection, (taken.get(connection) ?? 0) + 1);
      if (verb === 'connect' && away) return '421 4.3.2 not now';
      return verb === 'MAIL' && hold ? 'mute' : undefined;
    },
  });
  const zones = Object.fromEntries([...domains, ...channels].map((name) => [name, { mx: [[10, 'mx.test']] as [number, string][] }]));
  dns = await startFakeDns({ ...zones, 'mx.test': { a: ['127.0.0.1'] } });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  await set({ mtSmtpcPort: sink.port });
  await ldap.add('cn=a.test,cn=peers,cn=mailtree', { objectClass: 'mtPeer', cn: 'a.test', mtPeerSessions: '1' });
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await Promise.all([sink.stop(), dns.stop(), files.remove()]);
});

const set = (values: Record<string, string | number>): Promise<void> =>
  ldap.modify(
    smtpc,
    Object.entries(values).map(([name, value]) => change('replace', name, String(value))),
  );
const send = async (to: string, subject: string, more = ''): Promise<void> => {
  const message = `From: user1@example.test\nTo: ${to}\nSubject: ${subject}\n${more}`;
  expect(await command('sendmail', ['-f', 'user1@example.test', to], files, message)).toMatchObject({ code: 0, err: '' });
};
const subjects = (): string[] => sink.messages.map(({ data }) => /^Subject: (.*)\r$/m.exec(data)?.[1] ?? '');
const queueFirst = (value: string): Promise<void> =>
  ldap.modify('cn=a.test,cn=peers,cn=mailtree', [
    change('replace', 'mtPeerQueueFirst', value),
    change('replace', 'mtPeerQueueInterval', '10080'),
  ]);

/** Mail for a.test gathered, then sent by one run of the deferred queue: subjects in the order in which they came. */
async function inOrder(messages: readonly (readonly [subject: string, more: string])[]): Promise<string[]> {
  await queueFirst('TRUE');
  for (const [subject, more] of messages) await send('x@a.test', subject, more);
  await eventually(async () => (await command('mailq', [], files)).out.split('waits for the queue run').length > messages.length);
  const before = sink.messages.length;
  expect((await command('mailtree', ['retry', 'a.test'], files)).code).toBe(0);
  await eventually(async () => sink.messages.length === before + messages.length);
  return subjects().slice(before);
}

test('processors and sessions of the pending queue bound its connections', async () => {
  await set({ mtSmtpcPendingProcessors: 1, mtSmtpcPendingSessions: 2 });
  hold = true;
  // Not a.test: these sessions hang until the end.
  for (const name of domains.slice(1)) await send(`x@${name}`, 'bounded');
  await eventually(async () => sink.open === 2);
  await set({ mtSmtpcPendingProcessors: 3, mtSmtpcPendingSessions: 1 });
  await eventually(async () => sink.open === 3);
  expect(sink.peak).toBe(3);
  hold = false;
  await set({ mtSmtpcPendingProcessors: 6, mtSmtpcPendingSessions: 5 });
  await eventually(async () => subjects().includes('bounded'));
});

test('so many domain channels are worked at one time as there are deferred processors', async () => {
  away = true;
  for (const name of channels) await send(`x@${name}`, 'channels');
  await eventually(async () => (await command('mailq', [], files)).out.split('421 4.3.2 not now').length > channels.length);
  away = false;
  hold = true;
  await set({ mtSmtpcDeferredProcessors: 2 });
  const before = sink.open;
  sink.peak = before;
  for (const name of channels) expect((await command('mailtree', ['retry', name], files)).code).toBe(0);
  await eventually(async () => sink.open === before + 2);
  await set({ mtSmtpcDeferredProcessors: 3 });
  await eventually(async () => sink.open === before + 3);
  expect(sink.peak).toBe(before + 3);
  hold = false;
  await set({ mtSmtpcDeferredProcessors: 6 });
  // Those that nobody answered end with the server.
  await eventually(async () => subjects().includes('channels'));
});

test('without sending at once mail waits for the interval; run size and messages in a session are seen on each connection', async () => {
  await set({
    mtSmtpcAtOnce: 'FALSE',
    mtSmtpcRunInterval: 60,
    mtSmtpcPendingProcessors: 1,
    mtSmtpcRunSize: 3,
    mtSmtpcMessagesPerSession: 2,
  });
  taken.clear();
  const before = sink.messages.length;
  for (let n = 0; n < 5; n += 1) await send('x@a.test', `run ${n}`);
  // The run of this interval is over: nothing goes.
  await eventually(async () => (await command('mailq', ['-q', ''], files)).out.match(/a\.test/g)?.length === 5);
  expect(sink.messages.length).toBe(before);
  await set({ mtSmtpcAtOnce: 'TRUE' });
  await eventually(async () => sink.messages.length === before + 5);
  expect(Math.max(...taken.values())).toBeLessThanOrEqual(2);
  await set({ mtSmtpcRunInterval: 1, mtSmtpcPendingProcessors: 6, mtSmtpcRunSize: 12, mtSmtpcMessagesPerSession: 6 });
});

test('deferred mail goes by precedence and size as the multipliers say, its time in the queue weighs too, and by age where they say nothing', async () => {
  const big = `\n${'x'.repeat(70).concat('\n').repeat(300)}`;
  const three = [
    ['bulk', 'Precedence: bulk\n\nx\n'],
    ['large', big],
    ['plain', '\nx\n'],
  ] as const;
  expect(await inOrder(three)).toEqual(['bulk', 'large', 'plain']);
  await set({ mtSmtpcPrecedenceMultiplier: 1 });
  expect(await inOrder(three)).toEqual(['large', 'plain', 'bulk']);
  await set({ mtSmtpcSizeMultiplier: 1, mtSmtpcSizeBoundaries: '10', mtSmtpcSizeWeights: '0, 5' });
  expect(await inOrder(three)).toEqual(['plain', 'bulk', 'large']);
  // Hours count, so what counts here is below the first boundary; the weight is seen where the mail waits.
  await queueFirst('TRUE');
  await send('x@a.test', 'timed', '\nx\n');
  const weight = async (): Promise<string | undefined> =>
    /^[0-9a-z]+ +(-?\d+) +user1@example\.test/m.exec(
      (await command('mailtree', ['queue', 'list', '--destination', 'a.test'], files)).out,
    )?.[1];
  await eventually(async () => (await weight()) === '0');
  await set({ mtSmtpcTimeMultiplier: 2, mtSmtpcTimeBoundaries: '1', mtSmtpcTimeWeights: '7, 9' });
  await eventually(async () => (await weight()) === '-14');
  await expect(set({ mtSmtpcSizeWeights: 'many' })).rejects.toThrow(/numbers with commas/);
  await set({ mtSmtpcTimeBoundaries: '1', mtSmtpcTimeWeights: '7' });
  await eventually(async () => /2 weights belong to the time boundaries "1", there are 1/.test(server.output()));
  await queueFirst('FALSE');
});
