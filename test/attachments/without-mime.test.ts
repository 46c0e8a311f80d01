/** Messages for systems that are older than MIME. */

import { expect, test } from '@jest/globals';
import { htmlText } from '../../src/attachments/convert/html-text.ts';
import { binHex, bytesOf, plainMacFile } from '../../src/attachments/index.ts';
import { base64, convert, found, utf8, uu } from './convert-support.ts';
import { latin1 } from './support.ts';

const head = 'Received: x\r\nFrom: a@b.example\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n';
const mime = 'MIME-Version: 1.0\r\n';
const multi = (type: string, ...parts: string[]): string =>
  `Content-Type: multipart/${type}; boundary="${type}"\r\n\r\n${parts.map((part) => `--${type}\r\n${part}\r\n`).join('')}--${type}--`;
const plain =
  'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe=20\r\nund =E2=82=AC 5=\r\n0\r\n';
const html = 'Content-Type: text/html; charset=utf-8\r\n\r\n<p>Hello &amp; <b>bye</b></p>\r\n';
const gif = 'Content-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <1>\r\n\r\nR0lGODlh\r\n';
const pdf = "Content-Type: application/pdf; name*=utf-8''%C3%BC.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n";
const withoutMime = { withoutMime: true };

test('text is written as it is, in the character set it has', async () => {
  const made = await convert(`${head}${mime}${plain}`, withoutMime);
  expect(made.text).toBe(`${head}\r\n${utf8('Grüße \r\nund € 50')}\r\n`);
  const western = plain
    .replace('utf-8', 'iso-8859-1')
    .replace(/=C3=BC=C3=9F/, '=FC=DF')
    .replace('=E2=82=AC', 'EUR');
  expect((await convert(`${head}${mime}${western}`, withoutMime)).text).toBe(`${head}\r\nGr\xfc\xdfe \r\nund EUR 50\r\n`);
  // Two character sets in one message: one that has both.
  const both = await convert(`${head}${mime}${multi('mixed', plain, western)}\r\n`, withoutMime);
  expect(both.text).toBe(`${head}\r\n${utf8('Grüße \r\nund € 50\r\n\r\nGrüße \r\nund EUR 50')}\r\n`);
  const wide = `${head}${mime}Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(Buffer.from('Grüße\n', 'utf16le'))}\r\n`;
  expect((await convert(wide, withoutMime)).text).toBe(`${head}\r\n${utf8('Grüße')}\r\n`);
});

test('where 8 bit cannot go text is written in ASCII, and what that cannot say is a file', async () => {
  const seven = { withoutMime: true, eightBit: false };
  expect((await convert(`${head}${mime}${plain}`, seven)).text).toBe(`${head}\r\nGrusse \r\nund EUR 50\r\n`);
  const greek = plain.replace('=C3=BC=C3=9F', '=CE=B1=CE=B2');
  const made = await convert(`${head}${mime}${greek}`, seven);
  expect(made.text).toBe(`${head}\r\nGr??e \r\nund EUR 50\r\n\r\n${uu(Buffer.from('Grαβe \r\nund € 50\r\n'), 'message.txt')}\r\n`);
  // Text that says nothing of itself, with and without MIME.
  for (const [octets, charset] of [
    ['Gr\xfc\xdfe', ''],
    [utf8('Grüße'), 'iso-8859-1'],
    ['Gr\x81\xe1e', 'cp437x'],
  ] as const) {
    const bare = await convert(`From: a@b.example\r\n\r\n${octets}\r\n`, { ...seven, charset });
    expect(bare.text).toMatch(charset === 'cp437x' ? /\r\n\r\nGr.*e\r\n/ : /\r\n\r\nGrusse\r\n$/);
  }
  const named = await convert(`Subject: Gr\xfc\xdfe\r\nFrom: "Gr\xfc\xdf" <a@b.example>\r\n\r\nx\r\n`, { ...seven, charset: 'iso-8859-1' });
  expect(named.text).toBe('Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\nFrom: =?iso-8859-1?Q?Gr=FC=DF?= <a@b.example>\r\n\r\nx\r\n');
});

test('a message without MIME stays as it is', async () => {
  for (const message of [
    'From: a@b.example\r\nSubject: x\r\n\r\nHello\r\n\r\n-- \r\nme\r\n',
    'From: a@b.example\r\n\r\nGr\xfc\xdfe\r\n',
    'Subject: nothing\r\n\r\n',
  ])
    expect((await convert(message, withoutMime)).same).toBe(true);
});

test('files are written into the text by uuencode, or as files of a Macintosh', async () => {
  const message = `${head}${mime}${multi('mixed', plain, pdf, 'Content-Type: text/plain; name=notes.txt\r\n\r\nbye')}\r\n`;
  const made = await convert(message, withoutMime);
  expect(made.text).toBe(
    `${head}\r\n${utf8('Grüße \r\nund € 50')}\r\n\r\n${uu(Buffer.from('%PDF'), 'u.pdf')}\r\n\r\n${uu(Buffer.from('bye'), 'notes.txt')}\r\n`,
  );
  const mac = await convert(message, { withoutMime: true, toMac: true });
  expect((await found(mac.text)).map(({ form, name, code, inText }) => [inText, form, name, code])).toEqual([
    ['binhex', 'binhex', 'ü.pdf', 'PDF CARO'],
    ['binhex', 'binhex', 'notes.txt', 'TEXTttxt'],
  ]);
  const file = { ...plainMacFile('Report', bytesOf('data'), 'PDF ', 'CARO'), resource: bytesOf('rsrc') };
  const hqx = await latin1(await binHex(file));
  const apple = `${head}${mime}${multi('mixed', plain, `Content-Type: application/mac-binhex40\r\n\r\n${hqx}\r\n`)}\r\n`;
  expect((await convert(apple, withoutMime)).text).toContain(`\r\n\r\n${hqx}\r\n`);
  for (const appleEncoding of ['uuencode-applesingle', 'uuencode-macbinary', 'base64-macbinary'] as const) {
    const one = await found((await convert(apple, { withoutMime: true, appleEncoding })).text);
    const inText = appleEncoding.startsWith('uu') ? 'uuencode' : 'binhex';
    expect(one).toMatchObject([{ inText, name: 'Report', data: 'data', resource: 'rsrc' }]);
  }
  expect((await convert(apple, { withoutMime: true, fromMac: true })).text).toContain(`\r\n\r\n${uu(Buffer.from('data'), 'Report')}\r\n`);
});

test('of several versions of a text the plain one is taken, and no file is lost with the others', async () => {
  const page = multi('related', html, gif);
  const made = await convert(`${head}${mime}${multi('mixed', multi('alternative', plain, page), pdf)}\r\n`, withoutMime);
  expect(made.text).not.toMatch(/html|bye/);
  expect((await found(made.text)).map(({ name, data }) => [name, data])).toEqual([
    ['picture', 'GIF89a'],
    ['u.pdf', '%PDF'],
  ]);
  const invited = await convert(
    `${head}${mime}${multi('alternative', plain, html, 'Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR')}\r\n`,
    withoutMime,
  );
  expect(await found(invited.text)).toMatchObject([{ name: 'message.ics', data: 'BEGIN:VCALENDAR' }]);
  // Where there is nothing but a page people get to read it, and the page as a file.
  for (const message of [`${head}${mime}${html}`, `${head}${mime}${multi('alternative', 'Content-Type: text/plain\r\n\r\n', html)}\r\n`]) {
    const one = await convert(message, withoutMime);
    expect(one.text).toContain('\r\n\r\nHello & bye\r\n\r\nbegin 644 message.html\r\n');
    expect((await found(one.text))[0]).toMatchObject({ data: expect.stringContaining('<p>Hello &amp; <b>bye</b></p>') });
  }
});

test('messages in a message are written out between two lines', async () => {
  const inner = `From: c@d.example\r\nSubject: inner\r\n${mime}${multi('digest', 'X-Part: 1\r\n\r\nSubject: deep\r\n\r\ndeep text')}\r\n`;
  const made = await convert(
    `${head}${mime}${multi('mixed', 'Content-Type: text/plain\r\n\r\nlook:', `Content-Type: message/rfc822\r\n\r\n${inner}`, pdf)}\r\n`,
    withoutMime,
  );
  expect(made.text).toBe(
    [
      `${head}`,
      'look:\r\n',
      '------- Forwarded Message\r\n',
      'From: c@d.example\r\nSubject: inner\r\n',
      '------- Forwarded Message\r\n',
      'Subject: deep\r\n',
      'deep text\r\n',
      '------- End of Forwarded Message\r\n',
      '------- End of Forwarded Message\r\n',
      `${uu(Buffer.from('%PDF'), 'u.pdf')}\r\n`,
    ].join('\r\n'),
  );
});

test('what cannot be written without MIME goes out with it', async () => {
  for (const part of [
    'Content-Type: message/partial; id=x; number=1\r\n\r\nx',
    'Content-Type: message/external-body; access-type=ftp\r\n\r\nContent-Type: text/plain\r\n\r\n',
    'Content-Type: multipart/mixed\r\n\r\nno boundary',
    'Content-Type: application/pdf\r\nContent-Transfer-Encoding: x-odd\r\n\r\nx',
    'Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nA*A',
  ]) {
    const made = await convert(`${head}${mime}${multi('mixed', 'Content-Type: text/plain\r\n\r\nx', part)}\r\n`, withoutMime);
    expect({ same: made.same, notes: made.notes }).toEqual({ same: true, notes: [expect.stringMatching(/^it goes out with MIME: /)] });
  }
});

test('lines are mended, and broken where they are too long', async () => {
  const long = `${'word '.repeat(400)}${'x'.repeat(300)}`;
  const message = `${head}${mime}Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(`one\ntwo\rthree\0\r\n${long}\n${'y'.repeat(998)}\n`)}\r\n`;
  const { text } = await convert(message, withoutMime);
  const lines = text.slice(text.indexOf('\r\n\r\n') + 4).split('\r\n');
  expect(lines.slice(0, 3)).toEqual(['one', 'two', 'three']);
  expect(
    Math.max(
      ...lines
        .slice(3)
        .filter((line) => line.startsWith('w'))
        .map((line) => line.length),
    ),
  ).toBeLessThanOrEqual(76);
  expect(lines.slice(3).join('').replace(/ /g, '')).toBe(`${long.replace(/ /g, '')}${'y'.repeat(998)}`);
  const letters = 'ü'.repeat(2_000);
  const wide = await convert(
    `${head}${mime}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(Buffer.from(letters))}\r\n`,
    withoutMime,
  );
  const read = Buffer.from(wide.text, 'latin1')
    .toString('utf8')
    .slice(head.length + 2);
  expect(read).not.toContain('\ufffd');
  expect(read.replace(/\r\n/g, '')).toBe(letters);
});

test('pages of strangers are read to people in linear time', async () => {
  const page = async (content: string): Promise<string> => {
    const { text } = await convert(`Subject: x\r\n${mime}Content-Type: text/html; charset=utf-8\r\n\r\n${utf8(content)}\r\n`, withoutMime);
    return Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4, text.indexOf('\r\n\r\nbegin 644')), 'latin1').toString('utf8');
  };
  expect(
    await page(
      '<!DOCTYPE html><html><head><title>no</title><style>p{}</style></head><body><h1>Title</h1>\r\n<p>One\r\n two&nbsp;&eacute;&#8364;&#x41;&unknown; &lt;b&gt;<br>three<!-- <p>no</p> --> <a href="https://x.example/?a=1&amp;b=2">link</a></p><ul><li>a<li>b</ul><pre>  x\r\n  y</pre><table><tr><td>1<td>2<tr><td>3</table>a < b <script>alert(1)</script>end',
    ),
  ).toBe(
    'Title\r\n\r\nOne two é€A&unknown; <b>\r\nthree link <https://x.example/?a=1&b=2>\r\n\r\n* a\r\n* b\r\n\r\n  x\r\n  y\r\n\r\n1 2\r\n3\r\n\r\na < b end',
  );
  // As fast as any other, or this takes minutes.
  for (const piece of ['<', '<a ', '<p>', '&', '<script>', '<!--', '</', '<pre>', '<a href=', '<li>', '<a href=http:', '< ', '&#1', '<!'])
    expect(htmlText(piece.repeat(100_000)).length).toBeLessThan(2_000_000);
});

test('what is read in a page has the character set of the text beside it', async () => {
  const western = 'Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe';
  const page = `Content-Type: text/html; charset=utf-8\r\n\r\n<p>${utf8('für')} dich</p>`;
  const beside = await convert(`${head}${mime}${multi('mixed', western, page)}\r\n`, withoutMime);
  expect(beside.text).toContain(utf8('\r\n\r\nGrüße\r\n\r\nfür dich\r\n'));
  // One that is not written does not count.
  const instead = await convert(`${head}${mime}${multi('alternative', western, page)}\r\n`, withoutMime);
  expect(instead.text).toBe(`${head}\r\nGr\xfc\xdfe\r\n`);
});

test('Japanese text stays as it is, unless the message has another character set, too', async () => {
  const japanese = '\x1b$BF|K\\8l\x1b(B';
  const part = `Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n${japanese}`;
  for (const eightBit of [true, false]) {
    const made = await convert(`${head}${mime}${part}\r\n`, { withoutMime: true, eightBit });
    expect(made.text).toBe(`${head}\r\n${japanese}\r\n`);
  }
  const both = await convert(`${head}${mime}${multi('mixed', part, plain)}\r\n`, withoutMime);
  expect(both.text).toBe(`${head}\r\n${utf8('日本語\r\n\r\nGrüße \r\nund € 50')}\r\n`);
});
