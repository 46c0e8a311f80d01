import { expect, test } from '@jest/globals';
import { quotedPrintable } from '../../src/mail/quoted-printable.ts';

const decode = (text: string): string =>
  Buffer.from(
    text.replace(/=\r\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString('utf8');

test.each([
  '',
  'plain\r\n',
  'Größe = 1\r\n',
  'blank at the end \r\ntab\t\r\nx ',
  'a'.repeat(76),
  'a'.repeat(77),
  `${'a'.repeat(75)}ü`,
  `${'ü '.repeat(300)}\r\n=\r\n`,
  'nul \0 bare \n and \r end',
])('%j comes back and keeps to the line length', (text) => {
  const encoded = quotedPrintable(text);
  expect(decode(encoded)).toBe(text);
  for (const line of encoded.split('\r\n')) {
    expect(line.length).toBeLessThanOrEqual(76);
    expect(line).toMatch(/^[\t\x20-\x7e]*$/);
    expect(line).not.toMatch(/[ \t]$/);
  }
});
