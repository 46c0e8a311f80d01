/** Messages that are damaged anywhere are converted to 7 bit, or not, but always in the same way, and never with 8 bit left. */

import { expect, test } from '@jest/globals';
import { type FitSource, fitMessage } from '../../src/mail/index.ts';
import { seededRandom } from '../support/queue.ts';

const seeds = [
  'From: "J\xc3\xbcrgen" <a@b.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xe4\r\n--b\r\n\r\nplain\xfc\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: \xc3\xbc\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\nx\r\n--s\r\n\r\nsig\r\n--s--\r\n--b\r\nContent-Type: text/html; charset=utf-8; name="\xc3\xa4.html"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3D\xc3\xbc=\r\nb\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--\r\n\xfe\r\n',
  `Subject: ${'\xfc'.repeat(100)}\r\n folded \xe9\r\nTo: a@b, \xc3\xbc <c@d> (\xc3\xa4)\r\n\r\n${'\xc3\xbc '.repeat(600)}\r\n.\r\n`,
  'Content-Type: multipart/report; boundary=r\r\n\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\nDiagnostic-Code: smtp; \xfc\r\n--r\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: \xc3\xbc\r\n--r--\r\n',
];
const pieces = [
  '\r\n',
  '\n',
  '\r',
  '--b\r\n',
  '--b--\r\n',
  '--s\r\n',
  ':',
  ' ',
  '"',
  '<',
  '(',
  '\\',
  '=',
  '=?utf-8?Q?',
  '\x00',
  '\xff',
  'Content-Type: multipart/mixed; boundary=b\r\n',
];

const source = (bytes: Buffer, piece: number): FitSource => ({
  size: bytes.length,
  async *stream(start, end) {
    for (let at = start; at < Math.min(end, bytes.length); at += piece) yield bytes.subarray(at, Math.min(at + piece, end, bytes.length));
  },
});

async function result(bytes: Buffer, piece: number): Promise<string> {
  const made = await fitMessage(source(bytes, piece), { sevenBit: true, charset: 'iso-8859-1' });
  if (made.is !== 'changed') return made.is === 'cannot' ? `cannot: ${made.text}` : 'fit';
  const out: Buffer[] = [];
  for await (const one of made.content()) out.push(Buffer.from(one));
  const all = Buffer.concat(out);
  expect(all.length).toBe(made.size);
  return all.toString('latin1');
}

test('damaged messages', async () => {
  const random = seededRandom(22);
  const pick = (below: number): number => Math.floor(random() * below);
  let changed = 0;
  for (let round = 0; round < 600; round++) {
    let text = seeds[round % seeds.length] as string;
    for (let n = pick(6); n >= 0; n--) {
      const at = pick(text.length);
      const what = pick(3);
      const piece = pieces[pick(pieces.length)] as string;
      text =
        what === 0 ? text.slice(0, at) + piece + text.slice(at) : text.slice(0, at) + (what === 1 ? '' : piece) + text.slice(at + pick(20));
    }
    const bytes = Buffer.from(text, 'latin1');
    const whole = await result(bytes, 65_536);
    expect(await result(bytes, 1 + pick(40))).toBe(whole);
    expect(whole).toMatch(/^[\x00-\x7f]*$/);
    if (!whole.startsWith('cannot') && whole !== 'fit') {
      changed++;
      // What was made needs nothing more.
      expect(await result(Buffer.from(whole, 'latin1'), 4_096)).toBe('fit');
    }
  }
  expect(changed).toBeGreaterThan(200);
});
