/**
 * A long queue: what looking at it and working it costs while so many messages wait.
 *
 *   npx tsx test/bench/queue-size.ts [messages]
 *
 * Nine of ten messages wait at SMTPC for a thousand domains, half of them deferred; the rest in the input queue. CPU is the whole process,
 * the engine's own threads included; memory is what the process has resident after each step.
 */

import { silentLog, systemClock } from '../../src/base/index.ts';
import { openQueue, type SearchOptions } from '../../src/queue/index.ts';
import { openKeyValue } from '../../src/storage/index.ts';
import { newMessage } from '../support/queue.ts';
import { tempDir } from '../support/temp.ts';

const [total = 1_000_000] = process.argv.slice(2).map(Number);
const folder = await tempDir();
const keyValue = await openKeyValue({ path: `${folder.path}/db`, clock: systemClock });
const queue = await openQueue({ keyValue, clock: systemClock, log: silentLog, random: Math.random, epoch: 'bench' });
const control = queue.control({ blobs: { read: async () => new Uint8Array(0) }, reporter: { report: async () => undefined } });

async function measured<T>(name: string, run: () => Promise<T>, per = 1): Promise<T> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  const result = await run();
  const used = process.cpuUsage(cpu);
  const ms = (n: number): string => (n < 10 ? n.toFixed(2) : n.toFixed(0));
  const own = (used.user + used.system) / 1_000 / per;
  const rss = Math.round(process.memoryUsage.rss() / 1_048_576);
  console.log(`${name}: ${ms((performance.now() - began) / per)} ms, ${ms(own)} ms CPU; ${rss} MB`);
  return result;
}

async function fill(): Promise<void> {
  const many = 256;
  for (let n = 0; n < total; n += many) {
    const some = Array.from({ length: Math.min(many, total - n) }, (_, i) => n + i);
    await Promise.all(
      some.map((m) => {
        const domain = `d${m % 1_000}.example`;
        const filed = m % 10 === 0 ? {} : { filed: { queue: 'SMTPC' as const, identifier: domain } };
        const over = { sender: `s${m % 777}@x.example`, blob: { id: `b${m}`, size: 1_000 + (m % 5_000) }, arrivedAt: Date.now() };
        return queue.submit(newMessage(queue.newId(), [{ address: `r${m}@${domain}`, ...filed }], over));
      }),
    );
  }
}

async function deferHalf(): Promise<void> {
  for (let done = 0; done < total / 2; ) {
    const leases = await queue.lease('SMTPC', 256);
    if (leases.length === 0) return;
    const nextAttempt = Date.now() + 3_600_000;
    await Promise.all(leases.map((lease) => queue.defer(lease, [{ number: 1, nextAttempt, reason: '451 try again later' }])));
    done += leases.length;
  }
}

await measured(`${total} messages submitted, each`, fill, total);
await measured('half of them deferred, each', deferHalf, total / 2);
await measured('summary', () => queue.summary());
await measured('destinations', () => queue.destinations('SMTPC'));
const pages: readonly [string, Parameters<typeof control.search>[0], SearchOptions][] = [
  ['the oldest', {}, {}],
  ['the newest', {}, { descending: true }],
  ['a destination, by weight', { queue: 'SMTPC', identifier: 'd7.example' }, { order: 'weight' }],
  ['a destination, by sender', { queue: 'SMTPC', identifier: 'd7.example' }, { order: 'sender' }],
  ['SMTPC, by size', { queue: 'SMTPC' }, { order: 'size', descending: true }],
  ['all, by sender', {}, { order: 'sender' }],
  ['a recipient', { recipient: 'r77777@d777.example' }, {}],
  ['a sender, by size', { sender: 's5@x.example' }, { order: 'size' }],
];
for (const [name, filter, options] of pages) await measured(`page of 100: ${name}`, () => control.search(filter, options));
await measured('hold a destination', () => control.operate({ do: 'hold' }, { queue: 'SMTPC', identifier: 'd7.example' }, { by: 'bench' }));
await measured('release it', () => control.operate({ do: 'release' }, { states: ['held'] }, { by: 'bench' }));
await measured(
  'lease and complete 10,000, each',
  async () => {
    for (let done = 0; done < 10_000; ) {
      const leases = await queue.lease('SMTPC', 64);
      if (leases.length === 0) return;
      await Promise.all(leases.map((lease) => queue.complete(lease, [1])));
      done += leases.length;
    }
  },
  10_000,
);
queue.close();
await keyValue.close();
await measured('open again', async () => {
  const again = await openKeyValue({ path: `${folder.path}/db`, clock: systemClock });
  (await openQueue({ keyValue: again, clock: systemClock, log: silentLog, random: Math.random, epoch: 'again' })).close();
  await again.close();
});
await folder.remove();
