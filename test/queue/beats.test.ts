import { afterEach, expect, test } from '@jest/globals';
import { ManualClock, silentLog } from '../../src/base/index.ts';
import { type Lease, type OpenQueue, openQueue } from '../../src/queue/index.ts';
import { CheckFailed } from '../../src/storage/index.ts';
import { keysOf, newMessage, seededRandom, type TestQueue, testQueue } from '../support/queue.ts';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

/** Another process that has the same queue open, with a clock of its own. */
async function neighbour(one: TestQueue, epoch: string): Promise<{ queue: OpenQueue; clock: ManualClock }> {
  const clock = new ManualClock(one.clock.now());
  const queue = await openQueue({ keyValue: one.keyValue, clock, log: silentLog, random: seededRandom(9), epoch, shared: true });
  opened.push(queue);
  return { queue, clock };
}

async function open(): Promise<TestQueue> {
  const one = await testQueue();
  opened.push(one);
  return one;
}

/** Time goes on for a process, and its beats with it: each is a few commits and looks, which have to come to their end. */
async function live(one: TestQueue, clock: ManualClock, seconds: number): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 10) {
    clock.advance(10_000);
    for (let n = 0; n < 12; n++) {
      await one.keyValue.transact(async () => ({ result: undefined }), 'durable');
      await keysOf(one.keyValue);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

async function leased(one: TestQueue): Promise<Lease> {
  await one.queue.submit(newMessage(one.queue.newId(), ['a@x.example']));
  const [lease] = await one.queue.lease('INPUT', 1);
  return lease as Lease;
}

test('what a process that died had leased goes to another one that runs, and the dead one cannot settle it any more', async () => {
  const one = await open();
  const lease = await leased(one);
  const other = await neighbour(one, 'other');
  let woken = 0;
  other.queue.onWork('INPUT', () => woken++);
  await live(one, other.clock, 50);
  expect(await other.queue.lease('INPUT', 1)).toEqual([]);
  await live(one, other.clock, 50);
  expect(woken).toBeGreaterThan(0);
  const [taken] = await other.queue.lease('INPUT', 1);
  expect(taken?.message.id).toBe(lease.message.id);
  await expect(one.queue.complete(lease, [1])).rejects.toBeInstanceOf(CheckFailed);
  await expect(one.queue.release(lease)).rejects.toBeInstanceOf(CheckFailed);
  await other.queue.complete(taken as Lease, [1]);
  expect(await keysOf(one.keyValue)).toEqual([]);
});

test('a process that lives keeps its leases however long they take, and whatever its clock or the others say', async () => {
  const one = await open();
  const lease = await leased(one);
  const other = await neighbour(one, 'other');
  for (let minute = 0; minute < 10; minute++) {
    await live(one, one.clock, 10);
    await live(one, other.clock, 40);
  }
  // A clock that jumps by a day makes nobody dead: its timers have not run.
  const [byOther] = await (async () => {
    await other.queue.submit(newMessage(other.queue.newId(), ['b@x.example']));
    return await other.queue.lease('INPUT', 9);
  })();
  expect(byOther?.recipients[0]?.address).toBe('b@x.example');
  await one.queue.complete(lease, [1]);
  await other.queue.complete(byOther as Lease, [1]);
  expect(await keysOf(one.keyValue)).toEqual([]);
});

test('a process that was asleep finds its old leases void and goes on with new ones', async () => {
  const one = await open();
  const lease = await leased(one);
  const other = await neighbour(one, 'other');
  await live(one, other.clock, 100);
  await live(one, one.clock, 60);
  await expect(one.queue.complete(lease, [1])).rejects.toBeInstanceOf(CheckFailed);
  const [again] = await one.queue.lease('INPUT', 1);
  expect(again?.message.id).toBe(lease.message.id);
  await live(one, other.clock, 40);
  await live(one, one.clock, 10);
  await live(one, other.clock, 40);
  await one.queue.complete(again as Lease, [1]);
});

test('a neighbour that opens the queue takes nothing from one that lives; a lease of nobody is void at once', async () => {
  const one = await open();
  const lease = await leased(one);
  await neighbour(one, 'other');
  await one.queue.complete(lease, [1]);
  await one.queue.submit(newMessage(one.queue.newId(), ['b@x.example']));
  const [second] = await one.queue.lease('INPUT', 1);
  await one.keyValue.transact(async (read) => {
    const [entry] = await read.scan({ from: 'queue/l/', to: 'queue/l0' });
    return { puts: [['queue/l/nobody-1', entry?.[1] as Uint8Array]], deletes: [entry?.[0] as string], result: undefined };
  }, 'durable');
  const third = await neighbour(one, 'third');
  expect((await third.queue.lease('INPUT', 1))[0]?.message.id).toBe(second?.message.id);
});

test('a component that is no more gives back all it had of its queue, and nothing of the others', async () => {
  const one = await open();
  const lease = await leased(one);
  await one.queue.submit(
    newMessage(one.queue.newId(), ['b@x.example', { address: 'c@x.example', filed: { queue: 'LOCAL', identifier: 'u' } }]),
  );
  const input = await one.queue.lease('INPUT', 5);
  const [local] = await one.queue.lease('LOCAL', 5);
  expect(await one.queue.giveBack('INPUT')).toBe(2);
  expect(await one.queue.giveBack('INPUT')).toBe(0);
  await expect(one.queue.complete(lease, [1])).rejects.toBeInstanceOf(CheckFailed);
  await expect(one.queue.release(input[0] as Lease)).rejects.toBeInstanceOf(CheckFailed);
  expect(await one.queue.lease('INPUT', 5)).toHaveLength(2);
  await one.queue.complete(local as Lease, [2]);
});
