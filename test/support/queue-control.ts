/** A queue with its administrator's side, on bytes in memory, and the lines it logs. */

import { constant, type Log, silentLog } from '../../src/base/index.ts';
import {
  createReporter,
  type Operation,
  type QueueControl,
  type QueueFilter,
  readStory,
  type SearchOptions,
  type StoryRead,
} from '../../src/queue/index.ts';
import { type Blobs, below } from '../../src/storage/index.ts';
import { seededRandom, type TestQueue, type TestQueueOptions } from './queue.ts';

export interface ControlledQueue extends TestQueue {
  readonly control: QueueControl;
  /** Bytes by blob id; the rest reads as a header of three lines. */
  readonly bytes: Map<string, Buffer>;
  readonly stories: StoryRead[];
  readonly errors: string[];
  /** Makes writing reports fail. */
  broken: boolean;
}

const usualBytes = Buffer.from('Subject: Größe\r\nFrom: <a@b.example>\r\nTo: <x@y.example>\r\n\r\nbody\r\n');

export async function controlled(
  testQueue: (options: TestQueueOptions) => Promise<TestQueue>,
  options: TestQueueOptions = {},
): Promise<ControlledQueue> {
  const stories: StoryRead[] = [];
  const errors: string[] = [];
  const log: Log = {
    ...silentLog,
    enabled: () => true,
    error: (text) => void errors.push(text),
    message(text) {
      const read = readStory(text);
      if (!read) throw new Error(`a line that trace cannot read: ${text}`);
      stories.push(read);
    },
  };
  const one = await testQueue({ log, ...options });
  const bytes = new Map<string, Buffer>();
  const made: ControlledQueue = { ...one, control: undefined as never, bytes, stories, errors, broken: false };
  const blobs = memoryBlobs(bytes, () => made.broken);
  const { queue, clock } = one;
  const mta = constant({ host: 'mail.ima.com', postmaster: 'postmaster@ima.com' });
  const reporter = createReporter({ blobs, mta, clock, random: seededRandom(), newId: () => queue.newId() });
  return Object.assign(made, { control: queue.control({ blobs, reporter }) });
}

function memoryBlobs(bytes: Map<string, Buffer>, broken: () => boolean): Pick<Blobs, 'create' | 'read' | 'stream'> {
  const read = (id: string): Buffer => bytes.get(id) ?? usualBytes;
  return {
    create() {
      const chunks: Buffer[] = [];
      return {
        size: 0,
        async write(chunk) {
          if (broken()) throw new Error('no space left on device');
          chunks.push(Buffer.from(chunk));
        },
        async commit() {
          const id = `made-${bytes.size}`;
          bytes.set(id, Buffer.concat(chunks));
          return { id, size: Buffer.concat(chunks).length };
        },
        async abort() {},
      };
    },
    read: async (id, start, end) => read(id).subarray(start, end),
    async *stream(id) {
      yield read(id);
    },
  };
}

/** Resolves when everything is done that was wanted of mail in hand and can be done by now. */
export async function undone({ keyValue }: Pick<TestQueue, 'keyValue'>): Promise<void> {
  for (;;) {
    let left = 0;
    for await (const [, value] of keyValue.scan(below('queue/m/'))) if (Buffer.from(value).includes('"wishes"')) left++;
    if (left === 0) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export const by = 'cn=admin,o=ima';
export const operate = (one: ControlledQueue, operation: Operation, filter: QueueFilter) => one.control.operate(operation, filter, { by });
export const idsOf = async (one: ControlledQueue, filter: QueueFilter, options?: SearchOptions): Promise<string[]> =>
  (await one.control.search(filter, options)).messages.map(({ message }) => message.id);
