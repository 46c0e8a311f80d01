import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import { compilePattern } from '../../src/imapd/list/pattern.ts';
import { bySequence, bySequenceLoose, byUid, type Numbered } from '../../src/imapd/mailbox/runs.ts';
import { MessageTable } from '../../src/imapd/mailbox/table.ts';
import { Cursor } from '../../src/imapd/wire/cursor.ts';
import { parseDate, parseDateTime } from '../../src/imapd/wire/dates.ts';
import { Disconnected, Input } from '../../src/imapd/wire/input.ts';
import { dateTime, quote, sequenceText } from '../../src/imapd/wire/quote.ts';
import { parseSequenceSet } from '../../src/imapd/wire/sequence-set.ts';
import { decodeUtf7, encodeUtf7 } from '../../src/imapd/wire/utf7.ts';

const malformed = (run: () => unknown): void => expect(run).toThrow(Fault);

test.each(['', '0', '4294967296', '99999999999999999999', '-1', '1:', ':1', '1,,2', '1:2:3', '*1', '**', '1 2', '$,1', '01'])(
  'the set %j is refused',
  (text) => malformed(() => parseSequenceSet(text)),
);

test('a set of twenty thousand ranges is read, one more is refused', () => {
  expect(parseSequenceSet(Array(20_000).fill('1').join(','))).toMatchObject({ saved: false });
  malformed(() => parseSequenceSet(Array(20_001).fill('1').join(',')));
});

function numbered(...uids: number[]): Numbered {
  const table = new MessageTable();
  table.append(uids.map((uid) => ({ uid, flags: [], modSeq: uid, size: 1, internalDate: 0 })));
  return table;
}

test.each([
  ['1', [[0, 1]]],
  ['*', [[4, 5]]],
  ['*:1', [[0, 5]]],
  ['2:4', [[1, 4]]],
  ['4:2', [[1, 4]]],
  ['1,3,2', [[0, 3]]],
  [
    '5,1',
    [
      [0, 1],
      [4, 5],
    ],
  ],
  ['9:*', [[4, 5]]],
])('message numbers %s of five choose %j', (set, runs) => {
  expect(bySequence(parseSequenceSet(set), numbered(3, 5, 7, 9, 11), [])).toEqual(runs);
});

test('a message number that does not exist is an error, and matches nothing in a search', () => {
  malformed(() => bySequence(parseSequenceSet('6'), numbered(3, 5, 7, 9, 11), []));
  malformed(() => bySequence(parseSequenceSet('1:6'), numbered(3, 5, 7, 9, 11), []));
  expect(bySequenceLoose(parseSequenceSet('4:6'), numbered(3, 5, 7, 9, 11), [])).toEqual([[3, 5]]);
});

test('in an empty mailbox 1:* chooses nothing', () => {
  expect(bySequence(parseSequenceSet('1:*'), numbered(), [])).toEqual([]);
  expect(byUid(parseSequenceSet('1:*'), numbered(), [])).toEqual([]);
});

test.each([
  ['5', [[1, 2]]],
  ['4', []],
  ['1:4', [[0, 1]]],
  ['4:8', [[1, 3]]],
  ['12:*', [[4, 5]]],
  ['*', [[4, 5]]],
  ['4294967295:1', [[0, 5]]],
  ['3,4,5', [[0, 2]]],
])('UIDs %s of 3, 5, 7, 9, 11 choose %j', (set, runs) => {
  expect(byUid(parseSequenceSet(set), numbered(3, 5, 7, 9, 11), [])).toEqual(runs);
});

test('$ chooses the saved messages that are still there', () => {
  expect(byUid(parseSequenceSet('$'), numbered(3, 5, 7, 9, 11), [3, 4, 5, 11])).toEqual([
    [0, 2],
    [4, 5],
  ]);
});

test('a table keeps its order through removals and additions', () => {
  const table = new MessageTable();
  const entry = (uid: number) => ({ uid, flags: [`f${uid}`], modSeq: uid, size: uid * 10, internalDate: uid });
  table.append([1, 2, 3, 4, 5].map(entry));
  table.remove([0, 2, 4]);
  table.append([8, 9].map(entry));
  expect([...Array(table.length).keys()].map((n) => [table.uid(n), table.size(n), table.flags(n)[0]])).toEqual([
    [2, 20, 'f2'],
    [4, 40, 'f4'],
    [8, 80, 'f8'],
    [9, 90, 'f9'],
  ]);
  expect([table.positionOf(4), table.positionOf(5), table.lowerBound(5)]).toEqual([1, -1, 2]);
});

test('numbers are told as ranges', () => {
  expect(sequenceText([1, 2, 3, 5, 7, 8])).toBe('1:3,5,7:8');
  expect(sequenceText([])).toBe('');
});

// RFC 3501 §5.1.3 and RFC 2152.
test.each([
  ['INBOX', 'INBOX'],
  ['~peter/mail/台北/日本語', '~peter/mail/&U,BTFw-/&ZeVnLIqe-'],
  ['Entwürfe', 'Entw&APw-rfe'],
  ['a&b', 'a&-b'],
  ['&', '&-'],
  ['☺!', '&Jjo-!'],
  ['😀', '&2D3eAA-'],
  ['tab\there', 'tab&AAk-here'],
])('the name %s travels as %s', (name, wire) => {
  expect(encodeUtf7(name)).toBe(wire);
  expect(decodeUtf7(wire)).toBe(name);
});

test.each(['&', '&Jjo', '&Jjo!', '&AGE-', '&U,BTFw-&ZeVnLIqe-', '&2D0-', '&3gA-', '&Jjp-', '&J-', 'Entw\u00fcrfe', '&A/w-', 'a\tb'])(
  'the wire name %j is refused',
  (wire) => {
    expect(decodeUtf7(wire)).toBeUndefined();
  },
);

test('strings are quoted where they can be and literals where not', () => {
  expect(quote('a "b" \\c')).toBe('"a \\"b\\" \\\\c"');
  expect(quote('')).toBe('""');
  expect(quote('ü')).toBe('{2}\r\nü');
  expect(quote('a\r\nb')).toBe('{4}\r\na\r\nb');
  expect(quote('x'.repeat(2000))).toMatch(/^\{2000\}/);
});

test.each([
  ['17-Jul-1996 02:44:25 -0700', Date.UTC(1996, 6, 17, 9, 44, 25)],
  [' 1-Jan-2030 00:00:00 +0000', Date.UTC(2030, 0, 1)],
  ['29-Feb-2024 23:59:60 +0130', Date.UTC(2024, 1, 29, 22, 30, 0)],
  ['30-Feb-2024 00:00:00 +0000', undefined],
  ['1-Jan-2030 00:00:00 +0000', undefined],
  ['01-Foo-2030 00:00:00 +0000', undefined],
  ['01-Jan-2030 24:00:00 +0000', undefined],
  ['01-Jan-2030 00:00:00', undefined],
])('the moment %j is %p', (text, ms) => {
  expect(parseDateTime(text)).toBe(ms);
});

test('days are read with one digit or two, and dates written back in UTC', () => {
  expect(parseDate('1-feb-1994')).toBe(Date.UTC(1994, 1, 1));
  expect(parseDate('01-Feb-1994')).toBe(Date.UTC(1994, 1, 1));
  expect(parseDate('32-Jan-1994')).toBeUndefined();
  expect(parseDate('0-Jan-1994')).toBeUndefined();
  expect(dateTime(Date.UTC(1996, 6, 7, 9, 4, 5))).toBe('" 7-Jul-1996 09:04:05 +0000"');
});

test.each([
  ['*', 'a/b/c', true],
  ['%', 'a/b', false],
  ['%', 'a', true],
  ['a/%', 'a/b', true],
  ['a/%', 'a/b/c', false],
  ['a%c', 'abc', true],
  ['a*c', 'a/b/c', true],
  ['%/c', 'a/c', true],
  ['inbox', 'INBOX', true],
  ['iNbOx/x', 'INBOX/x', true],
  ['Foo', 'foo', false],
  ['', 'a', false],
  ['a', 'ab', false],
  ['entw%', 'entwürfe', true],
])('the pattern %j against %j: %p', (pattern, name, matches) => {
  expect(compilePattern(pattern)(name)).toBe(matches);
});

test('a pattern of wildcards takes no longer than its length', () => {
  const matches = compilePattern(`${'*a'.repeat(200)}*b`);
  expect(matches('a'.repeat(1000))).toBe(false);
});

test.each<[string, (c: Cursor) => unknown]>([
  ['"open', (c) => c.string()],
  ['"a\\b"', (c) => c.string()],
  ['"a\0b"', (c) => c.string()],
  ['"a\rb"', (c) => c.string()],
  ['a\0b', (c) => [c.astring(), c.end()]],
  ['a\xffb', (c) => [c.astring(), c.end()]],
  ['(a b', (c) => c.list(10, () => c.atom())],
  ['(a  b)', (c) => c.list(10, () => c.atom())],
  ['()', (c) => c.list(10, () => c.atom())],
  ['(a b c)', (c) => c.list(2, () => c.atom())],
  ['4294967296', (c) => c.number()],
  ['99999999999999999999', (c) => c.number64()],
  ['', (c) => c.astring()],
  ['NILx', (c) => c.nstring()],
  ['&Jjo', (c) => c.mailbox()],
  ['x'.repeat(1001), (c) => c.mailbox()],
])('%j is not what was asked for', (text, read) => {
  malformed(() => read(new Cursor([text])));
});

test('literals and text are read in their order', () => {
  const args = new Cursor(['a ', Buffer.from('lit\0eral'), ' "q\\"" ("x" NIL) 7']);
  expect(args.astring()).toBe('a');
  args.space();
  expect(args.string()).toBe('lit\0eral');
  args.space();
  expect(args.string()).toBe('q"');
  args.space();
  expect(args.list(5, () => args.nstring())).toEqual(['x', null]);
  args.space();
  expect(args.number()).toBe(7);
  expect(args.done).toBe(true);
});

test('INBOX is one name in any case, others are as they are', () => {
  expect(new Cursor(['iNbOx']).mailbox()).toBe('INBOX');
  expect(new Cursor(['inbox/a']).mailbox()).toBe('INBOX/a');
  expect(new Cursor(['"Entw&APw-rfe"']).mailbox()).toBe('Entwürfe');
  expect(new Cursor(['inboxes']).mailbox()).toBe('inboxes');
});

const quiet = { onData: () => {}, onWait: () => {} };

test('lines come whole however they are cut, with CRLF or LF', async () => {
  const source = new PassThrough();
  const input = new Input(source, quiet);
  for (const c of 'one\r\ntwo\n\r\nthree') source.write(c);
  source.end();
  expect([await input.line(100), await input.line(100), await input.line(100), await input.line(100)]).toEqual([
    { text: 'one', overlong: false, tail: 'one' },
    { text: 'two', overlong: false, tail: 'two' },
    { text: '', overlong: false, tail: '' },
    undefined,
  ]);
});

test('a line that is too long is skipped, and the next one read', async () => {
  const source = new PassThrough();
  const input = new Input(source, quiet);
  source.write(`${'x'.repeat(200_000)}{5+}\r\nnext\r\n`);
  const long = await input.line(1000);
  expect(long).toMatchObject({ overlong: true });
  expect(long?.tail.endsWith('x{5+}')).toBe(true);
  expect(await input.line(1000)).toMatchObject({ text: 'next', overlong: false });
});

test('a line without an end is given up', async () => {
  const source = new PassThrough();
  const input = new Input(source, quiet);
  const reading = input.line(1000);
  const feed = (): void => {
    if (!source.destroyed && source.write(Buffer.alloc(65536, 120))) setImmediate(feed);
    else source.once('drain', feed);
  };
  feed();
  await expect(reading).rejects.toThrow(Disconnected);
  source.destroy();
});
