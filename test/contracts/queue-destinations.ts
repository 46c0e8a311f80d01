/** What every queue must do with mail by its destinations, whatever it is built on. Run from test/queue with the queue on the bundled engine. */

import { expect, test } from '@jest/globals';
import type { Lease, NewMessage } from '../../src/queue/index.ts';
import { collect, newMessage, type TestQueue, type TestQueueOptions } from '../support/queue.ts';
import { leaseOne, opener, remote } from '../support/queue-steps.ts';

export function queueDestinationsContract(testQueue: (options: TestQueueOptions) => Promise<TestQueue>): void {
  const open = opener(testQueue);

  test('one destination is leased, skipped, listed and retried apart from the others', async () => {
    const one = await open();
    const domains = ['slow.example', 'fast.example', 'slow.example', 'slow.example', 'weg.example'];
    for (const [n, domain] of domains.entries()) {
      one.clock.advance(1);
      await one.queue.submit(newMessage(one.queue.newId(), [`u${n}@${domain}`]));
      await one.queue.file(await leaseOne(one), [{ from: 1, to: [remote(`u${n}@${domain}`)] }]);
    }
    const slow = await one.queue.lease('SMTPC', 2, { identifier: 'slow.example' });
    expect(slow.map(({ recipients }) => recipients[0]?.address)).toEqual(['u0@slow.example', 'u2@slow.example']);
    const others = await one.queue.lease('SMTPC', 1, { except: ['slow.example'] });
    expect(others[0]?.recipients[0]?.address).toBe('u1@fast.example');
    for (const lease of slow) {
      await one.queue.defer(lease, [{ number: 1, nextAttempt: one.clock.now() + 60_000, reason: '421 zu beschäftigt' }]);
    }
    expect(await one.queue.destinations('SMTPC')).toEqual([
      { identifier: 'slow.example', messages: 2, recipients: 2, nextAttempt: one.clock.now() + 60_000, reason: '421 zu beschäftigt' },
    ]);
    const summary = (await one.queue.summary()).find(({ queue }) => queue === 'SMTPC');
    expect(summary).toEqual({ queue: 'SMTPC', pending: 3, deferred: 2, held: 0, aside: 0 });
    expect(await one.queue.retryNow('SMTPC', 'fast.example')).toBe(0);
    expect(await one.queue.retryNow('SMTPC', 'slow.example')).toBe(2);
    expect(await one.queue.lease('SMTPC', 10, { identifier: 'slow.example' })).toHaveLength(3);
    expect(await one.queue.lease('SMTPC', 10)).toHaveLength(1);
  });

  test('what waits for the run of its destination is seen with what its order depends on, and can be had before its time', async () => {
    const one = await open();
    const put = async (address: string, over: Partial<NewMessage> = {}): Promise<Lease> => {
      one.clock.advance(1);
      await one.queue.submit(newMessage(one.queue.newId(), [address], over));
      await one.queue.file(await leaseOne(one), [{ from: 1, to: [remote(address)] }]);
      return await leaseOne(one, 'SMTPC');
    };
    const first = await put('a@slow.example', { precedence: -2 });
    const second = await put('ä@slow.example', { precedence: 2, prefix: 'Ü: 1\r\n' });
    const since = one.clock.now();
    const run = since + 60_000;
    await one.queue.defer(first, [{ number: 1, nextAttempt: run, reason: 'no connection' }]);
    const sleep = { number: 1, nextAttempt: since + 9_000_000, runAt: since + 30_000, untried: true, reason: 'no connection, too' };
    await one.queue.defer(second, [sleep]);
    const waiting = await collect(one.queue.waiting('SMTPC', 'slow.example'));
    const { arrivedAt, blob } = first.message;
    const common = { recipients: 1, arrivedAt, deferredSince: since };
    expect(waiting).toEqual([
      {
        ...common,
        key: expect.any(String),
        id: first.message.id,
        due: run,
        size: blob.size + first.message.prefix.length,
        precedence: -2,
        sleeps: false,
      },
      {
        ...common,
        key: expect.any(String),
        id: second.message.id,
        due: since + 9_000_000,
        size: blob.size + 7,
        precedence: 2,
        sleeps: true,
      },
    ]);
    expect((await one.queue.get(first.message.id))?.recipients).toMatchObject([{ attempts: 1, deferredSince: since, nextAttempt: run }]);
    expect((await one.queue.get(second.message.id))?.recipients).toEqual([
      expect.objectContaining({ attempts: 0, reason: 'no connection, too', nextAttempt: run }),
    ]);
    expect(await collect(one.queue.identifiers('SMTPC'))).toEqual([{ identifier: 'slow.example', nextAttempt: run }]);
    expect(await one.queue.lease('SMTPC', 5)).toEqual([]);
    const keys = waiting.map(({ key }) => key);
    const [early, ...none] = await one.queue.leaseWaiting('SMTPC', keys.slice(1));
    expect([early?.message.id, none]).toEqual([second.message.id, []]);
    expect((await one.queue.leaseWaiting('SMTPC', keys)).map(({ message }) => message.id)).toEqual([first.message.id]);
    await one.queue.release(early as Lease);
    expect(await collect(one.queue.waiting('SMTPC', 'slow.example'))).toEqual([waiting[1]]);
    expect((await one.queue.get(second.message.id))?.recipients).toMatchObject([{ nextAttempt: since + 30_000 }]);
    expect(await one.queue.lease('SMTPC', 5)).toEqual([]);
  });

  test('whoever looks after destinations is told of a request, and nothing is rewritten', async () => {
    const one = await open();
    await one.queue.submit(newMessage(one.queue.newId(), ['u@slow.example']));
    await one.queue.file(await leaseOne(one), [{ from: 1, to: [remote('u@slow.example')] }]);
    await one.queue.defer(await leaseOne(one, 'SMTPC'), [{ number: 1, nextAttempt: one.clock.now() + 60_000, reason: 'later' }]);
    const told: unknown[] = [];
    const stop = one.queue.onRetry('SMTPC', (identifier) => told.push(identifier));
    expect(await one.queue.retryNow('SMTPC', 'other.example')).toBe(0);
    expect(await one.queue.retryNow('SMTPC', 'slow.example')).toBe(1);
    expect(await one.queue.retryNow('SMTPC')).toBe(1);
    expect(told).toEqual(['slow.example', undefined]);
    await one.queue.submit(newMessage(one.queue.newId(), ['u@new.example']));
    await one.queue.file(await leaseOne(one), [{ from: 1, to: [remote('u@new.example')] }]);
    expect(await one.queue.retryNow('SMTPC', 'new.example')).toBe(1);
    expect(told.splice(2)).toEqual(['new.example']);
    const taken = await one.queue.lease('SMTPC', 5);
    expect(taken.map(({ recipients }) => recipients[0]?.address)).toEqual(['u@new.example']);
    expect(await one.queue.retryNow('SMTPC', 'new.example')).toBe(0);
    for (const lease of taken) await one.queue.complete(lease, [1]);
    expect(await one.queue.lease('SMTPC', 5)).toEqual([]);
    stop();
    expect(await one.queue.retryNow('SMTPC')).toBe(1);
    expect(await one.queue.lease('SMTPC', 5)).toHaveLength(1);
  });

  test('a destination with a long backlog does not hide the others', async () => {
    const one = await open({ feed: { slips: 8, recipients: 100 } });
    const many = Array.from({ length: 300 }, (_, n) => `u${n}@slow.example`);
    for (const address of many) await one.queue.submit(newMessage(one.queue.newId(), [address]));
    await one.queue.submit(newMessage(one.queue.newId(), ['x@fast.example']));
    for (;;) {
      const leases = await one.queue.lease('INPUT', 50);
      if (leases.length === 0) break;
      for (const lease of leases) {
        await one.queue.file(
          lease,
          lease.recipients.map(({ number, address }) => ({ from: number, to: [remote(address)] })),
        );
      }
    }
    const found = await one.queue.lease('SMTPC', 5, { except: ['slow.example'] });
    expect(found.map(({ recipients }) => recipients[0]?.address)).toEqual(['x@fast.example']);
    expect(await one.queue.lease('SMTPC', 5, { except: ['slow.example'] })).toEqual([]);
    let left = 0;
    for (;;) {
      const leases = await one.queue.lease('SMTPC', 64);
      if (leases.length === 0) break;
      left += leases.length;
    }
    expect(left).toBe(300);
  });

  test('a busy destination and many with nothing due do not hide one whose mail is due', async () => {
    const before = await open();
    const destinations = Array.from({ length: 300 }, (_, n) => `a${n}.example`);
    const send = (address: string) => before.queue.submit(newMessage(before.queue.newId(), [{ address, filed: remote(address) }]));
    await Promise.all(destinations.map((domain) => send(`u@${domain}`)));
    const nextAttempt = before.clock.now() + 3_600_000;
    for (const lease of await before.queue.lease('SMTPC', 2_000))
      await before.queue.defer(lease, [{ number: 1, nextAttempt, reason: 'no connection' }]);
    await Promise.all(Array.from({ length: 150 }, (_, n) => send(`u${n}@busy.example`)));
    await send('x@fast.example');
    // After a restart nothing is known but what the indexes have.
    const { queue } = await before.crash();
    const except = ['busy.example'];
    const found = [...(await queue.lease('SMTPC', 1, { except })), ...(await queue.lease('SMTPC', 1, { except }))];
    expect(found.map(({ recipients }) => recipients[0]?.address)).toEqual(['x@fast.example']);
  });

  test('a message counts once at a destination, however many recipients and parts it has there', async () => {
    const one = await open();
    const addresses = [...Array.from({ length: 600 }, (_, n) => `u${n}@big.example`), 'x@other.example'];
    await one.queue.submit(
      newMessage(
        one.queue.newId(),
        addresses.map((address) => ({ address, filed: remote(address) })),
      ),
    );
    await one.queue.submit(newMessage(one.queue.newId(), [{ address: 'single@big.example', filed: remote('single@big.example') }]));
    let at = one.clock.now() + 60_000;
    for (const lease of await one.queue.lease('SMTPC', 100)) {
      // Parts wait until different times.
      at += 1_000;
      await one.queue.defer(
        lease,
        lease.recipients.map(({ number }) => ({ number, nextAttempt: at, reason: 'busy' })),
      );
    }
    const counts = (await one.queue.destinations('SMTPC')).map(({ identifier, messages, recipients }) => [
      identifier,
      messages,
      recipients,
    ]);
    expect(counts.sort()).toEqual([
      ['big.example', 2, 601],
      ['other.example', 1, 1],
    ]);
  });

  test('of more destinations than are listed those with the most mail are, and each alone can be asked for', async () => {
    const one = await open();
    const later = { nextAttempt: one.clock.now() + 3_600_000, reason: 'no connection' };
    const many = Array.from({ length: 10_100 }, (_, n) => `u@a${n}.example`);
    const waiting = [...many, 'u@zzz.example', 'v@zzz.example'].map((address) => ({ address, filed: remote(address) }));
    await one.queue.submit(newMessage(one.queue.newId(), waiting));
    for (;;) {
      const leases = await one.queue.lease('SMTPC', 4_096);
      if (leases.length === 0) break;
      await Promise.all(
        leases.map((lease) =>
          one.queue.defer(
            lease,
            lease.recipients.map(({ number }) => ({ number, ...later })),
          ),
        ),
      );
    }
    const listed = await one.queue.destinations('SMTPC');
    expect(listed).toHaveLength(10_000);
    expect(listed).toContainEqual({ identifier: 'zzz.example', messages: 1, recipients: 2, ...later });
    expect(await one.queue.destinations('SMTPC', 'a9.example')).toEqual([
      { identifier: 'a9.example', messages: 1, recipients: 1, ...later },
    ]);
    expect(await one.queue.destinations('SMTPC', 'b.example')).toEqual([]);
  });
}
