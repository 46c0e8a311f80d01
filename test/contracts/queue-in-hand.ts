/** What an administrator wants of mail that is in hand: it is noted, and done when the attempt ends without success. Run from test/queue. */

import { describe, expect, test } from '@jest/globals';
import type { Lease, Operation } from '../../src/queue/index.ts';
import { join } from '../../src/storage/index.ts';
import { collect, keysOf, newMessage, type TestQueue, type TestQueueOptions } from '../support/queue.ts';
import { by, type ControlledQueue, controlled, operate, undone } from '../support/queue-control.ts';
import { leaseOne, opener, put, remote, send } from '../support/queue-steps.ts';

export function queueInHandContract(testQueue: (options: TestQueueOptions) => Promise<TestQueue>): void {
  const open = opener((options) => controlled(testQueue, options));

  const noted = { messages: 0, recipients: 0, inHand: 0, later: 1, missed: [], unchanged: 0, failed: 0, more: false };
  const later = (one: ControlledQueue) => ({ nextAttempt: one.clock.now() + 60_000, reason: '451 not now' });
  const recipients = async (one: ControlledQueue, id: string) => (await one.queue.get(id))?.recipients;

  interface Wanted {
    readonly one: ControlledQueue;
    readonly id: string;
    readonly stories: () => ControlledQueue['stories'];
    readonly close: () => Promise<void>;
  }

  /** Ways in which an attempt ends without success. */
  const ends: Readonly<Record<string, (one: ControlledQueue, lease: Lease) => Promise<ControlledQueue | undefined>>> = {
    'is deferred': async (one, lease) => {
      await one.queue.defer(lease, [{ number: 1, ...later(one) }]);
      return undefined;
    },
    'is deferred together with something else': async (one, lease) => {
      const other = one.queue.submitPart(newMessage(one.queue.newId(), ['other@x.example']));
      await one.keyValue.transact(join(other, one.queue.settlePart(lease, { deferred: [{ number: 1, ...later(one) }] })), 'soon');
      return undefined;
    },
    'is given back': async (one, lease) => {
      await one.queue.release(lease);
      return undefined;
    },
    'ends with its component': async (one) => {
      await one.queue.giveBack('SMTPC');
      return undefined;
    },
    'ends with the process': async (one) => await controlled(() => one.crash()),
  };

  describe.each(Object.entries(ends))('an attempt that %s', (_name, end) => {
    async function wanted(...operations: Operation[]): Promise<Wanted> {
      const first = await open();
      const id = await send(first, ['a@far.example']);
      const lease = await leaseOne(first, 'SMTPC');
      for (const operation of operations) expect(await operate(first, operation, { ids: [id] })).toEqual(noted);
      const one = (await end(first, lease)) ?? first;
      await undone(one);
      const stories = () => [...first.stories, ...(one === first ? [] : one.stories)];
      return { one, id, stories, close: async () => (one === first ? undefined : await one.close()) };
    }

    test('is followed by what was wanted meanwhile', async () => {
      const held = await wanted({ do: 'hold', note: 'warum' });
      expect(await recipients(held.one, held.id)).toMatchObject([{ held: { by, note: 'warum' } }]);
      expect(await held.one.queue.lease('SMTPC', 9)).toEqual([]);
      expect(held.stories().at(-1)).toMatchObject({ step: 'Held', recipients: ['a@far.example'] });
      await held.close();

      const deleted = await wanted({ do: 'delete' });
      expect(await recipients(deleted.one, deleted.id)).toBeUndefined();
      expect(deleted.stories().at(-1)).toMatchObject({ step: 'Deleted' });
      await deleted.close();

      const again = await wanted({ do: 'requeue' });
      expect(await recipients(again.one, again.id)).toMatchObject([{ queue: 'INPUT', attempts: 0, requeued: true }]);
      const routed = (await again.one.queue.lease('INPUT', 9)).filter(({ message }) => message.id === again.id);
      expect(routed).toHaveLength(1);
      await again.close();

      const urgent = await wanted({ do: 'priority', precedence: -1 });
      expect(await recipients(urgent.one, urgent.id)).toMatchObject([{ queue: 'SMTPC', precedence: -1 }]);
      urgent.one.clock.advance(120_000);
      expect((await leaseOne(urgent.one, 'SMTPC')).message.id).toBe(urgent.id);
      await urgent.close();

      const bounced = await wanted({ do: 'bounce', reason: 'zieht um' });
      expect(await recipients(bounced.one, bounced.id)).toBeUndefined();
      const reports = (await collect(bounced.one.queue.list())).filter(({ message }) => message.parent === bounced.id);
      expect(reports).toHaveLength(1);
      expect(bounced.stories().at(-1)).toMatchObject({ step: 'Bounced' });
      await bounced.close();
    });

    test('is followed by all of it, in its order; a release takes a hold back', async () => {
      const both = await wanted({ do: 'priority', precedence: 2 }, { do: 'hold' });
      expect(await recipients(both.one, both.id)).toMatchObject([{ precedence: 2, held: { by } }]);
      await both.close();
      const released = await wanted({ do: 'hold' }, { do: 'release' });
      expect((await recipients(released.one, released.id))?.[0]?.held).toBeUndefined();
      released.one.clock.advance(120_000);
      expect((await leaseOne(released.one, 'SMTPC')).message.id).toBe(released.id);
      await released.close();
    });
  });

  test('an attempt that succeeds needs nothing more, and one that is going on needs no hurry', async () => {
    const one = await open();
    const id = await send(one, ['a@far.example']);
    const lease = await leaseOne(one, 'SMTPC');
    expect(await operate(one, { do: 'release' }, { ids: [id] })).toMatchObject({ unchanged: 1, inHand: 0 });
    expect(await operate(one, { do: 'retry' }, { ids: [id] })).toMatchObject({ inHand: 1 });
    expect(await operate(one, { do: 'delete' }, { ids: [id], states: ['held', 'deferred', 'pending'] })).toMatchObject({ recipients: 0 });
    for (const operation of [{ do: 'hold' }, { do: 'delete' }, { do: 'bounce', reason: 'x' }] as const)
      expect(await operate(one, operation, { ids: [id] })).toEqual(noted);
    await one.queue.complete(lease, [1]);
    await undone(one);
    expect(await keysOf(one.keyValue)).toEqual([]);
    expect(one.stories).toEqual([]);
  });

  test('it is about those recipients alone, and what is left of a lease in several steps', async () => {
    const one = await open();
    const id = await send(one, ['a@far.example', 'b@far.example', 'c@far.example', 'd@far.example']);
    const lease = await leaseOne(one, 'SMTPC');
    await operate(one, { do: 'delete' }, { ids: [id], numbers: [2, 4] });
    await operate(one, { do: 'hold' }, { ids: [id], numbers: [3] });
    await one.queue.complete(lease, [1]);
    await one.queue.defer(lease, [{ number: 2, ...later(one) }]);
    await undone(one);
    expect((await recipients(one, id))?.map(({ number }) => number)).toEqual([3, 4]);
    await one.queue.release(lease);
    await undone(one);
    expect(await recipients(one, id)).toMatchObject([{ number: 3, held: { by } }]);
    await operate(one, { do: 'delete' }, { ids: [id] });
    expect(await keysOf(one.keyValue)).toEqual([]);
  });

  test('a message that is just being routed is held where it goes, along every route', async () => {
    const one = await open();
    const id = await put(one, ['a@far.example', 'b@far.example']);
    const lease = await leaseOne(one);
    await operate(one, { do: 'hold' }, { ids: [id], numbers: [1] });
    await one.queue.file(lease, [
      { from: 1, to: [remote('a@far.example'), remote('copy@other.example')] },
      { from: 2, to: [remote('b@far.example')] },
    ]);
    await undone(one);
    expect((await recipients(one, id))?.map(({ address, held }) => [address, held?.by])).toEqual([
      ['a@far.example', by],
      ['b@far.example', undefined],
      ['copy@other.example', by],
    ]);
    expect((await leaseOne(one, 'SMTPC')).recipients.map(({ address }) => address)).toEqual(['b@far.example']);
  });

  test('a bounce whose report cannot be written is tried again, and the mail is not sent meanwhile', async () => {
    const one = await open();
    const id = await send(one, ['a@far.example']);
    const lease = await leaseOne(one, 'SMTPC');
    await operate(one, { do: 'bounce', reason: 'weg' }, { ids: [id] });
    one.broken = true;
    await one.queue.release(lease);
    while (one.errors.length === 0) await new Promise((resolve) => setImmediate(resolve));
    one.clock.advance(30_000);
    expect(await one.queue.lease('SMTPC', 9)).toEqual([]);
    expect((await one.queue.summary()).find(({ queue }) => queue === 'SMTPC')).toMatchObject({ pending: 1 });
    one.broken = false;
    one.clock.advance(60_000);
    await undone(one);
    expect(await recipients(one, id)).toBeUndefined();
    expect(one.errors[0]).toBe(`${id}: bounce failed`);
  });
}
