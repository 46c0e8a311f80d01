/**
 * What an administrator can do with every queue, whatever it is built on. Run from test/queue with the queue on the bundled engine.
 */

import { afterEach, describe, expect, test } from '@jest/globals';
import type { Lease, NewMessage, NewRecipient, Operation, QueueFilter, SearchOptions } from '../../src/queue/index.ts';
import { CheckFailed } from '../../src/storage/index.ts';
import { afterWrites, collect, keysOf, newMessage, type TestQueue, type TestQueueOptions } from '../support/queue.ts';
import { type ControlledQueue, controlled } from '../support/queue-control.ts';

const by = 'cn=admin,o=ima';

export function queueControlContract(testQueue: (options: TestQueueOptions) => Promise<TestQueue>): void {
  const opened: TestQueue[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
  });

  async function open(options: TestQueueOptions = {}): Promise<ControlledQueue> {
    const made = await controlled(testQueue, options);
    opened.push(made);
    return made;
  }

  const remote = (address: string) => ({ address, queue: 'SMTPC' as const, identifier: address.split('@')[1] ?? '' });

  async function put(
    one: ControlledQueue,
    recipients: readonly (string | NewRecipient)[],
    over: Partial<NewMessage> = {},
  ): Promise<string> {
    const id = one.queue.newId();
    await one.queue.submit(newMessage(id, recipients, { arrivedAt: one.clock.now(), ...over }));
    return id;
  }

  /** Submitted and filed under SMTPC. */
  async function send(
    one: ControlledQueue,
    recipients: readonly (string | NewRecipient)[],
    over: Partial<NewMessage> = {},
  ): Promise<string> {
    const id = await put(one, recipients, over);
    for (const lease of await one.queue.lease('INPUT', 100))
      await one.queue.file(
        lease,
        lease.recipients.map(({ number, address }) => ({ from: number, to: [remote(address)] })),
      );
    return id;
  }

  async function take(one: ControlledQueue, queue: Lease['queue']): Promise<Lease> {
    const [lease] = await one.queue.lease(queue, 1);
    if (!lease) throw new Error(`nothing due in ${queue}`);
    return lease;
  }

  const operate = (one: ControlledQueue, operation: Operation, filter: QueueFilter) => one.control.operate(operation, filter, { by });
  const idsOf = async (one: ControlledQueue, filter: QueueFilter, options?: SearchOptions): Promise<string[]> =>
    (await one.control.search(filter, options)).messages.map(({ message }) => message.id);

  describe('searching', () => {
    test('finds by each condition, in whatever state mail is, and says the state', async () => {
      const one = await open();
      const pending = await send(one, ['a@far.example'], { sender: 'Bill@Jade.example', messageId: '<m1@jade.example>' });
      one.clock.advance(1_000);
      const deferred = await send(one, ['b@far.example'], { sender: '', blob: { id: 'big', size: 5_000 } });
      await one.queue.defer((await one.queue.lease('SMTPC', 9)).find(({ message }) => message.id === deferred) as Lease, [
        { number: 1, nextAttempt: one.clock.now() + 60_000, reason: '451 zu beschäftigt' },
      ]);
      const input = await put(one, ['jürgen@ima.com', 'x@ima.com']);
      await operate(one, { do: 'hold', note: 'Prüfung' }, { ids: [input], recipient: 'x@ima.com' });
      const states = async (filter: QueueFilter): Promise<string[]> =>
        (await one.control.search(filter)).messages.flatMap(({ recipients }) =>
          recipients.map(({ address, state }) => `${address} ${state}`),
        );
      expect(await states({})).toEqual(['a@far.example leased', 'b@far.example deferred', 'jürgen@ima.com pending', 'x@ima.com held']);
      expect(await idsOf(one, { sender: 'bill@jade.EXAMPLE' })).toEqual([pending]);
      expect(await idsOf(one, { sender: '@jade.example' })).toEqual([pending]);
      expect(await idsOf(one, { sender: 'jade' })).toEqual([pending]);
      expect(await idsOf(one, { sender: 'b*@*.example' })).toEqual([pending]);
      expect(await idsOf(one, { sender: '<>' })).toEqual([deferred]);
      expect(await idsOf(one, { recipient: 'jürgen@ima.com' })).toEqual([input]);
      expect(await idsOf(one, { messageId: 'm1@jade.example' })).toEqual([pending]);
      expect(await idsOf(one, { minSize: 5_000 })).toEqual([deferred]);
      expect(await idsOf(one, { minAge: 1_000 })).toEqual([pending]);
      expect(await idsOf(one, { maxAge: 999 })).toEqual([deferred, input]);
      expect(await idsOf(one, { reason: 'BESCHÄFTIGT' })).toEqual([deferred]);
      expect(await idsOf(one, { queue: 'SMTPC', identifier: 'FAR.example' })).toEqual([pending, deferred]);
      expect(await states({ states: ['held'] })).toEqual(['x@ima.com held']);
      expect(await states({ states: ['leased', 'deferred'] })).toEqual(['a@far.example leased', 'b@far.example deferred']);
      expect(await states({ ids: [input], numbers: [1] })).toEqual(['jürgen@ima.com pending']);
      expect((await one.control.search({ ids: [input], numbers: [1] })).messages[0]).toMatchObject({ waiting: 2 });
    });

    test('pages in every order hold every message once, in both directions', async () => {
      const one = await open();
      const all: { id: string; size: number; sender: string; precedence: number }[] = [];
      for (let n = 0; n < 23; n++) {
        one.clock.advance(1);
        const size = 1_000 + ((n * 7) % 5);
        const [sender, precedence] = [`u${(n * 5) % 4}@x.example`, ((n * 3) % 5) - 2];
        const id = await send(one, [`r${n}@far.example`, ...(n % 3 === 0 ? ['s@other.example'] : [])], {
          sender,
          precedence,
          blob: { id: `b${n}`, size },
        });
        all.push({ id, size, sender, precedence });
      }
      const orders = { time: () => 0, size: (m: (typeof all)[0]) => m.size, sender: (m: (typeof all)[0]) => m.sender } as const;
      const more = { priority: (m: (typeof all)[0]) => m.precedence, weight: (m: (typeof all)[0]) => m.precedence * 10 } as const;
      const weigh = ({ precedence }: { precedence: number }): number => precedence * 10;
      for (const filter of [{}, { queue: 'SMTPC' as const }, { queue: 'SMTPC' as const, identifier: 'far.example' }])
        for (const [order, value] of Object.entries({ ...orders, ...more }))
          for (const descending of [false, true]) {
            const expected = [...all].sort((a, b) => {
              const [x, y] = [value(a), value(b)];
              return x === y ? (a.id < b.id ? -1 : 1) : x < y ? -1 : 1;
            });
            if (descending) expected.reverse();
            const got: string[] = [];
            let after: string | undefined;
            do {
              const options = { order: order as 'time', descending, limit: 4, weigh, ...(after === undefined ? {} : { after }) };
              const page = await one.control.search(filter, options);
              expect(page.messages.length).toBeLessThanOrEqual(4);
              got.push(...page.messages.map(({ message }) => message.id));
              after = page.next;
            } while (after !== undefined);
            expect([order, descending, got]).toEqual([order, descending, expected.map(({ id }) => id)]);
          }
    });

    test.each<[string, QueueFilter, SearchOptions, RegExp]>([
      ['a queue id that reaches into other keys', { ids: ['../../n/x'] }, {}, /no queue id/],
      ['a thousand and one ids', { ids: Array.from({ length: 1_001 }, (_, n) => `abcd${n}`) }, {}, /at most 1000/],
      ['a queue that is none', { queue: '__proto__' as never }, {}, /no queue __proto__/],
      ['a state that is none', { states: ['gone' as never] }, {}, /no state gone/],
      ['an empty sender', { sender: '' }, {}, /null sender is <>/],
      ['a pattern of a megabyte', { sender: '*'.repeat(1_048_576) }, {}, /longer than 1000/],
      ['a size that is no number', { minSize: Number.NaN }, {}, /minSize/],
      ['a negative age', { maxAge: -1 }, {}, /maxAge/],
      ['recipient zero', { numbers: [0] }, {}, /numbered from 1/],
      ['an order that is none', {}, { order: 'constructor' as never }, /no order/],
      ['a page of nothing', {}, { limit: 0 }, /1 to 1000/],
      ['a page of all', {}, { limit: Number.POSITIVE_INFINITY }, /1 to 1000/],
      ['rubbish for a place', {}, { after: '\u0000%%' }, /not where a page/],
      [
        'the place of another order',
        {},
        { order: 'size', after: Buffer.from('["time",false,0,"abcd"]').toString('base64url') },
        /not where/,
      ],
      ['a place that reaches into other keys', {}, { after: Buffer.from('["time",false,0,"a/../b"]').toString('base64url') }, /not where/],
    ])('%s is refused', async (_name, filter, options, say) => {
      const one = await open();
      await expect(one.control.search(filter, options)).rejects.toMatchObject({ kind: 'malformed', message: expect.stringMatching(say) });
    });

    test('a pattern that invites going back and forth takes no time', async () => {
      const one = await open();
      await put(one, ['a@x.example'], { sender: `${'a'.repeat(60_000)}@x.example` });
      expect(await idsOf(one, { sender: `${'a*'.repeat(400)}b` })).toEqual([]);
    });
  });

  test('the header is our trace line and its own fields, without the body', async () => {
    const one = await open();
    const id = await put(one, ['a@x.example']);
    const header = Buffer.from((await one.control.header(id)) ?? '').toString();
    expect(header).toBe(`Received: by mail.example.com id ${id}\r\nSubject: Größe\r\nFrom: <a@b.example>\r\nTo: <x@y.example>\r\n`);
    expect(await one.control.header('nosuchid')).toBeUndefined();
    expect(await one.control.header('../../m/x')).toBeUndefined();
  });

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
      await one.queue.file(await take(one, 'INPUT'), [
        { from: 1, to: [here, there] },
        { from: 2, to: [remote('v@far.example')] },
      ]);
      await one.queue.complete(await take(one, 'LOCAL'), [1]);
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
      await one.queue.defer(await take(one, 'SMTPC'), [later]);
      await operate(one, { do: 'requeue' }, { ids: [id] });
      await one.queue.file(await take(one, 'INPUT'), [{ from: 1, to: [remote('a@near.example')] }]);
      expect((await take(one, 'SMTPC')).recipients).toMatchObject([{ address: 'a@near.example', attempts: 0, delayNotified: true }]);
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
      const dsn = await take(one, 'INPUT');
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

    test('what a worker has in hand is left alone and said; afterwards its lease still holds', async () => {
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
          { messages: 0, recipients: 0, inHand: 1, missed: [{ id, address: 'a@far.example' }], unchanged: 0, failed: 0, more: false },
        ]);
      }
      expect(await operate(one, { do: 'delete' }, { ids: [id] })).toMatchObject({ recipients: 1, inHand: 1 });
      await one.queue.complete(lease as Lease, [1]);
      expect(await keysOf(one.keyValue)).toEqual([]);
    });

    test('retry makes deferred mail due now and wakes its worker', async () => {
      const one = await open();
      const id = await send(one, ['a@far.example']);
      const sleep = { number: 1, nextAttempt: one.clock.now() + 9_000_000, runAt: one.clock.now() + 60_000, reason: 'later' };
      await one.queue.defer(await take(one, 'SMTPC'), [sleep]);
      let woken = 0;
      one.queue.onWork('SMTPC', () => woken++);
      const hurried: unknown[] = [];
      one.queue.onRetry('SMTPC', (identifier) => hurried.push(identifier));
      expect(await operate(one, { do: 'retry' }, { ids: [id] })).toMatchObject({ recipients: 1 });
      expect(woken).toBeGreaterThan(0);
      expect(hurried).toEqual(['far.example']);
      expect((await take(one, 'SMTPC')).recipients[0]).toMatchObject({ attempts: 1, reason: 'later' });
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
      await one.queue.defer(await take(one, 'SMTPC'), [{ number: 1, nextAttempt: now + 9_000_000, runAt: now + 1_000, reason: 'later' }]);
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

  describe('what lies aside', () => {
    async function damaged(one: ControlledQueue, key: (id: string) => string): Promise<string> {
      const id = await put(one, ['a@x.example']);
      const text = key(id);
      const before = await one.keyValue.get(text);
      await one.keyValue.transact(async () => ({ puts: [[text, Buffer.from('{')]], result: undefined }), 'durable');
      const later = await one.crash();
      expect(await later.queue.lease('INPUT', 1)).toEqual([]);
      expect(before).toBeDefined();
      return id;
    }

    test('is shown, counted, tried again and deleted, and hides from nobody else', async () => {
      const first = await open();
      const id = await put(first, ['a@x.example']);
      const good = (await first.keyValue.get(`queue/m/${id}/0`)) as Uint8Array;
      await first.keyValue.transact(async () => ({ puts: [[`queue/m/${id}/0`, Buffer.from('{"v')]], result: undefined }), 'durable');
      const one = await controlled(() => first.crash());
      expect(await one.queue.lease('INPUT', 1)).toEqual([]);
      expect(await collect(one.control.aside())).toEqual([
        {
          id,
          slip: '0',
          queue: 'INPUT',
          recipients: 1,
          since: one.clock.now(),
          problem: expect.stringMatching(/JSON/),
          message: expect.objectContaining({ id }),
          record: '{"v',
        },
      ]);
      expect((await one.queue.summary())[0]).toEqual({ queue: 'INPUT', pending: 0, deferred: 0, held: 0, aside: 1 });
      expect(await one.control.retryAside(id, '0', by)).toBe(true);
      expect(await one.queue.lease('INPUT', 1)).toEqual([]);
      await one.keyValue.transact(async () => ({ puts: [[`queue/m/${id}/0`, good]], result: undefined }), 'durable');
      expect(await one.control.retryAside(id, '0', by)).toBe(true);
      expect(await one.control.retryAside(id, '0', by)).toBe(false);
      const lease = await take(one, 'INPUT');
      expect(lease.recipients).toMatchObject([{ address: 'a@x.example' }]);
      await expect(one.queue.complete(lease, [1])).resolves.toBeUndefined();
      expect(await keysOf(one.keyValue)).toEqual([]);
    });

    test.each([
      ['its recipients', (id: string) => `queue/m/${id}/0`],
      ['its message', (id: string) => `queue/m/${id}`],
    ])('is deleted with %s unreadable', async (_name, key) => {
      const first = await open();
      const id = await damaged(first, key);
      const one = await controlled(() => first.crash());
      expect(await one.queue.lease('INPUT', 1)).toEqual([]);
      for (const [bad, slip] of [
        ['../../m', '0'],
        [id, '../0'],
        [id, ''],
        ['nosuch', '0'],
      ] as const)
        expect(await one.control.deleteAside(bad, slip, by)).toBe(false);
      expect(await one.control.deleteAside(id, '0', by)).toBe(true);
      expect((await keysOf(one.keyValue)).filter((each) => !each.startsWith('ref/'))).toEqual([]);
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
      expect([report.recipients, report.inHand].sort()).toEqual([0, 1]);
      const both = report.inHand === 1 || what === 'requeue';
      expect(got).toEqual(both ? ['a@x.example', 'b@x.example'] : ['b@x.example']);
      outcomes.add(report.inHand === 1 ? 'leased' : what);
      for (const lease of all) await one.queue.complete(lease, [1, 2]);
    }
    expect([...outcomes].sort()).toEqual(['leased', what].sort());
    await one.control.operate({ do: 'delete' }, {}, { by, all: true });
    expect(await keysOf(one.keyValue)).toEqual([]);
  });

  test('settling after an administrator ended what a worker once had throws and changes nothing', async () => {
    const one = await open();
    const id = await send(one, ['a@far.example']);
    const lease = await take(one, 'SMTPC');
    await one.queue.release(lease);
    await operate(one, { do: 'hold' }, { ids: [id] });
    await expect(one.queue.complete(lease, [1])).rejects.toBeInstanceOf(CheckFailed);
    expect((await one.queue.get(id))?.recipients).toHaveLength(1);
  });
}
