import { expect, test } from '@jest/globals';
import { Lru } from '../../src/base/index.ts';

test('a smaller bound makes a cache forget what was used longest ago', () => {
  const cache = new Lru<string, number>(3);
  for (const [n, key] of ['a', 'b', 'c'].entries()) cache.set(key, n + 1);
  cache.get('a');
  cache.resize(1);
  expect([...cache.entries()]).toEqual([['a', 1]]);
  cache.resize(0);
  cache.set('d', 4);
  expect(cache.size).toBe(0);
});
