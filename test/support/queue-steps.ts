/** What the contracts of the queue have in common: queues that are closed after each test, and steps they take again and again. */

import { afterEach } from '@jest/globals';
import type { Lease, NewMessage, NewRecipient } from '../../src/queue/index.ts';
import { newMessage, type TestQueue, type TestQueueOptions } from './queue.ts';

/** Opens queues as `make` does; they are closed after each test. */
export function opener<T extends TestQueue>(make: (options: TestQueueOptions) => Promise<T>): (options?: TestQueueOptions) => Promise<T> {
  const opened: T[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
  });
  return async (options = {}) => {
    const made = await make(options);
    opened.push(made);
    return made;
  };
}

export async function leaseOne(one: TestQueue, queue: Lease['queue'] = 'INPUT'): Promise<Lease> {
  const [lease] = await one.queue.lease(queue, 1);
  if (!lease) throw new Error(`nothing due in ${queue}`);
  return lease;
}

export const local = (address: string, identifier = `uuid-${address}`) => ({ address, queue: 'LOCAL' as const, identifier });
export const remote = (address: string) => ({ address, queue: 'SMTPC' as const, identifier: address.split('@')[1] ?? '' });

export async function put(one: TestQueue, recipients: readonly (string | NewRecipient)[], over: Partial<NewMessage> = {}): Promise<string> {
  const id = one.queue.newId();
  await one.queue.submit(newMessage(id, recipients, { arrivedAt: one.clock.now(), ...over }));
  return id;
}

/** Submitted and filed under SMTPC. */
export async function send(
  one: TestQueue,
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
