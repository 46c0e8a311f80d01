/** Queue, router, preprocessor, local delivery and store together, on real engines in a temporary directory. */

import { join } from 'node:path';
import { type Component, LiveValue, type Log, silentLog } from '../../src/base/index.ts';
import { createLmda, type LmdaSettings, lmdaSettings } from '../../src/lmda/index.ts';
import {
  createPreprocessor,
  type LoopDetectionSettings,
  loopDetectionSettings,
  type Module,
  type PreprocessorSettings,
  preprocessorSettings,
} from '../../src/preprocessor/index.ts';
import type { NewMessage } from '../../src/queue/index.ts';
import { createRouter } from '../../src/routing/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { type FileBlobs, openBlobs } from '../../src/storage/index.ts';
import { type OpenStore, openStore } from '../../src/store/index.ts';
import { FakeDit } from './fake-dit.ts';
import { afterWrites, newMessage, seededRandom, type TestQueue, testQueue } from './queue.ts';
import { tempDir } from './temp.ts';

export interface TestPipeline extends TestQueue {
  readonly dit: FakeDit;
  readonly blobs: FileBlobs;
  readonly store: OpenStore;
  readonly preprocessor: Component;
  readonly lmda: Component;
  readonly lines: string[];
  readonly settings: {
    readonly preprocessor: LiveValue<PreprocessorSettings>;
    readonly loop: LiveValue<LoopDetectionSettings>;
    readonly lmda: LiveValue<LmdaSettings>;
  };
  /** Puts a message with this text into the input queue. */
  submit(recipients: Parameters<typeof newMessage>[1], text?: string, over?: Partial<NewMessage>): Promise<string>;
  /** Runs the components until nothing is due any more, and stops them. */
  settle(which?: readonly Component[]): Promise<void>;
  /** Whole texts of an account's INBOX. */
  inbox(account: string): Promise<string[]>;
}

export interface PipelineOptions {
  readonly modules?: readonly Module[];
  /** Where the engines are already; removed at the end. */
  readonly folder?: { readonly path: string; readonly remove: () => Promise<void> };
  /** Called after every write to the database with the folder of all engines. */
  readonly onWrite?: (path: string) => Promise<void>;
}

export const sample = 'Subject: grüße\r\nFrom: müller@example.com\r\n\r\nHallo\r\n';

function recordingLog(lines: string[]): Log {
  const write = (text: string): void => void lines.push(text);
  return { ...silentLog, error: write, warning: write, message: write, enabled: (level) => level !== 'informational' };
}

export async function testPipeline(options: PipelineOptions = {}): Promise<TestPipeline> {
  const lines: string[] = [];
  const log = recordingLog(lines);
  const folder = options.folder ?? (await tempDir());
  const { onWrite } = options;
  const base = await testQueue({ log, folder, ...(onWrite ? { wrap: afterWrites(() => onWrite(folder.path)) } : {}) });
  const { keyValue, clock, queue } = base;
  const blobs = await openBlobs({ path: join(folder.path, 'blobs'), clock });
  const store = await openStore({ keyValue, blobs, clock });
  const dit = new FakeDit()
    .local('ima.com')
    .add({ mail: 'bart@ima.com' })
    .add({ mail: 'anna@ima.com' })
    .add({ mail: 'postmaster@ima.com' });
  const settings = {
    preprocessor: new LiveValue(defaultsOf(preprocessorSettings)),
    loop: new LiveValue(defaultsOf(loopDetectionSettings)),
    lmda: new LiveValue(defaultsOf(lmdaSettings)),
  };
  const random = seededRandom(7);
  const shared = { queue, blobs, clock, random, log, mta: dit.mta };
  const preprocessor = createPreprocessor({
    ...shared,
    router: createRouter({ dit }),
    loopDetection: settings.loop,
    ...(options.modules ? { modules: options.modules } : {}),
    settings: settings.preprocessor,
  });
  const lmda = createLmda({ ...shared, keyValue, store, dit, settings: settings.lmda });
  return {
    ...base,
    dit,
    blobs,
    store,
    preprocessor,
    lmda,
    lines,
    settings,
    async submit(recipients, text = sample, over = {}) {
      const id = base.queue.newId();
      const blob = await blobs.put(Buffer.from(text));
      await base.queue.submit(newMessage(id, recipients, { blob, ...over }));
      return id;
    },
    async settle(which = [preprocessor, lmda]) {
      const failed = (): void => {};
      for (const component of which) await component.start(failed);
      for (let calm = 0; calm < 3; ) {
        for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
        await keyValue.flush();
        const summary = await base.queue.summary();
        const names = which.map(({ name }) => (name === 'LMDA' ? 'LOCAL' : 'INPUT'));
        calm = summary.some((one) => names.includes(one.queue as 'LOCAL') && one.pending > 0) ? 0 : calm + 1;
      }
      for (const component of which) await component.stop();
    },
    async inbox(account) {
      const inbox = await store.mailbox(account, 'INBOX');
      if (!inbox) return [];
      const entries = await store.index(account, inbox.id);
      const messages = await store.messages(
        account,
        inbox.id,
        entries.map(({ uid }) => uid),
      );
      return await Promise.all(messages.flatMap((one) => (one ? [store.read(one).then((bytes) => Buffer.from(bytes).toString())] : [])));
    },
    async close() {
      await store.close();
      await blobs.close();
      await base.close();
    },
  };
}
