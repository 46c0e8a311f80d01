/** `sendmail -bs`: the conversation on standard input and output. */

import { expect, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import { type Submission, Talk } from '../../src/cli/sendmail-talk.ts';

async function talk(text: string, octets = 7) {
  const replies: string[] = [];
  const mails: Submission[] = [];
  const needs = {
    submit: async (mail: Submission) => {
      if (mail.recipients.includes('full@x.example')) throw new Fault('busy', 'no room');
      mails.push(mail);
    },
    senderFor: (wanted: string) => {
      if (wanted === 'other@x.example') throw new Fault('not-permitted', 'not as\r\nother');
      return wanted;
    },
  };
  async function* input(): AsyncIterable<Uint8Array> {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += octets) yield bytes.subarray(at, at + octets);
  }
  await new Talk('mail.x.example', needs, (reply) => replies.push(reply)).run(input());
  return {
    codes: replies.map((reply) => reply.slice(0, 3)),
    replies,
    mails: mails.map(({ bytes, ...mail }) => [mail, Buffer.from(bytes).toString()]),
  };
}

const [mail, data] = [
  `MAIL FROM:<a@x.example> SIZE=20 BODY=8BITMIME\r\nRCPT TO:<b@x.example>\r\n`,
  'DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\n',
];
const taken = [{ sender: 'a@x.example', recipients: ['b@x.example'] }, 'Subject: x\r\n\r\n.dot\r\n'];

test.each([1, 5, 10_000])('two messages in one conversation, in pieces of %d octets', async (octets) => {
  const { codes, mails } = await talk(`EHLO me\r\n${mail}${data}${mail}${data}QUIT\r\nNOOP\r\n`, octets);
  expect(codes.join(' ')).toBe('220 250 250 250 354 250 250 250 354 250 221');
  expect(mails).toEqual([taken, taken]);
});

test('lines may end in LF, and the sender may be nobody', async () => {
  const { codes, mails } = await talk('helo me\nmail from:<>\nrcpt to:<"b c"@x.example>\ndata\nhello\n.\nquit\n');
  expect(codes.join(' ')).toBe('220 250 250 250 354 250 221');
  expect(mails).toEqual([[{ sender: '', recipients: ['"b c"@x.example'] }, '\nhello\n']]);
});

test.each([
  ['RCPT TO:<b@x.example>', '503'],
  ['DATA', '503'],
  ['MAIL FROM:a b', '501'],
  ['MAIL TO:<a@x.example>', '501'],
  ['MAIL FROM:<a@x.example> FOO=1', '555'],
  ['MAIL FROM:<a@x.example> SIZE=99999999999', '552'],
  ['MAIL FROM:<other@x.example>', '550'],
  ['AUTH PLAIN x', '502'],
  ['WHAT', '500'],
  ['VRFY a', '252'],
  ['HELP', '214'],
  ['', '500'],
  [`NOOP ${'x'.repeat(9_000)}`, '500'],
])('%j is answered %s', async (line, code) => {
  const { codes, replies, mails } = await talk(`${line}\r\nQUIT\r\n`);
  expect([codes, mails]).toEqual([['220', code, '221'], []]);
  expect(replies.every((reply) => !/[\r\n]/.test(reply))).toBe(true);
});

test.each([
  ['MAIL FROM:<a@x.example>\r\n', '503'],
  ['RCPT TO:<>\r\n', '501'],
  ['RCPT TO:<c@x.example> NOTIFY=NEVER\r\n', '555'],
])('after MAIL, %j is answered %s', async (line, code) => {
  expect((await talk(`${mail}${line}`)).codes.at(-1)).toBe(code);
});

test('what cannot be queued is refused, and what does not come to its end is not handed in', async () => {
  const { codes, mails } = await talk(
    `MAIL FROM:<a@x.example>\r\nRCPT TO:<full@x.example>\r\n${data}RSET\r\n${mail}DATA\r\nSubject: cut off`,
  );
  expect(codes.join(' ')).toMatch(/^220 250 250 354 4\d\d 250 250 250 354$/);
  expect(mails).toEqual([]);
});
