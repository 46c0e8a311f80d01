/**
 * What the queue costs: submit, lease, file, lease, complete, with so many messages at once.
 *
 *   npx tsx test/bench/queue.ts [messages] [concurrency] [recipients]
 *
 * CPU is the whole process, the engine's own threads included.
 */

import { constant, silentLog, systemClock } from '../../src/base/index.ts';
import { createWorker, type Lease, openQueue } from '../../src/queue/index.ts';
import { openKeyValue } from '../../src/storage/index.ts';
import { newMessage } from '../support/queue.ts';
import { tempDir } from '../support/temp.ts';

const [total = 20_000, concurrency = 20, recipients = 1] = process.argv.slice(2).map(Number);
const folder = await tempDir();
const keyValue = await openKeyValue({ path: `${folder.path}/db`, clock: systemClock });
const queue = await openQueue({ keyValue, clock: systemClock, log: silentLog, random: Math.random, epoch: 'bench' });

let submitted = 0;
let completed = 0;
const began = performance.now();
let cpu = process.cpuUsage();

async function door(): Promise<void> {
  while (submitted < total) {
    submitted++;
    const addresses = Array.from({ length: recipients }, (_, n) => `user${n}@example.com`);
    await queue.submit(newMessage(queue.newId(), addresses));
  }
}

const finished = new Promise<void>((resolve) => {
  const done = (): void => {
    completed++;
    if (completed === total) resolve();
  };
  const worker = (name: 'INPUT' | 'LOCAL', work: (lease: Lease) => Promise<void>): void => {
    const failed = async (_lease: Lease, thrown: unknown): Promise<void> => console.error(thrown);
    createWorker({ queue, name, settings: constant({ processors: 64 }), work, failed, log: silentLog, clock: systemClock }).start();
  };
  worker('INPUT', (lease) =>
    queue.file(
      lease,
      lease.recipients.map(({ number, address }) => ({ from: number, to: [{ address, queue: 'LOCAL', identifier: `uuid-${number}` }] })),
    ),
  );
  worker('LOCAL', async (lease) => {
    await keyValue.transact(
      queue.completePart(
        lease,
        lease.recipients.map(({ number }) => number),
      ),
      'durable',
    );
    done();
  });
});

await Promise.all([finished, ...Array.from({ length: concurrency }, door)]);
cpu = process.cpuUsage(cpu);
const seconds = (performance.now() - began) / 1000;
const micros = (cpu.user + cpu.system) / total;
console.log(
  `${total} messages of ${recipients} recipients, ${concurrency} at once: ${Math.round(total / seconds)} a second, ` +
    `${micros.toFixed(0)} µs CPU each (user ${(cpu.user / total).toFixed(0)}).`,
);
queue.close();
await keyValue.close();
await folder.remove();
