import { expect, test } from '@jest/globals';
import { constant } from '../../src/base/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import type { KeyValue } from '../../src/storage/index.ts';
import { openStore, storeSettings } from '../../src/store/index.ts';
import { message, openBench } from './support.ts';

test('a message that is changed again while a delta is read is told with its successors, not after them', async () => {
  const bench = await openBench();
  try {
    let meanwhile: (() => Promise<unknown>) | undefined;
    const keyValue = new Proxy(bench.keyValue, {
      get(target, name) {
        if (name === 'getMany')
          return async (keys: Parameters<KeyValue['getMany']>[0]) => {
            const run = meanwhile;
            meanwhile = undefined;
            await run?.();
            return target.getMany(keys);
          };
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const store = await openStore({ keyValue, blobs: bench.blobs, clock: bench.clock, settings: constant(defaultsOf(storeSettings)) });
    await store.ensureAccount('a');
    const inbox = await store.mailbox('a', 'INBOX');
    const since = inbox?.highestModSeq ?? 0;
    const id = inbox?.id ?? 0;
    await store.append('a', 'INBOX', [await message(bench, 'one')]);
    await store.append('a', 'INBOX', [await message(bench, 'two')]);
    meanwhile = () => bench.store.changeFlags('a', id, [1], { operation: 'add', flags: ['\\Seen'] });
    const first = await store.changes('a', id, since);
    expect(first.changed.map(({ uid }) => uid)).toEqual([1, 2]);
    const next = await store.changes('a', id, first.highestModSeq);
    expect(next.changed.map(({ uid, flags }) => [uid, flags])).toEqual([[1, ['\\Seen']]]);
    await store.close();
  } finally {
    await bench.close();
  }
});
