/**
 * What every KeyValue engine must do. An engine's test calls this with a way to open an empty database.
 */

import { afterEach, expect, test } from '@jest/globals';
import {
  below,
  CheckFailed,
  compareKeys,
  join,
  type Key,
  type KeyValue,
  lastNumbers,
  nextNumbers,
  type Part,
  segment,
  sortable,
} from '../../src/storage/index.ts';

export interface OpenedKeyValue {
  readonly keyValue: KeyValue;
  /** Closes it and opens the same data again. */
  reopen(): Promise<KeyValue>;
  remove(): Promise<void>;
}

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const text = (value: Uint8Array | undefined): string | undefined => (value ? Buffer.from(value).toString() : undefined);
export const put =
  (...pairs: [Key, string][]): Part<void> =>
  async () => ({ puts: pairs.map(([key, value]) => [key, bytes(value)]), result: undefined });

async function keysOf(keyValue: KeyValue, options: { reverse?: boolean; limit?: number } = {}): Promise<Key[]> {
  const found: Key[] = [];
  for await (const [key] of keyValue.scan({ from: '', to: '\u{10ffff}' }, options)) found.push(key);
  return found;
}

export function keyValueContract(name: string, open: () => Promise<OpenedKeyValue>): void {
  const opened: OpenedKeyValue[] = [];
  const fresh = async (): Promise<OpenedKeyValue> => {
    const one = await open();
    opened.push(one);
    return one;
  };
  const freshKeyValue = async (): Promise<KeyValue> => (await fresh()).keyValue;
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.remove();
  });
  const it = (sentence: string, run: () => Promise<void>): void => test(`${name}: ${sentence}`, run);

  it('a part that throws rejects its caller, writes nothing and leaves the others alone', async () => {
    const kv = await freshKeyValue();
    const results = await Promise.allSettled([
      kv.transact(put(['t/a', '1']), 'durable'),
      kv.transact(async () => {
        throw new Error('mine');
      }, 'durable'),
      kv.transact(
        (() => {
          throw new Error('at once');
        }) as Part<void>,
        'durable',
      ),
      kv.transact(put(['t/b', '2']), 'durable'),
    ]);
    expect(results.map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect(await keysOf(kv)).toEqual(['t/a', 't/b']);
  });

  it('a part sees at once what the parts before it change, committed or not', async () => {
    const kv = await freshKeyValue();
    const seen =
      (key: Key): Part<string | undefined> =>
      async (read) => ({ result: text(read.getNow(key)) });
    const [, first, , joined] = await Promise.all([
      kv.transact(put(['t/a', '1']), 'soon'),
      kv.transact(seen('t/a'), 'soon'),
      kv.transact(put(['t/a', '2']), 'durable'),
      kv.transact(join(put(['t/b', '3']), seen('t/a'), seen('t/b'), seen('t/c')), 'soon'),
    ]);
    expect(first).toBe('1');
    expect(joined.slice(1)).toEqual(['2', '3', undefined]);
  });

  it('changes that make no sense are refused as a whole', async () => {
    const kv = await freshKeyValue();
    const bad = [
      [
        ['t/ok', bytes('1')],
        ['t/bad', 'a string' as unknown as Uint8Array],
      ],
      [
        ['t/ok', bytes('1')],
        ['t/\ud800', bytes('half a pair')],
      ],
    ] as [Key, Uint8Array][][];
    for (const puts of bad) await expect(kv.transact(async () => ({ puts, result: 0 }), 'durable')).rejects.toThrow(TypeError);
    expect(await keysOf(kv)).toEqual([]);
    expect(kv.healthy).toBe(true);
  });

  it('a check that does not hold refuses only its part and names the key', async () => {
    const kv = await freshKeyValue();
    await kv.transact(put(['t/there', '1']), 'durable');
    const refused = kv.transact(async () => ({ checks: [{ absent: 't/there' }], puts: [['t/x', bytes('1')]], result: 0 }), 'durable');
    const missing = kv.transact(async () => ({ checks: [{ present: 't/away' }], puts: [['t/x', bytes('1')]], result: 0 }), 'soon');
    const fine = kv.transact(
      async () => ({ checks: [{ present: 't/there' }, { absent: 't/away' }], puts: [['t/y', bytes('1')]], result: 7 }),
      'durable',
    );
    await expect(refused).rejects.toMatchObject({ name: 'CheckFailed', key: 't/there' });
    await expect(missing).rejects.toBeInstanceOf(CheckFailed);
    expect(await fine).toBe(7);
    expect(await keysOf(kv)).toEqual(['t/there', 't/y']);
  });

  it('of many parts that want to be first, one is', async () => {
    const kv = await freshKeyValue();
    const claim: Part<string> = async () => ({ checks: [{ absent: 't/claim' }], puts: [['t/claim', bytes('x')]], result: 'mine' });
    const results = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => kv.transact(claim, n % 2 ? 'durable' : 'soon')));
    expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
  });

  it('a thousand concurrent parts count to a thousand, in the order of their numbers', async () => {
    const { keyValue: kv, reopen } = await fresh();
    const order: number[] = [];
    const one: Part<number> = async (read) => {
      const taken = await nextNumbers(read, 't/counters', { changes: 1 });
      return { puts: [taken.put, [`t/log/${sortable(taken.first.changes)}`, bytes('x')]], result: taken.first.changes };
    };
    await Promise.all(
      Array.from({ length: 1000 }, async (_, n) => {
        order.push(await kv.transact(one, n % 3 ? 'durable' : 'soon'));
      }),
    );
    expect(order).toEqual(Array.from({ length: 1000 }, (_, n) => n + 1));
    const again = await reopen();
    expect(await lastNumbers(again, 't/counters')).toEqual({ changes: 1000 });
    expect(await keysOf(again)).toHaveLength(1001);
  });

  it('several counters of one record advance together and independently', async () => {
    const kv = await freshKeyValue();
    const take = (numbers: Record<string, number>): Promise<Readonly<Record<string, number>>> =>
      kv.transact(async (read) => {
        const taken = await nextNumbers(read, 't/c', numbers);
        return { puts: [taken.put], result: taken.first };
      }, 'durable');
    expect(await take({ uid: 3, changes: 1 })).toEqual({ uid: 1, changes: 1 });
    expect(await take({ uid: 0, changes: 1 })).toEqual({ uid: 4, changes: 2 });
    expect(await take({ uid: 2 })).toEqual({ uid: 4 });
    expect(await lastNumbers(kv, 't/c')).toEqual({ uid: 5, changes: 2 });
    expect(await lastNumbers(kv, 't/none')).toEqual({});
  });

  it('a part reads and scans what the parts before it did, and removals too', async () => {
    const kv = await freshKeyValue();
    await kv.transact(put(['t/1', 'a'], ['t/3', 'c'], ['t/5', 'e']), 'durable');
    const see: Part<string[]> = async (read) => ({
      result: (await read.scan(below('t/'))).map(([key, value]) => `${key}=${text(value)}`),
    });
    const [, , all, first, gone] = await Promise.all([
      kv.transact(put(['t/2', 'b'], ['t/3', 'C'], ['t/9', 'z']), 'durable'),
      kv.transact(async () => ({ deletes: ['t/1', 't/none'], result: 0 }), 'durable'),
      kv.transact(see, 'durable'),
      kv.transact(async (read) => ({ result: (await read.scan(below('t/'), 2)).map(([key]) => key) }), 'soon'),
      kv.transact(async (read) => ({ result: [await read.get('t/1'), text(await read.get('t/3'))] }), 'soon'),
    ]);
    expect(all).toEqual(['t/2=b', 't/3=C', 't/5=e', 't/9=z']);
    expect(first).toEqual(['t/2', 't/3']);
    expect(gone).toEqual([undefined, 'C']);
  });

  it('a key that a part both removes and puts is put', async () => {
    const kv = await freshKeyValue();
    await kv.transact(async () => ({ puts: [['t/k', bytes('new')]], deletes: ['t/k'], result: 0 }), 'durable');
    expect(text(await kv.get('t/k'))).toBe('new');
  });

  it('joined parts see each other and happen together', async () => {
    const kv = await freshKeyValue();
    await kv.transact(put(['t/queue/1', 'waiting']), 'durable');
    const deliver: Part<string> = async () => ({
      checks: [{ absent: 't/delivered/1' }],
      puts: [['t/delivered/1', bytes('yes')]],
      wake: ['t'],
      result: 'delivered',
    });
    const complete: Part<number> = async (read) => ({
      checks: [{ present: 't/queue/1' }, { present: 't/delivered/1' }],
      deletes: ['t/queue/1'],
      result: (await read.scan(below('t/'))).length,
    });
    expect(await kv.transact(join(deliver, complete), 'durable')).toEqual(['delivered', 2]);
    expect(await keysOf(kv)).toEqual(['t/delivered/1']);
    await expect(kv.transact(join(put(['t/other', '1']), deliver), 'durable')).rejects.toMatchObject({ key: 't/delivered/1' });
    await expect(kv.transact(join(put(['t/new', '1']), complete), 'durable')).rejects.toMatchObject({ key: 't/queue/1' });
    expect(await keysOf(kv)).toEqual(['t/delivered/1']);
  });

  it('a joined part judges its checks by what the parts before it in the join did', async () => {
    const kv = await freshKeyValue();
    const absent: Part<void> = async () => ({ checks: [{ absent: 't/x' }], result: undefined });
    await expect(kv.transact(join(put(['t/x', '1']), absent), 'durable')).rejects.toMatchObject({ key: 't/x' });
    await kv.transact(join(absent, put(['t/x', '1'])), 'durable');
    await kv.transact(
      join(async () => ({ deletes: ['t/x'], result: undefined }), absent, put(['t/x', '2'])),
      'durable',
    );
    expect(text(await kv.get('t/x'))).toBe('2');
  });

  it('joins nest, and numbers taken twice in a join are different', async () => {
    const kv = await freshKeyValue();
    const take: Part<number> = async (read) => {
      const taken = await nextNumbers(read, 't/c', { n: 1 });
      return { puts: [taken.put], result: taken.first.n };
    };
    expect(await kv.transact(join(take, join(take, take)), 'durable')).toEqual([1, [2, 3]]);
    expect(await kv.transact(join(), 'durable')).toEqual([]);
  });

  it('keys are in the order of their UTF-8 bytes, everywhere', async () => {
    const kv = await freshKeyValue();
    const keys = ['t/', 't/a', 't/a/', 't/aa', 't/é', 't/\uff5e', 't/\u{1f600}', 't/\u{1f600}a', `t/${segment('a/b%\n')}`];
    const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect([...keys].sort(compareKeys)).toEqual(sorted);
    const [, inPart] = await Promise.all([
      kv.transact(put(...keys.map((key): [Key, string] => [key, key])), 'durable'),
      kv.transact(async (read) => ({ result: (await read.scan(below('t/'))).map(([key]) => key) }), 'soon'),
    ]);
    expect(inPart).toEqual(sorted);
    expect(await keysOf(kv)).toEqual(sorted);
    expect(await keysOf(kv, { reverse: true, limit: 3 })).toEqual(sorted.slice(-3).reverse());
  });

  it('a scan is of one moment, in pages, whatever is written meanwhile', async () => {
    const kv = await freshKeyValue();
    const pairs = Array.from({ length: 3000 }, (_, n): [Key, string] => [`t/${sortable(n)}`, `${n}`]);
    await kv.transact(put(...pairs), 'durable');
    let seen = 0;
    for await (const [key, value] of kv.scan(below('t/'))) {
      if (seen === 10) {
        await kv.transact(async () => ({ deletes: pairs.map(([k]) => k), puts: [['t/zzz', bytes('late')]], result: 0 }), 'durable');
      }
      expect([key, text(value)]).toEqual(pairs[seen++]);
    }
    expect(seen).toBe(3000);
    expect(await keysOf(kv)).toEqual(['t/zzz']);
  });

  it('a scan can be limited, turned round, reduced to keys and left early', async () => {
    const kv = await freshKeyValue();
    await kv.transact(put(['s/a', 'A'], ['t/b', 'B'], ['t/c', 'C'], ['u/d', 'D']), 'durable');
    const collect = async (options: Parameters<KeyValue['scan']>[1]): Promise<string[]> => {
      const found: string[] = [];
      for await (const [key, value] of kv.scan(below('t/'), options)) found.push(`${key}:${text(value)}`);
      return found;
    };
    expect(await collect({})).toEqual(['t/b:B', 't/c:C']);
    expect(await collect({ reverse: true, limit: 1 })).toEqual(['t/c:C']);
    expect(await collect({ limit: 0 })).toEqual([]);
    expect(await collect({ keysOnly: true })).toEqual(['t/b:', 't/c:']);
    for await (const _ of kv.scan(below('t/'))) break;
    expect(text(await kv.get('t/b'))).toBe('B');
  });

  it('reads give what is there and undefined for what is not', async () => {
    const kv = await freshKeyValue();
    await kv.transact(
      async () => ({
        puts: [
          ['t/empty', bytes('')],
          ['t/x', Buffer.alloc(300_000, 1)],
        ],
        result: 0,
      }),
      'durable',
    );
    expect((await kv.get('t/empty'))?.length).toBe(0);
    expect((await kv.getMany(['t/x', 't/none', 't/empty'])).map((value) => value?.length)).toEqual([300_000, undefined, 0]);
    expect(await kv.getMany([])).toEqual([]);
    expect(await kv.get('t/none')).toBeUndefined();
    expect(kv.getNow('t/none')).toBeUndefined();
    expect(kv.getNow('t/x')?.length).toBe(300_000);
  });

  it('wakes subscribers after the commit can be seen, and not for what was refused', async () => {
    const kv = await freshKeyValue();
    const seen: (string | undefined)[] = [];
    const stop = kv.subscribe('topic', () => seen.push(text(kv.getNow('t/k'))));
    kv.subscribe('topic', () => {
      throw new Error('a listener of its own');
    });
    await kv.transact(async () => ({ puts: [['t/k', bytes('1')]], wake: ['topic', 'other'], result: 0 }), 'durable');
    expect(seen).toEqual(['1']);
    await kv.transact(async () => ({ puts: [['t/k', bytes('2')]], wake: ['topic'], result: 0 }), 'soon');
    expect(seen).toEqual(['1', '2']);
    await expect(kv.transact(async () => ({ checks: [{ absent: 't/k' }], wake: ['topic'], result: 0 }), 'durable')).rejects.toThrow();
    expect(seen).toEqual(['1', '2']);
    stop();
    await kv.transact(async () => ({ wake: ['topic'], result: 0 }), 'durable');
    expect(seen).toEqual(['1', '2']);
  });

  it('wakes once for all commits of one flush', async () => {
    const kv = await freshKeyValue();
    let woken = 0;
    kv.subscribe('topic', () => {
      woken++;
    });
    await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        kv.transact(async () => ({ puts: [[`t/${n}`, bytes('x')]], wake: ['topic'], result: 0 }), 'durable'),
      ),
    );
    expect(woken).toBeGreaterThan(0);
    expect(woken).toBeLessThan(50);
  });

  it('a snapshot shows one moment, whatever is written meanwhile', async () => {
    const kv = await freshKeyValue();
    await kv.transact(put(['t/a', '1'], ['t/b', '1']), 'durable');
    const snapshot = kv.snapshot();
    await kv.transact(
      async () => ({ puts: [['t/b', bytes('2')] as const, ['t/c', bytes('2')] as const], deletes: ['t/a'], result: 0 }),
      'durable',
    );
    expect([snapshot.getNow('t/a'), snapshot.getNow('t/b'), snapshot.getNow('t/c')].map(text)).toEqual(['1', '1', undefined]);
    const found: string[] = [];
    for await (const [key, value] of snapshot.scan(below('t/'))) found.push(`${key}=${text(value)}`);
    expect(found).toEqual(['t/a=1', 't/b=1']);
    await snapshot.close();
    expect(text(kv.getNow('t/b'))).toBe('2');
  });

  it('keeps everything over closing and opening, and refuses work when closed', async () => {
    const { keyValue, reopen } = await fresh();
    const last = keyValue.transact(put(['t/last', '1']), 'soon');
    await keyValue.flush();
    await last;
    const late = keyValue.transact(put(['t/late', '1']), 'soon');
    const again = await reopen();
    await late;
    expect(await keysOf(again)).toEqual(['t/last', 't/late']);
    await expect(keyValue.transact(put(['t/x', '1']), 'durable')).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(keyValue.get('t/x')).rejects.toMatchObject({ kind: 'unavailable' });
  });
}
