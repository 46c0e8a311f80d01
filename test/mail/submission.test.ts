/** What programs hand in, made a message, and who it is for by its header. */

import { expect, test } from '@jest/globals';
import { addressesIn, asMessage, headerAddresses } from '../../src/mail/index.ts';

const made = (text: string): string => Buffer.from(asMessage(Buffer.from(text))).toString();

test.each([
  ['just a line\nmore: text\n', '\njust a line\nmore: text\n'],
  ['Subject: x\nno empty line\n', 'Subject: x\n\nno empty line\n'],
  ['Subject: x\n folded\n\nbody\n', 'Subject: x\n folded\n\nbody\n'],
  ['Subject: x\r\n\r\nbody: y\nz', 'Subject: x\r\n\r\nbody: y\nz'],
  [' begins with a blank\n', '\n begins with a blank\n'],
  [': no name\n', '\n: no name\n'],
  ['Subject : obsolete\n\nx', 'Subject : obsolete\n\nx'],
  ['From ann Thu Nov 26 01:00:00 2026\nSubject: x\n\nFrom here on\n', 'Subject: x\n\nFrom here on\n'],
  ['>From ann Thu\r\nFrom: a@b.example\r\n\r\nx', 'From: a@b.example\r\n\r\nx'],
  ['From : a@b.example\n\nx', 'From : a@b.example\n\nx'],
  ['From nobody', ''],
  ['Subject: nothing else', 'Subject: nothing else'],
  ['', ''],
  ['\nbody', '\nbody'],
  ['é: x\n', '\né: x\n'],
])('%j becomes %j', (text, message) => {
  expect(made(text)).toBe(message);
  // What is a message already stays as it is.
  expect(made(message)).toBe(message);
});

test('a header of any length is passed in one go', () => {
  const header = `X: ${'y'.repeat(5_000)}\n`.repeat(2_000);
  expect(made(`${header}\nbody`)).toBe(`${header}\nbody`);
});

const named = (text: string) => headerAddresses(Buffer.from(text)).recipients;

test.each([
  [
    'To: Team: a@x.example, "B, c" <b@x.example>;, nobody:;\nCc: c@x.example (a (nested), one)\n',
    ['a@x.example', 'b@x.example', 'c@x.example'],
  ],
  ['To: a@x.example\nBcc: b@x.example,\n c@x.example\n', ['a@x.example', 'b@x.example', 'c@x.example']],
  ['To: "a b"@x.example, <@relay.example:d@x.example>\n', ['"a b"@x.example', 'd@x.example']],
  ['To: undisclosed-recipients:;\n', []],
  ['To: a b c <\n', ['a b c <']],
  ['To: a b c\n', ['a b c']],
  ['To: Ann a@x.example\n', ['Ann a@x.example']],
  ['To: b@@x.example, Ann\n b@x.example\n', ['b@@x.example', 'b@@x.example, Ann b@x.example']],
  ['Subject: x\n\nTo: a@x.example\n', []],
])('%j is for %j', (text, recipients) => {
  expect(named(text)).toEqual(recipients);
});

test('a message that was resent goes to whom it was resent to last, and to nobody it once was for', () => {
  const text = [
    ...['Resent-From: c@x.example', 'Resent-To: d@x.example', 'Resent-Bcc: e@x.example', 'Resent-Date: now'],
    ...['Resent-From: b@x.example', 'Resent-To: c@x.example', 'Received: by x', 'Resent-To: z@x.example'],
    ...['From: a@x.example', 'To: b@x.example', 'Bcc: f@x.example', '', 'Resent-To: g@x.example'],
  ].join('\n');
  const { recipients, withoutBcc } = headerAddresses(Buffer.from(text));
  expect(recipients).toEqual(['d@x.example', 'e@x.example']);
  expect(Buffer.from(withoutBcc).toString()).toBe(text.replace('Resent-Bcc: e@x.example\n', '').replace('Bcc: f@x.example\n', ''));
});

test('no address of a long list is left out', () => {
  const many = Array.from({ length: 20_000 }, (_, n) => `u${n}@x.example`);
  expect(addressesIn(many.join(', '))).toEqual(many);
});
