import { expect, test } from '@jest/globals';
import { openTemporary, testSchema } from './support.ts';

const schema = testSchema();
const rule = (name: string) => {
  const found = schema.rule(name);
  if (!found) throw new Error(`no rule ${name}`);
  return found;
};

type Result = 'same' | 'other' | 'undefined';
/** What the assertion is to the value by the rule. */
function compare(name: string, value: string | Uint8Array, assertion: string | Uint8Array): Result {
  const { normalise, assertion: asserted, compare: order } = rule(name);
  const [a, b] = [normalise(value), asserted(assertion)];
  return a === undefined || b === undefined ? 'undefined' : order(a, b) === 0 ? 'same' : 'other';
}

const equal: [rule: string, value: string, assertion: string, result: Result][] = [
  // RFC 4518 §2.2: case folding, characters mapped to nothing and to a space.
  ['caseIgnoreMatch', 'Barbara Jensen', 'barbara JENSEN', 'same'],
  ['caseIgnoreMatch', 'Straße', 'STRASSE', 'same'],
  ['caseIgnoreMatch', 'ΟΔΥΣΣΕΥΣ', 'οδυσσευς', 'same'],
  ['caseIgnoreMatch', 'İstanbul', 'i̇stanbul', 'same'],
  ['caseIgnoreMatch', 'ı', 'i', 'other'],
  ['caseIgnoreMatch', 'soft\u00adhyphen', 'softhyphen', 'same'],
  ['caseIgnoreMatch', 'zero\u200bwidth', 'zerowidth', 'same'],
  ['caseIgnoreMatch', 'a\u0000b\u0007', 'ab', 'same'],
  ['caseIgnoreMatch', 'a\tb\nc\u0085d\u2028e\u3000f', 'a b c d e f', 'same'],
  // §2.3: NFKC.
  ['caseIgnoreMatch', 'Müller', 'Mu\u0308ller', 'same'],
  ['caseIgnoreMatch', 'ﬁle № ①', 'FILE NO 1', 'same'],
  ['caseIgnoreMatch', 'ＡＢＣ', 'abc', 'same'],
  ['caseIgnoreMatch', 'Å', 'Å', 'same'],
  // §2.4: prohibited characters take part in no match.
  ['caseIgnoreMatch', 'a\ue000', 'a', 'undefined'],
  ['caseIgnoreMatch', 'a', 'a\ufffd', 'undefined'],
  ['caseIgnoreMatch', 'a\u{1fffe}', 'a', 'undefined'],
  ['caseIgnoreMatch', '日本語 🙂', '日本語  🙂 ', 'same'],
  // §2.6.1: spaces.
  ['caseIgnoreMatch', '  foo   bar ', 'foo bar', 'same'],
  ['caseIgnoreMatch', 'foobar', 'foo bar', 'other'],
  ['caseIgnoreMatch', '   ', ' ', 'same'],
  // A space that carries a mark is no space: U+00A8 becomes one.
  ['caseIgnoreMatch', '\u00a8a', '\u0308a', 'other'],
  ['caseIgnoreMatch', 'x  \u0308', 'x \u0308', 'other'],
  ['caseIgnoreMatch', 'x', '', 'undefined'],
  ['caseExactMatch', 'Foo  Bar', 'Foo Bar', 'same'],
  ['caseExactMatch', 'Foo', 'foo', 'other'],
  ['caseIgnoreIA5Match', 'User@Example.COM', 'user@example.com', 'same'],
  ['caseIgnoreIA5Match', 'u', 'ü', 'undefined'],
  ['caseExactIA5Match', '/home/x', '/home/X', 'other'],
  ['caseExactIA5Match', '', '', 'same'],
  // §2.6.2, §2.6.3.
  ['numericStringMatch', '15 079 672 281', '15079672281', 'same'],
  ['numericStringMatch', '15', '1a', 'undefined'],
  ['telephoneNumberMatch', '+1 313 555-2333', '+13135552333', 'same'],
  ['telephoneNumberMatch', '+1-313-555-2333', '+1 313 5552333', 'same'],
  ['telephoneNumberMatch', '+1 EXT 3', '+1ext3', 'same'],
  ['telephoneNumberMatch', '+1', '+1#', 'undefined'],
  // RFC 4517 §4.2.9: line by line, escapes read.
  ['caseIgnoreListMatch', '1234 Main St.$Anytown, CA 12345$USA', '1234 main st. $ anytown,  ca 12345 $usa', 'same'],
  ['caseIgnoreListMatch', 'a$b', 'a b', 'other'],
  ['caseIgnoreListMatch', 'a\\24b', 'A\\24B', 'same'],
  ['caseIgnoreListMatch', 'a\\24b', 'a$b', 'other'],
  ['caseIgnoreListMatch', 'a\\5cb', 'a\\5Cb', 'same'],
  ['caseIgnoreListMatch', 'a', 'a$$b', 'undefined'],
  // §4.2.15: each attribute by its own rule, whatever it is called.
  ['distinguishedNameMatch', 'cn=John  Smith,dc=Example', 'CommonName = john smith , DC=example', 'same'],
  ['distinguishedNameMatch', 'ou=Sales+cn=J. Smith,dc=x', 'CN=j. smith+OU=sales,dc=x', 'same'],
  ['distinguishedNameMatch', '2.5.4.3=a', 'cn=A', 'same'],
  ['distinguishedNameMatch', 'cn=a\\2cb', 'cn=a\\,b', 'same'],
  ['distinguishedNameMatch', 'cn=#04024869', 'cn=Hi', 'same'],
  ['distinguishedNameMatch', 'cn=a,dc=b', 'cn=a', 'other'],
  ['distinguishedNameMatch', 'telephoneNumber=+1 23-4,dc=x', 'telephoneNumber=\\+1234,dc=x', 'undefined'],
  ['distinguishedNameMatch', 'telephoneNumber=\\+1 23-4,dc=x', 'telephoneNumber=\\+1234,dc=x', 'same'],
  ['distinguishedNameMatch', 'labeledURI=http://a/B', 'labeledURI=http://a/b', 'other'],
  ['distinguishedNameMatch', 'labeledURI=http://a/B', 'LabeledUri=http://a/B', 'same'],
  ['distinguishedNameMatch', 'member=cn\\=A', 'member=CN\\=a', 'same'],
  ['distinguishedNameMatch', 'cn=a', 'cn', 'undefined'],
  ['distinguishedNameMatch', '', '', 'same'],
  // §4.2.31: with the identifier or without, but alike.
  ['uniqueMemberMatch', "cn=A,dc=b#'01'B", "CN=a, dc=B#'01'B", 'same'],
  ['uniqueMemberMatch', "cn=a#'01'B", 'cn=a', 'other'],
  ['uniqueMemberMatch', 'cn=a', "cn=a#'01'B", 'other'],
  ['uniqueMemberMatch', "cn=a#'01'B", "cn=a#'010'B", 'other'],
  // §4.2.3, §4.2.19, §4.2.1.
  ['booleanMatch', 'TRUE', 'TRUE', 'same'],
  ['booleanMatch', 'TRUE', 'FALSE', 'other'],
  ['booleanMatch', 'TRUE', 'true', 'undefined'],
  ['integerMatch', '-42', '-42', 'same'],
  ['integerMatch', '42', '042', 'undefined'],
  ['bitStringMatch', "'01'B", "'01'B", 'same'],
  ['bitStringMatch', "'01'B", "'010'B", 'other'],
  // §4.2.16: the same moment, however it is written.
  ['generalizedTimeMatch', '199412161032Z', '199412160532-0500', 'same'],
  ['generalizedTimeMatch', '20050304001801.2340Z', '20050304001801,234Z', 'same'],
  ['generalizedTimeMatch', '20050304001801.2341Z', '20050304001801.2342Z', 'other'],
  ['generalizedTimeMatch', '2005030400.5Z', '200503040030Z', 'same'],
  ['generalizedTimeMatch', '200503040000.25Z', '20050304000015Z', 'same'],
  ['generalizedTimeMatch', '20161231235960Z', '20170101000000Z', 'other'],
  ['generalizedTimeMatch', '00010101000000Z', '19010101000000Z', 'other'],
  ['generalizedTimeMatch', '2005Z', '2005Z', 'undefined'],
  // §4.2.26: names and numbers are equal; a name nobody knows is Undefined, a number is just another one.
  ['objectIdentifierMatch', 'person', '2.5.6.6', 'same'],
  ['objectIdentifierMatch', 'commonName', 'cn', 'same'],
  ['objectIdentifierMatch', 'person', 'noSuchClass', 'undefined'],
  ['objectIdentifierMatch', 'person', '1.9.9', 'other'],
  ['objectIdentifierFirstComponentMatch', "( 2.5.4.3 NAME 'cn' )", 'commonName', 'same'],
  ['objectIdentifierFirstComponentMatch', "(2.5.4.3 NAME 'cn')", '2.5.4.3', 'same'],
  ['objectIdentifierFirstComponentMatch', "( 2.5.4.3 NAME 'cn' )", 'sn', 'other'],
  ['objectIdentifierFirstComponentMatch', "( 2.5.13.2 NAME 'caseIgnoreMatch' )", 'CaseIgnoreMatch', 'same'],
  ['integerFirstComponentMatch', '( 2 FORM 2.5.15.3 )', '2', 'same'],
  ['integerFirstComponentMatch', '( 2 FORM 2.5.15.3 )', '3', 'other'],
  ['directoryStringFirstComponentMatch', "( 'Some Name' 5 )", 'some  name', 'same'],
  ['UUIDMatch', '597ae2f6-16a6-1027-98f4-abcdefABCDEF', '597AE2F6-16a6-1027-98f4-ABCDEFabcdef', 'same'],
  ['CSNMatch', '20050304001801.123456Z#000000#000#00000a', '20050304001801.123456Z#000000#000#00000A', 'same'],
  ['octetStringMatch', 'Abc', 'Abc', 'same'],
  ['octetStringMatch', 'Abc', 'abc', 'other'],
  // §4.2.32, §4.2.21.
  ['wordMatch', 'The quick brown fox', 'QUICK', 'same'],
  ['wordMatch', 'The quick brown fox', 'quic', 'other'],
  ['keywordMatch', 'mail,directory;calendar', 'Directory', 'same'],
  ['keywordMatch', 'mail,directory;calendar', 'direct', 'other'],
  ['integerBitAndMatch', '13', '9', 'same'],
  ['integerBitAndMatch', '13', '3', 'other'],
  ['integerBitOrMatch', '12', '6', 'same'],
  ['integerBitOrMatch', '12', '3', 'other'],
];

test.each(equal)('%s: %j against %j is %s', async (name, value, assertion, result) => {
  await named;
  expect(compare(name, value, assertion)).toBe(result);
});

/** Opening a directory puts its schema in force for names. */
const named = openTemporary().then((opened) => opened.close());

test('assertions come as octets; what is not UTF-8 is Undefined', () => {
  expect(compare('caseIgnoreMatch', 'Ä', Buffer.from('ä'))).toBe('same');
  expect(compare('caseIgnoreMatch', 'Ä', Uint8Array.of(0xe4))).toBe('undefined');
  expect(compare('octetStringMatch', Uint8Array.of(0xe4), Uint8Array.of(0xe4))).toBe('same');
});

const ordered: [rule: string, values: string[]][] = [
  ['caseIgnoreOrderingMatch', ['A a', 'aa', 'B', 'Z', 'ä', '日']],
  ['caseExactOrderingMatch', ['A', 'B', 'a', 'b', 'ä']],
  ['integerOrderingMatch', [`-${'9'.repeat(40)}`, '-10', '-9', '0', '9', '10', '9'.repeat(40)]],
  ['numericStringOrderingMatch', ['1', '1 0', '2', '2 1']],
  [
    'generalizedTimeOrderingMatch',
    [
      '00000101000000Z',
      '19691231235959.999Z',
      '1970010100Z',
      '197001010000.001Z',
      '20161231235959.999Z',
      '20161231235960Z',
      '20161231235960.5Z',
      '20170101000000Z',
      '20170101000000.25Z',
      '20170101000000.5Z',
      '20170101010000+0000',
      '99991231235959-2359',
    ],
  ],
  ['octetStringOrderingMatch', ['a', 'aa', 'b']],
  [
    'UUIDOrderingMatch',
    ['00000000-0000-0000-0000-000000000000', 'aaaaaaaa-0000-0000-0000-000000000000', 'BAAAAAAA-0000-0000-0000-000000000000'],
  ],
  [
    'CSNOrderingMatch',
    ['20050304001801.000001Z#000000#000#000000', '20050304001801.000001Z#000001#000#000000', '20050304001802.000000Z#000000#000#000000'],
  ],
];

test.each(ordered)('%s puts values in order', (name, values) => {
  const { normalise, compare: order } = rule(name);
  const forms = values.map((value) => normalise(value) ?? 'undefined');
  for (const [n, form] of forms.entries())
    for (const [m, other] of forms.entries())
      expect([values[n], values[m], Math.sign(order(form, other))]).toEqual([values[n], values[m], Math.sign(n - m)]);
});

test('preparing what is prepared changes nothing', () => {
  for (const text of ['  A  b ', 'ǅ ß ﬁ', '\u00a8 \u0308x', 'x \u200b y', 'Ⅷ İ ŉ ͅ', '½ ㎏']) {
    const once = rule('caseIgnoreMatch').normalise(text) ?? '';
    expect(rule('caseIgnoreMatch').normalise(once)).toBe(once);
  }
});
