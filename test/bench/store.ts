/**
 * What the store's hot paths cost: deliveries, opening and changing a large mailbox.
 *
 * Run: npx tsx --expose-gc test/bench/store.ts [messages]. CPU is user + system of the whole process, LevelDB's threads included;
 * blobs are not written, so the numbers are the store's and the key-value engine's alone.
 */

import { join } from 'node:path';
import { systemClock } from '../../src/base/index.ts';
import { below, type Key, openBlobs, openKeyValue, type PartReader } from '../../src/storage/index.ts';
import { type NewStoredMessage, openStore } from '../../src/store/index.ts';
import { structure } from '../store/support.ts';
import { tempDir } from '../support/temp.ts';

const dir = await tempDir();
const keyValue = await openKeyValue({ path: join(dir.path, 'keys'), clock: systemClock });
const blobs = await openBlobs({ path: join(dir.path, 'blobs'), clock: systemClock });
const store = await openStore({ keyValue, blobs, clock: systemClock });
const prefix =
  'Return-Path: <sender@example.org>\r\nDelivered-To: user@jade.net\r\nReceived: by mail.jade.net (Mailtree LMDA) id 018f2a3b4c5d; Wed, 27 Dec 2030 13:51:47 +0000\r\n';

let serial = 0;
function someMessage(): NewStoredMessage {
  const id = (++serial).toString(16).padStart(24, '0');
  const size = 4000 + (serial % 100);
  return { blob: { id, size }, prefix, structure: structure(`message ${id}`, size), flags: [], internalDate: Date.now() };
}

async function measure(name: string, count: number, work: () => Promise<unknown>): Promise<void> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  const each = (total: number): string => (total / count).toFixed(1).padStart(9);
  process.stdout.write(`${name.padEnd(52)} ${each(ms * 1000)} µs  ${each(user + system)} µs CPU  (${ms.toFixed(0)} ms)\n`);
}

/** `count` pieces of work, `width` at a time. */
async function concurrently(count: number, width: number, work: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, one));
}

const accounts = Array.from({ length: 200 }, (_, n) => `7f0c1a2e-0000-4000-8000-${n.toString(16).padStart(12, '0')}`);
await measure('ensureAccount, new', accounts.length, () => concurrently(accounts.length, 20, (n) => store.ensureAccount(accounts[n]!)));
await measure('ensureAccount, known', 200_000, async () => {
  for (let n = 0; n < 200_000; n++) await store.ensureAccount(accounts[n % accounts.length]!);
});

const count = Number(process.argv[2] ?? 20_000);
async function deliver(n: number): Promise<void> {
  const account = accounts[(n * 7919) % accounts.length]!;
  await store.ensureAccount(account);
  await keyValue.transact(store.deliverPart(account, someMessage(), { deliveryId: `q${serial}/0` }), 'durable');
}
for (let round = 1; round <= 3; round++) {
  await measure(`deliver to 200 accounts, 20 at once, round ${round}`, count, () => concurrently(count, 20, deliver));
}
const records = new Map<Key, Uint8Array>();
const reader: PartReader = { get: async (key) => records.get(key), getNow: (key) => records.get(key), scan: async () => [] };
for (const account of accounts) {
  for await (const [key, value] of keyValue.scan(below(`store/box/${account}/1/`))) if (!key.includes('/message/')) records.set(key, value);
}
await measure('deliverPart alone, on records in memory', count, async () => {
  for (let n = 0; n < count; n++) {
    const account = accounts[(n * 7919) % accounts.length]!;
    const changes = await store.deliverPart(account, someMessage(), { deliveryId: `q${serial}/0` })(reader);
    for (const [key, value] of changes.puts ?? []) if (!key.includes('/message/')) records.set(key, value);
  }
});
records.clear();
await measure('an empty durable commit, 20 at once, for comparison', count, () =>
  concurrently(count, 20, (n) =>
    keyValue.transact(async () => ({ puts: [[`bench/${n}`, Buffer.from('x')]], result: undefined }), 'durable'),
  ),
);

const big = 'bbbbbbbb-0000-4000-8000-000000000000';
const size = 100_000;
await store.ensureAccount(big);
await measure('append 100,000 messages, 500 a commit', size, async () => {
  for (let n = 0; n < size; n += 500) await store.append(big, 'INBOX', Array.from({ length: 500 }, someMessage));
});
const inbox = (await store.mailbox(big, 'INBOX'))!;
const all = Array.from({ length: size }, (_, n) => n + 1);

globalThis.gc?.();
const before = process.memoryUsage().heapUsed;
let entries = await store.index(big, inbox.id);
globalThis.gc?.();
process.stdout.write(`memory of an open index: ${((process.memoryUsage().heapUsed - before) / size).toFixed(0)} octets a message\n`);
await measure('index() of 100,000', 10, async () => {
  for (let n = 0; n < 10; n++) entries = await store.index(big, inbox.id);
});
if (entries.length !== size) throw new Error('the index is incomplete');
await measure('changes(), nothing changed', 1000, async () => {
  const { highestModSeq } = (await store.mailbox(big, 'INBOX'))!;
  for (let n = 0; n < 1000; n++) await store.changes(big, inbox.id, highestModSeq);
});
await measure('changeFlags, one message', 1000, async () => {
  for (let n = 0; n < 1000; n++) {
    await store.changeFlags(big, inbox.id, [(n * 7919) % size], { operation: 'add', flags: ['\\Seen'] });
  }
});
await measure('changeFlags, 10,000 messages (per message)', 10_000, () =>
  store.changeFlags(big, inbox.id, all.slice(20_000, 30_000), { operation: 'add', flags: ['\\Seen'] }),
);
await measure('changes() after one change', 200, async () => {
  for (let n = 0; n < 200; n++) {
    const { highestModSeq } = (await store.mailbox(big, 'INBOX'))!;
    await store.changeFlags(big, inbox.id, [n + 1], { operation: 'add', flags: ['\\Flagged'] });
    await store.changes(big, inbox.id, highestModSeq);
  }
});
await measure('messages(), 500 at a time', 20_000, async () => {
  for (let n = 0; n < 20_000; n += 500) await store.messages(big, inbox.id, all.slice(n, n + 500));
});
await measure('copy 10,000', 10_000, () => store.copy(big, inbox.id, all.slice(0, 10_000), 'Archive'));
await measure('move 10,000', 10_000, () => store.move(big, inbox.id, all.slice(0, 10_000), 'Trash'));
await store.changeFlags(big, inbox.id, all.slice(10_000, 20_000), { operation: 'add', flags: ['\\Deleted'] });
await measure('expunge 10,000', 10_000, () => store.expunge(big, inbox.id));
await measure('deleteAccount with 100,000 (per message)', size, () => store.deleteAccount(big));

await store.close();
await blobs.close();
await keyValue.close();
await dir.remove();
