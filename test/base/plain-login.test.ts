import { expect, test } from '@jest/globals';
import { actsForAnother, decodePlain, isLoopback } from '../../src/base/index.ts';

const response = (...parts: string[]): string => Buffer.from(parts.join('\0')).toString('base64');

test.each([
  ['', undefined],
  ['====', undefined],
  ['no base64!', undefined],
  [response('', 'user1'), undefined],
  [response('', '', 'secret'), undefined],
  [response('', 'user1', 'secret', 'more'), undefined],
  [response('', 'jörg', 'geheim ß'), { authorize: '', name: 'jörg', password: 'geheim ß' }],
  [response('other', 'user1', ''), { authorize: 'other', name: 'user1', password: '' }],
])('the PLAIN response %j is read as %j', (text, expected) => {
  expect(decodePlain(text)).toEqual(expected);
});

test.each([
  ['', 'user1', false],
  ['USER1', 'user1', false],
  ['root', 'user1', true],
])('authorisation as %j by %j is acting for another: %s', (authorize, name, expected) => {
  expect(actsForAnother({ authorize, name, password: 'x' })).toBe(expected);
});

test.each([
  ['', true],
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['::1', true],
  ['1127.0.0.1', false],
  ['12.7.0.1', false],
  ['::2', false],
])('the address %j is this host: %s', (address, expected) => {
  expect(isLoopback(address)).toBe(expected);
});
