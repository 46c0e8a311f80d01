/** Attachments as other hosts want them. */

import { expect, test } from '@jest/globals';
import {
  appleFile,
  binHex,
  bytesOf,
  convertAttachments,
  type MacFile,
  macBinary,
  plainMacFile,
  type Wishes,
} from '../../src/attachments/index.ts';
import { base64, convert, found, nothing, utf8, uu } from './convert-support.ts';
import { all, latin1 } from './support.ts';

const file: MacFile = { ...plainMacFile('Report', bytesOf('%PDF data\r\n'), 'PDF ', 'CARO'), resource: bytesOf('RESOURCE') };
const head = 'Received: x\r\nFrom: a@b.example\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\nX-Last:  y \r\n';
const mixed = (...parts: string[]): string =>
  `${head}Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n${parts.map((part) => `--b\r\n${part}\r\n`).join('')}--b--\r\nepilogue\r\n`;
const text = 'Content-Type: text/plain; charset=us-ascii\r\n\r\nHello,\r\nhere it is.\r\n';
const pdf = `Content-Type: application/pdf; name="r.pdf"\r\nContent-Transfer-Encoding: base64\r\nContent-Description: The report\r\nContent-Disposition: attachment; filename="r.pdf"\r\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n\r\n${base64('%PDF data\r\n')}\r\n`;
const single = async (): Promise<string> =>
  `Content-Type: application/applefile; name="Report"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\n${base64(await all(appleFile('applesingle', file)))}\r\n`;
const double = async (): Promise<string> =>
  `Content-Type: multipart/appledouble; boundary=d\r\nContent-Description: Both\r\n\r\n--d\r\nContent-Type: application/applefile; name="%Report"\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(await all(appleFile('appledouble', file)))}\r\n--d\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: 8bit\r\nX-Data: 1\r\n\r\n%PDF data\r\n\r\n--d--`;
const hqx = async (): Promise<string> =>
  `Content-Type: application/mac-binhex40; name="Report.hqx"\r\n\r\n${await latin1(await binHex(file))}\r\n`;
const binary = async (): Promise<string> =>
  `Content-Type: application/x-macbinary; name=Report.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(await all(macBinary(file)))}\r\n`;
const asFile = { name: 'Report', code: 'PDF CARO', data: '%PDF data\r\n', resource: 'RESOURCE' };
const asPlain = { name: 'Report.pdf', type: 'application/pdf', data: '%PDF data\r\n' };

test('with nothing wished no octet changes, and what is as it is wished stays too', async () => {
  const message = mixed(text, pdf, await single(), await double(), await hqx(), await binary());
  expect(
    await convertAttachments(
      {
        size: 1,
        stream: () => {
          throw new Error('read');
        },
      },
      nothing,
    ),
  ).toEqual({ notes: [] });
  expect(await convert(mixed(text, pdf), { appleEncoding: 'binhex', fromMac: true })).toMatchObject({ same: true, notes: [] });
  expect((await convert(mixed(text, pdf, await hqx()), { appleEncoding: 'binhex' })).same).toBe(true);
  expect((await convert(mixed(text, pdf, await double()), { appleEncoding: 'appledouble' })).same).toBe(true);
  expect((await convert(mixed(text, pdf, await single()), { appleEncoding: 'applesingle' })).same).toBe(true);
  expect((await found(message)).slice(1)).toEqual(
    ['applesingle', 'appledouble', 'binhex', 'macbinary'].map((form) => ({ form, ...asFile })),
  );
});

test('files of a Macintosh go out in the form that is asked for', async () => {
  const parts = [await single(), await double(), await hqx(), await binary()];
  const forms = {
    applesingle: 'applesingle',
    appledouble: 'appledouble',
    binhex: 'binhex',
    'uuencode-applesingle': 'applesingle',
    'base64-macbinary': 'macbinary',
    'uuencode-macbinary': 'macbinary',
  } as const;
  for (const [appleEncoding, form] of Object.entries(forms)) {
    const made = await convert(mixed(text, pdf, ...parts), { appleEncoding: appleEncoding as Wishes['appleEncoding'] });
    expect((await found(made.text)).slice(1)).toEqual(parts.map(() => ({ form, ...asFile })));
    // Everything around stays.
    expect(made.text.startsWith(mixed(text, pdf).slice(0, -20))).toBe(true);
    expect(made.text.endsWith('\r\n--b--\r\nepilogue\r\n')).toBe(true);
    expect(made.text).toContain('Content-Description: Both');
    const uuencoded = made.text.match(/x-uuencode\r\n[\s\S]*?\r\n\r\nbegin 644 Report\r\n/g) ?? [];
    expect(uuencoded).toHaveLength(appleEncoding.startsWith('uuencode') ? 4 : 0);
    expect(made.notes).toEqual([]);
    // Once it is as it is wished it stays.
    expect((await convert(made.text, { appleEncoding: appleEncoding as Wishes['appleEncoding'] })).same).toBe(true);
  }
});

test('files of a Macintosh become ordinary ones', async () => {
  const made = await convert(mixed(text, await single(), await double(), await hqx(), await binary()), { fromMac: true, toMac: true });
  const [one, two, ...others] = await found(made.text);
  expect([one, ...others]).toEqual([asPlain, asPlain, asPlain]);
  // The data of AppleDouble stay as they are.
  expect(two).toEqual({ name: 'Report', type: 'application/pdf', data: '%PDF data\r\n' });
  expect(made.text).toContain(
    'Content-Description: Both\r\nX-Data: 1\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: 8bit\r\nContent-Disposition: attachment;\r\n filename="Report"\r\n\r\n%PDF data',
  );
  expect(made.text).not.toMatch(/apple|mac-binhex|macbinary/);
});

test('other files become files of a Macintosh, of the type their content has', async () => {
  const made = await convert(mixed(text, pdf), { toMac: true });
  expect(await found(made.text)).toEqual([{ form: 'appledouble', name: 'r.pdf', code: 'PDF CARO', data: '%PDF data\r\n', resource: '' }]);
  // Who knows no Macintosh sees the part as it was.
  expect(made.text).toContain(pdf);
  for (const appleEncoding of ['binhex', 'base64-macbinary', 'applesingle'] as const) {
    const other = await convert(mixed(text, pdf), { toMac: true, appleEncoding });
    expect(await found(other.text)).toMatchObject([{ name: 'r.pdf', code: 'PDF CARO', data: '%PDF data\r\n', resource: '' }]);
    expect(other.text).toContain('Content-Description: The report\r\nContent-Type: ');
    expect(other.text).not.toContain('MD5');
  }
  // Text to be shown, and what a page is made of, are no files.
  const page =
    'Content-Type: multipart/related; boundary=r\r\n\r\n--r\r\nContent-Type: text/html\r\n\r\n<img src="cid:1">\r\n--r\r\nContent-Type: image/gif; name=x.gif\r\nContent-ID: <1>\r\n\r\nGIF\r\n--r--';
  expect(
    (
      await convert(mixed(text, page, 'Content-Disposition: inline; filename=patch\r\n\r\ndiff'), {
        toMac: true,
        nativeEncoding: 'uuencode',
      })
    ).same,
  ).toBe(true);
});

test('a message that is nothing but a file keeps its header', async () => {
  const whole = `${head}Content-Type: application/pdf; name="r.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64('%PDF data\r\n')}\r\n`;
  for (const appleEncoding of ['appledouble', 'binhex'] as const) {
    const made = await convert(whole, { toMac: true, appleEncoding });
    expect(made.text.startsWith(`${head}Content-Type: `)).toBe(true);
    expect(await found(made.text)).toEqual([{ form: appleEncoding, name: 'r.pdf', code: 'PDF CARO', data: '%PDF data\r\n', resource: '' }]);
    const back = await convert(made.text, { fromMac: true });
    expect(back.text.startsWith(`${head}Content-Type: application/pdf`)).toBe(true);
    expect(await found(back.text)).toEqual([{ ...asPlain, name: 'r.pdf' }]);
  }
  const made = await convert(whole, { nativeEncoding: 'uuencode' });
  expect(made.text).toBe(
    `${head}Content-Type: application/pdf; name="r.pdf"\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n${uu(Buffer.from('%PDF data\r\n'), 'r.pdf')}\r\n`,
  );
});

test('files in text are found, and become parts where they are to change', async () => {
  const body = `Hello\r\n\r\n${await latin1(await binHex(file))}\r\n\r\nand\r\n${uu(Buffer.from('GIF89a'), 'x.gif')}\r\nbye\r\n`;
  const message = `From: a@b.example\r\nSubject: old\r\n\r\n${body}`;
  expect(await found(message)).toEqual([
    { inText: 'binhex', form: 'binhex', ...asFile },
    { inText: 'uuencode', name: 'x.gif', type: 'application/octet-stream', data: 'GIF89a' },
  ]);
  const made = await convert(message, { fromMac: true });
  expect(await found(made.text)).toEqual([
    asPlain,
    { inText: 'uuencode', name: 'x.gif', type: 'application/octet-stream', data: 'GIF89a' },
  ]);
  expect(made.text).toMatch(
    /^From: a@b\.example\r\nSubject: old\r\nMIME-Version: 1\.0\r\nContent-Type: multipart\/mixed;\r\n boundary="BOUNDARY0"\r\n\r\n--BOUNDARY0\r\nContent-Transfer-Encoding: 7bit\r\n\r\nHello\r\n\r\n\r\n--BOUNDARY0\r\n/,
  );
  expect(made.text).toContain('\r\n\r\nand\r\nbegin 644 x.gif\r\n');
  const mac = await convert(message, { toMac: true, appleEncoding: 'applesingle' });
  expect(await found(mac.text)).toEqual([
    { form: 'applesingle', ...asFile },
    { form: 'applesingle', name: 'x.gif', code: 'GIFfogle', data: 'GIF89a', resource: '' },
  ]);
  // In text that is encoded, too.
  const encoded = `${head}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(`${utf8('Grüße')}\r\n${body}`)}\r\n`;
  const out = await convert(encoded, { fromMac: true });
  expect(out.text).toContain(
    'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\nHello',
  );
  expect((await found(out.text))[0]).toEqual(asPlain);
  for (const prose of [
    'begin 644 work tomorrow\r\nand go home',
    'end',
    '(This file must be converted with BinHex 4.0)\r\nby somebody',
    'begin 644 x\r\n',
  ])
    expect(await found(`Subject: x\r\n\r\n${prose}\r\n`)).toEqual([]);
});

test('what is signed, encrypted or a report is not altered, and why is said', async () => {
  const sealed = (type: string, part: string): string =>
    `Content-Type: ${type}; boundary=s\r\n\r\n--s\r\n${part}\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nsig\r\n--s--`;
  const everything = { toMac: true, nativeEncoding: 'uuencode', appleEncoding: 'binhex' } as const;
  for (const [type, why] of [
    ['multipart/signed', 'it is signed'],
    ['multipart/encrypted', 'it is encrypted'],
    ['multipart/report; report-type=x', 'it is a report'],
  ] as const) {
    const inner = sealed(type, pdf);
    const { same, notes } = await convert(mixed(text, inner), everything);
    expect({ same, notes: notes[0] }).toEqual({ same: true, notes: `the attachment "r.pdf" goes out as it is: ${why}` });
    const beside = await convert(mixed(inner, pdf), everything);
    expect(beside.text).toContain(inner);
    expect(await found(beside.text.slice(beside.text.indexOf('--s--')))).not.toEqual([]);
    const plain = await convert(mixed(text, inner), { withoutMime: true });
    expect(plain).toMatchObject({ same: true, notes: [`it goes out with MIME: a part is left as it is: ${why}`] });
  }
  const pkcs7 = `${head}Content-Type: application/pkcs7-mime; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n`;
  expect((await convert(pkcs7, everything)).same).toBe(true);
  expect((await convert(pkcs7, { withoutMime: true })).same).toBe(true);
  const inline = `${head}\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA1\r\n\r\n${uu(Buffer.from('x'), 'x.gif')}\r\n-----BEGIN PGP SIGNATURE-----\r\n`;
  expect(await convert(inline, everything)).toMatchObject({
    same: true,
    notes: ['the attachment "x.gif" goes out as it is: it is signed or encrypted with PGP'],
  });
  expect((await convert(inline, { withoutMime: true })).same).toBe(true);
});

/** With another character in its header. */
const spoilt = (text: string): string =>
  text.replace(/(\n:.{12})(.)/, (_all, before: string, one: string) => before + (one === '8' ? '9' : '8'));

test('what cannot be read goes out as it came, and why is said', async () => {
  const note = async (part: string, wishes: Partial<Wishes>): Promise<string> => {
    const { same, notes } = await convert(mixed(text, part), wishes);
    expect(same).toBe(true);
    return notes.join();
  };
  expect(
    await note(`Content-Type: application/pdf; name=a\r\nContent-Transfer-Encoding: x-odd\r\n\r\nx`, { nativeEncoding: 'uuencode' }),
  ).toBe('the attachment "a" goes out as it is: it is encoded in a way that is not known here (x-odd)');
  expect(await note(`Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAA*A`, { toMac: true })).toContain(
    'without a name',
  );
  expect(await note(spoilt(await hqx()), { fromMac: true })).toMatch(/checksum/);
  expect(await note('Content-Type: application/applefile\r\n\r\nno apple', { appleEncoding: 'binhex' })).toContain('no AppleSingle');
  expect(await note('Content-Type: application/pdf\r\nno field\r\n\r\nx', { toMac: true })).toContain('its header is broken');
  // Two files in one text, one of them damaged.
  const damaged = `Subject: x\r\n\r\n${spoilt(await latin1(await binHex(file)))}\r\n\r\n${await latin1(await binHex(file))}\r\n`;
  const made = await convert(damaged, { fromMac: true });
  expect(made.notes).toHaveLength(1);
  expect((await found(made.text)).map(({ data }) => data)).toContain('%PDF data\r\n');
});

test('the native part of a Notes message is left out, or stays', async () => {
  const nsf = `Content-Type: application/vnd.lotus-notes; name="memo.nsf"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA`;
  const odd = `Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="Memo.NSF"\r\n\r\nx`;
  const without = mixed(text, pdf);
  for (const message of [mixed(text, nsf, pdf), mixed(text, pdf, odd), mixed(nsf, text, pdf), mixed(nsf, odd, text, nsf, pdf, odd, nsf)]) {
    expect((await convert(message, { withoutNotes: true })).text).toBe(without);
    expect((await convert(message, { withoutNotes: false })).same).toBe(true);
  }
  expect(await convert(mixed(nsf, odd), { withoutNotes: true })).toMatchObject({
    same: true,
    notes: [expect.stringContaining('nothing else'), expect.anything()],
  });
  const alone = `${head}${nsf}\r\n`;
  expect((await convert(alone, { withoutNotes: true })).same).toBe(true);
  const both = await convert(mixed(nsf, text, pdf), { withoutNotes: true, toMac: true });
  expect(await found(both.text)).toMatchObject([{ form: 'appledouble', name: 'r.pdf' }]);
  expect(both.text).not.toContain('notes');
});

test('type and creator in a header of a Macintosh count, and an encoded message is a file', async () => {
  const typed = 'Content-Type: application/octet-stream; name=x; x-mac-type="54455854"; x-mac-creator="522A6368"\r\n\r\ndata';
  expect(await found((await convert(mixed(text, typed), { toMac: true })).text)).toMatchObject([
    { name: 'x', code: 'TEXTR*ch', data: 'data' },
  ]);
  const message = `Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64('Subject: inner\r\n\r\nx')}`;
  expect((await convert(mixed(text, message), { toMac: true, nativeEncoding: 'uuencode' })).same).toBe(true);
  expect((await convert(mixed(text, message), { withoutMime: true })).text).toContain(
    uu(Buffer.from('Subject: inner\r\n\r\nx'), 'message.eml'),
  );
});

test('an AppleDouble whose header is broken shows its data, and is not converted', async () => {
  const broken = (await double()).replace(/\r\n\r\nAAUWB/, '\r\n\r\nXXXXX');
  expect(await found(mixed(text, broken))).toMatchObject([{ data: '%PDF data\r\n' }]);
  expect(await convert(mixed(text, broken), { fromMac: true })).toMatchObject({
    same: true,
    notes: [expect.stringContaining('no AppleDouble')],
  });
  expect((await convert(mixed(text, broken), { withoutMime: true })).same).toBe(true);
});

test('names of strangers are harmless, and no line is longer for them', async () => {
  const named = (name: string): string =>
    `Content-Type: application/x-y\r\nContent-Disposition: attachment; filename*=utf-8''${encodeURIComponent(name)}\r\n\r\nx`;
  const names: [given: string, written: string, uu: string][] = [
    ['../../etc/passwd', 'passwd', 'passwd'],
    ['C:\\Windows\\evil.exe', 'evil.exe', 'evil.exe'],
    ['a\r\nBcc: x', 'a__Bcc_ x', 'a__Bcc_ x'],
    ['x\u202egpj.exe', 'x_gpj.exe', 'x_gpj.exe'],
    ['..', 'attachment', 'attachment'],
    ['Über "Größe".txt', 'Über "Größe".txt', 'Uber "Gro_e".txt'],
    [`${'\ufdfa'.repeat(300)}.pdf`, `${'\ufdfa'.repeat(196)}.pdf`, '___ ____ ____ ____'],
  ];
  for (const [given, written, ascii] of names) {
    const plain = await convert(mixed(text, named(given)), { withoutMime: true });
    const name = /^begin 644 (.*)\r$/m.exec(plain.text)?.[1] ?? '';
    expect([name.startsWith(ascii), name.length <= 200]).toEqual([true, true]);
    const mac = await convert(mixed(text, named(given)), { toMac: true, appleEncoding: 'applesingle' });
    const [header] = /^Content-Disposition: attachment;\r\n( .*\r\n)+/m.exec(mac.text) ?? [''];
    expect(header).toMatch(/^[\x20-\x7e\r\n]*$/);
    const read = header.replace(/\r\n/g, '').replace(/^.*?filename/, '');
    const value = read.startsWith('=')
      ? read.slice(2, -1).replace(/\\(.)/g, '$1')
      : decodeURIComponent(read.replace(/;? *(?:filename)?\*\d*\*?=(?:utf-8'')?/g, ''));
    expect(value).toBe(written);
  }
});

test('what is said of a part is said once', async () => {
  const picture = 'Content-Type: image/gif\r\nContent-ID: <1@x>\r\nContent-Description: small\r\n\r\nGIF';
  const made = await convert(mixed(text, picture), { toMac: true });
  expect(made.text.match(/Content-ID/g)).toHaveLength(1);
  expect(made.text).toContain(picture);
  const back = await convert(mixed(text, await double()), { fromMac: true, nativeEncoding: 'uuencode' });
  expect(back.text).toContain('Content-Type: application/pdf;\r\n name="Report.pdf"\r\nContent-Transfer-Encoding: x-uuencode\r\n');
});
