/** Hosts that never answer, and others whose mail goes meanwhile. Whoever waits for the DNS waits as for a host that takes up no connection. */

import { afterEach, expect, test } from '@jest/globals';
import { startWorld, type World } from './helpers.ts';

let world: World | undefined;
const begin = async (...args: Parameters<typeof startWorld>): Promise<World> => {
  world = await startWorld(...args);
  return world;
};
afterEach(async () => {
  await world?.sink.stop();
  await world?.stop();
  world = undefined;
});
const dest = 'dest.example';

async function when(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}
const turns = async (): Promise<void> => world?.calm();

/** For hosts of which nobody ever hears anything. */
async function lost(all: World, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await all.queued([`a@d${n}.hanging.example`]);
}

test('while hundreds of hosts keep silent, mail for hosts known to be well goes at once', async () => {
  const all = await begin();
  await all.queued([`first@${dest}`]);
  await all.until(1, /^Sent/);
  await lost(all, 100);
  await when(() => all.hung.size === 30);
  await turns();
  expect(all.hung.size).toBe(30);
  // Who has nobody at the other end after two seconds holds no place; strangers get two thirds of them from now on.
  all.clock.advance(2_000);
  await when(() => all.hung.size === 50);
  for (let n = 0; n < 5; n += 1) await all.queued([`u${n}@${dest}`]);
  await all.until(6, /^Sent/);
  await turns();
  expect(all.hung.size).toBe(50);
  for (const more of [70, 90, 100]) {
    all.clock.advance(500);
    await when(() => all.hung.size === more);
  }
});

test('a host of which nothing is known gets its mail among many that keep silent', async () => {
  const all = await begin({}, { pendingProcessors: 1, pendingSessions: 3 });
  await lost(all, 20);
  await all.queued([`bob@${dest}`]);
  await when(() => all.hung.size === 3);
  all.clock.advance(2_000);
  for (let found = 5; found <= 19; found += 2) {
    await when(() => all.hung.size >= found);
    all.clock.advance(500);
  }
  await all.until(1, /^Sent/);
});

test('a connection that nobody greets holds its place for ten seconds', async () => {
  const all = await begin({ reply: (verb) => (verb === 'connect' ? 'mute' : undefined) }, { pendingProcessors: 1, pendingSessions: 2 });
  for (let n = 0; n < 4; n += 1) {
    all.zones[`d${n}.example`] = { mx: [{ preference: 1, exchange: 'mx.dest.example' }] };
    await all.queued([`a@d${n}.example`]);
  }
  await when(() => all.sink.open === 2);
  await turns();
  all.clock.advance(9_000);
  await turns();
  expect(all.sink.connections).toBe(2);
  all.clock.advance(1_000);
  await when(() => all.sink.connections > 2);
});

test('stopped while mail waits behind silent hosts, all of it is there at the next start', async () => {
  const all = await begin({}, { pendingProcessors: 1, pendingSessions: 2 });
  await lost(all, 5);
  await when(() => all.hung.size === 2);
  all.clock.advance(2_000);
  await when(() => all.hung.size === 3);
  await all.queued([`bob@${dest}`]);
  await turns();
  await all.smtpc.stop();
  all.settings.set({ ...all.settings.value, pendingProcessors: 6, pendingSessions: 5 });
  await all.smtpc.start(() => {});
  await all.until(1, /^Sent/);
  await when(() => all.hung.size === 5);
  expect(all.logged.filter((line) => !line.startsWith('Sent'))).toEqual([]);
});

test('mail for others does not wait behind hundreds of messages that are put off with their host', async () => {
  const all = await begin();
  all.zones['dead.example'] = { mx: 'sick' };
  await all.smtpc.stop();
  await all.queued(['first@dead.example']);
  for (let n = 0; n < 300; n += 1) await all.queued([`u${n}@dead.example`]);
  await all.queued([`bob@${dest}`]);
  await all.smtpc.start(() => {});
  await all.until(301, /^Deferred/);
  const lines = all.logged.filter((line) => /^(Sent|Deferred)/.test(line));
  expect(lines.findIndex((line) => line.startsWith('Sent'))).toBeLessThan(200);
  expect(lines).toHaveLength(302);
});
