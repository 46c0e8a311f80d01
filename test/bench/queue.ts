/**
 * What the queue costs: submit, lease, file, lease, complete, with so many messages at once.
 *
 *   npx tsx test/bench/queue.ts [messages] [concurrency] [recipients]
 *
 * CPU is the whole process, the engine's own threads included.
 */

import { silentLog, systemClock } from '../../src/base/index.ts';
import { openQueue } from '../../src/queue/index.ts';
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
const counts = { leases: 0, batches: 0 };

async function door(): Promise<void> {
  while (submitted < total) {
    submitted++;
    const addresses = Array.from({ length: recipients }, (_, n) => `user${n}@example.com`);
    await queue.submit(newMessage(queue.newId(), addresses));
  }
}

async function worker(name: 'INPUT' | 'LOCAL'): Promise<void> {
  let wake: () => void = () => {};
  queue.onWork(name, () => wake());
  while (completed < total) {
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const leases = await queue.lease(name, 32);
    if (leases.length === 0) {
      if (completed < total) await Promise.race([woken, new Promise((resolve) => setTimeout(resolve, 50))]);
      continue;
    }
    counts.leases += leases.length;
    counts.batches++;
    await Promise.all(
      leases.map(async (lease) => {
        if (name === 'INPUT') {
          await queue.file(
            lease,
            lease.recipients.map(({ number, address }) => ({
              from: number,
              to: [{ address, queue: 'LOCAL' as const, identifier: `uuid-${number}` }],
            })),
          );
        } else {
          await keyValue.transact(
            queue.completePart(
              lease,
              lease.recipients.map(({ number }) => number),
            ),
            'durable',
          );
          completed++;
        }
      }),
    );
  }
}

await Promise.all([worker('INPUT'), worker('LOCAL'), ...Array.from({ length: concurrency }, door)]);
cpu = process.cpuUsage(cpu);
const seconds = (performance.now() - began) / 1000;
const micros = (cpu.user + cpu.system) / total;
console.log(
  `${total} messages of ${recipients} recipients, ${concurrency} at once: ${Math.round(total / seconds)} a second, ` +
    `${micros.toFixed(0)} µs CPU each (user ${(cpu.user / total).toFixed(0)}), ${(counts.leases / counts.batches).toFixed(1)} leases a batch`,
);
queue.close();
await keyValue.close();
await folder.remove();
