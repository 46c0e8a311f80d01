import { expect, test } from '@jest/globals';
import { HeadWatch, precedenceOf } from '../../src/mail/index.ts';

test.each([
  ['Subject: none', 0],
  ['Precedence: special-delivery', -2],
  ['Precedence: first-class', 0],
  ['PRECEDENCE:\tList', 1],
  ['precedence: bulk ', 2],
  ['Precedence: junk', 2],
  ['Precedence: urgent', -1],
  ['Precedence: non-urgent\r\nPriority: urgent', 1],
  ['Precedence:\r\n bulk', 2],
  ['Precedence: bulky', 0],
  ['Precedence: bulk; really', 0],
  ['Precedence: -100', 0],
  ['X-Precedence: bulk', 0],
  ['Priority: urgent', -1],
  ['Priority: normal', 0],
  ['Priority: Non-Urgent', 1],
  ['Priority: constructor', 0],
  ['X-Priority: 1\r\nImportance: high', 0],
  ['Priority: urgent\r\nPrecedence: bulk', 2],
  ['Priority: urgent\r\nPrecedence: weißnicht', -1],
  ['Precedence: bulk\r\nPrecedence: list', 2],
  ['Subject: über\r\n Precedence: bulk', 0],
] as const)('%j is of precedence %d', (head, precedence) => {
  expect(precedenceOf(head)).toBe(precedence);
  expect(precedenceOf(head.replaceAll('\r\n', '\n'))).toBe(precedence);
});

test('a header that comes in pieces is read, its body is not', () => {
  const watch = new HeadWatch();
  for (const piece of ['Mess', 'age-ID: <a@b.example>\r\nPrece', 'dence: li', 'st\r\n', '\r\nPrecedence: bulk\r\n'])
    watch.put(Buffer.from(piece));
  expect([watch.messageId(), watch.precedence()]).toEqual(['<a@b.example>', 1]);
  const body = new HeadWatch();
  body.put(Buffer.from('\r\nPrecedence: bulk\r\n'));
  expect([body.messageId(), body.precedence()]).toEqual([undefined, 0]);
  const open = new HeadWatch();
  open.put(Buffer.from('Precedence: bulk'));
  expect(open.precedence()).toBe(2);
});
