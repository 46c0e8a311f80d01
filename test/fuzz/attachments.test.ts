/** Messages that are damaged anywhere have their attachments converted, or not, but always in the same way, and what comes out can be sent. */

import { expect, test } from '@jest/globals';
import {
  appleEncodings,
  appleFile,
  binHex,
  bytesOf,
  convertAttachments,
  macBinary,
  plainMacFile,
  UuEncoder,
  type Wishes,
} from '../../src/attachments/index.ts';
import { all, latin1, source } from '../attachments/support.ts';
import { seededRandom } from '../support/queue.ts';

const random = seededRandom(1741);
const pick = (below: number): number => Math.floor(random() * below);
const flip = (): boolean => pick(2) === 0;

async function seed(): Promise<string> {
  const file = { ...plainMacFile('Näme', bytesOf('data\r\n'.repeat(20)), 'TEXT', 'ttxt'), resource: bytesOf(Buffer.alloc(200, 0x90)) };
  const uu = new UuEncoder('x.gif');
  const uuencoded = Buffer.concat([Buffer.from(uu.push(Buffer.from('GIF89a'.repeat(30)))), Buffer.from(uu.end())]).toString('latin1');
  const base64 = async (bytes: Parameters<typeof all>[0]): Promise<string> =>
    (await all(bytes)).toString('base64').replace(/.{76}/g, '$&\r\n');
  const part = (type: string, encoding: string, body: string): string =>
    `--b\r\nContent-Type: ${type}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}\r\n`;
  const hqx = await latin1(await binHex(file));
  return [
    'From: "J\xfcrgen" <a@b.example>\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n',
    part('text/plain; charset=utf-8', '8bit', `Gr\xc3\xbc\xc3\x9fe\r\n\r\n${hqx}\r\n\r\n${uuencoded}\r\n`),
    part('text/html', 'quoted-printable', '<p>a=3D=\r\nb</p>'),
    part('application/applefile; name="x"', 'base64', await base64(appleFile('applesingle', file))),
    part('application/macbinary; name="y.bin"', 'x-uuencode', uuencoded),
    part('application/octet-stream; name="z.bin"', 'base64', await base64(macBinary(file))),
    part('application/mac-binhex40', '7bit', hqx),
    part('application/vnd.lotus-notes; name=m.nsf', 'base64', 'AAAA'),
    part(
      'multipart/appledouble; boundary=d',
      '7bit',
      `--d\r\nContent-Type: application/applefile\r\nContent-Transfer-Encoding: base64\r\n\r\n${await base64(appleFile('appledouble', file))}\r\n--d\r\nContent-Type: image/gif\r\n\r\nGIF\r\n--d--`,
    ),
    part('message/rfc822', '7bit', 'Subject: inner\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\n%PDF'),
    '--b--\r\n',
  ].join('');
}

const pieces = [
  '\r\n',
  '\r\n\r\n',
  '--b\r\n',
  '--b--\r\n',
  '--d\r\n',
  ':',
  '=',
  '"',
  '\x00',
  '\xff',
  'begin 644 x\r\n',
  'end\r\n',
  '(This file must be converted with BinHex 4.0)\r\n:',
  'Content-Type: multipart/appledouble; boundary=b\r\n',
  'Content-Transfer-Encoding: base64\r\n',
  '-----BEGIN PGP MESSAGE-----\r\n',
];

const numbered = (text: string): string => text.replace(/=_mt_[\w-]{20}/g, '=_mt_');

async function result(text: string, piece: number, wishes: Wishes): Promise<string> {
  const { message, plain, notes } = await convertAttachments(source(text, piece), wishes);
  const made = message ? await latin1(message) : text;
  if (message) expect(made.length).toBe(message.size);
  if (plain) {
    expect(plain.eightBit).toBe(/[\x80-\xff]/.test(made));
    if (!wishes.eightBit) expect(plain.eightBit).toBe(false);
    for (const line of made.split('\r\n')) expect(line.length).toBeLessThanOrEqual(998);
  }
  expect(made.replace(/\r\n/g, '')).not.toMatch(/[\r\n]/);
  return JSON.stringify([numbered(made), notes]);
}

test('damaged messages', async () => {
  const whole = await seed();
  let changed = 0;
  for (let round = 0; round < 250; round++) {
    let text = whole;
    for (let n = pick(8); n >= 0; n--) {
      const at = pick(text.length);
      const piece = pieces[pick(pieces.length)] as string;
      const what = pick(3);
      text =
        what === 0 ? text.slice(0, at) + piece + text.slice(at) : text.slice(0, at) + (what === 1 ? '' : piece) + text.slice(at + pick(40));
    }
    // No bare CR or LF comes as far as this.
    text = text.replace(/\r\n|\r|\n/g, '\r\n');
    const wishes: Wishes = {
      toMac: flip(),
      fromMac: flip(),
      withoutMime: flip(),
      withoutNotes: flip(),
      nativeEncoding: flip() ? 'mime' : 'uuencode',
      appleEncoding: ['unchanged' as const, ...appleEncodings][pick(7)] ?? 'unchanged',
      eightBit: flip(),
      charset: '',
    };
    const one = await result(text, 65_536, wishes);
    expect(await result(text, 1 + pick(60), wishes)).toBe(one);
    if (one !== JSON.stringify([text, []])) changed++;
  }
  expect(changed).toBeGreaterThan(150);
}, 60_000);
