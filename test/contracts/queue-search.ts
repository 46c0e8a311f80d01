/** What an administrator finds in every queue, whatever it is built on. Run from test/queue with the queue on the bundled engine. */

import { describe, expect, test } from '@jest/globals';
import type { Lease, QueueFilter, SearchOptions } from '../../src/queue/index.ts';
import type { TestQueue, TestQueueOptions } from '../support/queue.ts';
import { controlled, idsOf, operate } from '../support/queue-control.ts';
import { opener, put, send } from '../support/queue-steps.ts';

export function queueSearchContract(testQueue: (options: TestQueueOptions) => Promise<TestQueue>): void {
  const open = opener((options) => controlled(testQueue, options));

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
      expect(await idsOf(one, { sender: 'BILL@' })).toEqual([pending]);
      expect(await idsOf(one, { recipient: 'x@' })).toEqual([input]);
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
}
