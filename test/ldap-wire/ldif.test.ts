import { expect, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import {
  formatLdifEntry,
  formatLdifLine,
  formatLdifRecord,
  type LdifRecord,
  parseDn,
  parseLdif,
  readLdif,
  readLdifTolerant,
} from '../../src/ldap-wire/index.ts';

test.each([
  ['cn: x\n', /line 1: "dn:" is expected/],
  ['version: 2\n', /line 1: only LDIF version 1/],
  ['dn: nonsense\ncn: x\n', /line 1.*position 0/],
  ['dn: cn=a\ncn\n', /line 2: cn=a: an attribute/],
  ['dn: cn=a\ncn:: ***\n', /line 2: cn=a: the value is not base64/],
  ['dn: cn=a\ncn:: YQ\n', /not base64/],
  ['dn: cn=a\nc n: x\n', /not an attribute description/],
  [' dn: cn=a\n', /line 1: a continuation line/],
  ['dn: cn=a\ncn: x\n\n continued\n', /line 4: a continuation line/],
  ['dn:: gICA\ncn: x\n', /line 1: the DN is not UTF-8/],
  ['dn: cn=a\nchangetype: frobnicate\n', /line 2.*"frobnicate" is not known/],
  ['dn: cn=a\nchangetype: delete\ncn: x\n', /line 3.*nothing may follow/],
  ['dn: cn=a\nchangetype: modify\nmail: x\n', /line 3.*add, delete, replace or increment/],
  ['dn: cn=a\nchangetype: modify\nadd: mail\ncn: x\n-\n', /line 4.*"mail:" or "-"/],
  ['dn: cn=a\nchangetype: modify\nadd: \nmail: x\n-\n', /line 3.*attribute description/],
  ['dn: cn=a\nchangetype: modrdn\ndeleteoldrdn: 1\n', /line 2.*newrdn is missing/],
  ['dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b\n', /deleteoldrdn must be/],
  ['dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b,dc=x\ndeleteoldrdn: 1\n', /one level/],
  ['dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b\ndeleteoldrdn: 1\nfoo: x\n', /line 5.*newrdn, deleteoldrdn or newsuperior/],
  ['dn: cn=a\ncontrol: nonsense\nchangetype: delete\n', /line 2.*OID/],
  ['dn: cn=a\ncontrol: 1.2.3 true\ncn: x\n', /line 2.*changetype/],
  ['dn: cn=a\n', /line 1: cn=a: the entry has no attributes/],
  ['dn: cn=a\nchangetype: add\n', /line 2: cn=a: the entry has no attributes/],
  ['dn: cn=a\ncn: x\ndn: cn=b\ncn: y\n', /line 3: cn=a: "dn:" inside an entry: the blank line/],
  ['dn: cn=a\ncn: x\nchangetype: add\n', /line 3.*"changetype:" belongs right behind/],
  ['dn: cn=a\nchangetype: add\ncontrol: 1.2.3\ncn: x\n', /line 3.*"control:" belongs in front/],
  ['dn:< file:///etc/passwd\ncn: x\n', /line 1: a name cannot come from a URL/],
  ['dn : cn=a\ncn: x\n', /line 1: "dn " is not an attribute description/],
  ['dn: cn=a\n;x: y\n', /not an attribute description/],
  ['dn: cn=a\ncn;: y\n', /not an attribute description/],
  ['dn: cn=a\ncn: a\rb\n', /line 2.*NUL or a carriage return must be written in base64/],
  ['dn: cn=a\ncn: a\u0000b\n', /line 2.*NUL or a carriage return/],
  ['dn: cn=a\ncn:: YQ==YQ==\n', /not base64/],
  ['dn: cn=a\ncn:: Y Q=\n', /not base64/],
  ['dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b\nnewrdn: cn=c\ndeleteoldrdn: 1\n', /line 4.*newrdn stands there twice/],
  ['dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b\ndeleteoldrdn: 2\n', /line 4.*deleteoldrdn must be 0 or 1/],
  ['dn: cn=a\nchangetype: modrdn\nnewrdn:: /w==\ndeleteoldrdn: 1\n', /line 3.*newrdn is not UTF-8/],
  ['dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b\ndeleteoldrdn: 1\nnewsuperior: x\n', /line 5.*position 0/],
  ['\n\nversion: 0\n', /line 3: only LDIF version 1/],
])('the broken file %j is refused with line and entry', (text, message) => {
  expect(() => parseLdif(text)).toThrow(Fault);
  expect(() => parseLdif(text)).toThrow(message);
});

test('a value from a URL is refused unless the caller loads it', () => {
  const text = 'dn: cn=a\njpegPhoto:< file:///etc/passwd\n';
  expect(() => parseLdif(text)).toThrow(expect.objectContaining({ kind: 'refused' }));
  const asked: string[] = [];
  const load = (url: string): Uint8Array => {
    asked.push(url);
    return Uint8Array.of(0xff);
  };
  expect(parseLdif(text, { load })[0]).toMatchObject({ attributes: [{ name: 'jpegPhoto', values: [Uint8Array.of(0xff)] }] });
  expect(asked).toEqual(['file:///etc/passwd']);
});

test('a record without an end is refused at its limit', () => {
  expect(() => parseLdif(`dn: cn=a\n${'cn: x\n'.repeat(100)}`, { maxRecord: 200 })).toThrow(expect.objectContaining({ kind: 'too-large' }));
});

const everything = `version: 1
# a comment
 that goes on

dn: mail=u1@jade.net,dc=jade,dc=net
objectClass: top
objectclass: person
cn: a value that
  goes on
description:: w5xuw6s=
jpegPhoto:: /9j/
sn:no blank
mail:

dn:: ZGM9amFkZQ==
control: 1.2.840.113556.1.4.805 true
control: 1.2.3: text
changetype: delete

dn: cn=a
changetype: modify
add: mail
mail: one
mail: two
-
delete: sn
-
replace: cn;lang-en
cn;lang-en: x
-
increment: uidNumber
uidNumber: 1

dn: cn=a
changetype: add
cn: a

dn: cn=a
changetype: moddn
newrdn: cn=b
deleteoldrdn: 0
newsuperior: dc=jade,dc=net
`;

test('content and change records of every sort are read', () => {
  const records = parseLdif(everything);
  expect(records.map(({ kind, line }) => [kind, line])).toEqual([
    ['content', 5],
    ['delete', 15],
    ['modify', 20],
    ['add', 34],
    ['rename', 38],
  ]);
  expect(records[0]).toMatchObject({
    attributes: [
      { name: 'objectClass', values: ['top', 'person'] },
      { name: 'cn', values: ['a value that goes on'] },
      { name: 'description', values: ['Ünë'] },
      { name: 'jpegPhoto', values: [Buffer.from('ffd8ff', 'hex')] },
      { name: 'sn', values: ['no blank'] },
      { name: 'mail', values: [''] },
    ],
  });
  expect(records[1]?.controls).toEqual([
    { oid: '1.2.840.113556.1.4.805', critical: true, value: undefined },
    { oid: '1.2.3', critical: false, value: Buffer.from('text') },
  ]);
  expect(records[2]).toMatchObject({
    modifications: [
      { operation: 'add', attribute: { name: 'mail', values: ['one', 'two'] } },
      { operation: 'delete', attribute: { name: 'sn', values: [] } },
      { operation: 'replace', attribute: { name: 'cn;lang-en', values: ['x'] } },
      { operation: 'increment', attribute: { name: 'uidNumber', values: ['1'] } },
    ],
  });
  expect(records[4]).toMatchObject({ rdn: [{ type: 'cn', value: 'b' }], deleteOldRdn: false });
});

const comparable = (records: readonly LdifRecord[]) => records.map(({ line, dn, ...rest }) => ({ dn: dn.toString(), ...rest }));

test('what is written reads back, with either line end and from a stream', async () => {
  const records = parseLdif(everything);
  const text = records.map(formatLdifRecord).join('');
  const again = JSON.stringify(comparable(parseLdif(text)));
  expect(again).toBe(JSON.stringify(comparable(records)));
  expect(JSON.stringify(comparable(parseLdif(text.replaceAll('\n', '\r\n'))))).toBe(again);
  const streamed: LdifRecord[] = [];
  for await (const record of readLdif([Buffer.from(text)])) streamed.push(record);
  expect(JSON.stringify(comparable(streamed))).toBe(again);
});

test.each([
  ['plain', 'a: plain\n'],
  ['', 'a: \n'],
  [' lead', 'a:: IGxlYWQ=\n'],
  [':x', 'a:: Ong=\n'],
  ['<x', 'a:: PHg=\n'],
  ['#x', 'a: #x\n'],
  ['trail ', 'a:: dHJhaWwg\n'],
  [' ', 'a:: IA==\n'],
  ['two\nlines', 'a:: dHdvCmxpbmVz\n'],
  ['cr\r', 'a:: Y3IN\n'],
  ['ü', 'a:: w7w=\n'],
  ['\u0000', 'a:: AA==\n'],
  [Uint8Array.of(0xff), 'a:: /w==\n'],
])('the value %j is written as %j', (value, line) => {
  expect(formatLdifLine('a', value)).toBe(line);
});

test('long lines are folded at 76 columns and read back', () => {
  const value = 'x'.repeat(500);
  const text = formatLdifEntry(parseDn('cn=a'), [{ name: 'description', values: [value, 'ü'.repeat(300)] }]);
  expect(text.split('\n').every((line) => line.length <= 76)).toBe(true);
  expect(parseLdif(text)[0]).toMatchObject({ attributes: [{ values: [value, 'ü'.repeat(300)] }] });
});

/** The text of values and names alone. */
const told = (records: readonly LdifRecord[]): string => JSON.stringify(comparable(records));

test.each([1, 2, 3, 7, 64, 1000])('pieces of %d octets give the same records as the whole', async (size) => {
  const octets = Buffer.from(`\ufeff${everything}\n\ndn: cn=ä\ncn: größer\n als vorher`.replaceAll('\n', '\r\n'));
  const pieces: Buffer[] = [];
  for (let at = 0; at < octets.length; at += size) pieces.push(octets.subarray(at, at + size));
  const streamed: LdifRecord[] = [];
  for await (const record of readLdif(pieces)) streamed.push(record);
  expect(told(streamed)).toBe(told(parseLdif(octets)));
  expect(streamed.at(-1)).toMatchObject({ attributes: [{ name: 'cn', values: ['größerals vorher'] }] });
});

test('a fold may cut a character, and octets that are not UTF-8 stay octets', () => {
  const cut = Buffer.concat([
    Buffer.from('dn: cn=a\ncn: gr'),
    Buffer.of(0xc3, 0x0a, 0x20, 0xb6),
    Buffer.from('n\nsn: '),
    Buffer.of(0xff, 0x41),
  ]);
  expect(parseLdif(cut)[0]).toMatchObject({ attributes: [{ values: ['grön'] }, { values: [Uint8Array.of(0xff, 0x41)] }] });
  expect(() => parseLdif(Buffer.from('fffe64006e00', 'hex'))).toThrow(/UTF-16/);
});

test('comments anywhere, blank lines in plenty, version in front of every part of a file put together', () => {
  const text = '#a\n b\n\n\nversion: 1\n#x\ndn: cn=a\n# in\n  side\ncn: x\n\n\n\n# alone\n\nversion: 1\ndn: cn=b\ncn: y';
  expect(parseLdif(text)).toMatchObject([
    { line: 7, attributes: [{ values: ['x'] }] },
    { line: 17, attributes: [{ values: ['y'] }] },
  ]);
  expect(parseLdif('')).toEqual([]);
  expect(parseLdif('version: 1\n')).toEqual([]);
});

test('behind a broken record reading goes on, whatever was wrong with it', async () => {
  const found: string[] = [];
  const text = 'dn: cn=a\ncn: x\n\ndn: nonsense\ncn: y\n\n orphan\n\ndn: cn=b\ncn: z\n\ndn: cn=c\ncn:: *\n';
  for await (const record of readLdifTolerant([Buffer.from(text)], { file: 'x.ldif' }))
    found.push(record.kind === 'broken' ? record.fault.say : record.dn.toString());
  expect(found).toEqual([
    'cn=a',
    expect.stringMatching(/^x\.ldif:4: nonsense: invalid DN/),
    'x.ldif:7: a continuation line has nothing to continue',
    'cn=b',
    'x.ldif:13: cn=c: the value is not base64',
  ]);
});

test('a line without an end is given up at the limit, in little memory, and the next record is read', async () => {
  const megabyte = Buffer.alloc(1_048_576, 0x61);
  async function* endless(): AsyncGenerator<Buffer> {
    yield Buffer.from('dn: cn=a\ncn: ');
    for (let n = 0; n < 300; n++) yield megabyte;
    yield Buffer.from('\n\ndn: cn=b\ncn: y\n');
  }
  const found: string[] = [];
  for await (const record of readLdifTolerant(endless(), { maxRecord: 2_000_000 }))
    found.push(record.kind === 'broken' ? `${record.fault.kind} ${record.fault.say}` : record.dn.toString());
  expect(found).toEqual(['too-large line 2: the record is larger than 2000000 octets', 'cn=b']);
});

test('octets are written in base64 only where text would not do', () => {
  expect(formatLdifLine('a', Buffer.from('plain'))).toBe('a: plain\n');
  expect(formatLdifLine('a', Buffer.from(' x'))).toBe('a:: IHg=\n');
});
