/** Operations on what a filter finds: only what they were tried with. */

import { afterEach, expect, test } from '@jest/globals';
import { QueueDesk } from '../../src/main/queue/desk.ts';
import type { QueueControl } from '../../src/queue/index.ts';
import { newMessage, testQueue } from '../support/queue.ts';
import { type ControlledQueue, controlled } from '../support/queue-control.ts';

const opened: ControlledQueue[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(): Promise<
  ControlledQueue & { desk(control?: Pick<QueueControl, 'find' | 'operate'>): QueueDesk; put(to: string): Promise<string> }
> {
  const one = await controlled(testQueue);
  opened.push(one);
  const { queue, control: own } = one;
  return {
    ...one,
    desk: (control = own) =>
      new QueueDesk({
        queue,
        control: control as QueueControl,
        weigh: () => () => 0,
        peer: () => ({ peer: 'default' }) as never,
        folder: '/',
      }),
    async put(address) {
      const id = queue.newId();
      const domain = address.split('@')[1] ?? '';
      await queue.submit(newMessage(id, [{ address, filed: { queue: 'SMTPC', identifier: domain } }]));
      return id;
    },
  };
}

const order = { operation: { do: 'delete' }, filter: { sender: '@example.com' }, dryRun: false, count: 1, everything: false } as const;

test('what comes between the count and the work was not meant and is left alone', async () => {
  const one = await open();
  await one.put('a@far.example');
  let late = '';
  const { control: own } = one;
  const busy: Pick<QueueControl, 'find' | 'operate'> = {
    operate: (...args) => own.operate(...args),
    async *find(filter) {
      yield* own.find(filter);
      late = await one.put('b@far.example');
    },
  };
  expect(await one.desk(busy).carryOut(order, 'me')).toMatchObject({ messages: 1, recipients: 1, more: true });
  expect(await one.queue.get(late)).toBeDefined();
  await expect(one.desk().carryOut({ ...order, count: 2 }, 'me')).rejects.toMatchObject({ kind: 'conflict' });
  await expect(one.desk().carryOut({ ...order, filter: {} }, 'me')).rejects.toMatchObject({ kind: 'malformed' });
  expect(await one.desk().carryOut({ ...order, filter: { sender: 'nobody@x.example' }, count: 0 }, 'me')).toMatchObject({ messages: 0 });
});

test('a domain is found however it is written', async () => {
  const one = await open();
  await one.put('a@xn--mller-kva.example');
  const [lease] = await one.queue.lease('SMTPC', 1);
  if (lease) await one.queue.defer(lease, [{ number: 1, nextAttempt: one.clock.now() + 60_000, reason: 'greylisted' }]);
  expect(await one.desk().channel(' MÜLLER.example')).toMatchObject({
    domain: 'xn--mller-kva.example',
    deferred: { recipients: 1, reason: 'greylisted' },
  });
});

test('ids that no message has are named, and the others are worked', async () => {
  const one = await open();
  const id = await one.put('a@far.example');
  const held = { ...order, operation: { do: 'hold' }, count: undefined } as const;
  expect(await one.desk().carryOut({ ...held, filter: { ids: [id, 'notthere'] } }, 'me')).toMatchObject({
    messages: 1,
    absent: ['notthere'],
  });
  expect(await one.desk().carryOut({ ...held, filter: { ids: ['notthere'] }, dryRun: true }, 'me')).toMatchObject({ absent: ['notthere'] });
  expect(await one.desk().carryOut({ ...held, filter: { ids: [id] } }, 'me')).not.toHaveProperty('absent');
});
