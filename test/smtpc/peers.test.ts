/** What is agreed with a peer decides what is sent there, when and how. */

import { afterEach, expect, test } from '@jest/globals';
import { waitsUntil } from '../../src/smtpc/agreed.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { smtpcSettings } from '../../src/smtpc/index.ts';
import { leastOf } from '../../src/smtpc/tls/policy.ts';
import { peerThat, startWorld, type World } from './helpers.ts';

let world: World | undefined;
const begin = async (...args: Parameters<typeof startWorld>): Promise<World> => {
  world = await startWorld(...args);
  return world;
};
afterEach(async () => {
  await world?.stop();
  world = undefined;
});
const dest = 'dest.example';
const minute = 60_000;

test('mail for a peer that gets none goes back to its sender, and no connection is made', async () => {
  const { peers, queued, until, logged, notices, sink } = await begin();
  peers[dest] = { transmit: false };
  await queued([`bob@${dest}`]);
  await until(1);
  expect(logged[0]).toMatch(/^Rejected .*: 5\.7\.1 this host is not authorized to send mail to dest\.example$/);
  const [notice] = await notices();
  expect(notice).toMatchObject({ to: ['ann@jade.example'] });
  expect(notice?.text).toMatch(/Status: 5\.7\.1/);
  expect(notice?.text).not.toContain('cn=default');
  expect(sink.connections).toBe(0);
});

test('a message over the limit agreed for a peer goes back, one that just fits goes out', async () => {
  const { peers, queued, until, logged, sink, queue } = await begin();
  peers[dest] = { outboundSize: 8_192 };
  const prefix = `Received: by mx.jade.example id ${queue.newId()}\r\n`.length;
  await queued([`fits@${dest}`], { text: 'x'.repeat(8_192 - prefix) });
  await queued([`large@${dest}`], { text: 'x'.repeat(8_193 - prefix) });
  await until(2);
  expect(logged.find((line) => line.startsWith('Rejected'))).toMatch(
    / to large@dest\.example .*: 5\.3\.4 the message has 8193 octets, at most 8192 are sent to dest\.example/,
  );
  expect(sink.messages.map(({ to }) => to)).toEqual([[`fits@${dest}`]]);
});

test('the limit holds for messages that find the session open, too', async () => {
  const { peers, queued, until, logged, sink, smtpc } = await begin();
  await smtpc.stop();
  peers[dest] = { outboundSize: 8_192, sessions: 1 };
  await queued([`one@${dest}`]);
  await queued([`large@${dest}`], { text: 'x'.repeat(9_000) });
  await queued([`two@${dest}`]);
  await smtpc.start(() => {});
  await until(3);
  expect(logged.filter((line) => line.startsWith('Rejected'))).toHaveLength(1);
  expect(sink.messages.map(({ to }) => to[0]).sort()).toEqual([`one@${dest}`, `two@${dest}`]);
  expect(sink.connections).toBe(1);
});

test('with queueing first mail waits for the queue run of its peer, and all of it goes then', async () => {
  const { peers, queued, until, logged, sink, clock, queue } = await begin();
  peers[dest] = { queueFirst: true, queueInterval: 30 };
  const run = clock.now() - (clock.now() % (30 * minute)) + 30 * minute;
  const first = await queued([`one@${dest}`]);
  await queued([`two@${dest}`]);
  await until(2, /^Deferred/);
  expect(logged[0]).toMatch(/^Deferred .*: waits for the queue run of default$/);
  expect((await queue.get(first))?.recipients).toMatchObject([{ nextAttempt: run }]);
  expect(sink.connections).toBe(0);
  clock.advance(run - clock.now() + 1_000);
  await until(2, /^Sent/);
  expect(sink.messages.map(({ to }) => to[0]).sort()).toEqual([`one@${dest}`, `two@${dest}`]);
});

test('a request of the peer makes what waits go at once', async () => {
  const { peers, queued, until, queue, clock } = await begin();
  peers[dest] = { queueFirst: true, queueInterval: 1_440 };
  await queued([`one@${dest}`]);
  await until(1, /^Deferred/);
  clock.advance(1_000);
  await queue.retryNow('SMTPC', dest);
  await until(1, /^Sent/);
});

test('interval and retry period are those of the peer', async () => {
  const { peers, queued, until, queue, clock, logged, notices } = await begin({
    reply: (verb) => (verb === 'connect' ? '421 4.3.2 no' : undefined),
  });
  peers[dest] = { queueInterval: 7, retryPeriod: 1 };
  const id = await queued([`bob@${dest}`]);
  const arrived = clock.now();
  await until(1);
  expect((await queue.get(id))?.recipients).toMatchObject([{ nextAttempt: arrived + 7 * minute }]);
  for (let n = 2; n < 20 && !logged.some((line) => line.startsWith('Rejected')); n++) {
    const at = (await queue.get(id))?.recipients[0]?.nextAttempt ?? 0;
    expect(at).toBeLessThanOrEqual(arrived + 60 * minute);
    clock.advance(at - clock.now() + 1);
    await until(n);
  }
  expect(logged.at(-1)).toMatch(/^Rejected /);
  expect((await notices())[0]?.text).toMatch(/tried for an hour without success/);
});

test('a peer that must be encrypted gets nothing in the clear, whatever holds for others', async () => {
  const { peers, queued, until, logged, sink, zones } = await begin();
  zones['other.example'] = { mx: [{ preference: 1, exchange: 'mx.dest.example' }] };
  peers[dest] = { tls: 'required' };
  await queued([`bob@${dest}`]);
  await queued(['bob@other.example']);
  await until(2);
  expect(logged.filter((line) => line.startsWith('Sent')).join()).toContain('bob@other.example');
  expect(logged.filter((line) => line.startsWith('Deferred')).join()).toContain(`bob@${dest}`);
  expect(sink.messages).toHaveLength(1);
});

test.each([
  ['smtpc', 'opportunistic', false],
  ['off', 'off', false],
  ['opportunistic', 'opportunistic', false],
  ['required', 'required', false],
  ['verified', 'required', true],
] as const)('encryption %s is %s', (policy, tls, tlsVerify) => {
  const settings = defaultsOf(smtpcSettings);
  expect(leastOf({ peer: peerThat({ tls: policy }), settings })).toMatchObject({ tls, verify: tlsVerify });
});

test('what was tried before, or asked for, does not wait for the queue run again', () => {
  const lease = (attempts: number) => ({ recipients: [{ attempts }] }) as unknown as Parameters<typeof waitsUntil>[0];
  const peer = peerThat({ queueFirst: true, queueInterval: 15 });
  expect(waitsUntil(lease(0), peer, 0)).toBe(15 * minute);
  expect(waitsUntil(lease(0), peer, 15 * minute - 1)).toBe(15 * minute);
  expect(waitsUntil(lease(1), peer, 0)).toBeUndefined();
  expect(waitsUntil(lease(0), peerThat({}), 0)).toBeUndefined();
});
