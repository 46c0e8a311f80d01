/** What the commands print: tables of any size, and nothing that a terminal would obey. */

import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import { Command } from 'commander';
import { complain, JsonList, jsonText, say, table, withHelp } from '../../src/cli/program.ts';

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
  say('250 ok \u001b]0;x\u0007\nGröße');
  expect(lines).toEqual(['a', 'x\\x1b[2J\\ny\\x9b2J', 'mailtree: first \\x1b[2J\nsecond\\r', '250 ok \\x1b]0;x\\x07\nGröße']);
});

test('a list is printed element by element as it would be in one piece', () => {
  let out = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  const printed = (elements: readonly unknown[], name?: string, rest?: object): string => {
    out = '';
    const list = new JsonList(name);
    expect(out).toBe('');
    for (const element of elements) list.add(jsonText(element));
    list.end({ ...rest });
    return out;
  };
  for (const elements of [[], [1], [{ a: 'x\ny', b: [] }, { c: { d: [1, 2] } }]]) {
    expect(printed(elements)).toBe(`${jsonText(elements)}\n`);
    expect(printed(elements, 'messages')).toBe(`${jsonText({ messages: elements })}\n`);
    expect(printed(elements, 'messages', { next: 'abc' })).toBe(`${jsonText({ messages: elements, next: 'abc' })}\n`);
  }
});

test.each([
  [['-hv'], ['-h']],
  [['-r', '-vh'], ['-h']],
  [['-qh'], ['-qh']],
  [
    ['-s', 'size', '-vr'],
    ['-s', 'size', '-vr'],
  ],
  [['--help'], ['--help']],
])('of %j help is found as %j', (args, found) => {
  const program = new Command('x').option('-q, --queue <name>').option('-v').option('-r').option('-s, --sort <order>');
  expect(withHelp(program, args)).toEqual(found);
});
