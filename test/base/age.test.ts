import { expect, test } from '@jest/globals';
import { parseAge } from '../../src/base/index.ts';

test.each([
  ['90s', 90_000],
  ['15m', 900_000],
  ['12H', 43_200_000],
  [' 3d ', 259_200_000],
  ['2w', 1_209_600_000],
  ['0s', 0],
])('%s is an age', (text, ms) => {
  expect(parseAge(text)).toBe(ms);
});

test.each(['', '3', 'd', '-1d', '1.5h', '12345678s', '1y', '1dd', '2026-01-31'])('"%s" is none', (text) => {
  expect(parseAge(text)).toBeUndefined();
});
