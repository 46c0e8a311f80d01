/** Mail relay hosts: who gets what, and which of the two. */

import { afterEach, expect, test } from '@jest/globals';
import type { SmtpcSettings } from '../../src/smtpc/index.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { startWorld, type World } from './helpers.ts';

let world: World;
let other: Sink | undefined;
const minute = 60_000;

afterEach(async () => {
  await world.stop();
  await other?.stop();
  other = undefined;
});

const begin = async (changed: Partial<SmtpcSettings>): Promise<void> => {
  world = await startWorld({}, changed, { isOwn: (address) => address === '127.0.0.66' });
  world.zones['relay.example'] = { a: ['127.0.0.1'] };
};
const set = (changed: Partial<SmtpcSettings>): void => world.settings.set({ ...world.settings.value, ...changed });
const line = (address: string): string => world.logged.filter((one) => one.includes(` to ${address}`)).at(-1) ?? '';
const about = (pattern: RegExp): string[] => world.logged.filter((one) => pattern.test(one));

test('with MailRelayHost all mail goes there, whatever the DNS and the addresses say', async () => {
  await begin({ nameResolution: 'MailRelayHost', relayHost: 'Relay.example' });
  for (const to of ['a@dest.example', 'a@gone.example', 'a@[192.0.2.1]', 'a@mx.jade.example']) await world.queued([to]);
  await world.until(4);
  expect(about(/^Sent /)).toHaveLength(4);
  expect(new Set(world.logged.map((one) => / host=(\S+)/.exec(one)?.[1]))).toEqual(new Set(['relay.example']));
});

test('with MailRelayHost and none set mail waits, and the log says why', async () => {
  await begin({ nameResolution: 'MailRelayHost' });
  await world.queued(['a@dest.example']);
  await world.until(2);
  expect(about(/^\[Error\] mail waits: .*none is set/)).toHaveLength(1);
  expect(line('a@dest.example')).toMatch(/^Deferred /);
  set({ relayHost: 'relay.example' });
  world.clock.advance(1);
  await world.queue.retryNow('SMTPC');
  await world.until(1, /^Sent /);
});

test('a relay host that says it takes no mail is told with its own words, and mail waits', async () => {
  await begin({ nameResolution: 'MailRelayHost', relayHost: 'relay.example' });
  world.sink.script.reply = (verb) => (verb === 'connect' ? '521 5.3.2 takes no mail' : undefined);
  await world.queued(['a@dest.example']);
  await world.until(1, /^(Deferred|Rejected) /);
  expect(line('a@dest.example')).toMatch(/^Deferred .*521 5\.3\.2 takes no mail$/);
});

test('otherwise the relay host gets the mail for names that do not exist, and no other', async () => {
  await begin({ relayHost: 'relay.example' });
  Object.assign(world.zones, {
    'null.example': { mx: [{ preference: 0, exchange: '' }] },
    'sick.example': { mx: 'sick' },
    'bare.example': {},
    'dangling.example': { mx: [{ preference: 1, exchange: 'nowhere.example' }] },
    'loop.example': { mx: [{ preference: 1, exchange: 'mx.jade.example' }] },
  });
  for (const domain of ['null', 'sick', 'bare', 'dangling', 'loop', 'gone', 'dest']) await world.queued([`a@${domain}.example`]);
  await world.until(7);
  for (const domain of ['bare', 'dangling', 'gone']) expect(line(`a@${domain}.example`)).toMatch(/^Sent .* host=relay\.example/);
  expect(line('a@dest.example')).toMatch(/^Sent .* host=mx\.dest\.example/);
  expect(line('a@sick.example')).toMatch(/^Deferred /);
  expect(line('a@null.example')).toMatch(/^Rejected .*5\.1\.10/);
  expect(line('a@loop.example')).toMatch(/^Rejected .*5\.4\.6/);
  set({ relayWithoutDns: true });
  world.clock.advance(1);
  await world.queue.retryNow('SMTPC');
  await world.until(8);
  expect(line('a@sick.example')).toMatch(/^Sent .* host=relay\.example/);
});

test.each([
  ['does not exist', 'missing.example', /has no address/],
  ['is this host', 'own.example', /is this host itself/],
])('a relay host that %s keeps mail waiting and never sends it back', async (_, relayHost, why) => {
  await begin({ nameResolution: 'MailRelayHost', relayHost });
  world.zones['own.example'] = { a: ['127.0.0.66'] };
  await world.queued(['a@dest.example']);
  await world.until(2);
  expect(line('a@dest.example')).toMatch(/^Deferred /);
  expect(about(/^\[Error\]/)[0]).toMatch(why);
});

test('the secondary relay host is used once the primary one has been down for the interval, and not before', async () => {
  other = await startSink();
  await begin({
    nameResolution: 'MailRelayHost',
    relayHost: 'relay.example',
    secondaryRelayHost: `[127.0.0.1]:${other.port}`,
    relaySwitchOver: 5,
    relaySwitchBack: 30,
  });
  let down = true;
  world.sink.script.reply = (verb) => (down && verb === 'connect' ? '421 4.3.2 closed for today' : undefined);
  await world.queued(['a@dest.example']);
  await world.until(1, /^Deferred /);
  expect(world.smtpc.relays()).toMatchObject({ using: 'primary', downSince: world.clock.now(), reason: expect.stringContaining('closed') });
  world.clock.advance(4 * minute);
  world.clock.advance(1);
  await world.queue.retryNow('SMTPC');
  await world.until(2, /^Deferred /);
  expect(other.messages).toHaveLength(0);
  // The end of the interval hastens what waits.
  world.clock.advance(minute);
  await world.until(1, /^Sent /);
  expect(other.messages).toHaveLength(1);
  expect(about(/^\[Warning\] the primary mail relay host relay\.example has been unavailable for 5 minutes/)).toHaveLength(1);
  expect(world.smtpc.relays()).toMatchObject({ using: 'secondary' });

  // It stays so over a restart; the primary one is not even asked.
  await world.smtpc.stop();
  await world.smtpc.start(() => {});
  const asked = world.sink.connections;
  await world.queued(['b@dest.example']);
  await world.until(2, /^Sent /);
  expect([other.messages.length, world.sink.connections]).toEqual([2, asked]);

  // Tried again after the other interval: still down, the secondary one takes it.
  world.clock.advance(30 * minute);
  await world.queued(['c@dest.example']);
  await world.until(3, /^Sent /);
  expect([other.messages.length, world.sink.connections]).toEqual([3, asked + 1]);
  down = false;
  await world.queued(['d@dest.example']);
  await world.until(4, /^Sent /);
  expect(other.messages).toHaveLength(4);
  world.clock.advance(30 * minute);
  await world.queued(['e@dest.example']);
  await world.until(5, /^Sent /);
  expect([other.messages.length, world.sink.messages.length]).toEqual([4, 1]);
  expect(about(/^\[Warning\] the primary mail relay host relay\.example answers again/)).toHaveLength(1);
  expect(world.smtpc.relays()).toMatchObject({ using: 'primary', downSince: undefined });
});

test('with an interval of 0 the same attempt goes on to the secondary relay host; with the switch off it does not', async () => {
  other = await startSink();
  await begin({
    nameResolution: 'MailRelayHost',
    relayHost: 'relay.example',
    secondaryRelayHost: `[127.0.0.1]:${other.port}`,
    relaySwitchOver: 0,
    secondaryRelay: false,
  });
  world.sink.script.reply = (verb) => (verb === 'connect' ? 'drop' : undefined);
  await world.queued(['a@dest.example']);
  await world.until(1, /^Deferred /);
  expect(other.connections).toBe(0);
  set({ secondaryRelay: true });
  world.clock.advance(1);
  await world.queue.retryNow('SMTPC');
  await world.until(1, /^Sent /);
  expect(other.messages).toHaveLength(1);
});

test('while the secondary relay host is down, too, the primary one is asked with every attempt', async () => {
  await begin({
    nameResolution: 'MailRelayHost',
    relayHost: 'relay.example',
    secondaryRelayHost: '[127.0.0.98]:9',
    relaySwitchOver: 0,
    relaySwitchBack: 1_000,
  });
  let down = true;
  world.sink.script.reply = (verb) => (down && verb === 'connect' ? 'drop' : undefined);
  await world.queued(['a@dest.example']);
  await world.until(1, /^Deferred /);
  down = false;
  world.clock.advance(1);
  await world.queue.retryNow('SMTPC');
  await world.until(1, /^Sent /);
  expect(world.smtpc.relays().using).toBe('primary');
});

test('other hosts in the settings begin anew', async () => {
  other = await startSink();
  await begin({
    nameResolution: 'MailRelayHost',
    relayHost: '[127.0.0.98]:9',
    secondaryRelayHost: `[127.0.0.1]:${other.port}`,
    relaySwitchOver: 0,
  });
  await world.queued(['a@dest.example']);
  await world.until(1, /^Sent /);
  expect(world.smtpc.relays().using).toBe('secondary');
  set({ relayHost: 'relay.example' });
  expect(world.smtpc.relays()).toMatchObject({ using: 'primary', downSince: undefined });
  await world.queued(['b@dest.example']);
  await world.until(2, /^Sent /);
  expect(world.sink.messages).toHaveLength(1);
});

test('a relay host without a second one is known to be down, and an interval that is made shorter counts at once', async () => {
  other = await startSink();
  await begin({ nameResolution: 'MailRelayHost', relayHost: '[127.0.0.98]:9', relaySwitchOver: 60 });
  await world.queued(['a@dest.example']);
  await world.until(1, /^Deferred /);
  expect(world.smtpc.relays()).toMatchObject({
    using: 'primary',
    downSince: world.clock.now(),
    reason: expect.stringContaining('ECONNREFUSED'),
  });
  set({ secondaryRelayHost: `[127.0.0.1]:${other.port}` });
  await world.queue.retryNow('SMTPC');
  world.clock.advance(minute);
  await world.queue.retryNow('SMTPC');
  await world.until(2, /^Deferred /);
  world.clock.advance(9 * minute);
  expect(other.messages).toHaveLength(0);
  set({ relaySwitchOver: 5 });
  world.clock.advance(1);
  await world.until(1, /^Sent /);
  expect(other.messages).toHaveLength(1);
});
