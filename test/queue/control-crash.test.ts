import { expect, test } from '@jest/globals';
import type { Lease, Operation } from '../../src/queue/index.ts';
import { afterWrites, collect, keysOf, newMessage, type TestQueue, testQueue } from '../support/queue.ts';
import { controlled } from '../support/queue-control.ts';

const by = 'cn=admin';

/** Works what a later process finds to its end: released first, then delivered. */
async function drain(at: TestQueue): Promise<{ delivered: string[]; reports: number; left: string[] }> {
  const one = await controlled(async () => at);
  await one.control.operate({ do: 'release' }, {}, { by, all: true });
  const delivered: string[] = [];
  let reports = 0;
  for (let idle = 0; idle < 2; idle++) {
    for (const queue of ['INPUT', 'SMTPC'] as const)
      for (let leases = await at.queue.lease(queue, 9); leases.length > 0; leases = await at.queue.lease(queue, 9)) {
        idle = 0;
        for (const lease of leases) {
          await at.queue.complete(
            lease,
            lease.recipients.map(({ number }) => number),
          );
          if (lease.message.parent !== undefined) reports++;
          else delivered.push(...lease.recipients.map(({ address }) => address));
        }
      }
    at.clock.advance(3_600_000);
  }
  return { delivered: delivered.sort(), reports, left: await keysOf(at.keyValue) };
}

test('after a crash at any write of any operation every recipient is there once or has ended once, with its report', async () => {
  const crashes: { name: string; at: TestQueue }[] = [];
  let name: string | undefined;
  const one = await controlled(testQueue, {
    wrap: afterWrites(async () => {
      // The copy that is opened writes, too.
      if (name === undefined) return;
      const current = name;
      name = undefined;
      crashes.push({ name: current, at: await one.crash() });
      name = current;
    }),
  });
  const addresses = ['a@far.example', 'b@far.example', 'c@other.example'];
  const { queue, control, clock } = one;
  const operations: Operation[] = [
    { do: 'hold', note: 'x' },
    { do: 'release' },
    { do: 'priority', precedence: -1 },
    { do: 'retry' },
    { do: 'requeue' },
    { do: 'delete' },
    { do: 'bounce', reason: 'weg' },
  ];
  for (const operation of operations) {
    const id = queue.newId();
    await queue.submit(newMessage(id, addresses));
    const [input] = await queue.lease('INPUT', 1);
    const to = (address: string) => [{ address, queue: 'SMTPC' as const, identifier: address.split('@')[1] ?? '' }];
    await queue.file(
      input as Lease,
      (input as Lease).recipients.map(({ number, address }) => ({ from: number, to: to(address) })),
    );
    for (const lease of await queue.lease('SMTPC', 9))
      await queue.defer(
        lease,
        lease.recipients.map(({ number }) => ({ number, nextAttempt: clock.now() + 60_000, reason: 'later' })),
      );
    if (operation.do === 'release') await control.operate({ do: 'hold' }, { ids: [id] }, { by });
    name = operation.do;
    const report = await control.operate(operation, { ids: [id], numbers: [1, 3] }, { by });
    name = undefined;
    expect([operation.do, report.recipients]).toEqual([operation.do, 2]);
    await control.operate({ do: 'delete' }, {}, { by, all: true });
    expect((await collect(queue.list())).length).toBe(0);
  }
  expect(new Set(crashes.map((crash) => crash.name)).size).toBe(operations.length);
  for (const crash of crashes) {
    const { delivered, reports, left } = await drain(crash.at);
    const gone = crash.name === 'delete' || crash.name === 'bounce';
    // All of it or nothing; a report exactly where its recipients have ended.
    const ended = gone && delivered.length === 1;
    expect([crash.name, delivered]).toEqual([crash.name, ended ? ['b@far.example'] : addresses]);
    expect([crash.name, reports]).toEqual([crash.name, crash.name === 'bounce' && ended ? 1 : 0]);
    expect([crash.name, left]).toEqual([crash.name, []]);
  }
  expect(crashes.filter((crash) => crash.name === 'bounce').length).toBeGreaterThan(1);
  await one.close();
});
