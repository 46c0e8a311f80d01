/**
 * What every queue must do, whatever it is built on. Run from test/queue with the queue on the bundled engine.
 */

import { expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import { CheckFailed, join } from '../../src/storage/index.ts';
import { collect, keysOf, newMessage, type TestQueue, type TestQueueOptions } from '../support/queue.ts';
import { leaseOne, local, opener, remote } from '../support/queue-steps.ts';

export function queueContract(testQueue: (options: TestQueueOptions) => Promise<TestQueue>): void {
  const open = opener(testQueue);

  test('a message goes from submission to its mailbox and leaves nothing behind', async () => {
    const one = await open();
    const id = one.queue.newId();
    await one.queue.submit(newMessage(id, ['jürgen@example.com']));
    const input = await leaseOne(one);
    expect(input.message.id).toBe(id);
    expect(input.message.sender).toBe('müller@example.com');
    expect(input.recipients).toEqual([
      { number: 1, address: 'jürgen@example.com', queue: 'INPUT', identifier: '', attempts: 0, nextAttempt: one.clock.now() },
    ]);
    await one.queue.file(input, [{ from: 1, to: [local('jürgen@example.com')] }]);
    const work = await leaseOne(one, 'LOCAL');
    expect(work.recipients[0]?.identifier).toBe('uuid-jürgen@example.com');
    await one.keyValue.transact(one.queue.completePart(work, [1]), 'durable');
    expect(await keysOf(one.keyValue)).toEqual([]);
  });

  test('what is leased is not leased again', async () => {
    const one = await open();
    await one.queue.submit(newMessage(one.queue.newId(), ['a@example.com']));
    const leases = await Promise.all([one.queue.lease('INPUT', 10), one.queue.lease('INPUT', 10), one.queue.lease('INPUT', 10)]);
    expect(leases.flat()).toHaveLength(1);
    expect(await one.queue.lease('INPUT', 10)).toEqual([]);
  });

  test('a lease that was settled or given back does not hold any more', async () => {
    const one = await open();
    await one.queue.submit(newMessage(one.queue.newId(), ['a@example.com']));
    const lease = await leaseOne(one);
    await one.queue.release(lease);
    await expect(one.queue.complete(lease, [1])).rejects.toBeInstanceOf(CheckFailed);
    await expect(one.queue.file(lease, [{ from: 1, to: [local('a@example.com')] }])).rejects.toBeInstanceOf(CheckFailed);
    await expect(one.queue.release(lease)).rejects.toBeInstanceOf(CheckFailed);
    const again = await leaseOne(one);
    await one.queue.complete(again, [1]);
    await expect(one.keyValue.transact(one.queue.completePart(again, [1]), 'soon')).rejects.toBeInstanceOf(CheckFailed);
  });

  test('a lease handed on with fewer recipients loses none of the others', async () => {
    const one = await open();
    await one.queue.submit(newMessage(one.queue.newId(), ['a@example.com', 'b@example.com']));
    const lease = await leaseOne(one);
    await one.queue.complete({ ...lease, recipients: lease.recipients.slice(0, 1) }, [1]);
    await one.queue.release(lease);
    expect((await leaseOne(one)).recipients.map(({ number }) => number)).toEqual([2]);
  });

  test('a copy read before a slip shrank cannot be leased', async () => {
    const one = await open();
    await one.queue.submit(newMessage(one.queue.newId(), ['a@example.com', 'b@example.com']));
    const lease = await leaseOne(one);
    await one.queue.complete(lease, [1]);
    await one.queue.complete(lease, [1]);
    await one.queue.release(lease);
    const again = await leaseOne(one);
    expect(again.recipients.map(({ address }) => address)).toEqual(['b@example.com']);
    await one.queue.complete(again, [2]);
    expect(await keysOf(one.keyValue)).toEqual([]);
  });

  test('recipients spread over several queues are finished one by one, and the last frees the message', async () => {
    const one = await open();
    const id = one.queue.newId();
    await one.queue.submit(newMessage(id, ['a@example.com', 'b@example.net', 'c@example.org', 'd@example.net']));
    await one.queue.file(await leaseOne(one), [
      { from: 1, to: [local('a@example.com'), remote('copy@example.net')] },
      { from: 2, to: [remote('b@example.net')] },
      { from: 3, to: [remote('c@example.org')] },
      { from: 4, to: [remote('d@example.net')] },
    ]);
    const listing = await one.queue.get(id);
    expect(listing?.recipients.map(({ number, address, queue }) => `${number} ${address} ${queue}`)).toEqual([
      '1 a@example.com LOCAL',
      '2 b@example.net SMTPC',
      '3 c@example.org SMTPC',
      '4 d@example.net SMTPC',
      '5 copy@example.net SMTPC',
    ]);
    const out = await one.queue.lease('SMTPC', 10);
    expect(out.map((lease) => lease.recipients.map(({ number }) => number))).toEqual([[5, 2, 4], [3]]);
    for (const lease of out)
      await one.queue.complete(
        lease,
        lease.recipients.map(({ number }) => number),
      );
    expect(await one.queue.get(id)).toMatchObject({ recipients: [{ number: 1 }] });
    await one.queue.complete(await leaseOne(one, 'LOCAL'), [1]);
    expect(await keysOf(one.keyValue)).toEqual([]);
  });

  test('refused recipients stay with the caller, to be bounced and completed in one commit', async () => {
    const one = await open();
    const id = one.queue.newId();
    await one.queue.submit(newMessage(id, ['a@example.com', 'nobody@example.com']));
    const lease = await leaseOne(one);
    const bounce = newMessage(one.queue.newId(), ['müller@example.com'], { sender: '' });
    const parts = join(
      one.queue.filePart(lease, [{ from: 1, to: [local('a@example.com')] }]),
      one.queue.completePart(lease, [2]),
      one.queue.submitPart(bounce),
    );
    let woken = 0;
    one.queue.onWork('INPUT', () => woken++);
    await one.keyValue.transact(parts, 'durable');
    expect(woken).toBe(1);
    expect((await leaseOne(one)).message.sender).toBe('');
    expect((await leaseOne(one, 'LOCAL')).recipients).toHaveLength(1);
  });

  test('an outcome files, completes and defers in one commit; the rest stays leased', async () => {
    const one = await open();
    await one.queue.submit(newMessage(one.queue.newId(), ['a@x.example', 'b@x.example', 'c@x.example', 'd@x.example']));
    const lease = await leaseOne(one);
    const later = one.clock.now() + 60_000;
    const outcome = {
      filed: [{ from: 1, to: [local('a@x.example')] }],
      done: [2],
      deferred: [{ number: 3, nextAttempt: later, reason: 'directory is away' }],
    };
    await one.keyValue.transact(one.queue.settlePart(lease, outcome), 'durable');
    expect(await one.queue.lease('INPUT', 10)).toEqual([]);
    await one.queue.release(lease);
    expect((await leaseOne(one)).recipients.map(({ number }) => number)).toEqual([4]);
    one.clock.advance(60_000);
    const deferred = await leaseOne(one);
    expect(deferred.recipients).toMatchObject([{ number: 3, attempts: 1, reason: 'directory is away' }]);
  });

  test('only recipients of the input queue are filed', async () => {
    const one = await open();
    await one.queue.submit(newMessage(one.queue.newId(), ['a@x.example']));
    await one.queue.file(await leaseOne(one), [{ from: 1, to: [local('a@x.example')] }]);
    const lease = await leaseOne(one, 'LOCAL');
    await expect(one.queue.file(lease, [{ from: 1, to: [remote('a@x.example')] }])).rejects.toMatchObject({ kind: 'wrong-moment' });
  });

  test('a deferred recipient wakes its worker when its time has come', async () => {
    const one = await open();
    await one.queue.submit(newMessage(one.queue.newId(), ['a@x.example']));
    await one.queue.file(await leaseOne(one), [{ from: 1, to: [remote('a@x.example')] }]);
    const lease = await leaseOne(one, 'SMTPC');
    let woken = 0;
    one.queue.onWork('SMTPC', () => woken++);
    await one.queue.defer(lease, [{ number: 1, nextAttempt: one.clock.now() + 30_000, reason: 'no route to host' }]);
    expect(await one.queue.lease('SMTPC', 10)).toEqual([]);
    one.clock.advance(29_999);
    expect(woken).toBe(0);
    expect(await one.queue.lease('SMTPC', 10)).toEqual([]);
    one.clock.advance(1);
    expect(woken).toBe(1);
    expect((await leaseOne(one, 'SMTPC')).recipients[0]).toMatchObject({ attempts: 1, reason: 'no route to host' });
  });

  test('a list of ten thousand recipients is worked in parts and ends clean', async () => {
    const one = await open();
    const recipients = Array.from({ length: 10_000 }, (_, n) => `m${n}@x.example`);
    await one.queue.submit(newMessage(one.queue.newId(), recipients));
    const seen = new Set<number>();
    for (;;) {
      const leases = await one.queue.lease('INPUT', 4);
      if (leases.length === 0) break;
      for (const lease of leases) {
        expect(lease.recipients.length).toBeLessThanOrEqual(256);
        await one.queue.file(
          lease,
          lease.recipients.map(({ number, address }) => ({ from: number, to: [local(address)] })),
        );
      }
    }
    for (;;) {
      const leases = await one.queue.lease('LOCAL', 8);
      if (leases.length === 0) break;
      for (const lease of leases) {
        const numbers = lease.recipients.map(({ number }) => number);
        for (const number of numbers) seen.add(number);
        await one.keyValue.transact(one.queue.completePart(lease, numbers), 'soon');
      }
    }
    expect(seen.size).toBe(10_000);
    expect(await keysOf(one.keyValue)).toEqual([]);
  });

  test('with more than memory keeps, everything is still handed out, oldest first', async () => {
    const one = await open({ feed: { slips: 3, recipients: 100 } });
    const ids: string[] = [];
    for (let n = 0; n < 40; n++) {
      one.clock.advance(1);
      ids.push(one.queue.newId());
      await one.queue.submit(newMessage(ids[n] as string, [`u${n}@x.example`]));
    }
    const got: string[] = [];
    for (;;) {
      const leases = await one.queue.lease('INPUT', 7);
      if (leases.length === 0) break;
      got.push(...leases.map(({ message }) => message.id));
    }
    expect(got).toEqual(ids);
  });

  test('a record that cannot be read is put aside and blocks nobody', async () => {
    const errors: string[] = [];
    const log = { ...silentLog, error: (text: string) => void errors.push(text) };
    const first = await open({ log });
    const [bad, good] = [first.queue.newId(), first.queue.newId()];
    await first.queue.submit(newMessage(bad, ['a@x.example']));
    await first.queue.submit(newMessage(good, ['b@x.example']));
    await first.keyValue.transact(async () => ({ puts: [[`queue/m/${bad}/0`, Buffer.from('{')]], result: undefined }), 'durable');
    const later = await first.crash();
    const aside: unknown[] = [];
    later.queue.onAside(() => {
      throw new Error('broken');
    });
    later.queue.onAside((entry) => aside.push(entry));
    expect((await later.queue.lease('INPUT', 10)).map(({ message }) => message.id)).toEqual([good]);
    expect(aside).toEqual([{ id: bad, slip: '0', queue: 'INPUT', recipients: 1, problem: expect.any(String) }]);
    expect(errors.splice(1)).toEqual(['a listener of what is put aside failed']);
    expect(errors).toHaveLength(1);
    expect(await keysOf(later.keyValue)).toContain(`queue/x/${bad}/0`);
  });

  test('a message is accepted once under its id', async () => {
    const one = await open();
    const message = newMessage(one.queue.newId(), ['a@x.example']);
    await one.queue.submit(message);
    await expect(one.queue.submit(message)).rejects.toBeInstanceOf(CheckFailed);
  });

  test.each([
    ['an id that reaches into other keys', { id: '../../m' }],
    ['no recipient', { recipients: [] }],
  ])('a message with %s is refused', async (_name, over) => {
    const one = await open();
    await expect(one.queue.submit({ ...newMessage(one.queue.newId(), ['a@x.example']), ...over })).rejects.toMatchObject({
      kind: 'malformed',
    });
  });

  test('ids rise strictly, also when the clock stands still or steps back', async () => {
    const one = await open();
    const ids = Array.from({ length: 5000 }, () => one.queue.newId());
    one.clock.advance(-10_000);
    ids.push(one.queue.newId());
    expect(ids).toEqual([...ids].sort());
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids[0]).toMatch(/^[0-9a-z]{16}$/);
  });

  test('the list goes through the queue in order of arrival, from where one was left off', async () => {
    const one = await open();
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      ids.push(one.queue.newId());
      await one.queue.submit(newMessage(ids[n] as string, [`u${n}@x.example`, `v${n}@y.example`]));
    }
    await one.queue.file(await leaseOne(one), [{ from: 1, to: [local('u0@x.example')] }]);
    expect((await collect(one.queue.list())).map(({ message }) => message.id)).toEqual(ids);
    const second = await collect(one.queue.list({ after: ids[1] as string, limit: 2 }));
    expect(second.map(({ message }) => message.id)).toEqual([ids[2], ids[3]]);
    expect(await collect(one.queue.list({ queue: 'LOCAL' }))).toMatchObject([{ message: { id: ids[0] }, recipients: [{ number: 1 }] }]);
    expect(await one.queue.get('nosuchid')).toBeUndefined();
    expect(await one.queue.get('a/../b')).toBeUndefined();
  });

  test('behind very many records that cannot be read the next one is found without waiting', async () => {
    const before = await open();
    const bad = Array.from({ length: 1_600 }, () => before.queue.newId());
    await Promise.all(bad.map((id) => before.queue.submit(newMessage(id, ['a@x.example']))));
    const puts = bad.map((id) => [`queue/m/${id}`, Buffer.from('{')] as const);
    await before.keyValue.transact(async () => ({ puts, result: undefined }), 'durable');
    const good = before.queue.newId();
    await before.queue.submit(newMessage(good, ['b@x.example']));
    const { queue } = await before.crash();
    let woken = true;
    queue.onWork('INPUT', () => {
      woken = true;
    });
    const found: string[] = [];
    while (woken) {
      woken = false;
      found.push(...(await queue.lease('INPUT', 500)).map(({ message }) => message.id));
    }
    expect(found).toEqual([good]);
  });

  test('what moves while the queues are counted is counted once', async () => {
    const one = await open();
    await one.queue.submit(newMessage(one.queue.newId(), ['a@example.com']));
    let moving = true;
    const moves = (async () => {
      for (let n = 0; n < 300; n++) await one.queue.release(await leaseOne(one));
      moving = false;
    })();
    const totals = new Set<number>();
    while (moving) totals.add((await one.queue.summary()).reduce((sum, { pending, deferred }) => sum + pending + deferred, 0));
    await moves;
    expect([...totals]).toEqual([1]);
  });

  test('a listener that fails does not keep the others from hearing', async () => {
    const one = await open();
    let woken = 0;
    one.queue.onWork('INPUT', () => {
      throw new Error('broken');
    });
    const stop = one.queue.onWork('INPUT', () => woken++);
    await one.queue.submit(newMessage(one.queue.newId(), ['a@x.example']));
    expect(woken).toBe(1);
    stop();
    await one.queue.submit(newMessage(one.queue.newId(), ['a@x.example']));
    expect(woken).toBe(1);
  });
}
