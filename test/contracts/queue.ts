/**
 * What every queue must do, whatever it is built on. Run from test/queue with the queue on the bundled engine.
 */

import { afterEach, expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import type { Lease, NewMessage } from '../../src/queue/index.ts';
import { CheckFailed, join } from '../../src/storage/index.ts';
import { collect, keysOf, newMessage, type TestQueue, type TestQueueOptions } from '../support/queue.ts';

export function queueContract(testQueue: (options: TestQueueOptions) => Promise<TestQueue>): void {
  const opened: TestQueue[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
  });

  async function open(options: TestQueueOptions = {}): Promise<TestQueue> {
    const made = await testQueue(options);
    opened.push(made);
    return made;
  }

  async function leaseOne(one: TestQueue, queue: Lease['queue'] = 'INPUT'): Promise<Lease> {
    const [lease] = await one.queue.lease(queue, 1);
    if (!lease) throw new Error(`nothing due in ${queue}`);
    return lease;
  }

  const local = (address: string, identifier = `uuid-${address}`) => ({ address, queue: 'LOCAL' as const, identifier });
  const remote = (address: string) => ({ address, queue: 'SMTPC' as const, identifier: address.split('@')[1] ?? '' });

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
