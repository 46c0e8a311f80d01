/** How many connections leave enough descriptors for files. */

import { expect, test } from '@jest/globals';
import { connectionsWithin, descriptorLimit, isShortage, limitIn } from '../../src/base/descriptors.ts';

test.each([
  [64, 16],
  [160, 64],
  [1_024, 683],
  [4_096, 2_731],
  [20_000, 17_952],
  [1_048_576, 1_046_528],
])('with %i descriptors there are %i connections at most', (limit, connections) => {
  expect(connectionsWithin(limit)).toBe(connections);
});

test('the limit is the soft one of this process', () => {
  const table =
    'Limit                     Soft Limit           Hard Limit           Units     \nMax processes             7                    9                    processes \n';
  expect(limitIn(`${table}Max open files            1024                 4096                 files     \n`)).toBe(1_024);
  expect(limitIn(`${table}Max open files            unlimited            unlimited            files     \n`)).toBeUndefined();
  expect(limitIn(table)).toBeUndefined();
  expect(descriptorLimit()).toBeGreaterThan(0);
});

test('a shortage is what may go well the next time', () => {
  const failed = (code: string) => Object.assign(new Error(code), { code });
  expect(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS'].filter((code) => !isShortage(failed(code)))).toEqual([]);
  expect([failed('ENOENT'), failed('EACCES'), failed('EIO'), new Error('x'), undefined, 'EMFILE'].filter(isShortage)).toEqual([]);
});
