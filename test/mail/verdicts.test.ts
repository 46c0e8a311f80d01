import { expect, test } from '@jest/globals';
import { addrXtext, fromAddrXtext, originalRecipientOut, prefixWithoutVerdicts, withoutVerdicts } from '../../src/mail/index.ts';

test.each([
  ['jürgen@far.net', 'j\\x{FC}rgen@far.net'],
  ['a+b=c\\d e@x', 'a\\x{2B}b\\x{3D}c\\x{5C}d\\x{20}e@x'],
  ['😀@x', '\\x{1F600}@x'],
  ['plain@x', 'plain@x'],
])('%s in ASCII', (plain, coded) => {
  expect(addrXtext(plain)).toBe(coded);
  expect(fromAddrXtext(coded)).toBe(plain);
});

test.each(['', 'a\\x{0}', 'a\\x{D800}', 'a\\x{110000}', 'a\\x{FFFFFFFF}', 'a\\x{A}'])('%j is no address', (text) => {
  expect(fromAddrXtext(text)).toBeUndefined();
});

test.each([
  ['rfc822;a+b@x', 'rfc822;a+b@x'],
  ['UTF-8;a+b@x', 'utf-8;a\\x{2B}b@x'],
  ['rfc822;ä@x', 'utf-8;\\x{E4}@x'],
  ['x400;/c=de', 'x400;/c=de'],
])('ORCPT %s goes out as %s', (given, out) => {
  expect(originalRecipientOut(given)).toBe(out);
});

async function through(text: string, size: number): Promise<string> {
  const bytes = Buffer.from(text, 'latin1');
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const out: Uint8Array[] = [];
  for await (const piece of withoutVerdicts(pieces())) out.push(Buffer.from(piece));
  return Buffer.concat(out).toString('latin1');
}

test.each([1, 7, 100_000])('what a server of ours noted about spam is taken out of a header that comes in pieces of %d', async (size) => {
  const body = '\r\nX-Mailtree-DNSBL: body\r\n\xe4';
  const header =
    'Received: a\r\nX-Mailtree-DNSBL: bl (127.0.0.2)\r\n\tfolded\r\nSubject: X-Mailtree-DNSBL: x\r\nx-mailtree-spam: yes\r\nX-Spam-Flag: YES\r\n';
  expect(await through(header + body, size)).toBe(`Received: a\r\nSubject: X-Mailtree-DNSBL: x\r\nX-Spam-Flag: YES\r\n${body}`);
  for (const same of [
    '',
    '\r\n',
    'a\r\n\r\nb',
    '\n\nX-Mailtree-DNSBL: x',
    'Subject: x\r\n',
    `A: ${'x'.repeat(300_000)}\r\nX-Mailtree-DNSBL: y\r\n\r\n`,
  ])
    expect(await through(same, size)).toBe(same);
});

test('of what we put in front ourselves nothing about spam stays', () => {
  const trace = 'Received: by x id y\r\n';
  expect(prefixWithoutVerdicts(trace)).toBe(trace);
  expect(prefixWithoutVerdicts(`${trace}X-Mailtree-DNSBL: a\r\nX-Spam-Status: Yes,\r\n\tscore=9\r\nMessage-ID: <ä>\r\n`)).toBe(
    `${trace}Message-ID: <ä>\r\n`,
  );
});
