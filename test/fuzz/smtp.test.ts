import { expect, test } from '@jest/globals';
import { DataReader } from '../../src/smtpd/data-reader.ts';
import { isUnreadable, parseAddressCommand } from '../../src/smtpd/path.ts';
import { dice } from './smtp-model.ts';

/** DATA by the book: lines end at CRLF, a lone dot ends it all, a leading dot goes. */
function byTheBook(bytes: string): { content: string; rest: string } | undefined {
  let content = '';
  let at = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const line = bytes.slice(at, end);
    at = end + 2;
    if (line === '.') return { content, rest: bytes.slice(at) };
    content += `${line.startsWith('.') ? line.slice(1) : line}\r\n`;
  }
}

test('data is read as the book says, wherever the chunks are cut', () => {
  const roll = dice(20_300_101);
  const pieces = ['\r', '\n', '.', '\r\n', '\r\n.', '\r\n.\r\n', 'x', '\0', '..'];
  for (let round = 0; round < 5_000; round += 1) {
    let bytes = '';
    for (let n = roll(14); n >= 0; n -= 1) bytes += pieces[roll(pieces.length)];
    const reader = new DataReader();
    let content = '';
    let rest: string | undefined;
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + roll(4);
      const chunk = Buffer.from(bytes.slice(at, at + length), 'latin1');
      at += length;
      if (rest !== undefined) {
        rest += chunk.toString('latin1');
        continue;
      }
      const step = reader.feed(chunk);
      content += Buffer.concat(step.content).toString('latin1');
      rest = step.rest?.toString('latin1');
    }
    const expected = byTheBook(bytes);
    if (expected) expect({ bytes, content, rest }).toEqual({ bytes, ...expected });
    else expect({ bytes, rest }).toEqual({ bytes, rest: undefined });
  }
});

test('the argument of RCPT never throws, never takes long, and never yields a second domain', () => {
  const roll = dice(7);
  const pieces = [
    'TO:',
    '<',
    '>',
    '@',
    '"',
    '\\',
    '.',
    'a',
    'ü',
    ' ',
    '%',
    '!',
    ':',
    ',',
    '[',
    ']',
    'IPv6:',
    '::1',
    '127.0.0.1',
    '=',
    'NOTIFY',
    'x.example',
    '\0',
    '\r',
    '𝒳',
    '-',
  ];
  for (let round = 0; round < 10_000; round += 1) {
    let text = roll(4) > 0 ? 'TO:<' : '';
    for (let n = roll(12); n >= 0; n -= 1) text += pieces[roll(pieces.length)];
    if (roll(3) > 0) text += '>';
    const parsed = parseAddressCommand(text, 'TO');
    if (isUnreadable(parsed) || !parsed.path) continue;
    const { address, local, domain } = parsed.path;
    expect(address).toBe(domain === undefined ? local : `${local}@${domain}`);
    expect(address).not.toMatch(/[\r\n\0]/);
    if (!local.startsWith('"')) expect(local).not.toMatch(/[@<>\s"\\]/);
    if (domain !== undefined) expect(domain).toMatch(/^([a-z0-9_.-]+|\[[0-9A-Fa-f.:IPv]+\])$/);
  }
  const long = `TO:<${'"\\'.repeat(500_000)}`;
  expect(isUnreadable(parseAddressCommand(long, 'TO'))).toBe(true);
  expect(isUnreadable(parseAddressCommand(`TO:<${'@a,'.repeat(300_000)}:x@y.example>`, 'TO'))).toBe(true);
  expect(isUnreadable(parseAddressCommand(`TO:<${'a.'.repeat(500_000)}@y.example>`, 'TO'))).toBe(true);
});
