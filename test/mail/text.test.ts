import { expect, test } from '@jest/globals';
import {
  decodeWords,
  deliveredToLine,
  encodeWords,
  foldField,
  formatDate,
  headerAddresses,
  headerValue,
  headerValues,
  LineEndNormalizer,
  messageId,
  missingFields,
  needs8bit,
  normalizeLineEnds,
  parseDate,
  receivedLine,
  returnPathLine,
  splitHeader,
  withField,
  withoutFields,
} from '../../src/mail/index.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');
const text = (some: Uint8Array): string => Buffer.from(some).toString('utf8');
const noon = Date.UTC(2030, 0, 1, 12);

test.each([
  ['', ''],
  ['no header at all', 'no header at all'],
  ['A: 1\r\nBcc: x\r\n\ty\r\nb: 2\r\n\r\nBcc: body\r\n', 'A: 1\r\nb: 2\r\n\r\nBcc: body\r\n'],
  ['A: 1\nBCC : x\nrubbish\nb: 2\n\nbody', 'A: 1\nrubbish\nb: 2\n\nbody'],
  ['Bcc: x', ''],
])('taking fields out of %j leaves the rest byte for byte', (before, after) => {
  expect(text(withoutFields(bytes(before), ['bcc']))).toBe(after);
});

test('lines without a colon cost no more than others, however many there are', () => {
  // Were each of them to cost the rest of the block, this would take minutes.
  const block = splitHeader(Buffer.from(`${'x\r\n'.repeat(1_500_000)}Subject: s\r\n\r\n`));
  expect(headerValue(block, 'subject')).toBe('s');
});

test('header values are unfolded and may be repeated', () => {
  const block = splitHeader(bytes('To: a\r\n  b\r\nX: 1\r\nx: 2\r\n: odd\r\n folded\r\n\r\nX: 3'));
  expect(headerValue(block, 'TO')).toBe('a  b');
  expect(headerValues(block, 'x')).toEqual(['1', '2']);
  expect(headerValue(block, 'y')).toBeUndefined();
  expect(block.fields.map(({ name }) => name)).toEqual(['To', 'X', 'x', '']);
});

test('a field is replaced at its place or added at the end', () => {
  expect(text(withField(bytes('A: 1\r\nS: x\r\ns: y\r\nB: 2\r\n\r\nbody'), 'S', 'new'))).toBe('A: 1\r\nS: new\r\nB: 2\r\n\r\nbody');
  expect(text(withField(bytes('A: 1\r\n\r\nbody'), 'S', 'new\r\nX: y'))).toBe('A: 1\r\nS: new X: y\r\n\r\nbody');
});

test.each([
  ['Tue, 1 Jan 2030 12:00:00 +0000', noon],
  ['1 Jan 30 12:00 GMT', noon],
  ['Tue, 01 Jan 2030 13:00:00 +0100 (CET (really))', noon],
  ['Tue, 1 Jan 2030 07:00:00 EST', noon],
  ['Tue Jan  1 12:00:00 2030', noon],
  ['2030-01-01T12:00:00Z', noon],
  ['1-Jan-2030 12:00:00 +0000', noon],
  ['1 Jan 99 12:00:00 Z', Date.UTC(1999, 0, 1, 12)],
  ['', undefined],
  ['tomorrow', undefined],
  ['1 Foo 2030 12:00:00 +0000', undefined],
  ['99 Jan 2030 12:00:00 +0000', undefined],
  ['1 Jan 2030 12:99:00 +0000', undefined],
  ['('.repeat(100_000), undefined],
])('the date %j', (value, time) => {
  expect(parseDate(value)).toBe(time);
});

test('dates are written by the rule, in any zone', () => {
  expect(formatDate(noon)).toBe('Tue, 1 Jan 2030 12:00:00 +0000');
  expect(formatDate(noon, -210)).toBe('Tue, 1 Jan 2030 08:30:00 -0330');
  expect(parseDate(formatDate(noon, 345))).toBe(noon);
});

test('a Received line is folded and a stranger cannot break out of it', () => {
  const line = receivedLine({
    from: 'evil\r\nX-Injected: 1 (',
    ip: '2001:db8::1',
    hostname: 'a) by good (b',
    by: 'mx.example.org',
    with: 'ESMTPS',
    id: 'q1',
    for: 'a@example.org>\r\nX: y',
    date: noon,
    tls: 'TLSv1.3',
  });
  expect(line).toBe(
    [
      'Received: from evil??X-Injected:?1?? (a\\) by good \\(b [IPv6:2001:db8::1]) by',
      '\tmx.example.org (TLSv1.3) with ESMTPS id q1 for <a@example.orgX:y>; Tue, 1 Jan',
      '\t2030 12:00:00 +0000',
      '',
    ].join('\r\n'),
  );
});

test.each([
  ['bücher.example', 'xn--bcher-kva.example'],
  ['m\ufffdbel', 'm?bel'],
  ['x\u202eabc', 'x?abc'],
  ['a%62.ü', 'a?62.?'],
  ['[IPv6:::1]', '[IPv6:::1]'],
])('the name %j stands in ASCII in a Received line: a message in ASCII stays one', (from, shown) => {
  expect(receivedLine({ from, by: 'x.example', with: 'SMTP', id: '1', date: noon })).toMatch(
    new RegExp(`^Received: from ${shown.replace(/[?[\].]/g, '\\$&')} by `),
  );
});

test('the other lines of a delivery keep to one line', () => {
  expect(returnPathLine('')).toBe('Return-Path: <>\r\n');
  expect(returnPathLine('"a b"@example.org')).toBe('Return-Path: <"a b"@example.org>\r\n');
  expect(deliveredToLine('a@example.org\r\nX: y')).toBe('Delivered-To: a@example.orgX:y\r\n');
  expect(messageId('q1.\r\n5', 'mx.example.org')).toBe('<q1.5@mx.example.org>');
  expect(foldField('X', 'y'.repeat(200))).toBe(`X: ${'y'.repeat(200)}\r\n`);
});

const mended: [string, string, number, number][] = [
  ['', '', 0, 0],
  ['a\r\nb\r\n', 'a\r\nb\r\n', 0, 0],
  ['a\nb', 'a\r\nb', 0, 1],
  ['a\rb', 'a\r\nb', 1, 0],
  ['a\r', 'a\r\n', 1, 0],
  ['\r\r\n\n', '\r\n\r\n\r\n', 1, 1],
  ['\n\r', '\r\n\r\n', 1, 1],
  ['a\r\n.\r\r\nb\n.\n', 'a\r\n.\r\n\r\nb\r\n.\r\n', 1, 2],
  ['nul\0kept', 'nul\0kept', 0, 0],
];

test.each(mended)('line ends of %j become %j however it is cut', (before, after, bareCr, bareLf) => {
  for (const size of [1, 2, 3, 1000]) {
    const normalizer = new LineEndNormalizer();
    let out = '';
    for (let at = 0; at < before.length; at += size) out += text(normalizer.push(bytes(before.slice(at, at + size))));
    out += text(normalizer.end());
    expect(out).toBe(after);
    expect(normalizer.mended).toEqual({ bareCr, bareLf });
    expect(normalizer.complete).toBe(after === '' || after.endsWith('\n'));
  }
});

test('clean bytes are passed on without a copy', () => {
  const chunk = bytes('a\r\nb\r\n');
  expect(new LineEndNormalizer().push(chunk)).toBe(chunk);
});

test('a stream is normalised as a whole', async () => {
  async function* source() {
    yield bytes('a\r');
    yield bytes('\nb\n');
    yield bytes('c\r');
  }
  let out = '';
  for await (const chunk of normalizeLineEnds(source())) out += text(chunk);
  expect(out).toBe('a\r\nb\r\nc\r\n');
});

test('one high octet anywhere is found', () => {
  expect(needs8bit(bytes('x'.repeat(101)))).toBe(false);
  for (let at = 0; at < 101; at++) {
    const some = new Uint8Array(101).fill(65);
    some[at] = 0x80;
    expect(needs8bit(some)).toBe(true);
    expect(needs8bit(some.subarray(1))).toBe(at > 0);
  }
});

test('encoded words are read, broken ones stay', () => {
  expect(decodeWords('=?utf-8?q?=C3=84nne?= =?utf-8?b?w7Y=?= x')).toBe('Änneö x');
  expect(decodeWords('=?iso-8859-1?q?=E4?=')).toBe('ä');
  expect(decodeWords('=?nonsense')).toBe('=?nonsense');
  expect(decodeWords(encodeWords('größe '.repeat(30)))).toBe('größe '.repeat(30));
  expect(encodeWords('plain')).toBe('plain');
  expect(decodeWords('=?'.repeat(30_000)).length).toBe(60_000);
});

test('recipients of a header are found once and Bcc goes', () => {
  const { recipients, withoutBcc } = headerAddresses(
    bytes('To: A <a@Example.org>, local\nCc: g: b@example.org, a@example.org;\nBcc: c@example.org\n\nTo: x@y\n'),
  );
  expect(recipients).toEqual(['a@example.org', 'local', 'b@example.org', 'c@example.org']);
  expect(text(withoutBcc)).not.toContain('Bcc');
});

test('missing fields are named in order', () => {
  expect(missingFields(bytes('DATE: x\r\n\r\nFrom: y'), ['message-id', 'date', 'from'])).toEqual(['message-id', 'from']);
});
