import { afterEach, expect, test } from '@jest/globals';
import type { Lease, Operation, QueueFilter } from '../../src/queue/index.ts';
import { CheckFailed } from '../../src/storage/index.ts';
import { collect, keysOf, newMessage, seededRandom, type TestQueue, testQueue } from '../support/queue.ts';
import { type ControlledQueue, controlled, undone } from '../support/queue-control.ts';

const opened: TestQueue[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

/** Workers and administrators at the same queue at once, and what must have become of every recipient in the end. */
class Storm {
  readonly one: ControlledQueue;
  readonly #random: () => number;
  readonly #submitted: string[] = [];
  readonly #completed: string[] = [];
  readonly #out: Lease[] = [];
  #n = 0;

  constructor(one: ControlledQueue, seed: number) {
    this.one = one;
    this.#random = seededRandom(seed);
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }

  /** Several things at the same time. */
  async step(): Promise<void> {
    const things = [this.#submit, this.#take, this.#take, this.#take, this.#settle, this.#settle, this.#operate, this.#operate, this.#time];
    await Promise.all(Array.from({ length: 5 }, () => this.#pick(things).call(this)));
  }

  async #submit(): Promise<void> {
    const addresses = Array.from(
      { length: 1 + Math.floor(this.#random() * 4) },
      () => `r${this.#n++}@d${Math.floor(this.#random() * 3)}.example`,
    );
    const precedence = this.#pick([undefined, undefined, -1, 2]);
    const over = { sender: this.#pick(['a@x.example', 'b@x.example', '']), ...(precedence === undefined ? {} : { precedence }) };
    await this.one.queue.submit(newMessage(this.one.queue.newId(), addresses, over));
    this.#submitted.push(...addresses);
  }

  async #take(): Promise<void> {
    const { queue } = this.one;
    const name = this.#pick(['INPUT', 'INPUT', 'SMTPC', 'LOCAL'] as const);
    if (name === 'SMTPC' && this.#random() < 0.3) {
      const waits = await collect(queue.waiting('SMTPC', 'd1.example'));
      this.#out.push(
        ...(await queue.leaseWaiting(
          'SMTPC',
          waits.slice(0, 2).map(({ key }) => key),
        )),
      );
    } else this.#out.push(...(await queue.lease(name, 1 + Math.floor(this.#random() * 4))));
  }

  async #settle(): Promise<void> {
    const lease = this.#out.splice(Math.floor(this.#random() * this.#out.length), 1)[0];
    if (!lease) return;
    const { queue, clock } = this.one;
    const numbers = lease.recipients.map(({ number }) => number);
    const done = lease.queue === 'INPUT' && lease.message.sender !== '' ? [] : numbers.slice(0, this.#pick([0, 1, 9]));
    const filed = lease.queue === 'INPUT' ? numbers.filter((number) => !done.includes(number) && this.#random() < 0.8) : [];
    const later = numbers.filter((number) => !done.includes(number) && !filed.includes(number) && this.#random() < 0.5);
    try {
      await queue.settle(lease, {
        done,
        filed: filed.map((from) => ({ from, to: [this.#route(lease, from)] })),
        deferred: later.map((number) => ({ number, nextAttempt: clock.now() + this.#pick([0, 1_000, 60_000]), reason: 'später' })),
      });
      for (const { number, address } of lease.recipients) if (done.includes(number)) this.#completed.push(address);
      await queue.release(lease);
    } catch (thrown) {
      if (!(thrown instanceof CheckFailed)) throw thrown;
    }
  }

  #route(lease: Lease, from: number) {
    const address = lease.recipients.find(({ number }) => number === from)?.address ?? '';
    const identifier = address.split('@')[1] ?? '';
    return this.#random() < 0.7
      ? { address, queue: 'SMTPC' as const, identifier }
      : { address, queue: 'LOCAL' as const, identifier: address };
  }

  async #operate(): Promise<void> {
    const operation = this.#pick<Operation>([
      { do: 'hold' },
      { do: 'hold', note: 'x' },
      { do: 'release' },
      { do: 'release' },
      { do: 'retry' },
      { do: 'requeue' },
      { do: 'priority', precedence: -2 },
      { do: 'priority', precedence: 0 },
      { do: 'delete' },
      { do: 'bounce', reason: 'weg' },
    ]);
    const some: QueueFilter[] = [
      { recipient: `r${Math.floor(this.#random() * this.#n)}@*` },
      { recipient: `*${Math.floor(this.#random() * 10)}@d1.example`, states: ['deferred', 'pending'] },
      { queue: 'SMTPC', identifier: 'd2.example', numbers: [1, 2] },
    ];
    const gentle = operation.do !== 'delete' && operation.do !== 'bounce';
    const filter = this.#pick<QueueFilter>(gentle ? [...some, { sender: 'b@x.example' }, { states: ['held'] }] : some.slice(0, 2));
    const report = await this.one.control.operate(operation, filter, { by: 'cn=admin' });
    expect(report.failed).toBe(0);
  }

  async #time(): Promise<void> {
    this.one.clock.advance(this.#pick([1, 1_000, 30_000]));
  }

  /** No recipient twice, at any moment; every count is that of the records. */
  async check(): Promise<void> {
    await undone(this.one);
    const listed = (await collect(this.one.queue.list())).flatMap(({ message, recipients }) =>
      message.parent === undefined ? recipients : [],
    );
    const addresses = listed.map(({ address }) => address);
    expect(new Set(addresses).size).toBe(addresses.length);
    const found = (await collect(this.one.control.find({}))).flatMap(({ recipients }) => recipients);
    const summary = await this.one.queue.summary();
    for (const { queue, pending, deferred, held, aside } of summary) {
      const count = (...states: string[]): number => found.filter((each) => each.queue === queue && states.includes(each.state)).length;
      expect([queue, pending, deferred, held, aside]).toEqual([queue, count('pending', 'leased'), count('deferred'), count('held'), 0]);
    }
  }

  /** Works everything to its end; then every recipient must have ended exactly once, and nothing may be left. */
  async end(): Promise<void> {
    const { queue, control, clock, stories, keyValue } = this.one;
    for (const lease of this.#out.splice(0)) await queue.release(lease).catch(() => {});
    await undone(this.one);
    await control.operate({ do: 'release' }, {}, { by: 'cn=admin', all: true });
    for (let idle = 0; idle < 3; idle++) {
      clock.advance(120_000);
      for (const name of ['INPUT', 'SMTPC', 'LOCAL'] as const)
        for (let leases = await queue.lease(name, 50); leases.length > 0; leases = await queue.lease(name, 50)) {
          idle = 0;
          for (const lease of leases) {
            await queue.complete(
              lease,
              lease.recipients.map(({ number }) => number),
            );
            if (lease.message.parent === undefined) this.#completed.push(...lease.recipients.map(({ address }) => address));
          }
        }
    }
    const ended = stories.filter(({ step }) => step === 'Deleted' || step === 'Bounced').flatMap(({ recipients }) => recipients);
    const submitted = new Set(this.#submitted);
    expect([...this.#completed, ...ended].filter((address) => submitted.has(address)).sort()).toEqual([...this.#submitted].sort());
    expect(ended.length).toBeGreaterThan(0);
    expect(await keysOf(keyValue)).toEqual([]);
  }
}

test.each([1, 2, 3, 4])('whatever workers and administrators do at once, every recipient ends exactly once (%i)', async (seed) => {
  const one = await controlled(testQueue, { feed: { slips: 20, recipients: 200 } });
  opened.push(one);
  const storm = new Storm(one, seed * 7919);
  for (let n = 0; n < 150; n++) {
    await storm.step();
    if (n % 10 === 0) await storm.check();
  }
  await storm.end();
});
