/** A store on a real database in a temporary directory, and messages to put into it. */

import { join } from 'node:path';
import { constant, ManualClock, silentLog } from '../../src/base/index.ts';
import type { MessageStructure } from '../../src/mail/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { type Blobs, type KeyValue, openBlobs, openKeyValue } from '../../src/storage/index.ts';
import { type NewStoredMessage, type OpenStore, openStore, type StoreSettings, storeSettings } from '../../src/store/index.ts';
import { tempDir } from '../support/temp.ts';

export interface Bench {
  store: OpenStore;
  keyValue: KeyValue;
  readonly blobs: Blobs;
  readonly clock: ManualClock;
  /** Closes store and database and opens them again from disk. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

export async function openBench(settings: Partial<StoreSettings> = {}): Promise<Bench> {
  const dir = await tempDir();
  const clock = new ManualClock();
  const blobs = await openBlobs({ path: join(dir.path, 'blobs'), clock, log: silentLog });
  const open = async (): Promise<Pick<Bench, 'store' | 'keyValue'>> => {
    const keyValue = await openKeyValue({ path: join(dir.path, 'keys'), clock, log: silentLog });
    const live = constant<StoreSettings>({ ...defaultsOf(storeSettings), ...settings });
    return { keyValue, store: await openStore({ keyValue, blobs, clock, settings: live }) };
  };
  const shut = async (): Promise<void> => {
    await bench.store.close();
    await bench.keyValue.close();
  };
  const bench: Bench = {
    ...(await open()),
    blobs,
    clock,
    async reopen() {
      await shut();
      Object.assign(bench, await open());
    },
    async close() {
      await shut();
      await blobs.close();
      await dir.remove();
    },
  };
  return bench;
}

export function structure(subject: string, size: number): MessageStructure {
  const nobody: never[] = [];
  return {
    envelope: {
      date: null,
      subject,
      from: [{ name: null, route: null, mailbox: 'jörg', host: 'jade.net' }],
      sender: nobody,
      replyTo: nobody,
      to: nobody,
      cc: nobody,
      bcc: nobody,
      inReplyTo: null,
      messageId: null,
    },
    root: {
      type: 'text',
      subtype: 'plain',
      parameters: [],
      id: null,
      description: null,
      encoding: '7bit',
      md5: null,
      disposition: null,
      language: null,
      location: null,
      headerStart: 0,
      bodyStart: 10,
      end: size,
      lines: 1,
    },
    sentAt: null,
  };
}

/** Stores bytes and makes a message of them. */
export async function message(bench: Bench, text: string, more: Partial<NewStoredMessage> = {}): Promise<NewStoredMessage> {
  const blob = await bench.blobs.put(Buffer.from(text));
  return { blob, prefix: '', structure: structure(text, blob.size), flags: [], internalDate: bench.clock.now(), ...more };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
