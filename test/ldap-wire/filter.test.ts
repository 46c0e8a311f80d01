import { expect, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import {
  BerReader,
  BerWriter,
  decodeRequest,
  encodeRequest,
  escapeFilterValue,
  type Filter,
  filterLimits,
  formatFilter,
  parseFilter,
} from '../../src/ldap-wire/index.ts';

const search = (filter: Filter) =>
  ({
    op: 'search',
    base: '',
    scope: 'sub',
    derefAliases: 0,
    sizeLimit: 0,
    timeLimit: 0,
    typesOnly: false,
    filter,
    attributes: [],
  }) as const;

test.each([
  '',
  'cn=x',
  '(',
  '()',
  '(cn)',
  '(=x)',
  '(cn=x',
  '(cn=x))',
  '(&(cn=x)',
  '(!)',
  '(!(a=b)(c=d))',
  '(cn=a(b)',
  '(cn=\\2)',
  '(cn=\\zz)',
  '(cn>=a*)',
  '(cn:=a*)',
  '(:=x)',
  '(:dn:=x)',
  '(c n=x)',
  '(cn=\u0000)',
  '(cn:dn:a b:=x)',
])('the malformed filter %j is refused with a position', (text) => {
  expect(() => parseFilter(text)).toThrow(Fault);
  expect(() => parseFilter(text)).toThrow(/position \d+/);
});

test('a filter that is nested too deep, or too wide, is refused', () => {
  const deep = (n: number): string => `${'(!'.repeat(n)}(a=b)${')'.repeat(n)}`;
  expect(() => parseFilter(deep(100_000 / 4))).toThrow(/nested/);
  expect(parseFilter(deep(filterLimits.depth - 1)).type).toBe('not');
  expect(() => parseFilter(`(|${'(a=b)'.repeat(filterLimits.elements)})`)).toThrow(/components/);
  expect(() => parseFilter(`(a=${'x'.repeat(filterLimits.length)})`)).toThrow(/longer/);
});

test.each([
  ['(cn=Ünë)', '(cn=\\c3\\9cn\\c3\\ab)'],
  ['(&(objectClass=person)(|(sn=a)(cn=b*)))', undefined],
  ['(o=univ*of*mich*)', undefined],
  ['(seeAlso=)', undefined],
  ['(cn:caseExactMatch:=a b)', undefined],
  ['(cn:=b)', undefined],
  ['(sn:dn:2.4.6.8.10:=c)', undefined],
  ['(o:dn:=ace)', undefined],
  ['(:1.2.3:=d)', undefined],
  ['(:DN:2.4.6.8.10:=d)', '(:dn:2.4.6.8.10:=d)'],
  ['(o=a \\28b\\29)', undefined],
  ['(cn=*\\2a*)', undefined],
  ['(bin=\\00\\00\\00\\04)', undefined],
  ['(1.3.6.1.4.1.1466.0=\\04\\02\\48\\69)', '(1.3.6.1.4.1.1466.0=\\04\\02Hi)'],
  ['(cn;lang-en=*)', undefined],
  ['(a~=b)', undefined],
  ['(a>=1)', undefined],
  ['(a<=1)', undefined],
  ['(&)', undefined],
  ['(|)', undefined],
  ['(cn=**)', '(cn=*)'],
  ['(cn=a**b)', '(cn=a*b)'],
  [' ( & (a=b)\n\t(c=d) ) ', '(&(a=b)(c=d))'],
])('%j survives text and BER', (text, written = text) => {
  const filter = parseFilter(text);
  expect(formatFilter(filter)).toBe(written);
  const decoded = decodeRequest(encodeRequest(1, search(filter))).body;
  expect(decoded.op === 'search' && formatFilter(decoded.filter)).toBe(written);
});

/** A search request around hand-made filter octets. */
function around(filter: Uint8Array): Buffer {
  const writer = new BerWriter();
  const message = writer.begin();
  writer.integer(7);
  const op = writer.begin(0x63);
  writer.text('').integer(2, 0x0a).integer(0, 0x0a).integer(0).integer(0).boolean(false).raw(filter);
  const list = writer.begin();
  return writer.end(list).end(op).end(message).done();
}

test.each([
  ['an unknown sort', Buffer.from('aa00', 'hex')],
  ['a substring without pieces', Buffer.from('a40504016130 00'.replace(' ', ''), 'hex')],
  ['an empty piece', Buffer.from('a4070401613002 8000'.replace(' ', ''), 'hex')],
  ['initial behind any', Buffer.from('a40b04016130068101618001 62'.replace(' ', ''), 'hex')],
  ['something behind final', Buffer.from('a40b0401613006820161810162', 'hex')],
  ['an extensible match with neither attribute nor rule', Buffer.from('a9038301 61'.replace(' ', ''), 'hex')],
  ['a not without a filter', Buffer.from('a200', 'hex')],
])('a BER filter with %s is answered with protocolError', (_, octets) => {
  expect(() => decodeRequest(around(octets))).toThrow(expect.objectContaining({ name: 'BadRequest', id: 7, operation: 'search' }));
});

test('a BER filter nested a hundred thousand deep ends in a refusal', () => {
  let octets: Buffer = Buffer.from('870161', 'hex');
  const headers: Buffer[] = [];
  for (let length = octets.length, n = 0; n < 100_000; n++) {
    const header = new BerWriter(8).octets(new Uint8Array(0), 0xa2).done();
    const size =
      length < 0x80 ? Buffer.from([length]) : Buffer.from([0x84, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255]);
    headers.push(Buffer.concat([header.subarray(0, 1), size]));
    length += 1 + size.length;
  }
  octets = Buffer.concat([...headers.reverse(), octets]);
  expect(() => decodeRequest(around(octets))).toThrow(/nested/);
});

test('escaping leaves plain text alone and spells everything else', () => {
  expect(escapeFilterValue('plain text')).toBe('plain text');
  expect(escapeFilterValue('a*(b)\\')).toBe('a\\2a\\28b\\29\\5c');
  expect(escapeFilterValue(Uint8Array.of(0, 255, 65))).toBe('\\00\\ffA');
});

test('a reader hands out views and a filter copies', () => {
  const octets = Buffer.from('a306040161040162', 'hex');
  expect(new BerReader(octets).element().length).toBe(octets.length);
});
