import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import { Finder, fold } from '../../src/imapd/search/text.ts';
import { transferDecoder } from '../../src/imapd/search/transfer.ts';
import { type ImapBench, type LineClient, openImapBench } from '../support/imapd.ts';

let bench: ImapBench;
let client: LineClient;
const base64 = Buffer.from('Grüße aus der Tiefe, weit hinten im Text').toString('base64');
const messages: [rest: string, message: string][] = [
  [
    '(\\Seen) "01-Feb-1994 23:30:00 +0000" ',
    'From: Fred Foobar <foobar@Blurdybloop.COM>\r\nTo: mooch@owatagu.siam.edu\r\nSubject: afternoon meeting\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\nX-Tag: deep blue\r\n\r\nHello Joe, do you think we can meet?\r\n',
  ],
  [
    '(\\Answered $Work) "02-Feb-1994 00:30:00 +0000" ',
    'From: =?iso-8859-1?Q?J=F6rg?= <joerg@jade.net>\r\nCc: copy@jade.net\r\nBcc: hidden@jade.net\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?= =?utf-8?Q?_und_mehr?=\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n' +
      `${base64}\r\n`,
  ],
  [
    '(\\Flagged \\Draft) "03-Feb-1994 12:00:00 +0000" ',
    `Message-ID: <m3@jade.net>\r\nSubject:\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b>sch=F6n ge=\r\nteilt</b>\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: the inner one\r\n\r\ninner body\r\n--x\r\nContent-Type: application/octet-stream\r\n\r\nbinary needle\r\n--x--\r\n`,
  ],
  ['(\\Deleted) ', `Subject: large\r\n\r\n${'filler text '.repeat(20_000)}the needle at the end`],
];
beforeAll(async () => {
  bench = await openImapBench({ clock: new ManualClock(Date.UTC(2030, 0, 1)) });
  client = await bench.user();
  for (const [rest, message] of messages) await client.append('INBOX', message, rest);
  await client.ok('SELECT INBOX');
});
afterAll(async () => {
  client.close();
  await bench.close();
});

test.each([
  ['ALL', '1 2 3 4'],
  ['SEEN', '1'],
  ['UNSEEN', '2 3 4'],
  ['ANSWERED', '2'],
  ['UNANSWERED FLAGGED', '3'],
  ['UNDELETED UNDRAFT UNFLAGGED', '1 2'],
  ['DELETED', '4'],
  ['DRAFT', '3'],
  ['KEYWORD $work', '2'],
  ['UNKEYWORD $Work', '1 3 4'],
  ['RECENT', '1 2 3 4'],
  ['NEW', '2 3 4'],
  ['OLD', ''],
  ['2:3', '2 3'],
  ['4:*,1', '1 4'],
  ['9', ''],
  ['UID 2,9', '2'],
  ['NOT 2:3', '1 4'],
  ['OR 1 OR 2 4', '1 2 4'],
  ['(1:3 NOT (2))', '1 3'],
  ['LARGER 10000', '4'],
  ['SMALLER 10000 SMALLER 300', '1'],
  ['BEFORE 2-Feb-1994', '1'],
  ['ON 2-Feb-1994', '2'],
  ['SINCE "2-Feb-1994"', '2 3 4'],
  ['SENTON 7-Feb-1994', '1'],
  ['SENTBEFORE 8-Feb-1994', '1'],
  ['SENTSINCE 8-Feb-1994', ''],
  ['YOUNGER 60', '4'],
  ['OLDER 60', '1 2 3'],
  ['FROM foobar', '1'],
  ['FROM "Fred Foobar <FOO"', '1'],
  ['TO owatagu', '1'],
  ['CC copy@', '2'],
  ['BCC hidden', '2'],
  ['SUBJECT "AFTERNOON"', '1'],
  ['HEADER X-Tag "Blue"', '1'],
  ['HEADER X-Tag ""', '1'],
  ['HEADER Message-ID ""', '3'],
  ['HEADER message-id m3@', '3'],
  ['HEADER Subject ""', '1 2 3 4'],
  ['BODY joe', '1'],
  ['BODY needle', '4'],
  ['BODY "inner body"', '3'],
  ['BODY "the inner one"', '3'],
  ['TEXT "deep blue"', '1'],
  ['TEXT needle', '4'],
  ['BODY "afternoon"', ''],
  ['NOT BODY joe', '2 3 4'],
  ['OR BODY joe SUBJECT large', '1 4'],
])('SEARCH %s finds %j', async (keys, found) => {
  expect(await client.ok(`SEARCH ${keys}`)).toEqual([found === '' ? '* SEARCH' : `* SEARCH ${found}`]);
});

test('text that is not ASCII is found in encoded words, base64 and quoted-printable, by any charset', async () => {
  const literal = (text: string, charset: BufferEncoding = 'utf8'): string => {
    const octets = Buffer.from(text, charset);
    return `{${octets.length}+}\r\n${octets.toString('latin1')}`;
  };
  for (const [keys, found] of [
    [`CHARSET UTF-8 SUBJECT ${literal('GRÜSSE')}`, ''],
    [`CHARSET UTF-8 SUBJECT ${literal('Grüße und')}`, ' 2'],
    [`FROM ${literal('jörg')}`, ' 2'],
    [`CHARSET ISO-8859-1 FROM ${literal('jörg', 'latin1')}`, ' 2'],
    [`BODY ${literal('grüße AUS der')}`, ' 2'],
    [`BODY ${literal('schön geteilt')}`, ' 3'],
    [`TEXT ${literal('weit hinten')}`, ' 2'],
  ])
    expect(await client.ok(`SEARCH ${keys}`)).toEqual([`* SEARCH${found}`]);
  expect(await client.reply('SEARCH CHARSET KLINGON ALL')).toMatch(/^NO \[BADCHARSET \(US-ASCII UTF-8\)\]/);
});

test('ESEARCH tells only what is asked for', async () => {
  expect(await client.ok('SEARCH RETURN (MIN MAX COUNT) 2:4')).toEqual([
    expect.stringMatching(/^\* ESEARCH \(TAG "t\d+"\) MIN 2 MAX 4 COUNT 3$/),
  ]);
  expect(await client.ok('UID SEARCH RETURN () ALL')).toEqual([expect.stringMatching(/^\* ESEARCH \(TAG "t\d+"\) UID ALL 1:4$/)]);
  expect(await client.ok('SEARCH RETURN (MIN MAX COUNT ALL) BODY nowhere')).toEqual([
    expect.stringMatching(/^\* ESEARCH \(TAG "t\d+"\) COUNT 0$/),
  ]);
});

test('a saved result is used as $', async () => {
  expect(await client.ok('SEARCH RETURN (SAVE) UNSEEN')).toEqual([]);
  expect(await client.ok('FETCH $ UID')).toEqual(['* 2 FETCH (UID 2)', '* 3 FETCH (UID 3)', '* 4 FETCH (UID 4)']);
  expect(await client.ok('UID SEARCH RETURN (SAVE MIN) $ FLAGGED')).toEqual([expect.stringMatching(/UID MIN 3$/)]);
  expect(await client.ok('SEARCH $')).toEqual(['* SEARCH 3']);
});

test('MODSEQ searches tell the highest', async () => {
  expect(await client.ok('SEARCH MODSEQ 1')).toEqual([expect.stringMatching(/^\* SEARCH 1 2 3 4 \(MODSEQ \d+\)$/)]);
  expect(await client.ok('SEARCH MODSEQ "/flags/\\\\draft" all 99999999')).toEqual(['* SEARCH']);
});

test('a needle is found across the borders of chunks', () => {
  const finder = new Finder(fold('Needle'));
  expect(['xxne', 'e', 'DL', 'exx'].map((text) => finder.push(text))).toEqual([false, false, false, true]);
});

test.each([
  ['quoted-printable', 'a=3Db=\r\nc=\nd=zz= \r\n=C3=BC', 'a=bcd=zzü'],
  ['base64', 'R3L\r\nDvMOf!ZQ', 'Grüße'],
  ['7bit', 'as it is', 'as it is'],
])('%s is undone however it is cut', (encoding, input, expected) => {
  for (let size = 1; size <= input.length; size++) {
    const decoder = transferDecoder(encoding);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < input.length; at += size) parts.push(decoder.push(Buffer.from(input.slice(at, at + size), 'latin1')));
    parts.push(decoder.end());
    expect(Buffer.concat(parts).toString()).toBe(expected);
  }
});
