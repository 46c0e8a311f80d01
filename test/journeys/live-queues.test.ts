/** The parameters of SMTPC's queues and its priority weights, changed by LDAP on a running server and seen from the other side. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, control, ldapAdministrator, submitAs, waiting } from '../support/mail-clients.ts';
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
let hold = false;
let away = false;

beforeAll(async () => {
  sink = await startSink({
    reply: (verb) => {
      if (verb === 'connect' && away) return '421 4.3.2 not now';
      return verb === 'MAIL' && hold ? 'hold' : undefined;
    },
  });
  const zones = Object.fromEntries(
    ['s.test', ...domains, ...channels].map((name) => [name, { mx: [[10, 'mx.test']] as [number, string][] }]),
  );
  dns = await startFakeDns({ ...zones, 'mx.test': { a: ['127.0.0.1'] } });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  // Connections are counted: none is kept but where that is the matter.
  await set({ mtSmtpcPort: sink.port, mtSmtpcIdleTime: 0 });
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
const send = (to: string, subject: string, rest?: string): Promise<void> => submitAs(files, 'user1@example.test', to, subject, rest);
/** Why what waits for a domain does. */
const reasons = async (domain: string): Promise<string[]> =>
  (await waiting(files)).flatMap(({ recipients }) =>
    recipients.flatMap(({ address, reason = '' }) => (address.endsWith(`@${domain}`) ? [reason] : [])),
  );
const retry = (domain: string): Promise<unknown> => control(files, `/queue/SMTPC/retry?identifier=${domain}`, 'POST');
/** Sessions that are held at MAIL go on, to their end. */
const goOn = async (subject: string, count: number): Promise<void> => {
  hold = false;
  await eventually(async () => {
    sink.release();
    return subjects().filter((one) => one === subject).length === count && sink.open === 0;
  });
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
  await eventually(
    async () => (await reasons('a.test')).filter((one) => one.includes('waits for the queue run')).length === messages.length,
  );
  const before = sink.messages.length;
  await retry('a.test');
  await eventually(async () => sink.messages.length === before + messages.length);
  return subjects().slice(before);
}

test('processors and sessions of the pending queue bound its connections', async () => {
  await set({ mtSmtpcPendingProcessors: 1, mtSmtpcPendingSessions: 2 });
  hold = true;
  for (const name of domains) await send(`x@${name}`, 'bounded');
  await eventually(async () => sink.holding.length === 2);
  await set({ mtSmtpcPendingProcessors: 3, mtSmtpcPendingSessions: 1 });
  await eventually(async () => sink.holding.length === 3);
  expect(sink.peak).toBe(3);
  await set({ mtSmtpcPendingProcessors: 6, mtSmtpcPendingSessions: 5 });
  await goOn('bounded', domains.length);
});

test('so many domain channels are worked at one time as there are deferred processors', async () => {
  away = true;
  for (const name of channels) await send(`x@${name}`, 'channels');
  for (const name of channels) await eventually(async () => (await reasons(name)).join().includes('421 4.3.2 not now'));
  away = false;
  hold = true;
  await set({ mtSmtpcDeferredProcessors: 2 });
  sink.peak = 0;
  for (const name of channels) await retry(name);
  await eventually(async () => sink.holding.length === 2);
  await set({ mtSmtpcDeferredProcessors: 3 });
  await eventually(async () => sink.holding.length === 3);
  expect(sink.peak).toBe(3);
  await set({ mtSmtpcDeferredProcessors: 6 });
  await goOn('channels', channels.length);
});

test('so many sessions go to one destination as are agreed with its peer', async () => {
  const peer = 'cn=s.test,cn=peers,cn=mailtree';
  await ldap.add(peer, { objectClass: 'mtPeer', cn: 's.test', mtPeerSessions: '2' });
  // Who has greeted us before may have several.
  await send('x@s.test', 'greeted');
  await eventually(async () => subjects().includes('greeted') && sink.open === 0);
  hold = true;
  sink.peak = 0;
  for (let n = 0; n < 5; n += 1) await send('x@s.test', 'several');
  await eventually(async () => sink.holding.length === 2);
  await ldap.modify(peer, change('replace', 'mtPeerSessions', '3'));
  await eventually(async () => sink.holding.length === 3);
  expect(sink.peak).toBe(3);
  await goOn('several', 5);
});

test('a connection is kept for the next message as long as the idle time says', async () => {
  const one = async (subject: string): Promise<number> => {
    const before = sink.connections;
    await send('x@a.test', subject);
    await eventually(async () => subjects().includes(subject));
    return sink.connections - before;
  };
  expect(await one('new')).toBe(1);
  await set({ mtSmtpcIdleTime: 240 });
  expect(await one('kept')).toBe(1);
  expect(await one('taken')).toBe(0);
  await set({ mtSmtpcIdleTime: 0 });
  expect(await one('new again')).toBe(1);
  await expect(set({ mtSmtpcIdleTime: 241 })).rejects.toThrow();
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
