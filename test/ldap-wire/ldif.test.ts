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
} from '../../src/ldap-wire/index.ts';

test.each([
  ['cn: x\n', /line 1: "dn:" is expected/],
  ['version: 2\n', /line 1: only LDIF version 1/],
  ['dn: nonsense\ncn: x\n', /line 1.*position 0/],
  ['dn: cn=a\ncn\n', /line 2, entry "cn=a": an attribute/],
  ['dn: cn=a\ncn:: ***\n', /line 2, entry "cn=a": the value is not base64/],
  ['dn: cn=a\ncn:: YQ\n', /not base64/],
  ['dn: cn=a\nc n: x\n', /not an attribute description/],
  [' dn: cn=a\n', /line 1: a continuation line/],
  ['dn: cn=a\n\n continued\n', /line 3: a continuation line/],
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
  for await (const record of readLdif(text.split('\n'))) streamed.push(record);
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
