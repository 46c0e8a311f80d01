/** How much is sent at one time, in which order, and what becomes of mail for hosts that are down. */

import { afterEach, expect, test } from '@jest/globals';
import type { NewMessage } from '../../src/queue/index.ts';
import { startWorld, type World } from './helpers.ts';

let world: World | undefined;
const begin = async (...args: Parameters<typeof startWorld>): Promise<World> => {
  world = await startWorld(...args);
  return world;
};
afterEach(async () => {
  // Whoever hangs is cut off, so that nobody waits for a clock that stands still.
  await world?.sink.stop();
  await world?.stop();
  world = undefined;
});
const dest = 'dest.example';
const minute = 60_000;
const hour = 60 * minute;

/** Resolves when this holds; what must not happen is given the time of a few turns. */
async function when(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}
const turns = async (): Promise<void> => world?.calm();

/** Domains that all lead to the sink. */
function domains({ zones }: World, count: number, stem = 'd'): string[] {
  const names = Array.from({ length: count }, (_, n) => `${stem}${n}.example`);
  for (const name of names) zones[name] = { mx: [{ preference: 1, exchange: 'mx.dest.example' }] };
  return names;
}

/** Time goes on by steps, as it does. */
async function pass({ calm, clock }: World, ms: number, step: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += step) {
    clock.advance(Math.min(step, ms - gone));
    await calm();
  }
}

/** Messages taken over each connection. */
function perConnection({ sink }: World): number[] {
  const counts: number[] = [];
  const { reply } = sink.script;
  sink.script.reply = (verb, line, connection) => {
    const said = reply?.(verb, line, connection);
    if (verb === '.' && (said === undefined || said.startsWith('2'))) counts[connection - 1] = (counts[connection - 1] ?? 0) + 1;
    return said;
  };
  return counts;
}

test.each([
  [1, 1, 1],
  [2, 3, 6],
  [3, 1, 3],
])('%d processors of %d sessions have %d connections for the pending queue', async (pendingProcessors, pendingSessions, most) => {
  const all = await begin({ reply: (verb) => (verb === 'MAIL' ? 'mute' : undefined) }, { pendingProcessors, pendingSessions });
  for (const name of domains(all, 12)) await all.queued([`a@${name}`]);
  await when(() => all.sink.open === most);
  await turns();
  expect(all.sink.peak).toBe(most);
  // They hang: the runs are over, the connections are still there and still count.
  all.clock.advance(11_000);
  await turns();
  expect(all.sink.peak).toBe(most);
});

test('six hosts that never answer hold up nobody else', async () => {
  const all = await begin({ reply: (verb) => (verb === 'connect' ? 'mute' : undefined) }, { pendingProcessors: 2, pendingSessions: 3 });
  for (const name of domains(all, 6)) await all.queued([`a@${name}`]);
  await when(() => all.sink.open === 6);
  all.sink.script.reply = () => undefined;
  await all.queued([`bob@${dest}`]);
  await turns();
  expect(all.sink.messages).toEqual([]);
  all.clock.advance(10_000);
  await all.until(1, /^Sent/);
});

test.each([
  [{ runSize: 3, messagesPerSession: 6, pendingProcessors: 1, idleTime: 0 }, [3, 3, 1]],
  [{ runSize: 3, messagesPerSession: 6, pendingProcessors: 1 }, [5, 2]],
  [{ runSize: 12, messagesPerSession: 2, pendingProcessors: 1 }, [2, 2, 2, 1]],
  [{ runSize: 1, messagesPerSession: 6, pendingProcessors: 6, idleTime: 0 }, [1, 1, 1, 1, 1, 1, 1]],
  [{ runSize: 12, messagesPerSession: 100, pendingProcessors: 6 }, [5, 2]],
])('%j: seven messages go over connections as %j', async (settings, expected) => {
  const all = await begin({}, settings);
  await all.smtpc.stop();
  all.peers[dest] = { sessions: 1, messagesPerSession: 5 };
  for (let n = 0; n < 7; n += 1) await all.queued([`u${n}@${dest}`]);
  const counts = perConnection(all);
  await all.smtpc.start(() => {});
  await all.until(7);
  expect(counts).toEqual(expected);
});

test('without sending at once, each interval begins one run of each processor', async () => {
  const all = await begin({}, { atOnce: false, runInterval: 5, pendingProcessors: 2, runSize: 3 });
  await turns();
  for (let n = 0; n < 10; n += 1) await all.queued([`u${n}@${dest}`]);
  await turns();
  expect(all.sink.messages).toHaveLength(0);
  all.clock.advance(5 * minute);
  await all.until(6);
  await turns();
  expect(all.sink.messages).toHaveLength(6);
  all.clock.advance(4 * minute);
  await turns();
  expect(all.sink.messages).toHaveLength(6);
  all.clock.advance(minute);
  await all.until(10);
  // There was room for two more in the runs of this interval, but they are over.
  await all.queued([`x@${dest}`]);
  await turns();
  expect(all.sink.messages).toHaveLength(10);
  // Changed while it waits: from now on each minute.
  all.settings.set({ ...all.settings.value, runInterval: 1 });
  all.clock.advance(minute);
  await all.until(11);
  // Switched off while mail is sent at once: what comes from then on waits.
  all.settings.set({ ...all.settings.value, atOnce: true, runInterval: 60 });
  await all.queued([`y@${dest}`]);
  await all.until(12);
  all.settings.set({ ...all.settings.value, atOnce: false });
  await all.queued([`z@${dest}`]);
  await turns();
  expect(all.sink.messages).toHaveLength(12);
  all.settings.set({ ...all.settings.value, atOnce: true });
  await all.until(13);
});

test('without sending at once, mail that waits for the interval goes when somebody says so', async () => {
  const all = await begin({}, { atOnce: false, runInterval: 600 });
  await turns();
  await all.queued([`a@${dest}`]);
  await all.queued([`b@${dest}`]);
  await turns();
  expect(all.sink.messages).toHaveLength(0);
  expect(await all.queue.retryNow('SMTPC', dest)).toBe(2);
  await all.until(2);
  // What comes in afterwards waits again.
  await all.queued([`c@${dest}`]);
  await turns();
  expect(all.sink.messages).toHaveLength(2);
  expect(await all.queue.retryNow('SMTPC')).toBe(1);
  await all.until(3);
});

test('without sending at once new mail waits, though a session of another destination hangs', async () => {
  const all = await begin({ reply: (verb) => (verb === 'MAIL' ? 'mute' : undefined) }, { atOnce: false, runInterval: 5 });
  const [hanging, other] = domains(all, 2);
  await all.queued([`a@${hanging}`]);
  all.clock.advance(5 * minute);
  await when(() => all.sink.heard.some((line) => line.startsWith('MAIL')));
  all.sink.script.reply = () => undefined;
  await all.queued([`b@${other}`]);
  await turns();
  expect(all.sink.connections).toBe(1);
  all.clock.advance(5 * minute);
  await when(() => all.sink.messages.some(({ to }) => to.includes(`b@${other}`)));
});

test('a long interval of the pending queue does not hold up the deferred queue, which has its own', async () => {
  const all = await begin(
    { reply: (verb) => (verb === 'connect' ? '421 not now' : undefined) },
    { atOnce: false, runInterval: 600, pendingProcessors: 1, runSize: 12 },
  );
  await all.smtpc.stop();
  await all.queued([`a@${dest}`]);
  await all.smtpc.start(() => {});
  await all.until(1, /^Deferred/);
  all.sink.script.reply = () => undefined;
  await turns();
  all.clock.advance(20 * minute);
  await all.until(1, /^Sent/);
});

test('so many domain channels are worked as there are deferred processors, and the pending queue goes on beside them', async () => {
  const all = await begin({ reply: (verb) => (verb === 'connect' ? '421 not now' : undefined) }, { deferredProcessors: 2 });
  for (const name of domains(all, 8)) await all.queued([`a@${name}`]);
  await all.until(8);
  await when(() => all.sink.open === 0);
  all.sink.script.reply = (verb, line) => (verb === 'MAIL' && !line.includes('pending') ? 'mute' : undefined);
  const before = all.sink.connections;
  all.clock.advance(15 * minute);
  await when(() => all.sink.open === 2);
  await turns();
  expect(all.sink.connections - before).toBe(2);
  await all.queued([`bob@${dest}`], { sender: 'pending@jade.example' });
  await all.until(1, /^Sent/);
  expect(all.sink.open).toBeLessThanOrEqual(3);
});

test('of three hundred messages for a dead host one is tried at each run; when it is back, all follow', async () => {
  let down = true;
  const all = await begin({ reply: (verb) => (verb === 'connect' && down ? '421 4.3.2 no' : undefined) });
  all.peers[dest] = { sessions: 3, messagesPerSession: 10 };
  for (let n = 0; n < 300; n += 1) await all.queued([`u${n}@${dest}`]);
  await all.until(300);
  expect(all.sink.connections).toBe(1);
  const logged = all.logged.length;
  all.clock.advance(15 * minute);
  await when(() => all.logged.length > logged);
  await turns();
  expect(all.sink.connections).toBe(2);
  // Neither attempt nor record for those that sleep.
  expect(all.logged.length - logged).toBeLessThanOrEqual(2);
  const waiting = (await all.queue.destinations('SMTPC'))[0];
  expect(waiting).toMatchObject({ identifier: dest, recipients: 300, reason: expect.stringContaining('421 4.3.2 no') });
  const next = (waiting?.nextAttempt ?? 0) - all.clock.now();
  expect(next).toBeGreaterThan(15 * minute);
  down = false;
  const counts = perConnection(all);
  all.clock.advance(next);
  await all.until(300, /^Sent/);
  expect(all.sink.peak).toBe(3);
  expect(Math.max(...counts.filter(Boolean))).toBe(10);
});

test('each message shows its own reason, the next run, and whether it was tried', async () => {
  const all = await begin({ reply: (verb) => (verb === 'connect' ? '421 4.3.2 no' : undefined) });
  const first = await all.queued([`a@${dest}`]);
  await all.until(1);
  all.clock.advance(minute);
  const second = await all.queued([`b@${dest}`]);
  await all.until(2);
  const run = all.clock.now() - minute + 15 * minute;
  for (const [id, attempts] of [
    [first, 1],
    [second, 0],
  ] as const)
    expect((await all.queue.get(id))?.recipients).toMatchObject([{ attempts, nextAttempt: run, reason: expect.stringContaining('421') }]);
  await all.smtpc.stop();
  expect(all.sink.connections).toBe(1);
});

test('what sleeps is given up exactly at the end of its retry period', async () => {
  const all = await begin({ reply: (verb) => (verb === 'connect' ? '421 4.3.2 no' : undefined) });
  all.peers[dest] = { retryPeriod: 2 };
  await all.queued([`a@${dest}`]);
  await all.until(1);
  all.clock.advance(7 * minute);
  const arrived = all.clock.now();
  await all.queued([`b@${dest}`]);
  await all.until(2);
  await pass(all, 2 * hour - 1, minute);
  await all.until(1, /^Rejected .* to a@dest\.example/);
  await turns();
  expect(all.logged.join('\n')).not.toMatch(/Rejected.* to b@/);
  expect(all.clock.now()).toBe(arrived + 2 * hour - 1);
  all.clock.advance(1);
  await all.until(1, /^Rejected .* to b@dest\.example/);
});

test('a dead host for which nothing waits any more is not looked at again and again', async () => {
  const all = await begin({ reply: (verb) => (verb === 'connect' ? '421 not now' : undefined) });
  all.peers[dest] = { retryPeriod: 2 };
  await all.queued([`a@${dest}`]);
  await pass(all, 3 * hour, 5 * minute);
  expect(all.logged.at(-1)).toMatch(/^Rejected/);
  let walks = 0;
  const { queue } = all;
  const waiting = queue.waiting.bind(queue);
  queue.waiting = (...args) => {
    walks += 1;
    return waiting(...args);
  };
  // Past what would have been the next run of its channel.
  await pass(all, 2 * hour, 5 * minute);
  await turns();
  expect(walks).toBeLessThan(5);
});

test('who sleeps and wants to hear of delays hears in time', async () => {
  const all = await begin(
    { reply: (verb) => (verb === 'connect' ? '421 4.3.2 no' : undefined) },
    { delayNotice: true, delayNoticeAfter: 1 },
  );
  await all.queued([`a@${dest}`]);
  await all.until(1);
  await all.queued([`b@${dest}`]);
  await all.until(2);
  await pass(all, hour - 1, minute);
  expect(await all.notices()).toEqual([]);
  all.clock.advance(1);
  await when(() => all.logged.filter((line) => /to b@/.test(line)).length > 1);
  await turns();
  expect((await all.notices()).map(({ text }) => /Final-Recipient: rfc822; (\S+)/.exec(text)?.[1])).toContain(`b@${dest}`);
});

test('a shorter retry period holds for what sleeps from the next run on', async () => {
  const all = await begin({ reply: (verb) => (verb === 'connect' ? '421 4.3.2 no' : undefined) });
  for (const name of 'abc') {
    await all.queued([`${name}@${dest}`]);
    await all.until(1, new RegExp(`^Deferred .* to ${name}@`));
  }
  all.peers[dest] = { retryPeriod: 1 };
  await pass(all, hour + minute, minute);
  await all.until(3, /^Rejected/);
});

test('mail that comes in for others is sent while a hundred dead domains are tried', async () => {
  const all = await begin();
  for (const name of domains(all, 100, 'dead')) all.zones[name] = { mx: [{ preference: 1, exchange: `mx.${name}` }] };
  for (const name of Object.keys(all.zones).filter((one) => one.startsWith('dead'))) all.zones[`mx.${name}`] = { a: ['127.0.0.99'] };
  for (let n = 0; n < 100; n += 1) await all.queued([`a@dead${n}.example`]);
  await all.queued([`bob@${dest}`]);
  await all.until(1, /^Sent/);
  await all.until(100, /^Deferred/);
  expect(await all.queue.destinations('SMTPC')).toHaveLength(100);
});

test('one message that the host never takes does not keep the others', async () => {
  const all = await begin({ reply: (verb, line) => (verb === 'MAIL' && line.includes('poison') ? '451 4.3.0 cannot' : undefined) });
  all.peers[dest] = { sessions: 1 };
  await all.smtpc.stop();
  await all.queued([`a@${dest}`], { sender: 'poison@jade.example' });
  for (const name of 'bcdef') await all.queued([`${name}@${dest}`]);
  await all.smtpc.start(() => {});
  await all.until(5, /^Sent/);
  // Neither does one over which the connection breaks, when all of them wait for a run.
  all.sink.script.reply = (verb) => (verb === 'connect' ? '421 no' : undefined);
  await all.queued([`g@${dest}`], { sender: 'poison@jade.example' });
  await all.queued([`h@${dest}`]);
  await all.until(1, /^Deferred .* to h@/);
  all.sink.script.reply = (verb, line) => (verb === 'MAIL' && line.includes('poison') ? 'drop' : undefined);
  await pass(all, 2 * hour, minute);
  await all.until(1, /^Sent .* to h@/);
});

test('told to go now, a channel is tried at once, once for all of it, whatever is known of its host', async () => {
  let down = true;
  const all = await begin({ reply: (verb) => (verb === 'connect' && down ? '421 4.3.2 no' : undefined) });
  for (let n = 0; n < 20; n += 1) await all.queued([`u${n}@${dest}`]);
  await all.until(20);
  const before = all.sink.connections;
  expect(await all.queue.retryNow('SMTPC', dest)).toBe(20);
  await when(() => all.sink.connections > before);
  await turns();
  expect(all.sink.connections).toBe(before + 1);
  down = false;
  await all.queue.retryNow('SMTPC');
  await all.until(20, /^Sent/);
});

test('what the host put off by itself goes too when it is told to, and once', async () => {
  const all = await begin({ reply: (verb) => (verb === 'RCPT' ? '450 4.2.1 full' : undefined) });
  for (let n = 0; n < 5; n += 1) await all.queued([`u${n}@${dest}`]);
  await all.until(5);
  await all.queue.retryNow('SMTPC', dest);
  await all.until(10);
  await turns();
  expect(all.logged).toHaveLength(10);
  all.sink.script.reply = () => undefined;
  await all.queue.retryNow('SMTPC', dest);
  await all.until(5, /^Sent/);
});

test('a start does not wake what waits', async () => {
  let down = true;
  const all = await begin({ reply: (verb) => (verb === 'connect' && down ? '421 4.3.2 no' : undefined) });
  for (const name of domains(all, 10)) for (const user of ['a', 'b']) await all.queued([`${user}@${name}`]);
  await all.until(20);
  await all.smtpc.stop();
  const before = all.sink.connections;
  down = false;
  await all.smtpc.start(() => {});
  await turns();
  expect(all.sink.connections).toBe(before);
  all.clock.advance(15 * minute);
  await all.until(20, /^Sent/);
});

test('when the first of a channel is deleted while nobody looks, the others are not forgotten', async () => {
  let down = true;
  const all = await begin({ reply: (verb) => (verb === 'connect' && down ? '421 4.3.2 no' : undefined) });
  for (const user of ['a', 'b']) await all.queued([`${user}@${dest}`]);
  await all.until(2);
  await all.smtpc.stop();
  const first: string[] = [];
  for await (const { key, sleeps } of all.queue.waiting('SMTPC', dest)) if (!sleeps) first.push(key);
  for (const lease of await all.queue.leaseWaiting('SMTPC', first)) await all.queue.complete(lease, [1]);
  down = false;
  await all.smtpc.start(() => {});
  await pass(all, 16 * minute, minute);
  await all.until(1, /^Sent/);
});

test('with queueing first the first retry comes after the interval', async () => {
  const all = await begin({ reply: (verb) => (verb === 'connect' ? '421 4.3.2 no' : undefined) });
  all.peers[dest] = { queueFirst: true, queueInterval: 30 };
  const id = await all.queued([`a@${dest}`]);
  await all.until(1);
  const run = (await all.queue.get(id))?.recipients[0]?.nextAttempt ?? 0;
  all.clock.advance(run - all.clock.now());
  await all.until(2);
  expect((await all.queue.get(id))?.recipients).toMatchObject([{ attempts: 1, nextAttempt: run + 30 * minute }]);
});

const big = 'x'.repeat(20_000);
test.each<[string, object, [string, Partial<NewMessage> & { text?: string }][], string]>([
  [
    'precedence',
    { precedenceMultiplier: 1 },
    [
      ['bulk', { precedence: 2 }],
      ['plain', {}],
      ['urgent', { precedence: -2 }],
    ],
    'urgent,plain,bulk',
  ],
  [
    'size',
    { sizeMultiplier: 2, sizeBoundaries: '1, 10', sizeWeights: '0, 5, 9' },
    [
      ['large', { text: big }],
      ['middle', { text: big.slice(0, 5_000) }],
      ['small', {}],
    ],
    'small,middle,large',
  ],
  [
    'both',
    { precedenceMultiplier: 3, sizeMultiplier: 1, sizeBoundaries: '1, 10', sizeWeights: '0, 5, 9' },
    [
      ['large urgent', { text: big, precedence: -2 }],
      ['small bulk', { precedence: 2 }],
      ['small', {}],
    ],
    'small,large urgent,small bulk',
  ],
  [
    'nothing',
    {},
    [
      ['large', { text: big }],
      ['bulk', { precedence: 2 }],
      ['small', {}],
    ],
    'large,bulk,small',
  ],
])('deferred mail goes in the order of its weight, by %s', async (_, settings, messages, order) => {
  let down = true;
  const all = await begin({ reply: (verb) => (verb === 'connect' && down ? '421 4.3.2 no' : undefined) }, settings);
  all.peers[dest] = { sessions: 1 };
  for (const [name, more] of messages) {
    all.clock.advance(1);
    await all.queued([`"${name}"@${dest}`], more);
  }
  await all.until(messages.length);
  down = false;
  all.clock.advance(15 * minute);
  await all.until(messages.length, /^Sent/);
  expect(all.sink.messages.map(({ to }) => to[0]?.replace(/"?@.*/, '').replace('"', '')).join()).toBe(order);
});

test('time in the queue takes off from the weight', async () => {
  let down = true;
  // Time goes faster here than on any machine: a session gets the longest time-outs there are.
  const patient = {
    timeoutInitial: 60,
    timeoutHelo: 60,
    timeoutMail: 60,
    timeoutRcpt: 60,
    timeoutData: 60,
    timeoutBlock: 60,
    timeoutEnd: 60,
  };
  const settings = { ...patient, precedenceMultiplier: 1, timeMultiplier: 1, timeBoundaries: '3', timeWeights: '0, 9' };
  const all = await begin({ reply: (verb) => (verb === 'connect' && down ? '421 4.3.2 no' : undefined) }, settings);
  all.peers[dest] = { sessions: 1 };
  await all.queued([`old@${dest}`], { precedence: 2 });
  await all.until(1);
  await pass(all, 4 * hour, 5 * minute);
  await all.queued([`urgent@${dest}`], { precedence: -2 });
  await all.until(1, /^Deferred .* to urgent@/);
  down = false;
  for (let n = 0; all.sink.messages.length < 2 && n < 500; n++) await pass(all, 5 * minute, 5 * minute);
  expect(all.sink.messages.map(({ to }) => to[0])).toEqual([`old@${dest}`, `urgent@${dest}`]);
});

test('pending mail goes by its weight, too, where it has to wait for a session', async () => {
  const all = await begin({}, { precedenceMultiplier: 1 });
  await all.smtpc.stop();
  all.peers[dest] = { sessions: 1, messagesPerSession: 2 };
  for (const [name, precedence] of [
    ['bulk', 2],
    ['list', 1],
    ['plain', 0],
    ['urgent', -1],
  ] as const)
    await all.queued([`${name}@${dest}`], { precedence });
  await all.smtpc.start(() => {});
  await all.until(4, /^Sent/);
  expect(all.sink.messages.map(({ to }) => to[0]?.split('@')[0])).toEqual(['urgent', 'plain', 'list', 'bulk']);
});
