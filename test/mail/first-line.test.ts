import { expect, test } from '@jest/globals';
import { FirstLine } from '../../src/mail/index.ts';

/** What comes out, in pieces of every size. */
function through(text: string): string {
  const outcomes = new Set<string>();
  for (const size of [1, 2, 3, 7, text.length || 1]) {
    const first = new FirstLine();
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < text.length; at += size) pieces.push(first.push(Buffer.from(text.slice(at, at + size), 'latin1')));
    pieces.push(first.end());
    outcomes.add(Buffer.concat(pieces).toString('latin1'));
  }
  expect(outcomes.size).toBe(1);
  return [...outcomes][0] ?? '';
}

test.each([
  'Subject: a\r\n\r\nb\r\n',
  'Subject : a\r\n\r\nb\r\n',
  'X:\r\n y\r\n\r\nb\r\n',
  '\r\nb\r\n',
  'From: ann@jade.example\r\n\r\n',
  'From ann@jade.example Mon Jan  5 10:00:00 2026\r\nSubject: a\r\n\r\nb\r\n',
  '>From x\r\nSubject: a\r\n\r\nb\r\n',
  'From x',
  '\u00ef\u00bb\u00bfSubject: a\r\n\r\nb\r\n',
  'From\t: ann@jade.example\r\n\r\n',
  `${'x'.repeat(900)}: a\r\n\r\n`,
  '',
])('%j begins with a header and stays as it is', (text) => {
  expect(through(text)).toBe(text);
});

test.each([
  'hello\r\nSubject: a\r\n',
  'hello world: yes\r\n',
  'hello',
  ' Subject: a\r\n',
  '\tx\r\n',
  ': x\r\n',
  'caf\u00e9: x\r\n',
  'a\u0000b: x\r\n',
  'From\r\n',
  'from here on\r\n',
  `${'x'.repeat(1_200)}: a\r\n\r\n`,
])('%j is text, which an empty line goes before', (text) => {
  expect(through(text)).toBe(`\r\n${text}`);
});
