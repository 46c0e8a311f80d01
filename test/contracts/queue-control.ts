/**
 * What an administrator can do with every queue, whatever it is built on. Run from test/queue with the queue on the bundled engine.
 */

import { describe, expect, test } from '@jest/globals';
import type { Lease, Operation, QueueFilter } from '../../src/queue/index.ts';
import { CheckFailed } from '../../src/storage/index.ts';
import { afterWrites, collect, keysOf, type TestQueue, type TestQueueOptions } from '../support/queue.ts';
import { by, controlled, idsOf, operate } from '../support/queue-control.ts';
import { leaseOne, opener, put, remote, send } from '../support/queue-steps.ts';

export function queueControlContract(testQueue: (options: TestQueueOptions) => Promise<TestQueue>): void {
  const open = opener((options) => controlled(testQueue, options));

  describe('operations', () => {
    test('what is held is not worked, not counted as pending, survives a crash, and goes on when released', async () => {
      const one = await open();
      const id = await send(one, ['a@far.example', 'b@far.example']);
      expect(await operate(one, { do: 'hold', note: 'Gericht' }, { recipient: 'a@far.example' })).toMatchObject({
        messages: 1,
        recipients: 1,
      });
      expect(await operate(one, { do: 'hold' }, { recipient: 'a@far.example' })).toMatchObject({ messages: 0, unchanged: 1 });
      // Another note takes the place of the one before.
      expect(await operate(one, { do: 'hold', note: 'Amt' }, { recipient: 'a@far.example' })).toMatchObject({
        recipients: 1,
        unchanged: 0,
      });
      expect((await one.queue.get(id))?.recipients.flatMap(({ held }) => held?.note ?? [])).toEqual(['Amt']);
      await operate(one, { do: 'hold', note: 'Gericht' }, { recipient: 'a@far.example' });
      const later = await one.crash();
      const summary = (await later.queue.summary()).find(({ queue }) => queue === 'SMTPC');
      expect(summary).toEqual({ queue: 'SMTPC', pending: 1, deferred: 0, held: 1, aside: 0 });
      later.clock.advance(30 * 86_400_000);
      expect((await later.queue.lease('SMTPC', 9)).flatMap(({ recipients }) => recipients.map(({ address }) => address))).toEqual([
        'b@far.example',
      ]);
      expect(await later.queue.retryNow('SMTPC')).toBe(0);
      expect(await operate(one, { do: 'retry' }, { recipient: 'a@far.example' })).toMatchObject({ recipients: 0, unchanged: 0, held: 1 });
      expect(await collect(later.queue.waiting('SMTPC', 'far.example'))).toEqual([]);
      expect((await later.queue.get(id))?.recipients[0]?.held).toEqual({ since: one.clock.now(), by, note: 'Gericht' });

      one.clock.advance(5_000);
      let woken = 0;
      one.queue.onWork('SMTPC', () => woken++);
      expect(await operate(one, { do: 'release' }, { ids: [id] })).toMatchObject({ messages: 1, recipients: 1, unchanged: 1 });
      expect(woken).toBeGreaterThan(0);
      const leases = await one.queue.lease('SMTPC', 9);
      expect(leases.flatMap(({ recipients }) => recipients.map(({ address }) => address)).sort()).toEqual([
        'a@far.example',
        'b@far.example',
      ]);
      expect(leases.flatMap(({ recipients }) => recipients).find(({ number }) => number === 1)?.heldFor).toBe(5_000);
      expect(one.stories.map(({ step, id: of, recipients, words, text }) => [step, of, recipients, words['by'], text])).toEqual([
        ...['Gericht', 'Amt', 'Gericht'].map((note) => ['Held', id, ['a@far.example'], by, note]),
        ['Released', id, ['a@far.example'], by, undefined],
      ]);
    });

    test('what is put back into the input queue is routed anew, and no route that it had is taken twice', async () => {
      const one = await open();
      const id = await put(one, ['u@ima.com', 'v@ima.com']);
      const here = { address: 'u@ima.com', queue: 'LOCAL' as const, identifier: 'uuid-u' };
      const there = { address: 'u@notes.example', queue: 'NOTESIN' as const, identifier: 'n' };
      await one.queue.file(await leaseOne(one, 'INPUT'), [
        { from: 1, to: [here, there] },
        { from: 2, to: [remote('v@far.example')] },
      ]);
      await one.queue.complete(await leaseOne(one, 'LOCAL'), [1]);
      expect(await operate(one, { do: 'requeue' }, { ids: [id] })).toMatchObject({ messages: 1, recipients: 2 });
      const again = await one.queue.lease('INPUT', 9);
      expect(again.flatMap(({ recipients }) => recipients.map(({ number, address }) => [number, address])).sort()).toEqual([
        [2, 'v@far.example'],
        [3, 'u@notes.example'],
      ]);
      const copies = [remote('w@far.example'), remote('x@far.example')];
      for (const lease of again)
        await one.queue.file(
          lease,
          lease.recipients.map(({ number }) => ({ from: number, to: number === 2 ? copies : [here, there] })),
        );
      const numbers = ((await one.queue.get(id))?.recipients ?? []).map(({ number, address }) => ({ number, address }));
      expect(numbers.map(({ address }) => address).sort()).toEqual(['u@notes.example', 'w@far.example', 'x@far.example']);
      expect(new Set(numbers.map(({ number }) => number)).size).toBe(3);
      for (const queue of ['NOTESIN', 'SMTPC'] as const)
        for (const lease of await one.queue.lease(queue, 9))
          await one.queue.complete(
            lease,
            lease.recipients.map(({ number }) => number),
          );
      expect(await keysOf(one.keyValue)).toEqual([]);
    });

    test('whose sender was told of a delay is not told again after the mail was put back', async () => {
      const one = await open();
      const id = await send(one, ['a@far.example']);
      const later = { number: 1, nextAttempt: one.clock.now() + 60_000, reason: 'later', delayNotified: true };
      await one.queue.defer(await leaseOne(one, 'SMTPC'), [later]);
      await operate(one, { do: 'requeue' }, { ids: [id] });
      await one.queue.file(await leaseOne(one, 'INPUT'), [{ from: 1, to: [remote('a@near.example')] }]);
      expect((await leaseOne(one, 'SMTPC')).recipients).toMatchObject([{ address: 'a@near.example', attempts: 0, delayNotified: true }]);
    });

    test('however often it is put back, no two recipients of a message ever have one number', async () => {
      const one = await open();
      const id = await put(one, ['u@ima.com', 'v@ima.com']);
      const seen = new Set<number>([1, 2]);
      for (let round = 0; round < 5; round++) {
        const before = ((await one.queue.get(id))?.recipients ?? []).map(({ number }) => number);
        for (const lease of await one.queue.lease('INPUT', 99))
          await one.queue.file(
            lease,
            lease.recipients.map(({ number }) => ({
              from: number,
              to: [remote(`r${round}-${number}@a.example`), remote(`s${round}-${number}@b.example`)],
            })),
          );
        const after = ((await one.queue.get(id))?.recipients ?? []).map(({ number }) => number);
        expect(new Set(after).size).toBe(2 ** (round + 2));
        for (const number of after.filter((each) => !before.includes(each))) {
          expect(seen.has(number)).toBe(false);
          seen.add(number);
        }
        await operate(one, { do: 'requeue' }, { ids: [id] });
      }
    });

    test('what is deleted tells nobody and frees the message with its last recipient', async () => {
      const one = await open();
      const id = await send(one, ['a@far.example', 'b@far.example', 'c@other.example']);
      expect(await operate(one, { do: 'delete' }, { recipient: '@far.example' })).toMatchObject({ messages: 1, recipients: 2 });
      expect((await one.queue.get(id))?.recipients).toMatchObject([{ address: 'c@other.example' }]);
      expect(await operate(one, { do: 'delete' }, { ids: [id] })).toMatchObject({ recipients: 1 });
      expect(await keysOf(one.keyValue)).toEqual([]);
      expect(one.stories.map(({ step, recipients, words }) => [step, recipients, words['by']])).toEqual([
        ['Deleted', ['a@far.example', 'b@far.example'], by],
        ['Deleted', ['c@other.example'], by],
      ]);
    });

    test('a bounce tells the sender as NOTIFY asks, in one commit with the end of the recipients', async () => {
      const one = await open();
      const id = await send(one, ['a@far.example', { address: 'b@far.example', dsn: { notify: ['never'] } }, 'c@far.example']);
      const reason = 'Nicht\r\nzustellbar';
      const report = await operate(one, { do: 'bounce', reason, status: '5.7.1' }, { ids: [id], numbers: [1, 2] });
      expect(report).toMatchObject({ messages: 1, recipients: 2, failed: 0 });
      expect((await one.queue.get(id))?.recipients.map(({ number }) => number)).toEqual([3]);
      const dsn = await leaseOne(one, 'INPUT');
      expect(dsn.message).toMatchObject({ sender: '', parent: id });
      expect(dsn.recipients[0]?.address).toBe('müller@example.com');
      const text = one.bytes.get(dsn.message.blob.id)?.toString() ?? '';
      expect(text).toMatch(/^Status: 5\.7\.1\r$/m);
      expect(text).toContain('a@far.example');
      expect(text).not.toContain('b@far.example');
      expect(one.stories).toMatchObject([{ step: 'Bounced', words: { by, status: '5.7.1', report: dsn.message.id, channel: 'SMTPC' } }]);
      await one.queue.complete(dsn, [1]);
      await operate(one, { do: 'delete' }, { ids: [id] });
      expect(await keysOf(one.keyValue)).toEqual([]);
    });

    test('the null sender hears of no bounce, held mail can be bounced, and a report that fails changes nothing', async () => {
      const one = await open();
      const id = await send(one, ['a@far.example'], { sender: '' });
      expect(await operate(one, { do: 'bounce', reason: 'weg' }, { ids: [id] })).toMatchObject({ recipients: 1 });
      expect(await keysOf(one.keyValue)).toEqual([]);
      const held = await send(one, ['a@far.example']);
      await operate(one, { do: 'hold' }, { ids: [held] });
      one.broken = true;
      expect(await operate(one, { do: 'bounce', reason: 'weg' }, { ids: [held] })).toMatchObject({ recipients: 0, failed: 1 });
      expect(one.errors).toEqual([`${held}: bounce failed`]);
      expect((await one.queue.get(held))?.recipients).toMatchObject([{ held: { by } }]);
      expect(await one.queue.lease('SMTPC', 9)).toEqual([]);
      one.broken = false;
      expect(await operate(one, { do: 'bounce', reason: 'weg' }, { states: ['held'] })).toMatchObject({ recipients: 1, failed: 0 });
      expect(await one.queue.get(held)).toBeUndefined();
    });

    test('what a worker has in hand is left alone, and said to be done later; afterwards its lease still holds', async () => {
      const one = await open();
      const id = await send(one, ['a@far.example', 'b@other.example']);
      const [lease] = await one.queue.lease('SMTPC', 1, { identifier: 'far.example' });
      for (const operation of [
        { do: 'hold' },
        { do: 'requeue' },
        { do: 'priority', precedence: -1 },
        { do: 'bounce', reason: 'weg' },
        { do: 'delete' },
      ] as const) {
        const report = await operate(one, operation, { ids: [id], recipient: 'a@far.example' });
        expect([operation.do, report]).toEqual([
          operation.do,
          { messages: 0, recipients: 0, inHand: 0, later: 1, missed: [], unchanged: 0, failed: 0, more: false },
        ]);
      }
      expect(await operate(one, { do: 'delete' }, { ids: [id] })).toMatchObject({ recipients: 1, later: 1 });
      await one.queue.complete(lease as Lease, [1]);
      expect(await keysOf(one.keyValue)).toEqual([]);
    });

    test('retry makes deferred mail due now and wakes its worker', async () => {
      const one = await open();
      const id = await send(one, ['a@far.example']);
      const sleep = { number: 1, nextAttempt: one.clock.now() + 9_000_000, runAt: one.clock.now() + 60_000, reason: 'later' };
      await one.queue.defer(await leaseOne(one, 'SMTPC'), [sleep]);
      let woken = 0;
      one.queue.onWork('SMTPC', () => woken++);
      const hurried: unknown[] = [];
      one.queue.onRetry('SMTPC', (identifier) => hurried.push(identifier));
      expect(await operate(one, { do: 'retry' }, { ids: [id] })).toMatchObject({ recipients: 1 });
      expect(woken).toBeGreaterThan(0);
      expect(hurried).toEqual(['far.example']);
      expect((await leaseOne(one, 'SMTPC')).recipients[0]).toMatchObject({ attempts: 1, reason: 'later' });
    });

    test('urgent mail goes first and patient mail last, as their header or an administrator says; nobody starves', async () => {
      const one = await open();
      for (let n = 0; n < 30; n++) await put(one, [`n${n}@x.example`]);
      const patient = await put(one, ['p@x.example'], { precedence: 2 });
      const urgent = await put(one, ['u@x.example'], { precedence: -1 });
      const made = await put(one, ['m@x.example']);
      expect(await operate(one, { do: 'priority', precedence: -2 }, { ids: [made] })).toMatchObject({ recipients: 1 });
      const order: string[] = [];
      for (let [lease] = await one.queue.lease('INPUT', 1); lease; [lease] = await one.queue.lease('INPUT', 1))
        order.push(lease.message.id);
      expect(order).toHaveLength(33);
      expect(order.slice(0, 2).sort()).toEqual([urgent, made].sort());
      expect(order.indexOf(patient)).toBeLessThan(8);
      expect(await operate(one, { do: 'priority', precedence: 1 }, {}).catch(({ message }) => message)).toMatch(/must be said/);
    });

    test('a priority is what the destination is weighed by, and stays through deferrals and sleep', async () => {
      const one = await open();
      const id = await send(one, ['a@far.example'], { precedence: 1 });
      const waits = async () =>
        (await collect(one.queue.waiting('SMTPC', 'far.example'))).map(({ precedence, sleeps }) => [precedence, sleeps]);
      expect(await waits()).toEqual([[1, false]]);
      const now = one.clock.now();
      await one.queue.defer(await leaseOne(one, 'SMTPC'), [
        { number: 1, nextAttempt: now + 9_000_000, runAt: now + 1_000, reason: 'later' },
      ]);
      expect(await operate(one, { do: 'priority', precedence: 0 }, { ids: [id] })).toMatchObject({ recipients: 1 });
      expect(await waits()).toEqual([[0, true]]);
      expect(await operate(one, { do: 'priority', precedence: -2 }, { states: ['deferred'] })).toMatchObject({ recipients: 1 });
      expect(await waits()).toEqual([[-2, true]]);
      const keys = (await collect(one.queue.waiting('SMTPC', 'far.example'))).map(({ key }) => key);
      const [lease] = await one.queue.leaseWaiting('SMTPC', [...keys, 'queue/h/SMTPC/x', 'queue/d/LOCAL/x', '']);
      await one.queue.defer(lease as Lease, [{ number: 1, nextAttempt: now + 60_000, reason: 'later' }]);
      expect(await waits()).toEqual([[-2, false]]);
      expect((await one.control.search({}, { order: 'priority' })).messages[0]).toMatchObject({ weight: -2 });
    });

    test.each<[string, Operation, QueueFilter, RegExp]>([
      ['deleting everything without saying so', { do: 'delete' }, {}, /must be said/],
      ['an operation that is none', { do: 'toString' } as never, { sender: 'a' }, /no operation/],
      ['a bounce without a reason', { do: 'bounce', reason: ' ' }, { sender: 'a' }, /needs a reason/],
      ['a status that is none', { do: 'bounce', reason: 'x', status: '5.1.1\r\nX: y' }, { sender: 'a' }, /5\.7\.1/],
      ['a status of success', { do: 'bounce', reason: 'x', status: '2.0.0' }, { sender: 'a' }, /5\.7\.1/],
      ['a priority that is none', { do: 'priority', precedence: 3 }, { sender: 'a' }, /-2/],
    ])('%s is refused', async (_name, operation, filter, say) => {
      const one = await open();
      const id = await put(one, ['a@x.example']);
      await expect(one.control.operate(operation, filter, { by })).rejects.toMatchObject({
        kind: 'malformed',
        message: expect.stringMatching(say),
      });
      expect(await one.queue.get(id)).toBeDefined();
    });

    test('messages with very many recipients are neither shown on one page nor changed in one commit', async () => {
      let largest = 0;
      const one = await open({
        wrap: afterWrites(async (changes) => {
          largest = Math.max(
            largest,
            [...changes.values()].reduce((sum, value) => sum + (value?.length ?? 0), 0),
          );
        }),
      });
      const many = (n: number) => Array.from({ length: n }, (_, m) => `u${m}@far.example`);
      const ids: string[] = [];
      for (let n = 0; n < 3; n++) ids.push(await put(one, many(12_000)));
      for (const order of ['time', 'size'] as const) {
        const first = await one.control.search({}, { order });
        expect(first.messages.map(({ message }) => message.id)).toEqual(ids.slice(0, 2));
        expect(await idsOf(one, {}, { order, after: first.next ?? '' })).toEqual(ids.slice(2));
      }
      const single = largest;
      expect(await operate(one, { do: 'hold' }, { queue: 'INPUT' })).toMatchObject({ messages: 3, recipients: 36_000 });
      expect(largest).toBeLessThan(2 * single);
    });

    test('when many recipients for one destination are tried is looked up once', async () => {
      let looks = 0;
      const one = await open({
        wrap: (engine) =>
          new Proxy(engine, {
            get(target, name) {
              const value = Reflect.get(target, name) as unknown;
              if (name === 'pages') looks++;
              return typeof value === 'function' ? value.bind(target) : value;
            },
          }),
      });
      const recipients = Array.from({ length: 300 }, (_, n) => ({ address: `u${n}@far.example`, filed: remote('u@far.example') }));
      await put(one, recipients);
      const [nextAttempt, runAt] = [one.clock.now() + 9_000_000, one.clock.now() + 60_000];
      for (const lease of await one.queue.lease('SMTPC', 9))
        await one.queue.defer(
          lease,
          lease.recipients.map(({ number }) => ({ number, nextAttempt, runAt, reason: 'later' })),
        );
      looks = 0;
      const [found] = (await one.control.search({})).messages;
      const listed = await collect(one.queue.list());
      for (const shown of [found?.recipients, listed[0]?.recipients]) {
        expect(shown).toHaveLength(300);
        expect(shown?.every((recipient) => recipient.nextAttempt === runAt && recipient.runAt === undefined)).toBe(true);
      }
      expect(looks).toBeLessThan(10);
    });

    test('what an operation itself moves is not met again', async () => {
      const one = await open();
      for (let n = 0; n < 70; n++) await put(one, [{ address: `u${n}@far.example`, filed: remote('u@far.example') }]);
      const filter = { queue: 'SMTPC', identifier: 'far.example' } as const;
      for (const what of ['hold', 'release'] as const)
        expect(await operate(one, { do: what }, filter)).toMatchObject({ messages: 70, recipients: 70, unchanged: 0 });
    });

    test('in bulk: all that match, a limit, and the rest untouched', async () => {
      const one = await open();
      for (let n = 0; n < 300; n++) await put(one, [`r${n}@x.example`], { sender: n % 3 === 0 ? 'spam@bad.example' : 'good@fine.example' });
      const first = await one.control.operate({ do: 'delete' }, { sender: '@bad.example' }, { by, limit: 70 });
      expect(first).toMatchObject({ messages: 70, more: true });
      expect(await one.control.operate({ do: 'delete' }, { sender: '@bad.example' }, { by })).toMatchObject({ messages: 30, more: false });
      expect(await collect(one.control.find({}))).toHaveLength(200);
      expect(await one.control.operate({ do: 'delete' }, {}, { by, all: true })).toMatchObject({ messages: 200 });
      expect(await keysOf(one.keyValue)).toEqual([]);
    });
  });

  test.each(['delete', 'hold', 'requeue'] as const)('of %s and a lease at the same moment one wins, wherever they meet', async (what) => {
    const one = await open();
    const outcomes = new Set<string>();
    // At the two ends it is certain who wins; in between they meet somewhere.
    for (let turns = -1; turns <= 60; turns++) {
      const id = await put(one, ['a@x.example', 'b@x.example']);
      const early = turns === -1 ? await one.queue.lease('INPUT', 5) : [];
      const operated = operate(one, { do: what }, { ids: [id], numbers: [1] });
      for (let n = 0; n < turns; n++) await Promise.resolve();
      if (turns === 60) await operated;
      const leasing = one.queue.lease('INPUT', 5);
      const [report, leases] = [await operated, [...early, ...(await leasing)]];
      const all = [...leases, ...(await one.queue.lease('INPUT', 5))];
      const got = all.flatMap(({ recipients }) => recipients.map(({ address }) => address)).sort();
      expect([report.recipients, report.later ?? 0].sort()).toEqual([0, 1]);
      const both = report.later === 1 || what === 'requeue';
      expect(got).toEqual(both ? ['a@x.example', 'b@x.example'] : ['b@x.example']);
      outcomes.add(report.later === 1 ? 'leased' : what);
      for (const lease of all) await one.queue.complete(lease, [1, 2]);
    }
    expect([...outcomes].sort()).toEqual(['leased', what].sort());
    await one.control.operate({ do: 'delete' }, {}, { by, all: true });
    expect(await keysOf(one.keyValue)).toEqual([]);
  });

  test('settling after an administrator ended what a worker once had throws and changes nothing', async () => {
    const one = await open();
    const id = await send(one, ['a@far.example']);
    const lease = await leaseOne(one, 'SMTPC');
    await one.queue.release(lease);
    await operate(one, { do: 'hold' }, { ids: [id] });
    await expect(one.queue.complete(lease, [1])).rejects.toBeInstanceOf(CheckFailed);
    expect((await one.queue.get(id))?.recipients).toHaveLength(1);
  });
}
