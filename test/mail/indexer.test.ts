import { expect, test } from '@jest/globals';
import { indexMessage, type MimePart } from '../../src/mail/index.ts';

const crlf = (...lines: string[]): string => lines.join('\r\n');

async function index(text: string | Uint8Array) {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
  const structure = await indexMessage(bytes);
  const body = (part: MimePart): string => Buffer.from(bytes.subarray(part.bodyStart, part.end)).toString('latin1');
  const header = (part: MimePart): string => Buffer.from(bytes.subarray(part.headerStart, part.bodyStart)).toString('latin1');
  return { ...structure, body, header };
}

/** `multipart/mixed[text/plain text/html]`. */
function outline(part: MimePart): string {
  const inside = part.children ?? (part.message ? [part.message.root] : undefined);
  return `${part.type}/${part.subtype}${inside ? `[${inside.map(outline).join(' ')}]` : ''}`;
}

test('an empty message is an empty text', async () => {
  const { root, envelope, sentAt } = await index('');
  expect(root).toMatchObject({ type: 'text', subtype: 'plain', headerStart: 0, bodyStart: 0, end: 0, lines: 0 });
  expect(envelope).toMatchObject({ from: [], sender: [], subject: null });
  expect(sentAt).toBeNull();
});

test('a plain message has its envelope, offsets and lines', async () => {
  const text = crlf(
    'From: Ann <ann@example.org>',
    'Subject: =?utf-8?q?h=C3=A9?=',
    ' there',
    'Date: Tue, 1 Jan 2030 00:00:00 +0100',
    '',
    'one',
    'two',
    '',
  );
  const { root, envelope, sentAt, body } = await index(text);
  expect(envelope.subject).toBe('=?utf-8?q?h=C3=A9?= there');
  expect(envelope.replyTo).toEqual([{ name: 'Ann', route: null, mailbox: 'ann', host: 'example.org' }]);
  expect(body(root)).toBe('one\r\ntwo\r\n');
  expect(root).toMatchObject({ lines: 2, encoding: '7bit', parameters: [['charset', 'us-ascii']] });
  expect(sentAt).toBe(Date.UTC(2029, 11, 31, 23));
});

test('bare line feeds are lines too', async () => {
  const { root, body } = await index('Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n\n--b--\n');
  expect(root.children?.map(body)).toEqual(['one', 'two\n']);
  expect(root.children?.map((part) => part.lines)).toEqual([1, 1]);
});

test('raw octets in a header are UTF-8 where they can be, else a character an octet', async () => {
  expect((await index('Subject: größe\r\n\r\n')).envelope.subject).toBe('größe');
  expect((await index(Buffer.from('Subject: gr\u00f6\u00dfe\r\n\r\n', 'latin1'))).envelope.subject).toBe('größe');
});

const boundaryCases: [string, string[], string, string[]][] = [
  [
    'the usual form',
    ['Content-Type: multipart/mixed; boundary="x y"', '', 'preamble', '--x y', '', 'one', '--x y', '', 'two', '--x y--', 'epilogue'],
    'multipart/mixed[text/plain text/plain]',
    ['one', 'two'],
  ],
  [
    'no closing boundary',
    ['Content-Type: multipart/mixed; boundary=b', '', '--b', '', 'one', '--b', '', 'two', ''],
    'multipart/mixed[text/plain text/plain]',
    ['one', 'two\r\n'],
  ],
  [
    'a closing boundary without a line end',
    ['Content-Type: multipart/mixed; boundary=b', '', '--b', '', 'one', '--b--'],
    'multipart/mixed[text/plain]',
    ['one'],
  ],
  [
    'white space behind the boundary',
    ['Content-Type: multipart/mixed; boundary=b', '', '--b  \t', '', 'one', '--b-- ', ''],
    'multipart/mixed[text/plain]',
    ['one'],
  ],
  [
    'a boundary that begins like another',
    [
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: multipart/alternative; boundary=b1',
      '',
      '--b1',
      '',
      'one',
      '--b1--',
      '--b',
      '',
      'two',
      '--b--',
      '',
    ],
    'multipart/mixed[multipart/alternative[text/plain] text/plain]',
    ['--b1\r\n\r\none\r\n--b1--', 'two'],
  ],
  [
    'an inner multipart that is never closed',
    [
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: multipart/alternative; boundary=c',
      '',
      '--c',
      '',
      'one',
      '--b',
      '',
      'two',
      '--b--',
      '',
    ],
    'multipart/mixed[multipart/alternative[text/plain] text/plain]',
    ['--c\r\n\r\none', 'two'],
  ],
  [
    'the same boundary inside and outside',
    [
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: multipart/alternative; boundary=b',
      '',
      '--b',
      '',
      'one',
      '--b--',
      '--b',
      '',
      'two',
      '--b--',
      '',
    ],
    'multipart/mixed[multipart/alternative[text/plain] text/plain]',
    ['--b\r\n\r\none\r\n--b--', 'two'],
  ],
  [
    'a part without an empty line',
    ['Content-Type: multipart/mixed; boundary=b', '', '--b', 'Content-Type: text/html', '--b', '', 'two', '--b--', ''],
    'multipart/mixed[text/html text/plain]',
    ['', 'two'],
  ],
  [
    'empty parts',
    ['Content-Type: multipart/mixed; boundary=b', '', '--b', '--b', '', '--b--', ''],
    'multipart/mixed[text/plain text/plain]',
    ['', ''],
  ],
  [
    'a boundary look-alike in the text',
    ['Content-Type: multipart/mixed; boundary=b', '', '--b', '', '--bb', '-- b', '--b--x', '--b--', ''],
    'multipart/mixed[text/plain]',
    ['--bb\r\n-- b\r\n--b--x'],
  ],
  ['no boundary parameter', ['Content-Type: multipart/mixed', '', '--b', '', 'one', '--b--', ''], 'multipart/mixed', []],
  ['a boundary that never comes', ['Content-Type: multipart/mixed; boundary=b', '', 'one', ''], 'multipart/mixed', []],
];

test.each(boundaryCases)('boundaries: %s', async (_name, lines, shape, bodies) => {
  const { root, body } = await index(crlf(...lines));
  expect(outline(root)).toBe(shape);
  expect((root.children ?? []).map(body)).toEqual(bodies);
});

test.each([
  ["boundary*=us-ascii''x%20y", 'x y'],
  ['boundary*0="x "; boundary*1=y', 'x y'],
  ["boundary*0*=us-ascii'en'x%20; boundary*1=y", 'x y'],
  ['boundary="x"; boundary*=z', 'x'],
  ['boundary="voilà"', 'voilà'],
])('a boundary may be written oddly: %s', async (parameters, boundary) => {
  const { root } = await index(crlf(`Content-Type: multipart/mixed; ${parameters}`, '', `--${boundary}`, '', 'one', `--${boundary}--`));
  expect(outline(root)).toBe('multipart/mixed[text/plain]');
});

test('parts of a digest are messages unless they say otherwise', async () => {
  const { root } = await index(
    crlf(
      'Content-Type: multipart/digest; boundary=b',
      '',
      '--b',
      '',
      'Subject: one',
      '',
      'text',
      '--b',
      'Content-Type: text/plain',
      '',
      'two',
      '--b--',
      '',
    ),
  );
  expect(outline(root)).toBe('multipart/digest[message/rfc822[text/plain] text/plain]');
  expect(root.children?.[0]?.message?.envelope.subject).toBe('one');
});

test('a message inside a message has its own envelope and lies inside its parent', async () => {
  const inner = crlf('From: b@example.org', 'Subject: inner', 'Content-Type: multipart/mixed; boundary=i', '', '--i', '', 'deep', '--i--');
  const text = crlf(
    'Subject: outer',
    'Content-Type: multipart/mixed; boundary=o',
    '',
    '--o',
    'Content-Type: message/rfc822',
    '',
    inner,
    '--o--',
    '',
  );
  const { root, body } = await index(text);
  const part = root.children![0]!;
  expect(body(part)).toBe(inner);
  expect(part.message?.envelope.subject).toBe('inner');
  expect(part.message?.root.headerStart).toBe(part.bodyStart);
  expect(body(part.message!.root.children![0]!)).toBe('deep');
  expect(part.lines).toBe(8);
});

test('an encoded message inside is opaque, message/global is a message', async () => {
  const make = (type: string, encoding: string) =>
    crlf(`Content-Type: message/${type}`, `Content-Transfer-Encoding: ${encoding}`, '', 'Subject: s', '', 'x');
  expect(outline((await index(make('rfc822', 'base64'))).root)).toBe('message/rfc822');
  expect(outline((await index(make('global', '8bit'))).root)).toBe('message/global[text/plain]');
  expect(outline((await index(make('partial', '7bit'))).root)).toBe('message/partial');
});

test('a message inside that is cut off by a boundary in its header is empty', async () => {
  const { root } = await index(crlf('Content-Type: multipart/mixed; boundary=b', '', '--b', 'Content-Type: message/rfc822', '--b--', ''));
  expect(outline(root)).toBe('multipart/mixed[message/rfc822[text/plain]]');
});

test('nesting beyond the limit is opaque', async () => {
  const levels = 2000;
  const lines: string[] = [];
  for (let n = 0; n < levels; n++) lines.push(`Content-Type: multipart/mixed; boundary=b${n}`, '', `--b${n}`);
  let { root }: { root: MimePart } = await index(crlf(...lines, '', 'x'));
  let depth = 1;
  for (; root.children; depth++) root = root.children[0]!;
  expect(depth).toBe(50);
  const messages = await index('Content-Type: message/rfc822\r\n\r\n'.repeat(5000));
  depth = 1;
  for (root = messages.root; root.message; depth++) root = root.message.root;
  expect(depth).toBe(50);
});

test('parts beyond the limit are left out', async () => {
  const { root } = await index(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\n'.repeat(30_000)}--b--\r\n`);
  expect(root.children).toHaveLength(9_999);
});

test('a header without end keeps to its budget', async () => {
  const { envelope } = await index(`Subject: s\r\nX-Long: ${'x'.repeat(3_000_000)}\r\nFrom: late@example.org\r\n\r\nbody`);
  expect(envelope).toMatchObject({ subject: 's', from: [] });
});

test('blanks in the wrong places cost nothing', async () => {
  const blanks = ' '.repeat(900_000);
  expect(outline((await index(`Content-Type: multipart/mixed; boundary="${blanks}x"\r\n\r\n`)).root)).toBe('multipart/mixed');
  const lines = `--${' '.repeat(1000)}x\r\n`.repeat(20_000);
  expect(outline((await index(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${lines}`)).root)).toBe('multipart/mixed');
});

test('the MIME fields of a part are read', async () => {
  const { root } = await index(
    crlf(
      'Content-Type: Image/PNG; Name="a \\"b\\".png" (comment); x=1; x=2',
      'Content-Transfer-Encoding: BASE64 (of course)',
      'Content-Disposition: Attachment; filename*0="long"; filename*1="er.png"',
      'Content-ID: <id@example.org>',
      'Content-Description: größe',
      'Content-Language: de, en-GB',
      'Content-Location: http://example.org/',
      'Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==',
      '',
      'AAAA',
    ),
  );
  expect(root).toMatchObject({
    type: 'image',
    subtype: 'png',
    parameters: [
      ['name', 'a "b".png'],
      ['x', '1'],
    ],
    encoding: 'base64',
    disposition: {
      type: 'attachment',
      parameters: [
        ['filename*0', 'long'],
        ['filename*1', 'er.png'],
      ],
    },
    id: '<id@example.org>',
    description: 'größe',
    language: ['de', 'en-GB'],
    location: 'http://example.org/',
    md5: 'Q2hlY2sgSW50ZWdyaXR5IQ==',
    lines: 1,
  });
});

test.each([
  ['', 'text/plain'],
  ['text', 'text/plain'],
  ['/', 'text/plain'],
  ['text/', 'text/plain'],
  ['"text"/plain', 'text/plain'],
  ['application/x-foo;;;=;', 'application/x-foo'],
  ['(c) multipart (d) / (e) mixed', 'multipart/mixed'],
  ['((((((', 'text/plain'],
  ['größe/x', 'größe/x'],
])('Content-Type %j is read as %s', async (value, type) => {
  expect(outline((await index(`Content-Type: ${value}\r\n\r\n`)).root)).toBe(type);
});
