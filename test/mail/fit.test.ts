/** Making messages fit: 7 bit, and lines of a length for everybody. The reader is mailparser, which is not ours. */

import { expect, test } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { type Fit, type FitSource, fitMessage, hasInternationalHeader, LongLineWatch } from '../../src/mail/index.ts';

const source = (text: string | Buffer, piece = 61): FitSource => {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
  return {
    size: bytes.length,
    async *stream(start, end) {
      for (let at = start; at < Math.min(end, bytes.length); at += piece) yield bytes.subarray(at, Math.min(at + piece, end));
    },
  };
};
const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
async function bytesOf(made: Fit): Promise<string> {
  if (made.is !== 'changed') throw new Error(`not changed: ${JSON.stringify(made)}`);
  const pieces: Buffer[] = [];
  for await (const one of made.content()) pieces.push(Buffer.from(one));
  const all = Buffer.concat(pieces);
  expect(all.length).toBe(made.size);
  return all.toString('latin1');
}
async function sevenBit(text: string, charset = ''): Promise<string> {
  const out = await bytesOf(await fitMessage(source(text), { sevenBit: true, charset }));
  // Pieces of any size give the same.
  expect(await bytesOf(await fitMessage(source(text, 7), { sevenBit: true, charset }))).toBe(out);
  expect(out).toMatch(/^[\x00-\x7f]*$/);
  expect(longest(out)).toBeLessThanOrEqual(998);
  return out;
}
const longest = (text: string): number => Math.max(...text.split('\r\n').map(({ length }) => length));
const parsed = async (text: string) => simpleParser(Buffer.from(text, 'latin1'), { skipHtmlToText: true, skipTextToHtml: true });

test('what fits stays as it is', async () => {
  for (const text of ['', 'a', '\r\n', 'Subject: x\r\n\r\nhello\r\n', 'Content-Transfer-Encoding: 8bit\r\n\r\nhello'])
    expect(await fitMessage(source(text), { sevenBit: true, charset: '' })).toEqual({ is: 'fit' });
  const eight = utf8('Content-Transfer-Encoding: 8bit\r\n\r\nGrüße');
  expect(await fitMessage(source(eight), { sevenBit: false, charset: '' })).toEqual({ is: 'fit' });
});

test('8-bit text becomes quoted-printable, and only what has to change does', async () => {
  const head = 'Received: x\r\n\tfolded\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nX-Odd :  y\r\n';
  const text = `${head}Content-Transfer-Encoding: 8BIT\r\n\r\n${utf8('Größe = 1 \r\n\tTab\t\r\n.\r\nFrom x')}`;
  expect(await sevenBit(text)).toBe(
    `${head}Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=B6=C3=9Fe =3D 1=20\r\n\tTab=09\r\n.\r\nFrom x`,
  );
});

test('text that is mostly 8-bit, and what is no text, becomes base64', async () => {
  const body = utf8('Привет, мир! Это письмо. '.repeat(20));
  const out = await sevenBit(`Content-Type: text/plain; charset=utf-8\r\n\r\n${body}`);
  expect(out).toMatch(/\r\nMIME-Version: 1\.0\r\nContent-Transfer-Encoding: base64\r\n\r\n[A-Za-z0-9+/=\r\n]+$/);
  expect((await parsed(out)).text).toBe(Buffer.from(body, 'latin1').toString('utf8'));
  const image = 'Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\x89PNG\r\n\x1a\n\x00\xff';
  const back = (await sevenBit(image)).split('\r\n\r\n');
  expect(Buffer.from(back[1] ?? '', 'base64').toString('latin1')).toBe('\x89PNG\r\n\x1a\n\x00\xff');
});

test.each([
  ['iso-8859-1', 'Gr\xfc\xdfe', 'iso-8859-1'],
  ['', 'Gr\xfc\xdfe', 'unknown-8bit'],
  ['', utf8('Grüße'), 'utf-8'],
  ['utf-8', 'Gr\xfc\xdfe', 'unknown-8bit'],
  ['us-ascii', utf8('Grüße'), 'utf-8'],
  ['ISO-8859-15', utf8('Grüße'), 'ISO-8859-15'],
])('text without any MIME header, where the local character set is %j, is labelled', async (charset, body, label) => {
  expect(await sevenBit(`Subject: x\r\n\r\n${body} und noch etwas mehr Text`, charset)).toContain(
    `Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=${label}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=`,
  );
});

const nested = utf8(
  [
    'From: a@b.example',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="out er"',
    'Content-Transfer-Encoding: 8bit',
    '',
    'préambule',
    '--out er',
    '',
    'plain ascii = stays',
    '--out er',
    'Content-Type: text/html; charset=utf-8',
    '',
    '<p>Übung</p>',
    '--out er',
    'Content-Type: message/rfc822',
    'Content-Transfer-Encoding: 8bit',
    '',
    'Subject: Größe',
    'Content-Type: multipart/alternative; boundary=in',
    'MIME-Version: 1.0',
    '',
    '--in',
    'Content-Type: text/plain; charset=utf-8; name="schöner Name mit vielen Zeichen.txt"',
    '',
    'Äpfel',
    '--in--',
    'épilogue',
    '--out er',
    'Content-Type: application/pdf; name=x.pdf',
    'Content-Transfer-Encoding: base64',
    '',
    'AAECAwQ=',
    '--out er--',
    '',
  ].join('\r\n'),
);

test('parts inside of parts and messages are converted each for itself, the containers are not', async () => {
  const out = await sevenBit(nested);
  const [before, after] = [await parsed(nested), await parsed(out)];
  expect(after.html).toBe(before.html);
  expect(after.attachments.map(({ content, filename, contentType }) => [contentType, filename, content.length > 0])).toEqual(
    before.attachments.map(({ content, filename, contentType }) => [contentType, filename, content.length > 0]),
  );
  expect(out).toContain('boundary="out er"\r\nContent-Transfer-Encoding: 7bit\r\n');
  expect(out).toContain('\r\n\r\nplain ascii = stays\r\n--out er');
  expect(out).toContain('Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: =?utf-8?Q?Gr=C3=B6=C3=9Fe?=\r\n');
  expect(out).toContain('pr??ambule');
  const inner = await parsed(String(after.attachments.find(({ contentType }) => contentType === 'message/rfc822')?.content));
  expect([inner.subject, inner.text?.trim()]).toEqual(['Größe', 'Äpfel']);
});

test('header fields with other characters are encoded where that can be, and read the same', async () => {
  const header = [
    'Received: from möbel by x; Thu, 1 Jan 1970 00:00:00 +0000',
    'From: "Müller, Jürgen" <j@b.example> (Büro)',
    'To: Zoë Ångström <z@b.example>, plain@b.example, "Q \\"ö\\"" <q@b.example>, grün@b.example',
    `Subject: Eine ${'längere Überschrift '.repeat(12)}ohne Ende`,
    'Content-Type: text/plain; charset=utf-8; name="grün.txt"',
    'Content-Disposition: attachment; filename="ein sehr langer Dateiname mit Ümläuten.txt"; size=3',
  ].join('\r\n');
  const text = utf8(`${header}\r\n\r\nö`);
  const out = await sevenBit(text);
  const mail = await parsed(out);
  expect(mail.from?.value).toEqual([{ address: 'j@b.example', name: 'Müller, Jürgen' }]);
  expect(mail.to?.value.slice(0, 3)).toEqual([
    { address: 'z@b.example', name: 'Zoë Ångström' },
    { address: 'plain@b.example', name: '' },
    { address: 'q@b.example', name: 'Q "ö"' },
  ]);
  expect(mail.subject).toBe(`Eine ${'längere Überschrift '.repeat(12)}ohne Ende`);
  expect(mail.attachments[0]?.filename).toBe('ein sehr langer Dateiname mit Ümläuten.txt');
  expect(out).toContain('Received: from m??bel by x;');
  expect(out).toContain(' gr??n@b.example');
});

test.each([
  [
    'signed',
    'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\xfc\r\n--b\r\n\r\nsig\r\n--b--\r\n',
    /is signed/,
  ],
  ['without a boundary', 'Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\n\xfc', /structure of the message is broken/],
  ['in fragments', 'Content-Type: message/partial; id=x\r\n\r\n\xfc', /message\/partial may not be encoded/],
  ['of an unknown encoding', 'Content-Transfer-Encoding: x-uuencode\r\n\r\n\xfc', /x-uuencode/],
  ['of very many parts', `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\n'.repeat(10_001)}\xfc`, /too many parts/],
  ['of very many empty parts', `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n'.repeat(10_001)}\r\n\xfc`, /too many parts/],
  ['with a huge header', `${'X: y\r\n'.repeat(200_000)}\r\n\xfc`, /too large a header/],
  [
    'too deep',
    `${Array.from({ length: 60 }, (_, n) => `Content-Type: multipart/mixed; boundary=b${n}\r\n\r\n--b${n}\r\n`).join('')}\r\n\xfc`,
    /too deep/,
  ],
])('a message that is %s is not converted', async (_, text, why) => {
  expect(await fitMessage(source(text, 4_096), { sevenBit: true, charset: '' })).toEqual({
    is: 'cannot',
    text: expect.stringMatching(why),
  });
});

test('a signed part stays octet for octet where another part is converted', async () => {
  const signed =
    'Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\nok \r\n--s\r\n\r\nsig\r\n--s--';
  const text = `Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n${signed}\r\n--m\r\n\r\n\xfc\r\n--m--\r\n`;
  expect(await sevenBit(text)).toContain(`--m\r\n${signed}\r\n--m\r\n`);
});

test('damaged encodings are mended, and mean what they meant', async () => {
  const text = [
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    `a=3Db ${utf8('ü')} =`,
    `${'x'.repeat(2_000)}=C3=BC`,
    '--b',
    'Content-Type: application/octet-stream',
    'Content-Transfer-Encoding: base64',
    '',
    `AAEC\xff${'AwQF'.repeat(600)}`,
    '--b--',
    '',
  ].join('\r\n');
  const mail = await parsed(await sevenBit(text));
  expect(mail.text).toBe(`a=b ü ${'x'.repeat(2_000)}ü`);
  expect(mail.attachments[0]?.content.toString('base64')).toBe(`AAEC${'AwQF'.repeat(600)}`);
});

test('delivery reports with other characters keep their fields', async () => {
  const text = `Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nDiagnostic-Code: smtp; 550 unbekannt \xfc\r\n--b--\r\n`;
  expect(await sevenBit(text)).toContain(
    'Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: 7bit\r\n\r\nReporting-MTA: dns; x\r\n\r\nDiagnostic-Code: smtp; 550 unbekannt ?\r\n',
  );
});

test('lines that are too long go out in lines that are not, 8 bit or 7', async () => {
  const text = `Subject: ${'a'.repeat(3_000)}\r\nTo: ${'x@y.example, '.repeat(200)}z@y.example\r\n\r\n${'ab\xc3\xbc '.repeat(900)}\r\nend\r\n`;
  const made = await fitMessage(source(text), { sevenBit: false, charset: 'utf-8' });
  const out = await bytesOf(made);
  expect(longest(out)).toBeLessThanOrEqual(998);
  const mail = await parsed(out);
  expect(mail.text).toBe(`${'abü '.repeat(900)}\nend\n`);
  expect(mail.to?.value).toHaveLength(201);
  const mixed = `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${utf8('ü')}\r\n--b\r\n\r\n${'y'.repeat(999)}\r\n--b--\r\n`;
  const some = await fitMessage(source(mixed), { sevenBit: false, charset: '' });
  expect(some).toMatchObject({ is: 'changed', eightBit: true });
  expect(await bytesOf(some)).toContain(`charset=utf-8\r\n\r\n${utf8('ü')}\r\n--b\r\nContent-Type: text/plain; charset=us-ascii\r\n`);
});

test('hostile fields take no longer than others', async () => {
  for (const bit of ['"', '(', '<', '\\', '"\\"', ',', ';=', '=?utf-8?Q?', '\xfc', '\xfc ', '( \xfc', '@', 'a@', '@ ', '.;x=']) {
    const text = ['From', 'Subject', 'Content-Type', 'X'].map((name) => `${name}: ${bit.repeat(60_000 / bit.length)}\xfc\r\n`).join('');
    await sevenBitOnly(`${text}\r\nx`);
  }
});
async function sevenBitOnly(text: string): Promise<void> {
  expect(await bytesOf(await fitMessage(source(text, 65_536), { sevenBit: true, charset: '' }))).toMatch(/^[\x00-\x7f]*$/);
}

test('whether a header is international is seen in parts, too', async () => {
  expect(await hasInternationalHeader(source(utf8('Subject: x\r\n\r\nü')))).toBe(false);
  expect(await hasInternationalHeader(source(utf8('Subject: ü\r\n\r\nx')))).toBe(true);
  expect(await hasInternationalHeader(source(nested))).toBe(true);
});

test.each([1, 3, 999, 1_000, 1_001, 65_536])('long lines are noticed in pieces of %d', (piece) => {
  const found = (text: string): boolean => {
    const watch = new LongLineWatch();
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += piece) watch.put(bytes.subarray(at, at + piece));
    return watch.found;
  };
  const line = (length: number): string => `${'x'.repeat(length)}\r\n`;
  expect(found('')).toBe(false);
  expect(found(line(998) + line(998) + line(3).repeat(2_000) + line(998))).toBe(false);
  expect(found(line(10) + line(999) + line(3))).toBe(true);
  expect(found(line(10).repeat(500) + 'x'.repeat(998))).toBe(false);
  expect(found(line(10).repeat(500) + 'x'.repeat(999))).toBe(true);
});
