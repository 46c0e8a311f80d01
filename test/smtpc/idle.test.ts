/** Connections that are kept for the next message: who gets them, and what a peer may do to them meanwhile. */

import type { SecureContext } from 'node:tls';
import { afterEach, expect, test } from '@jest/globals';
import { LiveValue, ManualClock } from '../../src/base/index.ts';
import { Idle, type Terms } from '../../src/smtpc/idle.ts';
import type { PeerSession } from '../../src/smtpc/peer-session.ts';
import { unverified } from '../../src/smtpc/tls/verify.ts';
import { eventually } from '../support/server.ts';
import { testCertificate } from '../smtpd/helpers.ts';
import { startWorld, type World } from './helpers.ts';

let world: World | undefined;
const begin = async (...args: Parameters<typeof startWorld>): Promise<World> => {
  world = await startWorld(...args);
  return world;
};
afterEach(async () => {
  await world?.stop();
  world = undefined;
});

/** A message that comes alone; resolves when something has become of it. */
async function alone(all: World, address = 'bob@dest.example'): Promise<string> {
  const before = all.logged.length;
  await all.queued([address]);
  await all.until(before + 1, /./);
  return all.logged.at(-1) ?? '';
}
const verbs = ({ sink }: World): string[] => sink.heard.map((line) => line.split(/[ :]/)[0] ?? '');
const isClosed = async ({ sink }: World): Promise<void> => {
  await eventually(async () => sink.open === 0);
};

test('a message that comes later goes over the same connection, and nothing but its own commands is said for it', async () => {
  const all = await begin();
  expect(await alone(all)).toMatch(/^Sent/);
  expect(await alone(all)).toMatch(/^Sent/);
  expect(all.sink.connections).toBe(1);
  expect(verbs(all)).toEqual(['EHLO', 'MAIL', 'RCPT', 'DATA', 'MAIL', 'RCPT', 'DATA']);
  expect(all.sink.messages).toHaveLength(2);
});

test('what nobody has taken within the time of the setting ends with QUIT', async () => {
  const all = await begin({}, { idleTime: 7 });
  await alone(all);
  all.clock.advance(6_999);
  expect(all.sink.open).toBe(1);
  all.clock.advance(1);
  await isClosed(all);
  expect(verbs(all).at(-1)).toBe('QUIT');
  // Each message begins the time anew.
  await alone(all);
  all.clock.advance(5_000);
  await alone(all);
  all.clock.advance(5_000);
  await alone(all);
  expect(all.sink.connections).toBe(2);
});

test('with 0 nothing is kept', async () => {
  const all = await begin({}, { idleTime: 0 });
  await alone(all);
  await isClosed(all);
  await alone(all);
  expect(all.sink.connections).toBe(2);
});

test.each([
  ['SMTPC', { messagesPerSession: 2 }, {}],
  ['the peer', {}, { messagesPerSession: 2 }],
])('the messages that a session may have by the word of %s count from its beginning', async (_, settings, says) => {
  const all = await begin({}, settings);
  all.peers['dest.example'] = says;
  for (let n = 0; n < 5; n += 1) await alone(all);
  expect(all.sink.connections).toBe(3);
  expect(verbs(all).filter((verb) => verb === 'QUIT')).toHaveLength(2);
});

test.each([
  ['hangs up', (all: World) => all.sink.hangUp()],
  ['says 421 and hangs up', (all: World) => [all.sink.speak('421 4.4.2 idle for too long\r\n'), all.sink.hangUp()]],
  ['says 421 and waits', (all: World) => all.sink.speak('421 4.4.2 idle for too long\r\n')],
  ['answers beforehand', (all: World) => all.sink.speak('250 2.1.0 ok\r\n')],
  ['answers everything beforehand', (all: World) => all.sink.speak('250 ok\r\n250 ok\r\n354 go on\r\n250 taken\r\n')],
  ['begins a reply', (all: World) => all.sink.speak('250-2.1.0 taken\r\n')],
  ['begins a line', (all: World) => all.sink.speak('25')],
  ['sends an empty line', (all: World) => all.sink.speak('\r\n')],
  ['sends octets', (all: World) => all.sink.speak('\0\xff\xfe')],
])('a peer that %s while nobody has asked it anything gets the next message over a new connection', async (_, disturb) => {
  const all = await begin();
  await alone(all);
  disturb(all);
  await isClosed(all);
  expect(await alone(all)).toMatch(/^Sent .* attempts=1: 250 2\.0\.0 taken$/);
  expect(all.sink.connections).toBe(2);
  expect(all.sink.messages).toHaveLength(2);
  expect(all.logged).toHaveLength(2);
});

test('what came right behind the reply to the message ends the connection, too', async () => {
  const all = await begin({
    reply: (verb, _line, connection) => (verb === '.' && connection === 1 ? '250 taken\r\n250 taken' : undefined),
  });
  await alone(all);
  await isClosed(all);
  await alone(all);
  expect(all.sink.connections).toBe(2);
});

test.each(['MAIL', 'RCPT', 'DATA'])('a kept connection that is lost at %s costs the message nothing', async (at) => {
  for (const end of ['drop', '421 4.4.2 too late']) {
    const all = await begin();
    await alone(all);
    all.sink.script.reply = (verb, _line, connection) => (verb === at && connection === 1 ? end : undefined);
    expect(await alone(all)).toMatch(/^Sent .* attempts=1:/);
    expect(all.sink.connections).toBe(2);
    expect(all.sink.messages).toHaveLength(2);
    expect(all.logged).toHaveLength(2);
    await all.stop();
  }
  world = undefined;
});

test('where the new connection is lost as well, that is one attempt', async () => {
  const all = await begin();
  await alone(all);
  all.sink.script.reply = (verb) => (verb === 'MAIL' ? 'drop' : undefined);
  expect(await alone(all)).toMatch(/^Deferred .* attempts=1/);
  expect(all.sink.connections).toBe(2);
});

test('once the peer may have the message it is not sent again at once', async () => {
  const all = await begin();
  await alone(all);
  all.sink.script.reply = (verb) => (verb === '.' ? 'drop' : undefined);
  expect(await alone(all)).toMatch(/^Deferred .* attempts=1/);
  expect(all.sink.connections).toBe(1);
  expect(verbs(all).filter((verb) => verb === 'DATA')).toHaveLength(2);
});

test.each([
  ['MAIL', 'bob'],
  // A transaction that came to nothing is ended before the next one begins.
  ['RSET', 'no'],
])('a peer that does not answer %s over a kept connection is asked over a new one after twenty seconds', async (at, first) => {
  const all = await begin({ reply: (verb, line) => (verb === 'RCPT' && line.includes('<no@') ? '550 5.1.1 nobody' : undefined) });
  await alone(all, `${first}@dest.example`);
  all.sink.script.reply = (verb, _line, connection) => (verb === at && connection === 1 ? 'mute' : undefined);
  const before = all.sink.heard.length;
  await all.queued(['bob@dest.example']);
  await eventually(async () => verbs(all).slice(before).includes(at));
  all.clock.advance(19_999);
  expect(all.sink.connections).toBe(1);
  all.clock.advance(1);
  await all.until(2, /^(Sent|Rejected)/);
  expect(all.sink.connections).toBe(2);
  expect(all.logged.at(-1)).toMatch(/^Sent .*attempts=1/);
});

test('a connection that nobody uses gives way to one for somebody else', async () => {
  const all = await begin({}, { pendingProcessors: 1, pendingSessions: 2, idleTime: 60 });
  for (const name of ['a', 'b', 'c']) {
    all.zones[`${name}.example`] = { mx: [{ preference: 1, exchange: `mx.${name}.example` }] };
    all.zones[`mx.${name}.example`] = { a: ['127.0.0.1'] };
  }
  await alone(all, 'bob@a.example');
  await alone(all, 'bob@b.example');
  expect(verbs(all)).not.toContain('QUIT');
  await alone(all, 'bob@c.example');
  await eventually(async () => all.sink.open === 2);
  // The oldest has gone.
  await alone(all, 'bob@b.example');
  expect(all.sink.connections).toBe(3);
  await alone(all, 'bob@a.example');
  expect(all.sink.connections).toBe(4);
});

test('a kept connection is one of those that are agreed with the peer', async () => {
  const all = await begin({}, { idleTime: 60 });
  all.peers['dest.example'] = { sessions: 1 };
  await alone(all);
  // Another host of the same domain.
  all.zones['other.example'] = { a: ['127.0.0.1'] };
  all.zones['dest.example'] = { mx: [{ preference: 1, exchange: 'other.example' }] };
  await alone(all);
  await eventually(async () => all.sink.open === 1);
  expect(all.sink.connections).toBe(2);
});

test('of two hosts of one rank the one is used to which there is a connection', async () => {
  const all = await begin();
  all.zones['x.example'] = { a: ['127.0.0.1'] };
  all.zones['dest.example'] = { mx: [{ preference: 1, exchange: 'x.example' }] };
  await alone(all);
  all.zones['a.example'] = { a: ['127.0.0.9'] };
  all.zones['dest.example'] = {
    mx: [
      { preference: 1, exchange: 'a.example' },
      { preference: 1, exchange: 'x.example' },
    ],
  };
  expect(await alone(all)).toMatch(/^Sent .* host=x\.example/);
  expect(all.sink.connections).toBe(1);
});

test('mail for another domain at the same host has the same connection, unless other encryption is agreed', async () => {
  const all = await begin();
  for (const name of ['two.example', 'three.example']) all.zones[name] = { mx: [{ preference: 1, exchange: 'mx.dest.example' }] };
  all.peers['three.example'] = { tls: 'required' };
  await alone(all);
  expect(await alone(all, 'bob@two.example')).toMatch(/^Sent/);
  expect(all.sink.connections).toBe(1);
  expect(await alone(all, 'bob@three.example')).toMatch(/^Deferred/);
  expect(all.sink.messages).toHaveLength(2);
});

test.each([
  ['encryption is asked for', (all: World) => (all.peers['dest.example'] = { tls: 'required' }), /^Deferred .*does not offer encryption/],
  ['the peer gets no mail any more', (all: World) => (all.peers['dest.example'] = { transmit: false }), /^Rejected .*5\.7\.1/],
  ['the host has another address', (all: World) => (all.zones['mx.dest.example'] = { a: ['127.0.0.9'] }), /^Deferred .*127\.0\.0\.9/],
  ['the domain has gone', (all: World) => (all.zones['dest.example'] = { mx: 'gone' }), /^Rejected .*5\.1\.2/],
])('where %s meanwhile, the kept connection is nothing to go by', async (_, change, expected) => {
  const all = await begin();
  await alone(all);
  change(all);
  expect(await alone(all)).toMatch(expected);
  expect(all.sink.messages).toHaveLength(1);
});

test('an encrypted connection is kept, too, and not for a peer whose certificate has to be good', async () => {
  const all = await begin({ tls: testCertificate() });
  expect(await alone(all)).toContain('encrypted=TLSv1.3');
  expect(await alone(all)).toContain('encrypted=TLSv1.3');
  expect(all.sink.connections).toBe(1);
  all.peers['dest.example'] = { tls: 'verified' };
  expect(await alone(all)).toMatch(/^Deferred .*certificate/);
  expect(all.sink.messages).toHaveLength(2);
});

test('a peer that says something over an encrypted connection unasked is not believed either', async () => {
  const all = await begin({ tls: testCertificate() });
  await alone(all);
  all.sink.speak('250 ok\r\n');
  await isClosed(all);
  expect(await alone(all)).toMatch(/^Sent/);
  expect(all.sink.connections).toBe(2);
});

test('a changed setting ends what is kept, with QUIT, and so does stopping', async () => {
  const all = await begin({}, { idleTime: 60 });
  await alone(all);
  all.settings.set({ ...all.settings.value, sourceIpv4: '127.0.0.5' });
  await isClosed(all);
  expect(verbs(all).at(-1)).toBe('QUIT');
  await alone(all);
  expect(all.sink.clients.at(-1)).toMatch(/127\.0\.0\.5$/);
  await all.smtpc.stop();
  await isClosed(all);
  expect(verbs(all).at(-1)).toBe('QUIT');
  // And after a start it is as before.
  await all.smtpc.start(() => {});
  await alone(all);
  await alone(all);
  expect(all.sink.connections).toBe(3);
});

test('stopping does not wait for a peer that does not answer QUIT', async () => {
  const all = await begin({ reply: (verb) => (verb === 'QUIT' ? 'mute' : undefined) }, { idleTime: 60 });
  await alone(all);
  await all.smtpc.stop();
  await isClosed(all);
  expect(verbs(all).at(-1)).toBe('QUIT');
});

const terms: Terms = {
  target: { host: 'mx.dest.example', address: '192.0.2.1', port: 25 },
  source: undefined,
  name: 'mx.jade.example',
  login: undefined,
  demand: {
    tls: 'opportunistic',
    check: unverified(['mx.dest.example']),
    servername: 'mx.dest.example',
    by: 'mtSmtpcTls of cn=smtpc',
    policy: { type: 'no-policy-found', text: [], mx: [] },
  },
  context: undefined,
  size: true,
  told: false,
};
const { demand } = terms;

test.each<[string, Partial<Terms>, boolean]>([
  ['the same terms', {}, true],
  ['another name of the host', { target: { ...terms.target, host: 'other.example' } }, false],
  ['another address', { target: { ...terms.target, address: '192.0.2.2' } }, false],
  ['another port', { target: { ...terms.target, port: 26 } }, false],
  ['another address of ours', { source: '192.0.2.9' }, false],
  ['another name of ours', { name: 'new.jade.example' }, false],
  ['a log-in', { login: { user: 'ann', password: 'x', plainAllowed: false } }, false],
  ['encryption required', { demand: { ...demand, tls: 'required' } }, false],
  ['a policy', { demand: { ...demand, policy: { type: 'sts', text: ['mode: testing'], mx: [] } } }, false],
  [
    'a certificate that has to be good',
    { demand: { ...demand, check: { kind: 'pkix', names: ['mx.dest.example'], enforced: true } } },
    false,
  ],
  ['TLSA records', { demand: { ...demand, check: { kind: 'dane', names: ['mx.dest.example'], records: [] } } }, false],
  ['other authorities', { context: {} as SecureContext }, false],
  ['no SIZE any more', { size: false }, false],
  ['a log that shows what is said', { told: true }, false],
])('a connection is had again on the same terms alone: %s', (_, changed, expected) => {
  const session = { open: true, pause: () => true, resume: () => true, quit: () => {}, destroy: () => {} } as unknown as PeerSession;
  const idle = new Idle({ settings: new LiveValue({ idleTime: 2 }), clock: new ManualClock() });
  idle.start();
  idle.keep({ session, terms, used: 1 }, 'dest.example');
  const copy = { ...terms, target: { ...terms.target }, demand: { ...demand, policy: { ...demand.policy } }, ...changed };
  expect(idle.take(copy, 6) !== undefined).toBe(expected);
  expect(idle.size).toBe(expected ? 0 : 1);
});
