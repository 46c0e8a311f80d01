/** What makes SMTPC try anew: another way to the hosts, another host table, an administrator who puts mail back. */

import { writeFile } from 'node:fs/promises';
import { afterEach, expect, test } from '@jest/globals';
import { tempDir } from '../support/temp.ts';
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
const dest = 'dest.example';
const minute = 60_000;

async function when(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}
const turns = async (): Promise<void> => world?.calm();

/** Minutes go by, one after the other. */
async function pass({ clock }: World, ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += minute) {
    clock.advance(minute);
    await turns();
  }
}

test('another way to the hosts makes what is known of dead ones void: each is tried once', async () => {
  let down = true;
  const all = await begin({ reply: (verb) => (verb === 'connect' && down ? '421 4.3.2 no' : undefined) });
  for (const user of ['a', 'b', 'c']) await all.queued([`${user}@${dest}`]);
  await all.until(3);
  const before = all.sink.connections;
  all.settings.set({ ...all.settings.value, delayNotice: true });
  await turns();
  expect(all.sink.connections).toBe(before);
  all.settings.set({ ...all.settings.value, nameResolution: 'DNSThenHostTable' });
  await when(() => all.sink.connections > before);
  await turns();
  expect(all.sink.connections).toBe(before + 1);
  down = false;
  all.settings.set({ ...all.settings.value, addressFamily: 'ipv4-only' });
  await all.until(3, /^Sent/);
});

test('a host table that has changed is noticed by itself', async () => {
  const dir = await tempDir();
  try {
    const hostTable = `${dir.path}/hosts`;
    await writeFile(hostTable, '127.0.0.2 dest.example\n');
    const all = await begin({}, { nameResolution: 'HostTableOnly', hostTable });
    await all.queued([`a@${dest}`]);
    await all.until(1, /^Deferred/);
    await pass(all, 2 * minute);
    expect(all.sink.messages).toEqual([]);
    await writeFile(hostTable, '127.0.0.1 dest.example # moved\n');
    await pass(all, minute);
    await all.until(1, /^Sent/);
  } finally {
    await dir.remove();
  }
});

test('what is put back into the input queue is tried, though its host was down; what is found out then holds for the rest', async () => {
  const all = await begin({ reply: (verb) => (verb === 'connect' ? '421 4.3.2 no' : undefined) });
  for (const user of ['a', 'b', 'c']) await all.queued([`${user}@${dest}`]);
  await all.until(3);
  const before = all.sink.connections;
  all.clock.advance(minute);
  const control = all.queue.control({ reporter: { report: async () => undefined }, blobs: all.blobs });
  await control.operate({ do: 'requeue' }, { identifier: dest }, { by: 'cn=admin' });
  all.clock.advance(minute);
  for (const lease of await all.queue.lease('INPUT', 10))
    await all.queue.file(
      lease,
      lease.recipients.map(({ number, address }) => ({ from: number, to: [{ address, queue: 'SMTPC' as const, identifier: dest }] })),
    );
  await all.until(6, /^Deferred/);
  await turns();
  expect(all.sink.connections).toBe(before + 1);
});
