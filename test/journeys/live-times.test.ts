/** Settings of SMTPC that are spans of time, changed by LDAP on a server whose clock the test turns on: what is due then happens, and nothing before. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, control, ldapAdministrator, newest, subjects, submitAs, waiting } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type ServerFiles } from '../support/server.ts';
import { type Sink, type SinkScript, startSink } from '../support/smtp-sink.ts';
import { freePort } from '../support/temp.ts';
import { runTurnedServer, type TurnedServer } from '../support/turned-clock.ts';

let dns: FakeDns;
let sink: Sink;
let files: ServerFiles;
let server: TurnedServer;
let ldap: Client;
const smtpc = 'cn=smtpc,cn=mailtree';
const user = 'user1@example.test';
/** What a test has set, to be taken back. */
const touched = new Set<string>();
/** Longer than the clock is turned at once: what is under way meanwhile takes no time. */
const patient = Object.fromEntries(
  ['Initial', 'Helo', 'Mail', 'Rcpt', 'Data', 'Block', 'End', 'Quit'].map((phase) => [`mtSmtpcTimeout${phase}`, '60']),
);

beforeAll(async () => {
  sink = await startSink({}, { port: await freePort() });
  dns = await startFakeDns({ 'mx.test': { a: ['127.0.0.1'], ttl: 1_000_000 } });
  for (const name of ['run', 'peer', 'gather', 'late', 'weight', 'relayed'])
    dns.zone[`${name}.test`] = { mx: [[10, 'mx.test']], ttl: 1_000_000 };
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  server = await runTurnedServer(files);
  ldap = await ldapAdministrator(files);
  await ldap.modify('cn=ldapd,cn=mailtree', change('replace', 'mtLdapdIdleTime', '604800'));
  await set({ mtSmtpcPort: String(sink.port), mtSmtpcAddressFamily: 'ipv4-only', mtSmtpcSts: 'FALSE', mtSmtpcIdleTime: '0' });
  touched.clear();
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await Promise.all([sink.stop(), dns.stop(), ...stops.map((stop) => stop())]);
  await files.remove();
});

beforeEach(() => set(patient));
/** What a test has begun, to be ended. */
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  sink.script = { extensions: [] };
  await ldap.modify(
    smtpc,
    [...touched].map((attribute) => change('replace', attribute)),
  );
  touched.clear();
});

async function set(values: Readonly<Record<string, string>>): Promise<void> {
  for (const attribute of Object.keys(values)) touched.add(attribute);
  await ldap.modify(
    smtpc,
    Object.entries(values).map(([attribute, value]) => change('replace', attribute, value)),
  );
}

const send = (to: string, subject = to, more?: string): Promise<void> => submitAs(files, user, to, subject, more);
const arrived = (): string[] => sink.messages.map(({ data }) => /^Subject: (.*)\r$/m.exec(data)?.[1] ?? '');
const heard = (word: string): number => sink.heard.filter((line) => line.includes(word)).length;
const reasons = async (to: string): Promise<string[]> =>
  (await waiting(files)).flatMap(({ recipients }) => recipients).flatMap(({ address, reason }) => (address === to ? [reason ?? ''] : []));
/** A peer of its own, for as long as the test lasts. */
async function withPeer(
  name: string,
  settings: Record<string, string>,
  work: (set: (more: Record<string, string>) => Promise<void>) => Promise<void>,
) {
  const dn = `cn=${name},cn=peers,cn=mailtree`;
  await ldap.add(dn, { objectClass: 'mtPeer', cn: name, ...settings });
  await work((more) =>
    ldap.modify(
      dn,
      Object.entries(more).map(([attribute, value]) => change('replace', attribute, value)),
    ),
  );
  await ldap.del(dn);
}

test('each phase of a session has its own time-out', async () => {
  const phases: [attribute: string, script: SinkScript][] = [
    ['mtSmtpcTimeoutInitial', silentAt('connect')],
    ['mtSmtpcTimeoutHelo', silentAt('EHLO')],
    ['mtSmtpcTimeoutMail', silentAt('MAIL')],
    ['mtSmtpcTimeoutRcpt', silentAt('RCPT')],
    ['mtSmtpcTimeoutData', silentAt('DATA')],
    ['mtSmtpcTimeoutBlock', { deaf: true }],
    ['mtSmtpcTimeoutEnd', silentAt('.')],
    ['mtSmtpcTimeoutQuit', silentAt('QUIT')],
  ];
  const said = new Set<string>();
  function silentAt(phase: string): SinkScript {
    return {
      reply: (verb) => {
        if (verb !== phase) return undefined;
        said.add(phase);
        return 'mute';
      },
    };
  }
  await set({ ...Object.fromEntries(phases.map(([attribute], n) => [attribute, String(4 * (n + 1))])), mtSmtpcMessagesPerSession: '1' });
  const sinks = await Promise.all(
    phases.map(([, script], n) => startSink({ extensions: [], ...script }, { host: `127.0.1.${n + 1}`, port: sink.port })),
  );
  stops.push(...sinks.map(({ stop }) => stop));
  // More than what the system takes off our hands.
  const large = `\n${`${'x'.repeat(70)}\n`.repeat(220_000)}`;
  for (const [n, [attribute]] of phases.entries()) {
    dns.zone[`phase${n}.test`] = { a: [`127.0.1.${n + 1}`], ttl: 1_000_000 };
    await send(`x@phase${n}.test`, 'phases', attribute === 'mtSmtpcTimeoutBlock' ? large : '\nx\n');
  }
  await eventually(async () => said.size === 7 && sinks[5]?.heard.includes('DATA') === true);
  const names = ['initial', 'helo', 'mail', 'rcpt', 'data', 'block', 'end'];
  /** How many phases have come to their end, the first first. */
  const over = async (): Promise<number> => {
    const messages = await waiting(files);
    const timedOut = names.map((name, n) =>
      messages.some(
        ({ recipients: [one] }) => one?.address === `x@phase${n}.test` && one.reason?.includes(`did not answer in time (${name})`),
      ),
    );
    const found = [...timedOut, sinks[7]?.open === 0];
    expect(found).toEqual(found.toSorted().toReversed());
    return found.filter((one) => one).length;
  };
  await server.turn({ minutes: 2 });
  for (let n = 0; n < phases.length; n += 1) {
    expect(await over()).toBe(n);
    await server.turn({ minutes: 4 });
    await eventually(async () => (await over()) === n + 1);
  }
  // What was taken is sent, however long the farewell takes.
  expect(sinks[7]?.messages).toHaveLength(1);
  expect(await reasons('x@phase7.test')).toEqual([]);
  // What is tried again, and hangs again, would be in the way of other tests.
  await Promise.all(sinks.map(({ stop }) => stop()));
  await eventually(async () => {
    await command('mailtree', ['queue', 'delete', '--sender', user, '--all-matching'], files);
    return (await waiting(files)).length === 0;
  });
});

test('mail is sent at once, or else each interval begins one run of each processor, of the size and in the sessions that are set', async () => {
  /** Messages by connection, in the order of the connections. */
  const taken = new Map<number, number>();
  sink.script = {
    extensions: [],
    reply: (verb, _, connection) => {
      if (verb === '.') taken.set(connection, (taken.get(connection) ?? 0) + 1);
      return undefined;
    },
  };
  await withPeer('run.test', { mtPeerSessions: '1' }, async (peer) => {
    const runs = (count: number, interval: string): Record<string, string> => ({
      mtSmtpcAtOnce: 'FALSE',
      mtSmtpcRunInterval: interval,
      mtSmtpcPendingProcessors: '1',
      mtSmtpcRunSize: String(count),
      mtSmtpcMessagesPerSession: '2',
    });
    await set(runs(3, '10'));
    // An interval with nothing to do, so that no run has room left.
    await server.turn({ minutes: 11 });
    for (let n = 0; n < 5; n += 1) await send('x@run.test');
    await server.turn({ minutes: 7 });
    expect(sink.messages).toHaveLength(0);
    await server.turn({ minutes: 4 });
    await eventually(async () => sink.messages.length === 3);
    expect([...taken.values()].join()).toBe('2,1');
    await peer({ mtPeerMessagesPerSession: '1' });
    await set(runs(2, '20'));
    taken.clear();
    await server.turn({ minutes: 18 });
    expect(sink.messages).toHaveLength(3);
    await server.turn({ minutes: 4 });
    await eventually(async () => sink.messages.length === 5);
    await send('x@run.test', 'waits');
    await set({ mtSmtpcAtOnce: 'TRUE' });
    await eventually(async () => sink.messages.length === 6);
    expect([...taken.values()].join()).toBe('1,1,1');
  });
});

test('a connection without mail is kept as long as is set', async () => {
  dns.zone['kept.test'] = { mx: [[10, 'mx.test']], ttl: 1_000_000 };
  for (const seconds of [60, 240]) {
    await set({ mtSmtpcIdleTime: String(seconds) });
    const before = sink.connections;
    await send('x@kept.test', `kept for ${seconds}`);
    await eventually(async () => arrived().includes(`kept for ${seconds}`));
    await server.turn({ seconds: seconds - 30 });
    expect([sink.connections - before, sink.open]).toEqual([1, 1]);
    await server.turn({ seconds: 32 });
    await eventually(async () => sink.open === 0);
  }
  await set({ mtSmtpcIdleTime: '0' });
  touched.delete('mtSmtpcIdleTime');
});

test('a peer is tried again at its interval, and what could not be sent for its period comes back', async () => {
  sink.script = { extensions: [], reply: (verb) => (verb === 'MAIL' ? '451 4.3.0 not now' : undefined) };
  const tried = (): number => sink.heard.filter((line) => line.startsWith('MAIL')).length;
  await withPeer('peer.test', { mtPeerQueueInterval: '20', mtPeerRetryPeriod: '2' }, async () => {
    const before = tried();
    await send('x@peer.test', 'in vain');
    await eventually(async () => (await reasons('x@peer.test')).join().includes('not now'));
    expect(tried()).toBe(before + 1);
    await server.turn({ minutes: 18 });
    expect(tried()).toBe(before + 1);
    await server.turn({ minutes: 8 });
    await eventually(async () => tried() === before + 2);
    // Each wait is half as long again as the one before.
    await server.turn({ minutes: 40 });
    await eventually(async () => tried() === before + 3);
    await server.turn({ minutes: 50 });
    await eventually(async () => tried() === before + 4);
    expect(await subjects(files, user)).toEqual([]);
    await server.turn({ minutes: 8 });
    // Two hours are over.
    await eventually(async () => (await subjects(files, user)).length === 1);
    expect((await newest(files, user)).toString()).toMatch(/451 4\.3\.0 not now[\s\S]*Subject: in vain/);
    expect(await reasons('x@peer.test')).toEqual([]);
  });
});

test('what waits for the run of its peer goes sooner when the interval is made shorter, and at once when it need not wait any more', async () => {
  await withPeer('gather.test', { mtPeerQueueFirst: 'TRUE', mtPeerQueueInterval: '10080' }, async (peer) => {
    const waits = (count: number): Promise<number> => eventually(async () => (await reasons('x@gather.test')).length === count);
    const gone = (...names: string[]): Promise<number> => eventually(async () => names.every((name) => arrived().includes(name)));
    for (const name of ['first', 'second']) await send('x@gather.test', name);
    await waits(2);
    await peer({ mtPeerQueueInterval: '15' });
    await server.turn({ minutes: 17 });
    await gone('first', 'second');
    await peer({ mtPeerQueueInterval: '10080' });
    for (const name of ['third', 'fourth']) await send('x@gather.test', name);
    await waits(2);
    await peer({ mtPeerQueueFirst: 'FALSE' });
    await gone('third', 'fourth');
  });
});

test('how many hours a message has been deferred for weighs as the boundaries and weights of time say', async () => {
  let away = true;
  sink.script = { extensions: [], reply: (verb) => (verb === 'connect' && away ? '421 4.3.2 not now' : undefined) };
  await withPeer('weight.test', { mtPeerQueueInterval: '10080', mtPeerRetryPeriod: '720', mtPeerSessions: '1' }, async () => {
    /** The first has been deferred for two and a half hours, the second for one and a half, the third for half an hour. */
    const inOrder = async (settings: Record<string, string>): Promise<string> => {
      away = true;
      for (const [n, name] of ['old', 'middle', 'new'].entries()) {
        await send('x@weight.test', name);
        await eventually(async () => (await reasons('x@weight.test')).filter((reason) => reason.includes('not now')).length === n + 1);
        await server.turn({ minutes: name === 'new' ? 30 : 60 });
      }
      await set(settings);
      away = false;
      const before = sink.messages.length;
      await control(files, '/queue/SMTPC/retry?identifier=weight.test', 'POST');
      await eventually(async () => sink.messages.length === before + 3);
      return arrived().slice(before).join(' ');
    };
    const weighed = { mtSmtpcTimeMultiplier: '1', mtSmtpcTimeBoundaries: '1, 2', mtSmtpcTimeWeights: '5, 20, 10' };
    expect(await inOrder(weighed)).toBe('middle old new');
    expect(await inOrder({ ...weighed, mtSmtpcTimeMultiplier: '-1' })).toBe('new old middle');
    expect(await inOrder({ ...weighed, mtSmtpcTimeBoundaries: '2, 3' })).toBe('old middle new');
    expect(await inOrder({ ...weighed, mtSmtpcTimeWeights: '20, 10, 0' })).toBe('new middle old');
  });
});

test('the relay hosts change after the time that is set, and back', async () => {
  const [dead, second] = [await freePort(), await startSink({ extensions: [] })];
  stops.push(second.stop);
  const has = (at: Sink, name: string): boolean => at.messages.some(({ to }) => to.includes(`${name}@relayed.test`));
  await set({
    mtSmtpcNameResolution: 'MailRelayHost',
    mtSmtpcRelayHost: `mx.test:${dead}`,
    mtSmtpcSecondaryRelayHost: `mx.test:${second.port}`,
    mtSmtpcRelaySwitchOver: '40',
    mtSmtpcRelaySwitchBack: '60',
  });
  await send('one@relayed.test');
  await eventually(async () => /ECONNREFUSED/.test((await reasons('one@relayed.test')).join()));
  await server.turn({ minutes: 37 });
  expect(has(second, 'one')).toBe(false);
  await server.turn({ minutes: 4 });
  // What waited for it goes without being told.
  await eventually(async () => has(second, 'one'));
  // It is there again: nobody asks before the time.
  const first = await startSink({ extensions: [] }, { port: dead });
  stops.push(first.stop);
  await server.turn({ minutes: 50 });
  await send('two@relayed.test');
  await eventually(async () => has(second, 'two'));
  await server.turn({ minutes: 12 });
  await send('three@relayed.test');
  await eventually(async () => has(first, 'three'));
});

test('ETRN is sent at its interval', async () => {
  sink.script = { extensions: ['ETRN'] };
  const before = heard('ETRN');
  const asked = (): number => heard('ETRN') - before;
  await set({ mtSmtpcEtrnHost: 'mx.test', mtSmtpcEtrnInterval: '30' });
  await eventually(async () => asked() === 1);
  await server.turn({ minutes: 27 });
  expect(asked()).toBe(1);
  await server.turn({ minutes: 5 });
  await eventually(async () => asked() === 2);
  await set({ mtSmtpcEtrnInterval: '90' });
  await server.turn({ minutes: 87 });
  expect(asked()).toBe(2);
  await server.turn({ minutes: 5 });
  await eventually(async () => asked() === 3);
});
