/** What sorting keeps in memory, and when it gives up. */

import { expect, test } from '@jest/globals';
import type { SortFault, SortKey } from '../../src/directory/index.ts';
import { Entry } from '../../src/directory/index.ts';
import { Compiler } from '../../src/directory/search/evaluate.ts';
import { orderOf, Sorting, SortMemory } from '../../src/directory/search/sort.ts';
import { attributes, dn, testSchema } from './support.ts';

const schema = testSchema();
const compiler = new Compiler(schema, () => undefined);
const stored = (id: number, values: Readonly<Record<string, string | readonly string[]>>) => ({
  id,
  parent: 0,
  entry: new Entry(dn(`cn=${id}`), attributes(values)),
  optioned: Object.keys(values).some((name) => name.includes(';')),
});
const sorting = (keys: readonly SortKey[], limits: { wanted: number; most: number }, memory = new SortMemory()): Sorting =>
  new Sorting(orderOf(schema, compiler, keys), undefined, memory, limits);
const all = { wanted: Number.POSITIVE_INFINITY, most: 1_000_000 };
const fault = (run: () => unknown): string => {
  try {
    run();
  } catch (thrown) {
    return (thrown as SortFault).result;
  }
  return 'none';
};

test('numbers sort as numbers, times as times, text without case, and what has none comes last', async () => {
  const numbers = sorting([{ attribute: 'mtTestNumber' }], all);
  for (const [id, value] of [
    [1, '10'],
    [2, '9'],
    [3, undefined],
    [4, '100'],
  ] as const)
    numbers.add(stored(id, value === undefined ? { cn: 'x' } : { mtTestNumber: value }));
  expect([...(await numbers.ids())]).toEqual([2, 1, 4, 3]);
  const times = sorting([{ attribute: 'mtTestTime', reverse: true }], all);
  times.add(stored(1, { mtTestTime: '20200101000000Z' }));
  times.add(stored(2, { mtTestTime: '20200101003000+0100' }));
  times.add(stored(3, {}));
  expect([...(await times.ids())]).toEqual([3, 1, 2]);
  const text = sorting([{ attribute: 'cn' }], all);
  for (const [id, value] of [
    [1, 'b'],
    [2, 'A'],
    [3, 'Äpfel'],
    [4, 'a'],
  ] as const)
    text.add(stored(id, { cn: value }));
  expect([...(await text.ids())]).toEqual([2, 4, 1, 3]);
});

test('values with options and derived types count for the type that is asked for', async () => {
  const sort = sorting([{ attribute: 'name' }], all);
  sort.add(stored(1, { sn: 'b' }));
  sort.add(stored(2, { 'cn;lang-de': 'a' }));
  sort.add(stored(3, { cn: 'c', title: 'aa' }));
  expect([...(await sort.ids())]).toEqual([2, 3, 1]);
});

test('of many entries only those wanted are kept, and the memory is given back', async () => {
  const memory = new SortMemory();
  const sort = sorting([{ attribute: 'mtTestNumber', reverse: true }], { wanted: 3, most: 10 }, memory);
  for (let id = 1; id <= 5000; id++) sort.add(stored(id, { mtTestNumber: String((id * 7919) % 5003) }));
  expect(memory.octets).toBeLessThan(20_000);
  expect(sort.count).toBe(5000);
  const numberOf = (id: number): number => (id * 7919) % 5003;
  const expected = Array.from({ length: 5000 }, (_, n) => n + 1).sort((a, b) => numberOf(b) - numberOf(a));
  expect([...(await sort.ids())]).toEqual(expected.slice(0, 3));
  sort.release();
  expect(memory.octets).toBe(0);
});

test('too many entries, values that are too large, and too many sorts at a time are given up', async () => {
  const memory = new SortMemory();
  const few = sorting([{ attribute: 'cn' }], { wanted: Number.POSITIVE_INFINITY, most: 2 }, memory);
  few.add(stored(1, { cn: 'a' }));
  few.add(stored(2, { cn: 'b' }));
  expect(fault(() => few.add(stored(3, { cn: 'c' })))).toBe('adminLimitExceeded');
  few.release();
  const large = 'x'.repeat(1_000_000);
  const heavy = sorting([{ attribute: 'description' }], all, memory);
  expect(fault(() => Array.from({ length: 40 }, (_, id) => heavy.add(stored(id, { description: `${large}${id}` }))))).toBe(
    'adminLimitExceeded',
  );
  heavy.release();
  expect(memory.octets).toBe(0);
  const others = Array.from({ length: 9 }, () => sorting([{ attribute: 'description' }], all, memory));
  const fill = (one: Sorting): string =>
    fault(() => Array.from({ length: 15 }, (_, id) => one.add(stored(id, { description: `${large}${id}` }))));
  expect(others.map(fill)).toContain('busy');
  for (const one of others) one.release();
  expect(memory.octets).toBe(0);
  // Of large values a few can be kept all the same.
  const top = sorting([{ attribute: 'description', reverse: true }], { wanted: 2, most: 10 }, memory);
  expect(
    fault(() => Array.from({ length: 40 }, (_, id) => top.add(stored(id, { description: `${large}${String(id).padStart(2, '0')}` })))),
  ).toBe('none');
  expect([...(await top.ids())]).toEqual([39, 38]);
});

test('many entries are sorted in turns, equal ones stay as they came, and the loop goes round meanwhile', async () => {
  const sort = sorting([{ attribute: 'title' }, { attribute: 'mtTestNumber', reverse: true }], all);
  const keys: [string, number][] = Array.from({ length: 20_011 }, (_, n) => [String((n * 7919) % 13), (n * 31) % 7]);
  for (const [n, [title, number]] of keys.entries()) sort.add(stored(n + 1, { title, mtTestNumber: String(number) }));
  let turns = 0;
  let going = true;
  const turn = (): void => {
    turns += 1;
    if (going) setImmediate(turn);
  };
  setImmediate(turn);
  const ids = [...(await sort.ids())];
  going = false;
  const order = (n: number): [string, number] => keys[n - 1] ?? ['', 0];
  const expected = keys
    .map((_, n) => n + 1)
    .sort((a, b) => (order(a)[0] < order(b)[0] ? -1 : order(a)[0] > order(b)[0] ? 1 : order(b)[1] - order(a)[1] || a - b));
  expect(ids).toEqual(expected);
  expect(turns).toBeGreaterThan(9);
});
