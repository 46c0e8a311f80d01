/**
 * What storing a message costs: run with `npx tsx test/bench/storage.ts [--million]`; TMPDIR says on which disk.
 *
 * Part one is the price of a part on the mail hot path (3 reads, 6 writes). Part two compares the ways to keep message bytes,
 * each followed by the commit of its metadata: appended to segments, a file each, inline in the database. Times are per
 * message; CPU is that of the whole process, all threads.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/index.ts';
import { realDisk } from '../../src/storage/disk.ts';
import { type KeyValue, nextNumbers, openBlobs, openKeyValue, reference, sortable } from '../../src/storage/index.ts';
import { LargeFiles } from '../../src/storage/large-files.ts';

const base = tmpdir();

/** Runs `each` `count` times with `writers` at a time. */
async function measure(name: string, writers: number, count: number, each: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await each(next++);
  };
  const cpu = process.cpuUsage();
  const loop = performance.eventLoopUtilization();
  const start = performance.now();
  await Promise.all(Array.from({ length: writers }, worker));
  const took = performance.now() - start;
  const used = process.cpuUsage(cpu);
  const perSecond = Math.round((count / took) * 1000);
  const micros = ((used.user + used.system) / count).toFixed(1);
  const onLoop = ((performance.eventLoopUtilization(loop).active * 1000) / count).toFixed(1);
  const cells = [name.padEnd(30), `${writers}`.padStart(4), 'writers', `${perSecond}/s`.padStart(9), `${micros} µs CPU`.padStart(14)];
  console.log([...cells, `${onLoop} µs on the loop`.padStart(22)].join(' '));
}

const record = Buffer.alloc(250, 'm');
const small = Buffer.alloc(60, 's');

/** Three reads, six writes: about what a delivery does. */
function deliver(kv: KeyValue, n: number): Promise<unknown> {
  const mailbox = n % 50;
  return kv.transact(async (read) => {
    const numbers = await nextNumbers(read, 'bench/counters', { changes: 1 });
    await read.get(`bench/mailbox/${sortable(mailbox)}`);
    await read.get(`bench/queue/${sortable(n)}`);
    const uid = sortable(numbers.first.changes);
    return {
      checks: [{ absent: `bench/delivered/${uid}` }],
      puts: [
        numbers.put,
        [`bench/mailbox/${sortable(mailbox)}`, small],
        [`bench/message/${sortable(mailbox)}/${uid}`, record],
        [`bench/index/${sortable(mailbox)}/${uid}`, small],
        [`bench/reference/${uid}`, small],
        [`bench/delivered/${uid}`, small],
      ],
      wake: [`bench/${mailbox}`],
      result: uid,
    };
  }, 'durable');
}

async function parts(): Promise<void> {
  console.log('\nA part with 3 reads and 6 writes, durable');
  for (const writers of [1, 20, 100, 400]) {
    const path = await mkdtemp(join(base, 'mailtree-bench-'));
    const kv = await openKeyValue({ path: join(path, 'kv'), clock: systemClock });
    await measure('part', writers, writers === 1 ? 2000 : 40_000, (n) => deliver(kv, n));
    await kv.close();
    await rm(path, { recursive: true });
  }
}

type Put = (n: number) => Promise<void>;

async function ways(size: number): Promise<void> {
  console.log(`\nPut of ${size / 1024} KB and the commit of its metadata`);
  const bytes = Buffer.alloc(size, 'The quick brown fox jumps over the lazy dog. ');
  for (const writers of [1, 20, 100]) {
    for (const way of ['segments', 'files', 'inline'] as const) {
      const path = await mkdtemp(join(base, 'mailtree-bench-'));
      const kv = await openKeyValue({ path: join(path, 'kv'), clock: systemClock });
      const blobs = await openBlobs({ path: join(path, 'blobs'), clock: systemClock });
      const files = new LargeFiles(join(path, 'files'), realDisk, Math.random);
      await files.load();
      const commit = (blob: string, n: number): Promise<void> =>
        kv.transact(async () => ({ ...reference(blob, `queue/${n}`), result: undefined }), 'durable');
      const put: Record<typeof way, Put> = {
        segments: async (n) => commit((await blobs.put(bytes)).id, n),
        files: async (n) => {
          const file = await files.create(1);
          await file.write([bytes]);
          await commit((await file.finish(Buffer.alloc(0), 0)).id, n);
        },
        inline: (n) => {
          const copy = Buffer.from(bytes);
          return kv.transact(
            async () => ({
              puts: [
                [`blob/${n}`, copy],
                [`ref/${n}`, small],
              ],
              result: undefined,
            }),
            'durable',
          );
        },
      };
      const count = Math.ceil((writers === 1 ? 400 : 6000) / (size > 16384 ? 4 : 1));
      await measure(`${way}, ${size / 1024} KB`, writers, count, put[way]);
      await blobs.close();
      await kv.close();
      await rm(path, { recursive: true });
    }
  }
}

/** A store of a million: how it fills, opens and reads. */
async function million(): Promise<void> {
  const count = 1_000_000;
  console.log('\nA million of 4 KB with metadata');
  const path = await mkdtemp(join(base, 'mailtree-bench-'));
  const open = async () => ({
    kv: await openKeyValue({ path: join(path, 'kv'), clock: systemClock }),
    blobs: await openBlobs({ path: join(path, 'blobs'), clock: systemClock }),
  });
  const bytes = Buffer.alloc(4096, 'The quick brown fox jumps over the lazy dog. ');
  const ids: string[] = [];
  let { kv, blobs } = await open();
  for (let part = 0; part < 4; part++) {
    await measure(`fill, quarter ${part + 1}`, 100, count / 4, async (n) => {
      const { id } = await blobs.put(bytes);
      ids.push(id);
      const { checks, puts } = reference(id, `store/${n}`);
      await kv.transact(async () => ({ checks, puts: [...puts, [`bench/message/${id}`, record]], result: undefined }), 'durable');
    });
  }
  await kv.close();
  await blobs.close();
  const start = performance.now();
  ({ kv, blobs } = await open());
  console.log(`open: ${Math.round(performance.now() - start)} ms, memory ${Math.round(process.memoryUsage().rss / 1048576)} MB`);
  const any = (): string => ids[Math.floor(Math.random() * ids.length)]!;
  await measure('read at random', 1, 5000, () => blobs.read(any()));
  await measure('read at random', 20, 50_000, () => blobs.read(any()));
  await measure('metadata at random', 20, 50_000, () => kv.get(`bench/message/${any()}`));
  await measure('a part, 3 reads and 6 writes', 100, 40_000, (n) => deliver(kv, n));
  let listed = 0;
  const walk = performance.now();
  for await (const _ of blobs.list()) listed++;
  console.log(`list: ${listed} in ${Math.round(performance.now() - walk)} ms`);
  await kv.close();
  await blobs.close();
  await rm(path, { recursive: true });
}

if (process.argv.includes('--million')) {
  await million();
} else {
  await parts();
  for (const size of [4096, 65_536, 262_144]) await ways(size);
}
