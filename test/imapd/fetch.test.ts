import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { accounts, type ImapBench, type LineClient, openImapBench } from '../support/imapd.ts';

/**
 * The message of RFC 3501 §6.4.5: TEXT/PLAIN, APPLICATION/OCTET-STREAM, MESSAGE/RFC822 (with a text and an octet-stream),
 * and MULTIPART/MIXED (with an image and a MESSAGE/RFC822 that is a multipart/mixed, whose second part is a multipart/alternative).
 */
const lines = (...all: string[]): string => all.map((line) => `${line}\r\n`).join('');
const part = (type: string, body: string): string => lines(`Content-Type: ${type}`, '', body).slice(0, -2);
function multipart(subtype: string, boundary: string, ...parts: string[]): string {
  const type = `Content-Type: multipart/${subtype}; boundary=${boundary}\r\n\r\n`;
  return `${type}${parts.map((p) => `--${boundary}\r\n${p}\r\n`).join('')}--${boundary}--\r\n`;
}
const inner3 = `Subject: three\r\n${multipart('mixed', 'b3', part('text/plain', '3.1 text'), part('application/octet-stream', '3.2 octets'))}`;
const alternative = multipart('alternative', 'b422', part('text/plain', '4.2.2.1 plain'), part('text/richtext', '4.2.2.2 rich'));
const inner42 = `Subject: four two\r\n${multipart('mixed', 'b42', part('text/plain', '4.2.1 text'), alternative)}`;
const rfcMessage = `From: a@jade.net\r\nSubject: outer\r\nMIME-Version: 1.0\r\n${multipart(
  'mixed',
  'b0',
  part('text/plain', '1 text'),
  part('application/octet-stream', '2 octets'),
  part('message/rfc822', inner3),
  multipart('mixed', 'b4', part('image/gif', '4.1 image'), part('message/rfc822', inner42)),
)}`;

let bench: ImapBench;
let client: LineClient;
beforeAll(async () => {
  bench = await openImapBench();
  client = await bench.user();
});
afterAll(async () => {
  client.close();
  await bench.close();
});
let serial = 0;
beforeEach(async () => {
  serial += 1;
  await client.ok(`CREATE box${serial}`);
});

async function open(...messages: string[]): Promise<void> {
  for (const message of messages) expect(await client.append(`box${serial}`, message)).toMatch(/^OK/);
  await client.ok(`SELECT box${serial}`);
}

/** The value of one section of message 1. */
async function section(name: string): Promise<string | null> {
  const [line] = await client.ok(`FETCH 1 BODY.PEEK[${name}]`);
  const found = /^\* 1 FETCH \(BODY\[.*?\](?:<\d+>)? (?:NIL|\{\d+\}\r\n([\s\S]*))\)$/.exec(line!);
  if (!found) throw new Error(line);
  return found[1] ?? null;
}

test('the part numbers of RFC 3501 §6.4.5 find their parts', async () => {
  await open(rfcMessage);
  const at = (from: string, to?: string): string =>
    rfcMessage.slice(rfcMessage.indexOf(from), to === undefined ? undefined : rfcMessage.indexOf(to));
  expect(await section('')).toBe(rfcMessage);
  expect(await section('HEADER')).toBe(at('From:', '--b0'));
  expect(await section('TEXT')).toBe(at('--b0'));
  expect(await section('1')).toBe('1 text');
  expect(await section('2')).toBe('2 octets');
  expect(await section('3')).toBe(inner3);
  expect(await section('3.HEADER')).toBe('Subject: three\r\nContent-Type: multipart/mixed; boundary=b3\r\n\r\n');
  expect(await section('3.TEXT')).toBe(inner3.slice(inner3.indexOf('--b3')));
  expect(await section('3.1')).toBe('3.1 text');
  expect(await section('3.2')).toBe('3.2 octets');
  expect(await section('4.1')).toBe('4.1 image');
  expect(await section('4.1.MIME')).toBe('Content-Type: image/gif\r\n\r\n');
  expect(await section('4.2')).toBe(inner42);
  expect(await section('4.2.HEADER')).toBe('Subject: four two\r\nContent-Type: multipart/mixed; boundary=b42\r\n\r\n');
  expect(await section('4.2.TEXT')).toBe(inner42.slice(inner42.indexOf('--b42')));
  expect(await section('4.2.1')).toBe('4.2.1 text');
  expect(await section('4.2.2')).toBe(alternative.slice(alternative.indexOf('--b422')));
  expect(await section('4.2.2.MIME')).toBe('Content-Type: multipart/alternative; boundary=b422\r\n\r\n');
  expect(await section('4.2.2.1')).toBe('4.2.2.1 plain');
  expect(await section('4.2.2.2')).toBe('4.2.2.2 rich');
  expect(await section('3.HEADER.FIELDS (subject)')).toBe('Subject: three\r\n\r\n');
});

test.each(['5', '1.1', '1.HEADER', '2.TEXT', '3.3', '4.HEADER', '4.2.2.3', '4.2.2.1.1', '999999999'])(
  'section %s does not exist and is NIL',
  async (name) => {
    await open(rfcMessage);
    expect(await section(name)).toBeNull();
  },
);

test('a message that is not a multipart has one part', async () => {
  await open('Subject: x\r\n\r\nbody\r\n');
  expect(await section('1')).toBe('body\r\n');
  expect(await section('1.MIME')).toBe('Subject: x\r\n\r\n');
  expect(await section('1.1')).toBeNull();
  expect(await section('2')).toBeNull();
});

test('BODYSTRUCTURE tells the whole tree with extension data, BODY without', async () => {
  await open(rfcMessage);
  const nobody = 'NIL NIL NIL NIL NIL NIL NIL NIL';
  const text = (subtype: string, size: number): string => `("TEXT" "${subtype}" NIL NIL NIL "7BIT" ${size} 1 NIL NIL NIL NIL)`;
  const other = (type: string, subtype: string, size: number): string =>
    `("${type}" "${subtype}" NIL NIL NIL "7BIT" ${size} NIL NIL NIL NIL)`;
  const count = (message: string): number => message.split('\r\n').length - 1;
  const mixed = (boundary: string, subtype = 'MIXED'): string => `"${subtype}" ("BOUNDARY" "${boundary}") NIL NIL NIL)`;
  const three = `("MESSAGE" "RFC822" NIL NIL NIL "7BIT" ${inner3.length} (NIL "three" @) (${text('PLAIN', 8)}${other('APPLICATION', 'OCTET-STREAM', 10)} ${mixed('b3')} ${count(inner3)} NIL NIL NIL NIL)`;
  const deep = `(${text('PLAIN', 13)}${text('RICHTEXT', 12)} ${mixed('b422', 'ALTERNATIVE')}`;
  const two = `("MESSAGE" "RFC822" NIL NIL NIL "7BIT" ${inner42.length} (NIL "four two" @) (${text('PLAIN', 10)}${deep} ${mixed('b42')} ${count(inner42)} NIL NIL NIL NIL)`;
  const four = `(${other('IMAGE', 'GIF', 9)}${two} ${mixed('b4')}`;
  const whole = `(${text('PLAIN', 6)}${other('APPLICATION', 'OCTET-STREAM', 8)}${three}${four} ${mixed('b0')}`;
  const plain = (s: string): string => s.replaceAll('("CHARSET" "us-ascii")', 'NIL');
  const [line] = await client.ok('FETCH 1 BODYSTRUCTURE');
  expect(plain(line!)).toBe(`* 1 FETCH (BODYSTRUCTURE ${whole.replaceAll('@', nobody)})`);
  const [short] = await client.ok('FETCH 1 BODY');
  expect(plain(short!)).toBe(
    `* 1 FETCH (BODY ${whole
      .replaceAll(' NIL NIL NIL NIL)', ')')
      .replace(/ \("BOUNDARY" "b\d+"\) NIL NIL NIL\)/g, ')')
      .replaceAll('@', nobody)})`,
  );
});

test('disposition, language, location, id, description and MD5 are told', async () => {
  await open(
    lines(
      'Content-Type: text/plain; charset=utf-8; name="a \\"b\\".txt"',
      'Content-ID: <id@jade.net>',
      'Content-Description: what it is',
      'Content-Transfer-Encoding: Quoted-Printable',
      'Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==',
      'Content-Disposition: attachment; filename=a.txt; size=5',
      'Content-Language: de, en',
      'Content-Location: http://jade.net/a',
      '',
      'a=3Db',
    ),
  );
  expect(await client.ok('FETCH 1 BODYSTRUCTURE')).toEqual([
    '* 1 FETCH (BODYSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "utf-8" "NAME" "a \\"b\\".txt") "<id@jade.net>" "what it is" "QUOTED-PRINTABLE" 7 1 "Q2hlY2sgSW50ZWdyaXR5IQ==" ("ATTACHMENT" ("FILENAME" "a.txt" "SIZE" "5")) ("de" "en") "http://jade.net/a"))',
  ]);
});

test('ENVELOPE has addresses, groups, and From where Sender and Reply-To are missing', async () => {
  await open(
    lines(
      'Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)',
      'From: Terry Gray <gray@cac.washington.edu>',
      'Subject: IMAP4rev1 WG mtg summary and minutes',
      'To: imap@cac.washington.edu, "Q\\"uote" <q@jade.net>',
      'cc: A Group:minutes@cnri.reston.va.us, John Klensin <klensin@mit.edu>;',
      'Message-Id: <B27397-0100000@cac.washington.edu>',
      '',
    ),
  );
  const gray = '(("Terry Gray" NIL "gray" "cac.washington.edu"))';
  expect(await client.ok('FETCH 1 ENVELOPE')).toEqual([
    `* 1 FETCH (ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" ${gray} ${gray} ${gray} ` +
      '((NIL NIL "imap" "cac.washington.edu")("Q\\"uote" NIL "q" "jade.net")) ' +
      '((NIL NIL "A Group" NIL)(NIL NIL "minutes" "cnri.reston.va.us")("John Klensin" NIL "klensin" "mit.edu")(NIL NIL NIL NIL)) NIL NIL "<B27397-0100000@cac.washington.edu>"))',
  ]);
});

test('a subject that is not ASCII is a literal', async () => {
  await open(`Subject: ${Buffer.from('grün').toString('latin1')}\r\n\r\n`);
  expect((await client.ok('FETCH 1 ENVELOPE'))[0]).toContain(`{5}\r\n${Buffer.from('grün').toString('latin1')} NIL`);
});

test('header fields are chosen by name in any case, folds included, or left out', async () => {
  await open('Received: one\r\nSubject: a\r\n\tfolded\r\nreceived: two\r\nnot a field\r\nTo: b\r\n\r\nSubject: body\r\n');
  expect(await section('HEADER.FIELDS (SUBJECT TO nothing)')).toBe('Subject: a\r\n\tfolded\r\nTo: b\r\n\r\n');
  expect(await section('HEADER.FIELDS ("received")')).toBe('Received: one\r\nreceived: two\r\n\r\n');
  expect(await section('HEADER.FIELDS.NOT (received to)')).toBe('Subject: a\r\n\tfolded\r\nnot a field\r\n\r\n');
  expect(await client.ok('FETCH 1 BODY.PEEK[HEADER.FIELDS (To "x y")]')).toEqual([
    '* 1 FETCH (BODY[HEADER.FIELDS (To "x y")] {9}\r\nTo: b\r\n\r\n)',
  ]);
});

test.each([
  ['<0.5>', 'Subje'],
  ['<3.4>', 'ject'],
  ['<10.1000>', '\r\n\r\n12345'],
  ['<18.1>', '5'],
  ['<19.1>', ''],
  ['<4294967295.4294967295>', ''],
])('the partial %s ends at its borders', async (partial, expected) => {
  await open('Subject: x\r\n\r\n12345');
  const [line] = await client.ok(`FETCH 1 BODY.PEEK[]${partial}`);
  const origin = /<(\d+)/.exec(partial)![1];
  expect(line).toBe(`* 1 FETCH (BODY[]<${origin}> {${expected.length}}\r\n${expected})`);
});

test('a part of fields is cut too, and RFC822 items keep their names', async () => {
  await open('Subject: x\r\nTo: y\r\n\r\n12345');
  expect(await client.ok('FETCH 1 BODY.PEEK[HEADER.FIELDS (to)]<1.3>')).toEqual(['* 1 FETCH (BODY[HEADER.FIELDS (to)]<1> {3}\r\no: )']);
  expect(await client.ok('FETCH 1 (RFC822.SIZE RFC822.HEADER)')).toEqual([
    '* 1 FETCH (RFC822.SIZE 26 RFC822.HEADER {21}\r\nSubject: x\r\nTo: y\r\n\r\n)',
  ]);
  expect(await client.ok('FETCH 1 RFC822.TEXT')).toEqual(['* 1 FETCH (RFC822.TEXT {5}\r\n12345 FLAGS (\\Seen \\Recent))']);
  expect(await client.ok('FETCH 1 RFC822')).toEqual(['* 1 FETCH (RFC822 {26}\r\nSubject: x\r\nTo: y\r\n\r\n12345)']);
});

test('reading a body sets \\Seen and says so, peeking does not', async () => {
  await open('Subject: x\r\n\r\n1');
  await client.ok('FETCH 1 (BODY.PEEK[] RFC822.HEADER ENVELOPE)');
  expect(await client.ok('FETCH 1 FLAGS')).toEqual(['* 1 FETCH (FLAGS (\\Recent))']);
  expect(await client.ok('UID FETCH 1 (FLAGS BODY[TEXT])')).toEqual(['* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) BODY[TEXT] {1}\r\n1)']);
  expect(await client.run('NOOP')).toEqual(['OK NOOP completed']);
});

test('the macros are what they stand for', async () => {
  await open('Subject: x\r\n\r\n1');
  const fast = 'FLAGS \\(\\\\Recent\\) INTERNALDATE "[^"]+" RFC822.SIZE 15';
  expect((await client.ok('FETCH 1 FAST'))[0]).toMatch(new RegExp(`^\\* 1 FETCH \\(${fast}\\)$`));
  expect((await client.ok('FETCH 1 ALL'))[0]).toMatch(new RegExp(`${fast} ENVELOPE \\(.*\\)\\)$`));
  expect((await client.ok('FETCH 1 FULL'))[0]).toMatch(new RegExp(`${fast} ENVELOPE \\(.*\\) BODY \\("TEXT" .*\\)\\)$`));
});

test('a message of several megabytes comes whole, also to a client that reads slowly', async () => {
  const big = `Subject: big\r\n\r\n${'0123456789abcdef\r\n'.repeat(300_000)}`;
  await open(big);
  client.socket.pause();
  client.send('slow FETCH 1 BODY.PEEK[]\r\n');
  await new Promise((resolve) => setImmediate(resolve));
  client.socket.resume();
  const [line] = await client.until('slow');
  expect(line!.length).toBe(`* 1 FETCH (BODY[] {${big.length}}\r\n)`.length + big.length);
  expect(line!.includes(big)).toBe(true);
  expect((await client.ok('FETCH 1 BODY.PEEK[TEXT]<5000000.7>'))[0]).toBe(
    `* 1 FETCH (BODY[TEXT]<5000000> {7}\r\n${big.slice(16 + 5_000_000, 16 + 5_000_007)})`,
  );
});

test('a message without an empty line is all header', async () => {
  await open('Subject: only\r\n');
  expect(await section('HEADER')).toBe('Subject: only\r\n');
  expect(await section('TEXT')).toBe('');
  expect(await section('HEADER.FIELDS (subject)')).toBe('Subject: only\r\n');
});

test('what a delivery put in front belongs to the header, the size and the offsets', async () => {
  const prefix = 'Return-Path: <a@jade.net>\r\nDelivered-To: user1@jade.net\r\n';
  const body = `Subject: delivered\r\n${multipart('mixed', 'bb', part('text/plain', 'inside'))}`;
  await client.append(`box${serial}`, body);
  const box = (await bench.store.mailbox(accounts[0].uuid, `box${serial}`))!;
  const stored = (await bench.store.message(accounts[0].uuid, box.id, 1))!;
  await bench.store.append(accounts[0].uuid, `box${serial}`, [{ ...stored, prefix }]);
  await client.ok(`SELECT box${serial}`);
  await client.ok('STORE 1 +FLAGS.SILENT (\\Deleted)');
  await client.ok('EXPUNGE');
  expect(await section('')).toBe(prefix + body);
  expect(await section('HEADER')).toBe(prefix + body.slice(0, body.indexOf('--bb')));
  expect(await section('1')).toBe('inside');
  expect(await client.ok('FETCH 1 RFC822.SIZE')).toEqual([`* 1 FETCH (RFC822.SIZE ${prefix.length + body.length})`]);
  expect(await section('HEADER.FIELDS (return-path)')).toBe('Return-Path: <a@jade.net>\r\n\r\n');
});
