import { expect, test } from '@jest/globals';
import { testSchema } from './support.ts';

const schema = testSchema();
const arc = '1.3.6.1.4.1.1466.115.121.1.';
const syntaxOf = (oid: string) => {
  const full = oid.includes('.') ? oid : arc + oid;
  const found = schema.parts.syntaxes.find((syntax) => syntax.oid === full);
  if (!found) throw new Error(`no syntax ${oid}`);
  return found;
};
const der = (...content: number[]): Uint8Array => Uint8Array.from([0x30, content.length, ...content]);
const octets = (...all: number[]): Uint8Array => Uint8Array.from(all);

type Value = string | Uint8Array;
/** Syntax, values it takes, values it refuses. Examples of RFC 4517 first. */
const table: [name: string, oid: string, good: Value[], bad: Value[]][] = [
  ['Bit String', '6', ["'0101111101'B", "''B", "'0'B"], ['0101', "'0102'B", "'01'b", "'01'B ", "'01", '']],
  ['Boolean', '7', ['TRUE', 'FALSE'], ['true', 'False', '1', 'yes', '', ' TRUE']],
  ['Certificate', '8', [der(0x30, 0)], [octets(), octets(0x30), octets(0x30, 3, 0), octets(0x31, 0), octets(0x30, 0x80, 0, 0)]],
  ['Country String', '11', ['US', 'AU', 'de'], ['USA', 'U', '', 'Ü1', 'u*', '日本']],
  [
    'DN',
    '12',
    [
      '',
      'UID=jsmith,DC=example,DC=net',
      'OU=Sales+CN=J. Smith,DC=example,DC=net',
      'CN=John Smith\\, III,DC=example,DC=net',
      'CN=Before\\0dAfter,DC=example,DC=net',
      '1.3.6.1.4.1.1466.0=#04024869,DC=example,DC=com',
      'CN=Lu\\C4\\8Di\\C4\\87',
      'UID=jsmith, O=example, C=US',
    ],
    ['cn', 'cn=a,', 'uid;x-option=jsmith', 'at_tr=jsmith', '1..1=jsmith', '01.1=jsmith', '1.1.1=#GG', '1.1.1=#000', 'UID=john\\Fsmith'],
  ],
  ['Delivery Method', '14', ['telephone $ videotex', 'any', 'MHS$physical'], ['', 'letter', 'any,mhs', 'any $', '$any']],
  ['Directory String', '15', ['This is a value of Directory String containing #!%#@.', ' ', '日本語', '\u0000', '🙂'], ['']],
  [
    'Enhanced Guide',
    '21',
    ['person#(sn$EQ)#oneLevel', ' 2.5.6.6 # cn$SUBSTR&!(sn$EQ|?true) # wholeSubtree', 'person#?false#baseobject'],
    ['', 'person#sn$EQ', 'person##oneLevel', 'person#sn$EQ#sub', '#sn$EQ#oneLevel', 'person#(sn$EQ#oneLevel', 'person#sn$NE#oneLevel'],
  ],
  ['Facsimile Telephone Number', '22', ['+1 313 555 2274', '+1$twoDimensional$b4Width'], ['', '$a3Width', '+1$colour', '+1$', 'é']],
  [
    'Generalized Time',
    '24',
    [
      '199412161032Z',
      '199412160532-0500',
      '20050304001801.234Z',
      '2005030400,5Z',
      '200503040018.25+01',
      '20161231235960Z',
      '20000229000000Z',
      '00010101000000Z',
      '20050304001801.123456789012345Z',
      '99991231235959-2359',
    ],
    [
      '199402311032Z',
      '19000229000000Z',
      '199412161032',
      '1994121610Z ',
      '19941216Z',
      '199413161032Z',
      '199412162432Z',
      '199412161060Z',
      '19941216103261Z',
      '199412161032.Z',
      '199412161032+2400',
      '199412161032+1',
      'z',
      '',
    ],
  ],
  [
    'Guide',
    '25',
    ['person#sn$EQ', 'cn$APPROX', '!!?true', '(a$GE)|(b$LE)&c$EQ'],
    ['', 'person#', 'cn', 'cn$EQ)', 'cn$EQ|', '()', 'a#b#c$EQ'],
  ],
  ['IA5 String', '26', ['', 'user@example.com', '\u007f\u0000'], ['é', '\u0080', 'ＡＢ']],
  ['INTEGER', '27', ['1321', '0', '-7', '9'.repeat(1000)], ['042', '-0', '+1', '', ' 1', '1.0', '0x1', '٣', '9'.repeat(1001)]],
  ['JPEG', '28', [octets(0xff, 0xd8, 0xff, 0xe0)], [octets(), octets(0x89, 0x50)]],
  [
    'Name And Optional UID',
    '34',
    [
      "1.3.6.1.4.1.1466.0=#04024869,O=Test,C=GB#'0101'B",
      " cn = a #'1'B ",
      'cn=a',
      "#'1'B",
      "dc=example,dc=com#''B",
      "dc=example,dc=com#0'B",
    ],
    ["#'1234'B", "cn#'1'B", "x#'1'B"],
  ],
  ['Numeric String', '36', ['15 079 672 281', ' ', '0'], ['', '1-2', '+1', '１']],
  ['OID', '38', ['1.2.3.4', 'cn', '0.9.2342', 'x-y-1'], ['1', '1.', '1..2', '01.2', '1.02', 'c_n', '1a', '', 'cn;binary']],
  ['Other Mailbox', '39', ['MCIMail$1234', 'internet$a@b$c', 'x$'], ['$x', 'x', 'mcï$1', 'x$é', '']],
  [
    'Postal Address',
    '41',
    [
      '1234 Main St.$Anytown, CA 12345$USA',
      '\\241,000,000 Sweepstakes$PO Box 1000000$Anytown, CA 12345$USA',
      'Straße 1 $ 日本',
      'a\\5cb\\5C',
    ],
    ['', 'a$$b', 'a$', '$a', 'a\\b', 'a\\2', 'a\\25'],
  ],
  ['Printable String', '44', ["This is a PrintableString. (a)'+,-./:?="], ['', 'a*', 'a_b', 'a@b', 'é', 'a\n']],
  ['Subtree Specification', '45', ['{}', ' { minimum 1 } '], ['', '{', 'x{}']],
  ['Telephone Number', '50', ['+1 512 315 0280', '+1-512-315-0280', '+61 3 9896 7830'], ['', '+1#2', '１２', '+1*']],
  [
    'Teletex Terminal Identifier',
    '51',
    ['415-555', 'a$graphic:x$private:\u0000\\24', 'a$page:'],
    ['', '$page:x', 'a$size:1', 'a$page', 'a$misc:\\'],
  ],
  ['Telex Number', '52', ['12345$023$ABCDE'], ['12345$023', '1$2$3$4', '$$', '1$2$é', '']],
  [
    'UTC Time',
    '53',
    ['930106182800Z', '9301061828Z', '9301061828', '9301061828-0500', '000229000000Z'],
    ['9313061828Z', '930231000000Z', '93010618Z', '010229000000Z', ''],
  ],
  ['Substring Assertion', '58', ['*', 'a*', '*a*b*', 'a\\2Ab*c'], ['', 'a', '**', 'a*\\2', 'a\\b*']],
  [
    'UUID',
    '1.3.6.1.1.16.1',
    ['597ae2f6-16a6-1027-98f4-abcdefABCDEF'],
    ['597ae2f616a6102798f4abcdefabcdef', '597ae2f6-16a6-1027-98f4-abcdefABCDEg', ''],
  ],
  [
    'CSN',
    '1.3.6.1.4.1.4203.666.11.2.1',
    ['20050304001801.123456Z#000000#000#000000', '20050304001801Z#0000ff#00#000000'],
    ['20050304001801.1Z#000000#000#000000', '', '20050304001801.123456Z#0#0#0'],
  ],
  [
    'NIS Netgroup Triple',
    '1.3.6.1.1.1.0.0',
    ['(host,user,domain)', '(,,)', '(-,-,-)', '(host,,)'],
    ['', '(a,b)', '(a,b,c,d)', 'a,b,c', '((a,b,c)', '(é,,)'],
  ],
  ['Boot Parameter', '1.3.6.1.1.1.0.1', ['root=server:/export/root', 'key=:path', 'a=b:'], ['', 'root', '=a:b', 'root=server', 'root=é:x']],
];

const rows = table.flatMap(([name, oid, good, bad]) => [
  ...good.map((value) => [name, oid, value, true] as const),
  ...bad.map((value) => [name, oid, value, false] as const),
]);

test.each(rows)('%s (%s): %j is well formed: %s', (_name, oid, value, well) => {
  expect(syntaxOf(oid).check(value)).toBe(well);
});

test('text in a binary syntax and octets in a textual one are never well formed', () => {
  for (const syntax of schema.parts.syntaxes)
    expect([syntax.name, syntax.check(syntax.textual ? octets(0x30, 0) : '0')]).toEqual([syntax.name, false]);
});

test('every syntax that the shipped schemas use is one this server checks', () => {
  const known = new Set(schema.parts.syntaxes.map((syntax) => syntax.oid));
  for (const type of schema.parts.attributeTypes) expect([type.name, known.has(type.syntax.oid)]).toEqual([type.name, true]);
});

/** What a hostile client would send to make a check slow: long runs that nearly match. */
const hostile = [
  ...["'0", '(', '!', ' ', '\\', '$', '#', 'a$', '((((a$EQ', 'a=b:', '1.', '00', '(,', "#'0", '\\24', '*a', '-', '{', 'cn=a,', 'é'].map(
    (unit) => unit.repeat(Math.ceil(100_000 / unit.length)),
  ),
  `'${'0'.repeat(100_000)}`,
  `20050304001801.${'9'.repeat(100_000)}Z`,
  `2005030400.${'9'.repeat(100_000)}Z`,
  `${'('.repeat(50_000)}a$EQ${')'.repeat(50_000)}`,
  `x${' '.repeat(100_000)}x`,
];

test('values of 100,000 characters that nearly match are judged in no time: nothing is quadratic', () => {
  // A quadratic check would take minutes here, and the runner ends a test long before.
  for (const value of hostile)
    for (const syntax of schema.parts.syntaxes)
      expect(typeof syntax.check(syntax.textual ? value : new Uint8Array(Buffer.from(value)))).toBe('boolean');
});
