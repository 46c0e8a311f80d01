import { expect, test } from '@jest/globals';
import { KeptHeader } from '../../src/mail/index.ts';

function kept(pieces: readonly string[], most?: number): { text: string; ended: boolean; tooLong: boolean } {
  const header = new KeptHeader(most);
  for (const piece of pieces) header.put(Buffer.from(piece));
  return { text: header.bytes.toString(), ended: header.ended, tooLong: header.tooLong };
}

test.each([
  ['A: 1\r\nB: 2\r\n\r\nbody\r\n\r\nC: 3\r\n', 'A: 1\r\nB: 2\r\n', true],
  ['\r\nA: this is body\r\n\r\n', '', true],
  ['A: 1\r\n\r\n', 'A: 1\r\n', true],
  ['A: 1\r\n\r\r\nB: 2\r\n', 'A: 1\r\n\r\r\nB: 2\r\n', false],
  ['A: 1\r\nB: 2', 'A: 1\r\nB: 2', false],
  ['', '', false],
])('%j has the header %j, wherever it is cut', (message, text, ended) => {
  expect(kept([...message])).toEqual({ text, ended, tooLong: false });
  for (let at = 0; at <= message.length; at++)
    for (let and = at; and <= message.length; and++)
      expect(kept([message.slice(0, at), message.slice(at, and), message.slice(and)])).toEqual({ text, ended, tooLong: false });
});

test('what is beyond the bound is not kept, and said', () => {
  expect(kept(['A: 1\r\n', 'B: 2\r\n\r\n'], 8)).toEqual({ text: 'A: 1\r\nB:', ended: false, tooLong: true });
  expect(kept(['A: 1\r\n\r\nbody'], 8)).toEqual({ text: 'A: 1\r\n', ended: true, tooLong: false });
  expect(kept(['A: 1\r\n\r', '\nbody'], 7)).toEqual({ text: 'A: 1\r\n\r', ended: false, tooLong: true });
});

test('the bytes of whoever hands them in may change afterwards', () => {
  const header = new KeptHeader();
  const piece = Buffer.from('A: 1\r\n\r\n');
  header.put(piece);
  piece.fill(0);
  expect(header.bytes.toString()).toBe('A: 1\r\n');
});
