/** A queue on a real database in a temporary directory, and messages to put into it. */

import { join } from 'node:path';
import { type Log, ManualClock, silentLog } from '../../src/base/index.ts';
import { type NewMessage, type NewRecipient, type OpenQueue, openQueue } from '../../src/queue/index.ts';
import { type KeyValueOptions, type LevelKeyValue, openKeyValue } from '../../src/storage/index.ts';
import { copyAsCrashed, tempDir } from './temp.ts';

/** Dice that always fall the same way: a linear congruence. */
export function seededRandom(seed = 1): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface TestQueue {
  readonly queue: OpenQueue;
  readonly keyValue: LevelKeyValue;
  readonly clock: ManualClock;
  readonly path: string;
  /** A copy of the database as it is on disk now, opened by a later process: what a crash would have left. */
  crash(): Promise<TestQueue>;
  close(): Promise<void>;
}

export interface TestQueueOptions {
  /** Wraps the engine of the database. */
  readonly wrap?: KeyValueOptions['wrap'];
  /** A database that is there already; removed at the end. */
  readonly folder?: { readonly path: string; readonly remove: () => Promise<void> };
  readonly feed?: { slips: number; recipients: number };
  readonly log?: Log;
}

let epochs = 0;

async function open(path: string, clock: ManualClock, options: TestQueueOptions, remove: () => Promise<void>): Promise<TestQueue> {
  const log = options.log ?? silentLog;
  const keyValue = await openKeyValue({ path, clock, log, ...(options.wrap ? { wrap: options.wrap } : {}) });
  epochs++;
  const feed = options.feed ? { feed: options.feed } : {};
  const queue = await openQueue({ keyValue, clock, log, random: seededRandom(epochs), epoch: epochs, ...feed });
  const copies: TestQueue[] = [];
  return {
    queue,
    keyValue,
    clock,
    path,
    async crash() {
      const folder = await tempDir();
      await copyAsCrashed(path, join(folder.path, 'db'));
      const copy = await open(join(folder.path, 'db'), new ManualClock(clock.now()), options, folder.remove);
      copies.push(copy);
      return copy;
    },
    async close() {
      queue.close();
      await keyValue.close();
      for (const copy of copies) await copy.close();
      await remove();
    },
  };
}

export async function testQueue(options: TestQueueOptions = {}): Promise<TestQueue> {
  const folder = options.folder ?? (await tempDir());
  return await open(join(folder.path, 'db'), new ManualClock(), options, folder.remove);
}

/** A message from müller@example.com with these recipients. */
export function newMessage(id: string, recipients: readonly (string | NewRecipient)[], over: Partial<NewMessage> = {}): NewMessage {
  return {
    id,
    sender: 'müller@example.com',
    recipients: recipients.map((recipient) => (typeof recipient === 'string' ? { address: recipient } : recipient)),
    blob: { id: `blob-${id}`, size: 1000 },
    prefix: `Received: by mail.example.com id ${id}\r\n`,
    inputChannel: 'SMTPD',
    origin: { address: '192.0.2.1', helo: 'client.example.net' },
    smtputf8: true,
    eightBit: false,
    arrivedAt: Date.UTC(2030, 0, 1),
    ...over,
  };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Every key the database holds, but for notes to the reclaimer of blobs and those that say who lives. */
export async function keysOf(keyValue: LevelKeyValue): Promise<string[]> {
  const keys = (await collect(keyValue.scan({ from: '', to: '\u{10ffff}' }, { keysOnly: true }))).map(([key]) => key);
  return keys.filter((key) => !key.startsWith('orphan/') && !key.startsWith('queue/e/'));
}

/** An engine that says when it has written, and what. */
export function afterWrites(
  written: (changes: ReadonlyMap<string, Uint8Array | null>) => Promise<void>,
): NonNullable<KeyValueOptions['wrap']> {
  return (engine) =>
    new Proxy(engine, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          const result = (value as (...all: unknown[]) => unknown).apply(target, args);
          return name === 'write' ? (result as Promise<void>).then(() => written(args[0] as Parameters<typeof written>[0])) : result;
        };
      },
    });
}
