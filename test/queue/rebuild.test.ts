/** A damaged queue put right: whatever is lost of the indexes comes back, nothing of the mail is lost. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { rebuildQueue } from '../../src/queue/index.ts';
import type { Key } from '../../src/storage/index.ts';
import { below } from '../../src/storage/index.ts';
import { newMessage, seededRandom, type TestQueue, testQueue } from '../support/queue.ts';

let one: TestQueue;
beforeEach(async () => {
  one = await testQueue();
});
afterEach(async () => one.close());

const well = { wrong: 0, surplus: 0, unreadable: 0, empty: 0 };
const smtpc = (address: string) => ({ address, filed: { queue: 'SMTPC' as const, identifier: address.split('@')[1] ?? '' } });

async function records(): Promise<Map<Key, string>> {
  const all = new Map<Key, string>();
  for (const prefix of ['queue/', 'ref/'])
    for await (const [key, value] of one.keyValue.scan(below(prefix)))
      if (!key.startsWith('queue/e/')) all.set(key, Buffer.from(value).toString());
  return all;
}

async function write(puts: readonly (readonly [Key, string])[], deletes: readonly Key[] = []): Promise<void> {
  const changes = { puts: puts.map(([key, text]) => [key, Buffer.from(text)] as const), deletes, result: undefined };
  await one.keyValue.transact(async () => changes, 'durable');
}

/** Waiting, deferred, urgent, leased and held mail. */
async function fill(): Promise<void> {
  const { queue } = one;
  await queue.submit(newMessage('aaaa', ['a@b.example', 'c@d.example']));
  await queue.submit(newMessage('bbbb', [smtpc('a@b.example'), smtpc('c@d.example')], { precedence: -1 }));
  await queue.submit(newMessage('cccc', [smtpc('e@f.example')]));
  await queue.submit(newMessage('dddd', [{ address: 'l@jade.net', filed: { queue: 'LOCAL', identifier: 'mailbox' } }]));
  const [lease] = await queue.lease('SMTPC', 1, { identifier: 'f.example' });
  if (lease) await queue.defer(lease, [{ number: 1, nextAttempt: one.clock.now() + 60_000, reason: 'busy' }]);
}

test('a sound queue is sound, and rebuilding it changes nothing', async () => {
  await fill();
  const before = await records();
  for (const mode of ['check', 'update', 'rebuild'] as const)
    expect(await rebuildQueue(one.keyValue, one.clock, mode)).toEqual({ messages: 4, recipients: 6, ...well });
  expect(await records()).toEqual(before);
});

test('what is in hand is given back, and is no damage', async () => {
  await fill();
  const before = await records();
  expect(await one.queue.lease('INPUT', 1)).toHaveLength(1);
  expect(await rebuildQueue(one.keyValue, one.clock, 'check')).toEqual({ messages: 4, recipients: 6, ...well });
  expect(await rebuildQueue(one.keyValue, one.clock, 'update')).toMatchObject(well);
  expect(await records()).toEqual(before);
});

test('any part of the indexes that is lost, old or strange comes out as it was', async () => {
  await fill();
  const before = await records();
  const random = seededRandom(7);
  for (let round = 0; round < 40; round++) {
    const derived = [...before.keys()].filter((key) => !key.startsWith('queue/m/'));
    const lost = derived.filter(() => random() < 0.3);
    const strange = derived
      .filter((key) => !key.startsWith('ref/') && random() < 0.1)
      .map((key): [Key, string] => [key.replace(/b{4}|c{4}/, 'eeee'), '1:1']);
    const changed = derived.filter((key) => /queue\/[dt]/.test(key) && random() < 0.2).map((key): [Key, string] => [key, '9:9']);
    await write([...strange.filter(([key]) => !before.has(key)), ...changed.filter(([key]) => !lost.includes(key))], lost);
    const damage = await rebuildQueue(one.keyValue, one.clock, 'check');
    if (lost.length > 0) expect(damage.wrong).toBeGreaterThan(0);
    await rebuildQueue(one.keyValue, one.clock, round % 2 === 0 ? 'update' : 'rebuild');
    expect(await records()).toEqual(before);
    expect(await rebuildQueue(one.keyValue, one.clock, 'check')).toEqual({ messages: 4, recipients: 6, ...well });
  }
});

test('what cannot be read is put aside and nothing else suffers; once it can be, it is back', async () => {
  await fill();
  const before = await records();
  const [slip = ''] = [...before.keys()].filter((key) => key.startsWith('queue/m/cccc/'));
  await write([
    [slip, '{"v":1,'],
    ['queue/m/dddd', 'not JSON'],
  ]);
  expect(await rebuildQueue(one.keyValue, one.clock, 'check')).toMatchObject({ messages: 3, recipients: 4, unreadable: 2 });
  expect(await rebuildQueue(one.keyValue, one.clock, 'rebuild')).toMatchObject({ unreadable: 2 });
  const damaged = await records();
  expect([...damaged.keys()].filter((key) => key.startsWith('queue/x/'))).toHaveLength(2);
  expect([...damaged.keys()].filter((key) => /queue\/[dt]\/.*(cccc|dddd)/.test(key))).toEqual([]);
  expect(damaged.get(slip)).toBe('{"v":1,');
  await write([
    [slip, before.get(slip) ?? ''],
    ['queue/m/dddd', before.get('queue/m/dddd') ?? ''],
  ]);
  await rebuildQueue(one.keyValue, one.clock, 'update');
  expect(await records()).toEqual(before);
});

test('a message without recipients goes, and its bytes are free', async () => {
  await write([
    ['queue/m/eeee', JSON.stringify({ count: 1, message: { id: 'eeee', blob: { id: 'blob-e', size: 1 } } })],
    ['ref/blob-e/queue.eeee', ''],
  ]);
  expect(await rebuildQueue(one.keyValue, one.clock, 'check')).toMatchObject({ empty: 1 });
  expect(await rebuildQueue(one.keyValue, one.clock, 'rebuild')).toMatchObject({ empty: 1 });
  expect(await records()).toEqual(new Map());
  expect(await one.keyValue.get('orphan/blob-e')).toBeDefined();
});
