import { expect, test } from '@jest/globals';
import { prepareExact, prepareIgnoringCase } from '../../src/ldap-wire/index.ts';

const megabytes = 10_485_760;

test.each([
  ['words', 'X ', 'Y', 2 * megabytes + 1],
  ['one word', 'XX', '', 2 * megabytes],
  ['spaces', '  ', 'Y', 1],
  ['words far apart', 'X  ', 'Y', 2 * megabytes + 1],
])('a value of twenty megabytes of %s can be compared', (_what, piece, end, length) => {
  const text = piece.repeat(megabytes) + end;
  expect(prepareExact(text)).toHaveLength(length);
  expect(prepareIgnoringCase(text)).toBe(prepareExact(text).toLowerCase());
});

test.each([
  ['', ''],
  ['Barbara Jensen', 'barbara jensen'],
  [' Barbara  Jensen ', 'barbara jensen'],
  ['a', 'a'],
  [' ', ''],
  ['~!', '~!'],
  ['Ä  b', 'ä b'],
])('%j is compared as %j', (text, prepared) => {
  expect(prepareIgnoringCase(text)).toBe(prepared);
});
