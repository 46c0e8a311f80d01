import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { Lru } from '../../src/base/index.ts';

test('a smaller bound makes a cache forget what was used longest ago', () => {
  const cache = new Lru<string, number>(3);
  for (const [n, key] of ['a', 'b', 'c'].entries()) cache.set(key, n + 1);
  cache.get('a');
  cache.resize(1);
  expect([...cache.entries()]).toEqual([['a', 1]]);
  cache.resize(0);
  expect(cache.set('d', 4)).toEqual(['d', 4]);
  expect(cache.size).toBe(0);
});

test('use, and being set again, put an entry at the end; what is deleted leaves the others in their order', () => {
  const cache = new Lru<string, number>(4);
  for (const [n, key] of ['a', 'b', 'c', 'd'].entries()) cache.set(key, n);
  expect(cache.get('b')).toBe(1);
  expect(cache.set('a', 10)).toBeUndefined();
  expect(cache.get('a')).toBe(10);
  expect(cache.entries().map(([key]) => key)).toEqual(['c', 'd', 'b', 'a']);
  cache.delete('d');
  cache.delete('a');
  cache.delete('nobody');
  expect(cache.entries().map(([key]) => key)).toEqual(['c', 'b']);
  cache.set('e', 4);
  cache.set('f', 5);
  expect(cache.set('g', 6)).toEqual(['c', 2]);
  cache.clear();
  expect(cache.entries()).toEqual([]);
  cache.set('h', 7);
  expect(cache.entries()).toEqual([['h', 7]]);
});

test('nothing is held that is no longer in it, however often the others were used', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const cache = new Lru<number, object>(10_000);
  const put = (): WeakRef<object> => {
    const value = {};
    cache.set(0, value);
    return new WeakRef(value);
  };
  const gone = put();
  for (let n = 1; n < 100; n++) cache.set(n, {});
  for (let n = 0; n < 10_000; n++) cache.get(1 + (n % 99));
  cache.delete(0);
  // A weak reference holds until the turn of the loop in which it was made is over.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(gone.deref()).toBeUndefined();
});
