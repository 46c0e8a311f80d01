import { expect, test } from '@jest/globals';
import { constant, LiveValue, silentLog } from '../../src/base/index.ts';
import { backOff, createWorker, type Lease, type WorkerNeeds } from '../../src/queue/index.ts';
import { CheckFailed } from '../../src/storage/index.ts';
import { newMessage, type TestQueue, testQueue } from '../support/queue.ts';

function workerOf(one: TestQueue, over: Partial<WorkerNeeds>): ReturnType<typeof createWorker> {
  return createWorker({
    queue: one.queue,
    name: 'INPUT',
    settings: constant({ processors: 4 }),
    work: (lease) => one.queue.complete(lease, [1]),
    failed: (lease) => one.queue.defer(lease, [{ number: 1, nextAttempt: one.clock.now() + 1000, reason: 'failed' }]),
    log: silentLog,
    clock: one.clock,
    ...over,
  });
}

/** Lets the loop turn, and the disk do what was asked of it, until this holds. */
async function until(one: TestQueue, condition: () => boolean): Promise<void> {
  for (let n = 0; n < 2_000 && !condition(); n++) {
    await new Promise((resolve) => setImmediate(resolve));
    // Something to write, so that the flush is a real one.
    await one.keyValue.transact(async () => ({ puts: [['test', new Uint8Array(1)]], result: undefined }), 'durable');
  }
  expect(condition()).toBe(true);
}

async function submit(one: TestQueue, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => one.queue.newId());
  await Promise.all(ids.map((id) => one.queue.submit(newMessage(id, ['a@ima.com']))));
  return ids;
}

test('never more than the limit is in hand, and everything gets its turn', async () => {
  const one = await testQueue();
  let most = 0;
  let done = 0;
  const worker = workerOf(one, {
    async work(lease) {
      most = Math.max(most, worker.active);
      await one.queue.complete(lease, [1]);
      done++;
    },
  });
  await submit(one, 50);
  worker.start();
  await until(one, () => done === 50);
  expect(most).toBe(4);
  await worker.stop();
  await one.close();
});

test('a higher limit counts at once, though nothing in hand comes to its end', async () => {
  const one = await testQueue();
  const settings = new LiveValue({ processors: 1 });
  let begun = 0;
  const worker = workerOf(one, {
    settings,
    work: async () => {
      begun++;
      await new Promise<void>(() => {});
    },
  });
  await submit(one, 5);
  worker.start();
  await until(one, () => begun === 1);
  settings.set({ processors: 3 });
  await until(one, () => begun === 3);
  const stopping = worker.stop();
  one.clock.advance(8_000);
  await stopping;
  await one.close();
});

test('work that never ends holds up no other and is given back at the stop', async () => {
  const one = await testQueue();
  const [stuck] = await submit(one, 1);
  let done = 0;
  const worker = workerOf(one, {
    async work(lease: Lease) {
      if (lease.message.id === stuck) return await new Promise<void>(() => {});
      await one.queue.complete(lease, [1]);
      done++;
    },
  });
  worker.start();
  await submit(one, 20);
  await until(one, () => done === 20);
  const stopping = worker.stop();
  one.clock.advance(8_000);
  await stopping;
  expect((await one.queue.lease('INPUT', 10)).map(({ message }) => message.id)).toEqual([stuck]);
  await one.close();
});

test('what could not be put back is given back at the stop, and not lost to the next start', async () => {
  const one = await testQueue();
  const [id] = await submit(one, 1);
  let failures = 0;
  const worker = workerOf(one, {
    async work() {
      throw new Error('broken');
    },
    async failed() {
      failures++;
      throw new Error('cannot be written');
    },
  });
  worker.start();
  await until(one, () => failures === 1);
  await worker.stop();
  expect((await one.queue.lease('INPUT', 10)).map(({ message }) => message.id)).toEqual([id]);
  await one.close();
});

test('what failed is put back, and a stopped worker starts again', async () => {
  const one = await testQueue();
  let tries = 0;
  const worker = workerOf(one, {
    async work(lease) {
      tries++;
      if (tries === 1) throw new TypeError('broken');
      await one.queue.complete(lease, [1]);
    },
  });
  worker.start();
  const [id = ''] = await submit(one, 1);
  await until(one, () => tries === 1 && worker.active === 0);
  await worker.stop();
  expect((await one.queue.get(id))?.recipients).toMatchObject([{ attempts: 1 }]);
  one.clock.advance(1000);
  worker.start();
  await until(one, () => tries === 2 && worker.active === 0);
  expect(await one.queue.get(id)).toBeUndefined();
  await worker.stop();
  await one.close();
});

test('a check that fails beside the lease is trouble like any other, and nothing stays in limbo', async () => {
  const one = await testQueue();
  let tries = 0;
  const worker = workerOf(one, {
    async work() {
      tries++;
      throw new CheckFailed('reclaim/blob');
    },
  });
  worker.start();
  const [id = ''] = await submit(one, 1);
  await until(one, () => tries === 1 && worker.active === 0);
  await worker.stop();
  expect((await one.queue.get(id))?.recipients).toMatchObject([{ attempts: 1, reason: 'failed' }]);
  await one.close();
});

test.each([
  [0, 60_000, 60_000],
  [1, 60_000, 120_000],
  [5, 60_000, 1_920_000],
  [6, 60_000, 3_600_000],
  [1_000_000, 1_000, 3_600_000],
])('the delay after %i tries from %i ms on is %i ms, a fifth more or less', (attempts, first, expected) => {
  expect(backOff(attempts, first, () => 0.5)).toBe(expected);
  expect(backOff(attempts, first, () => 0)).toBe(Math.round(expected * 0.8));
});
