/** Transfer encodings taken off: what the standards say, what mailers do, and every other octet. */

import { expect, test } from '@jest/globals';
import { attachmentsOf } from '../../src/attachments/index.ts';
import { Base64Encoder, QuotedPrintableEncoder } from '../../src/mail/index.ts';
import { seededRandom } from '../support/queue.ts';
import { latin1, source } from './support.ts';

async function opened(encoding: string, body: string, piece = 5): Promise<{ text: string; flaw: string | undefined }> {
  const [found] = await attachmentsOf(
    source(`Content-Type: application/x-test\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}`, piece),
  );
  const { content, flaw } = (await found?.open()) ?? {};
  return { text: content ? await latin1(content) : '', flaw };
}
const text = async (encoding: string, body: string): Promise<string> => (await opened(encoding, body)).text;

test('quoted-printable', async () => {
  const cases: [coded: string, plain: string][] = [
    ['a=3Db', 'a=b'],
    ['=e4=C4', '\xe4\xc4'],
    ['soft=\r\n break', 'soft break'],
    ['soft=  \t\r\nbreak', 'softbreak'],
    ['soft=\nbreak', 'softbreak'],
    ['blanks  \t\r\nend ', 'blanks\r\nend'],
    ['kept =\r\n', 'kept '],
    ['a b\tc', 'a b\tc'],
    ['=', ''],
    ['=\r\n', ''],
    ['x=4', 'x=4'],
    ['=4G =G4 =\x00', '=4G =G4 =\x00'],
    ['==41', '=A'],
    ['= \tx', '= \tx'],
    ['=\rx', '=\rx'],
    ['\xfc\x00', '\xfc\x00'],
    [`=${' '.repeat(3_000)}x`, `=${' '.repeat(3_000)}x`],
  ];
  for (const [coded, plain] of cases) expect([coded, await text('Quoted-Printable', coded)]).toEqual([coded, plain]);
});

test('base64, and what is wrong with it', async () => {
  expect(await opened('BASE64', 'QQ==')).toEqual({ text: 'A', flaw: undefined });
  expect(await opened('base64', ' Q\r\nU\tI = \r\n\r\n')).toEqual({ text: 'AB', flaw: undefined });
  expect(await opened('base64', 'QUI')).toEqual({ text: 'AB', flaw: undefined });
  expect(await opened('base64', '')).toEqual({ text: '', flaw: undefined });
  expect(await opened('base64', 'QUJDR')).toEqual({ text: 'ABC', flaw: 'its base64 is cut off' });
  expect((await opened('base64', 'QQ==QUJD')).flaw).toContain('goes on behind its end');
  expect(await opened('base64', 'QUJD!')).toMatchObject({ text: 'ABC', flaw: expect.stringContaining('characters') });
  expect((await opened('x-secret', 'abc')).flaw).toBe('it is encoded in a way that is not known here (x-secret)');
  for (const identity of ['7bit', '8bit', 'binary', ''])
    expect(await opened(identity, 'a=\r\n\xff')).toEqual({ text: 'a=\r\n\xff', flaw: undefined });
  for (const name of ['x-uuencode', 'uuencode', 'x-uue', 'uue', 'x-uu'])
    expect(await text(name, 'begin 644 x\r\n#0V%T\r\n`\r\nend')).toBe('Cat');
});

test('what is encoded is decoded again, and how octets are cut makes no difference', async () => {
  const random = seededRandom(2045);
  const pick = (below: number): number => Math.floor(random() * below);
  const letters = '= \t\r\n=Aa3Z\xfc\x00=\r\n==';
  for (let round = 0; round < 150; round++) {
    const noise = Array.from({ length: pick(200) }, () => letters[pick(letters.length)]).join('');
    for (const encoding of ['quoted-printable', 'base64', 'x-uuencode'])
      expect(await opened(encoding, noise, 1 + pick(30))).toEqual(await opened(encoding, noise, 10_000));
    const octets = Buffer.from(Array.from({ length: pick(500) }, () => pick(256)));
    const lines = Buffer.from(octets.toString('latin1').replace(/\r\n?|\n/g, '\r\n'), 'latin1');
    for (const [encoding, encoder, given] of [
      ['base64', new Base64Encoder(), octets],
      ['quoted-printable', new QuotedPrintableEncoder(), lines],
    ] as const) {
      const coded = Buffer.concat([encoder.push(given), Buffer.from(encoder.end())].map((piece) => Buffer.from(piece))).toString('latin1');
      expect((await opened(encoding, coded, 1 + pick(30))).text).toBe(given.toString('latin1'));
    }
  }
});
