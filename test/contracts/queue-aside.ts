/** What becomes of records that cannot be read, in every queue. Run from test/queue with the queue on the bundled engine. */

import { describe, expect, test } from '@jest/globals';
import { CheckFailed } from '../../src/storage/index.ts';
import { collect, keysOf, type TestQueue, type TestQueueOptions } from '../support/queue.ts';
import { by, type ControlledQueue, controlled } from '../support/queue-control.ts';
import { leaseOne, opener, put, send } from '../support/queue-steps.ts';

export function queueAsideContract(testQueue: (options: TestQueueOptions) => Promise<TestQueue>): void {
  const open = opener((options) => controlled(testQueue, options));

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
      const lease = await leaseOne(one, 'INPUT');
      expect(lease.recipients).toMatchObject([{ address: 'a@x.example' }]);
      await expect(one.queue.complete(lease, [1])).resolves.toBeUndefined();
      expect(await keysOf(one.keyValue)).toEqual([]);
    });

    test('takes what is left of a lease, of which a worker found that its message cannot be read', async () => {
      const one = await open();
      const told: unknown[] = [];
      one.queue.onAside((entry) => told.push(entry));
      const id = await send(one, ['a@x.example', 'b@x.example', 'c@x.example', 'd@y.example']);
      const lease = (await one.queue.lease('SMTPC', 9)).find(({ recipients }) => recipients.length === 3);
      if (!lease) throw new Error('nothing leased');
      await one.queue.complete(lease, [1]);
      await one.queue.putAside(lease, 'the bytes are\r\ngone');
      await expect(one.queue.putAside(lease, 'again')).rejects.toBeInstanceOf(CheckFailed);
      expect(told).toEqual([{ id, slip: expect.any(String), queue: 'SMTPC', recipients: 2, problem: 'the bytes are gone' }]);
      const [entry] = await collect(one.control.aside());
      expect(entry).toMatchObject({ id, queue: 'SMTPC', recipients: 2, since: one.clock.now(), problem: 'the bytes are gone' });
      expect((await one.queue.summary()).find(({ queue }) => queue === 'SMTPC')).toMatchObject({ pending: 1, aside: 2 });
      const later = await controlled(() => one.crash());
      expect(await later.control.retryAside(id, entry?.slip ?? '', by)).toBe(true);
      const again = (await later.queue.lease('SMTPC', 9)).find(({ recipients }) => recipients.length === 2);
      expect(again?.recipients.map(({ address }) => address)).toEqual(['b@x.example', 'c@x.example']);
      await later.close();
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
}
