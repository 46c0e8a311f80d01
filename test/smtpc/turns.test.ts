/** Peers that take few recipients at a time, peers that break off, and requests by ETRN. */

import { afterEach, expect, test } from '@jest/globals';
import type { SmtpcSettings } from '../../src/smtpc/index.ts';
import type { SinkScript } from '../support/smtp-sink.ts';
import { startWorld, type World } from './helpers.ts';

let world: World;
afterEach(() => world.stop());
const begin = async (script: SinkScript = {}, changed: Partial<SmtpcSettings> = {}): Promise<void> => {
  world = await startWorld(script, changed);
};
const everybody = ['a', 'b', 'c', 'd', 'e'].map((name) => `${name}@dest.example`);

/** Takes so many recipients of a transaction, and answers this to the others. */
function atMost(count: number, answer: string): NonNullable<SinkScript['reply']> {
  let taken = 0;
  return (verb) => {
    if (verb === 'MAIL') taken = 0;
    if (verb !== 'RCPT') return undefined;
    taken += 1;
    return taken > count ? answer : undefined;
  };
}

test.each([['452 4.5.3 too many recipients'], ['452 too many'], ['552 5.5.3 too many recipients']])(
  'whom the peer did not take with "%s" gets the message in further transactions at once',
  async (answer) => {
    await begin({ reply: atMost(2, answer) });
    await world.queued(everybody);
    await world.until(5);
    expect(world.logged.every((line) => line.startsWith('Sent '))).toBe(true);
    expect(world.sink.messages.map(({ to }) => to)).toEqual([everybody.slice(0, 2), everybody.slice(2, 4), everybody.slice(4)]);
    expect(world.sink.connections).toBe(1);
  },
);

test.each([
  [2, '452 4.2.2 mailbox full', 1],
  [2, '451 4.5.3 later', 1],
  [0, '452 4.5.3 too many recipients', 0],
])('a peer that takes %d and answers "%s" is not asked again', async (count, answer, messages) => {
  await begin({ reply: atMost(count, answer) });
  await world.queued(everybody);
  await world.until(5);
  expect(world.sink.messages).toHaveLength(messages);
  expect(world.logged.filter((line) => line.startsWith('Deferred '))).toHaveLength(5 - count);
});

test.each(['421 4.3.2 closing', 'drop'])(
  'a peer that ends the session with "%s" between messages gets the rest over another one',
  async (reply) => {
    await begin({
      reply: (verb, _line, connection) => (verb === 'MAIL' && connection === 1 && world.sink.messages.length === 1 ? reply : undefined),
    });
    await world.smtpc.stop();
    for (const to of everybody.slice(0, 3)) await world.queued([to]);
    world.peers['dest.example'] = { sessions: 1, messagesPerSession: 10 };
    await world.smtpc.start(() => {});
    await world.until(3, /^Sent /);
    expect(world.logged.filter((line) => !line.startsWith('Sent '))).toEqual([]);
    expect(world.sink.connections).toBe(2);
  },
);

test.each([
  ['connect', '421 4.3.2 busy'],
  ['connect', '554 5.3.2 no service here'],
  ['connect', 'drop'],
  ['EHLO', 'drop'],
  ['EHLO', '421 4.3.2 busy'],
])('a host whose answer to %s is "%s" gives its turn to the next', async (when, reply) => {
  await begin({ reply: (verb, _line, connection) => (verb === when && connection === 1 ? reply : undefined) });
  world.zones['two.example'] = {
    mx: [
      { preference: 10, exchange: 'first.example' },
      { preference: 20, exchange: 'second.example' },
    ],
  };
  for (const name of ['first.example', 'second.example']) world.zones[name] = { a: ['127.0.0.1'] };
  await world.queued(['a@two.example']);
  await world.until(1);
  expect(world.logged[0]).toMatch(/^Sent .* host=second\.example/);
});

test.each([
  ['554 5.3.2 not today', /^Deferred .*554 5\.3\.2 not today/],
  ['521 5.3.2 never', /^Rejected .*5\.3\.2 .*521 5\.3\.2 never/],
])('where every host greets with "%s" the mail waits, or goes back if that is what it means (RFC 7504)', async (greeting, line) => {
  await begin({ reply: (verb) => (verb === 'connect' ? greeting : undefined) });
  await world.queued(['a@dest.example']);
  await world.until(1);
  expect(world.logged[0]).toMatch(line);
});

test('the hosts of the setting are asked by ETRN at the start, at the interval, when added, and on demand', async () => {
  const answers: Record<string, string> = { 'mx.jade.example': '250 2.0.0 started', '@branch.example': '459 4.7.0 not for you' };
  await begin(
    { extensions: ['ETRN'], reply: (verb, line) => (verb === 'ETRN' ? (answers[line.slice(5)] ?? '458 4.0.0 unable') : undefined) },
    { etrnHosts: ['mx.dest.example'], etrnNames: ['@branch.example'], etrnInterval: 60 },
  );
  const said = /^(\[Warning\] )?ETRN /;
  await world.until(2, said);
  expect(world.logged.filter((line) => said.test(line))).toEqual([
    'ETRN mx.jade.example at mx.dest.example: 250 2.0.0 started',
    '[Warning] ETRN @branch.example at mx.dest.example: 459 4.7.0 not for you',
  ]);
  world.clock.advance(60 * 60_000);
  await world.until(4, said);
  world.zones['more.example'] = { a: ['127.0.0.1'] };
  world.settings.set({ ...world.settings.value, etrnHosts: ['mx.dest.example', 'more.example'], etrnInterval: 0 });
  await world.until(6, said);
  world.clock.advance(10 * 60 * 60_000);
  expect(await world.smtpc.etrn('mx.dest.example', ['other.example'])).toEqual([
    { host: 'mx.dest.example', name: 'other.example', code: 458, said: '4.0.0 unable', ok: false },
  ]);
  expect(world.logged.filter((line) => said.test(line))).toHaveLength(7);
  expect(world.sink.heard.filter((line) => line.startsWith('QUIT')).length).toBeGreaterThan(0);
});

test.each([
  [{ extensions: [] }, 'mx.dest.example', /does not offer ETRN/],
  [{ extensions: ['ETRN'], reply: (verb: string) => (verb === 'ETRN' ? 'drop' : undefined) }, 'mx.dest.example', /closed/],
  [{}, 'nowhere.example', /has no address/],
])('a host that cannot be asked is told about', async (script, host, why) => {
  await begin(script);
  const [answer] = await world.smtpc.etrn(host);
  expect(answer).toMatchObject({ host, name: 'mx.jade.example', ok: false, said: expect.stringMatching(why) });
  expect(answer?.code).toBeUndefined();
});

test('ETRN goes along with delivery where the setting says so, once in a while, and never keeps mail', async () => {
  await begin({ extensions: ['ETRN'], reply: (verb) => (verb === 'ETRN' ? '500 5.5.1 what?' : undefined) }, { etrnOnDelivery: true });
  for (const _ of [1, 2]) {
    await world.queued(['a@dest.example']);
    await world.until(1, /^Sent /);
  }
  await world.until(2, /^Sent /);
  expect(world.sink.heard.filter((line) => line.startsWith('ETRN'))).toEqual(['ETRN mx.jade.example']);
  world.clock.advance(10 * 60_000);
  await world.queued(['b@dest.example']);
  await world.until(3, /^Sent /);
  expect(world.sink.heard.filter((line) => line.startsWith('ETRN'))).toHaveLength(2);
});

test('a stop does not wait for hosts that say nothing to ETRN', async () => {
  await begin({ extensions: ['ETRN'], reply: (verb) => (verb === 'ETRN' ? 'mute' : undefined) }, { etrnOnDelivery: true });
  const asked = world.smtpc.etrn('mx.dest.example');
  await world.queued(['a@dest.example']);
  while (world.sink.heard.filter((line) => line.startsWith('ETRN')).length < 2) await new Promise((resolve) => setTimeout(resolve, 2));
  await world.smtpc.stop();
  expect(await asked).toMatchObject([{ ok: false, said: expect.stringMatching(/closed/) }]);
  expect(world.sink.messages).toEqual([]);
  expect(await world.queue.lease('SMTPC', 1)).toHaveLength(1);
});

test('a peer that hangs up at ETRN gets the mail over another connection', async () => {
  await begin({ extensions: ['ETRN'], reply: (verb) => (verb === 'ETRN' ? 'drop' : undefined) }, { etrnOnDelivery: true });
  await world.queued(['a@dest.example']);
  await world.until(1, /^(Sent|Deferred) /);
  expect(world.logged.some((line) => line.startsWith('Sent '))).toBe(true);
});
