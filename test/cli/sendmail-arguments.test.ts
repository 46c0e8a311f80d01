import { expect, test } from '@jest/globals';
import { parseArguments } from '../../src/cli/sendmail-arguments.ts';

const plain = { recipients: [], sender: undefined, fromHeaders: false, dotEnds: true, config: undefined };

test.each([
  [['a@b.example'], { recipients: ['a@b.example'] }],
  [['a@b.example,c@d.example', 'é@f.example'], { recipients: ['a@b.example', 'c@d.example', 'é@f.example'] }],
  [['-f', 'x@y.example', 'a'], { sender: 'x@y.example', recipients: ['a'] }],
  [['-fx@y.example', 'a'], { sender: 'x@y.example', recipients: ['a'] }],
  [['-r', 'x', 'a'], { sender: 'x', recipients: ['a'] }],
  [['-f', '<>', 'a'], { sender: '', recipients: ['a'] }],
  [['-t', '-oi'], { fromHeaders: true, dotEnds: false }],
  [['-i', '-t', '-F', 'Full Name', '-oem', '-bm'], { fromHeaders: true, dotEnds: false }],
  [['-q15m', '-v', 'a'], { recipients: ['a'] }],
  [['-N', 'never', '-R', 'hdrs', 'a'], { recipients: ['a'] }],
  [['--', '-strange@b.example'], { recipients: ['-strange@b.example'] }],
  [['--config', 'f.yaml', 'a'], { config: 'f.yaml', recipients: ['a'] }],
  [['--config=f.yaml', 'a'], { config: 'f.yaml', recipients: ['a'] }],
])('%j is understood', (args, expected) => {
  expect(parseArguments(args)).toEqual({ ...plain, ...expected });
});

test.each([[['-bs']], [['-bd']], [['-bi']], [['-f']]])('%j is refused', (args) => {
  expect(() => parseArguments(args)).toThrow();
});
