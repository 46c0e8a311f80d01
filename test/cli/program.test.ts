/** What the commands print: tables of any size, and nothing that a terminal would obey. */

import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import { complain, table } from '../../src/cli/program.ts';

const lines: string[] = [];
beforeEach(() => {
  lines.length = 0;
  for (const method of ['log', 'error'] as const) jest.spyOn(console, method).mockImplementation((line: string) => void lines.push(line));
});
afterEach(() => {
  jest.restoreAllMocks();
  process.exitCode = 0;
});

test('columns are as wide as their widest cell, and nothing trails', () => {
  table(
    ['a', 'b'],
    [
      ['1', ''],
      ['long', 'x'],
    ],
  );
  expect(lines).toEqual(['a     b', '1', 'long  x']);
});

test('a table of 150,000 rows is printed', () => {
  table(['n'], new Array(150_000).fill(['x']));
  expect(lines).toHaveLength(150_001);
});

test('control characters in cells and faults are shown, not sent', () => {
  table(['a'], [['x\u001b[2J\ny\u009b2J']]);
  complain(new Fault('refused', 'first \u001b[2J\nsecond\r'));
  expect(lines).toEqual(['a', 'x\\x1b[2J\\ny\\x9b2J', 'mailtree: first \\x1b[2J\nsecond\\r']);
});
