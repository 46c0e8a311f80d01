import { expect, test } from '@jest/globals';
import type { Lease } from '../../src/queue/index.ts';
import { keysOf, newMessage, type TestQueue, testQueue } from '../support/queue.ts';

const local = (address: string) => ({ address, queue: 'LOCAL' as const, identifier: `uuid-${address}` });
const remote = (address: string) => ({ address, queue: 'SMTPC' as const, identifier: address.split('@')[1] ?? '' });

/** Works a queue to its end, as a later process would; returns what was finished, one line a recipient. */
async function drain(one: TestQueue): Promise<string[]> {
  const finished: string[] = [];
  for (let idle = 0; idle < 2; idle++) {
    for (const queue of ['INPUT', 'LOCAL', 'SMTPC'] as const) {
      for (let leases = await one.queue.lease(queue, 3); leases.length > 0; leases = await one.queue.lease(queue, 3)) {
        idle = 0;
        for (const lease of leases) await finish(one, lease, finished);
      }
    }
    one.clock.advance(3_600_000);
  }
  return finished;
}

async function finish(one: TestQueue, lease: Lease, finished: string[]): Promise<void> {
  const numbers = lease.recipients.map(({ number }) => number);
  if (lease.queue === 'INPUT') {
    const to = (address: string) => (address.endsWith('far.net') ? [remote(address)] : [local(address)]);
    await one.queue.file(
      lease,
      lease.recipients.map(({ number, address }) => ({ from: number, to: to(address) })),
    );
    return;
  }
  await one.queue.complete(lease, numbers);
  finished.push(...lease.recipients.map(({ address }) => `${lease.message.id} ${address}`));
}

test('a crash after any step loses no recipient and finishes none twice', async () => {
  const one = await testQueue();
  const crashes: { step: string; at: TestQueue; done: readonly string[]; accepted: readonly string[] }[] = [];
  const accepted: string[] = [];
  const done: string[] = [];
  const step = async (name: string, run: () => Promise<unknown>): Promise<void> => {
    await run();
    crashes.push({ step: name, at: await one.crash(), done: [...done], accepted: [...accepted] });
  };
  const submit = async (addresses: string[]): Promise<void> => {
    const id = one.queue.newId();
    await one.queue.submit(newMessage(id, addresses));
    accepted.push(...addresses.map((address) => `${id} ${address}`));
  };
  const complete = async (lease: Lease, numbers: number[]): Promise<void> => {
    await one.queue.complete(lease, numbers);
    for (const { number, address } of lease.recipients) if (numbers.includes(number)) done.push(`${lease.message.id} ${address}`);
  };
  let leases: Lease[] = [];
  const lease = (): Lease => leases[0] as Lease;

  await step('submit one', () => submit(['a@ima.com', 'b@ima.com', 'c@far.net', 'd@far.net', 'e@other.far.net']));
  await step('submit many', () => submit(Array.from({ length: 600 }, (_, n) => `m${n}@ima.com`)));
  await step('lease input', async () => {
    leases = await one.queue.lease('INPUT', 1);
  });
  await step('file some', () =>
    one.queue.file(
      lease(),
      lease()
        .recipients.slice(0, 3)
        .map(({ number, address }) => ({ from: number, to: address.endsWith('far.net') ? [remote(address)] : [local(address)] })),
    ),
  );
  await step('file the rest', () =>
    one.queue.file(
      lease(),
      lease()
        .recipients.slice(3)
        .map(({ number, address }) => ({ from: number, to: [remote(address)] })),
    ),
  );
  await step('lease local', async () => {
    leases = await one.queue.lease('LOCAL', 1);
  });
  await step('complete one of two', () => complete(lease(), [1]));
  await step('give back the other', () => one.queue.release(lease()));
  await step('lease remote', async () => {
    leases = await one.queue.lease('SMTPC', 1, { identifier: 'far.net' });
  });
  await step('defer', () =>
    one.queue.defer(
      lease(),
      lease().recipients.map(({ number }) => ({ number, nextAttempt: one.clock.now() + 60_000, reason: 'later', delayNotified: true })),
    ),
  );
  await step('retry now', () => one.queue.retryNow('SMTPC'));
  await step('lease again', async () => {
    leases = await one.queue.lease('SMTPC', 10);
  });
  await step('complete', async () => {
    for (const each of leases)
      await complete(
        each,
        each.recipients.map(({ number }) => number),
      );
  });
  await step('lease a part of the many', async () => {
    leases = await one.queue.lease('INPUT', 1);
  });

  expect(crashes.length).toBe(14);
  for (const { step: name, at, done: before, accepted: all } of crashes) {
    const after = await drain(at);
    expect([name, [...before, ...after].sort()]).toEqual([name, [...all].sort()]);
    expect([name, await keysOf(at.keyValue)]).toEqual([name, []]);
  }
  await one.close();
});

test('a lease of a process that died does not hold in the next one', async () => {
  const one = await testQueue();
  await one.queue.submit(newMessage(one.queue.newId(), ['a@ima.com']));
  const [lease] = await one.queue.lease('INPUT', 1);
  const later = await one.crash();
  await expect(later.queue.complete(lease as Lease, [1])).rejects.toMatchObject({ name: 'CheckFailed' });
  expect(await later.queue.lease('INPUT', 1)).toHaveLength(1);
  await one.close();
});

test('what was deferred before a restart is due when it was to be, and wakes its worker', async () => {
  const one = await testQueue();
  await one.queue.submit(newMessage(one.queue.newId(), ['a@far.net']));
  const [input] = await one.queue.lease('INPUT', 1);
  await one.queue.file(input as Lease, [{ from: 1, to: [remote('a@far.net')] }]);
  const [lease] = await one.queue.lease('SMTPC', 1);
  await one.queue.defer(lease as Lease, [{ number: 1, nextAttempt: one.clock.now() + 30_000, reason: 'später' }]);
  const later = await one.crash();
  expect(await later.queue.lease('SMTPC', 1)).toEqual([]);
  let woken = 0;
  later.queue.onWork('SMTPC', () => woken++);
  later.clock.advance(30_000);
  expect(woken).toBeGreaterThan(0);
  expect((await later.queue.lease('SMTPC', 1))[0]?.recipients).toMatchObject([{ attempts: 1, reason: 'später' }]);
  await one.close();
});

test('what was in hand at five ends and never settled waits, longer every time; what was in hand by chance does not', async () => {
  const first = await testQueue();
  const poison = first.queue.newId();
  await first.queue.submit(newMessage(poison, ['a@ima.com']));
  const other = first.queue.newId();
  await first.queue.submit(newMessage(other, ['b@ima.com']));
  let one = first;
  for (let end = 1; end <= 5; end++) {
    // The poisoned one is always the first in hand; the other only at every second end.
    const leases = await one.queue.lease('INPUT', end % 2 === 0 ? 2 : 1);
    expect(leases[0]?.message.id).toBe(poison);
    one = await one.crash();
  }
  expect((await one.queue.lease('INPUT', 10)).map(({ message }) => message.id)).toEqual([other]);
  expect((await one.queue.get(poison))?.recipients).toMatchObject([
    { attempts: 0, nextAttempt: one.clock.now() + 600_000, reason: expect.stringMatching(/^held: the server ended 5 times/) },
  ]);
  one.clock.advance(600_000);
  expect((await one.queue.lease('INPUT', 10)).map(({ message }) => message.id)).toEqual([poison]);
  one = await one.crash();
  expect((await one.queue.get(poison))?.recipients).toMatchObject([{ nextAttempt: one.clock.now() + 1_200_000 }]);
  // Whoever settled it got past it: what comes later begins anew.
  one.clock.advance(1_200_000);
  const lease = (await one.queue.lease('INPUT', 10)).find(({ message }) => message.id === poison);
  await one.queue.defer(lease as Lease, [{ number: 1, nextAttempt: one.clock.now(), reason: 'later' }]);
  await one.queue.lease('INPUT', 10);
  one = await one.crash();
  expect((await one.queue.lease('INPUT', 10)).map(({ message }) => message.id)).toContain(poison);
  await first.close();
});
