import { expect, test } from '@jest/globals';
import { addressKey, formatAddress, needsUtf8, normalizeAddress, parseAddress, parseAddressList, parsePath } from '../../src/mail/index.ts';

test.each([
  '',
  '@',
  'a@',
  '@example.org',
  'a',
  'a@b@example.org',
  '.a@example.org',
  'a.@example.org',
  'a..b@example.org',
  'a b@example.org',
  'a@exa mple.org',
  'a@-example.org',
  'a@example-.org',
  'a@example..org',
  'a@.example.org',
  'a@example.org.',
  'a@[1.2.3]',
  'a@[1.2.3.4',
  'a@[IPv6:::zz]',
  'a@[IPv6:fe80::1%eth0]',
  '"a@example.org',
  '""@example.org',
  '"a"b@example.org',
  '"a\nb"@example.org',
  'a\r\nRCPT TO:<x@y.z>@example.org',
  'a\0@example.org',
  'a@exam\u2028ple.org',
  'a\u0085b@example.org',
  `${'a'.repeat(65)}@example.org`,
  `${'ö'.repeat(33)}@example.org`,
  `a@${'a'.repeat(64)}.org`,
  `a@${'a.'.repeat(127)}org`,
  '<a@example.org>',
  'a@example.org\n',
  'a@example.org\r\n',
  'a@exa\tmple.org',
  'a@ex%61mple.org',
  'a@bücher.exam\nple',
  'a@bü%41cher.example',
  'a@bü/cher.example',
  `"${'a'.repeat(63)}"@example.org`,
])('%j is no address', (text) => {
  expect(parseAddress(text)).toBeUndefined();
  expect(normalizeAddress(text)).toBeUndefined();
});

test.each([
  ['Ann@Example.ORG', 'Ann@example.org', 'ann@example.org'],
  ['"ann"@example.org', 'ann@example.org', 'ann@example.org'],
  ['"ann smith"@example.org', '"ann smith"@example.org', '"ann smith"@example.org'],
  ['"a\\"b"@example.org', '"a\\"b"@example.org', '"a\\"b"@example.org'],
  ['"a@b"@example.org', '"a@b"@example.org', '"a@b"@example.org'],
  ["o'neil+x/y=z@example.org", "o'neil+x/y=z@example.org", "o'neil+x/y=z@example.org"],
  ['a@[192.0.2.1]', 'a@[192.0.2.1]', 'a@[192.0.2.1]'],
  ['a@[IPV6:2001:DB8::1]', 'a@[IPv6:2001:db8::1]', 'a@[ipv6:2001:db8::1]'],
  ['ann@BÜCHER.example', 'ann@xn--bcher-kva.example', 'ann@xn--bcher-kva.example'],
  ['ÄNNE@example.org', 'ÄNNE@example.org', 'änne@example.org'],
  ['a\u0308nne@example.org', 'a\u0308nne@example.org', 'änne@example.org'],
  ['用户@例子.example', '用户@xn--fsqu00a.example', '用户@xn--fsqu00a.example'],
  ['a@localhost', 'a@localhost', 'a@localhost'],
])('%j is written %j and compared as %j', (text, normal, key) => {
  expect(normalizeAddress(text)).toBe(normal);
  expect(normalizeAddress(normal)).toBe(normal);
  expect(addressKey(text)).toBe(key);
});

test('a quoted local part is held as what it means', () => {
  expect(parseAddress('"a\\ \\"b"@example.org')).toEqual({ local: 'a "b', domain: 'example.org' });
  expect(formatAddress({ local: 'a "b', domain: 'example.org' })).toBe('"a \\"b"@example.org');
});

test('only a local part beyond ASCII needs SMTPUTF8', () => {
  expect(needsUtf8('ann@bücher.example')).toBe(false);
  expect(needsUtf8('änne@example.org')).toBe(true);
});

test.each([
  ['<>', { address: '', rest: '' }],
  ['<> BODY=8BITMIME', { address: '', rest: 'BODY=8BITMIME' }],
  ['<a@example.org> SIZE=1', { address: 'a@example.org', rest: 'SIZE=1' }],
  ['a@example.org SIZE=1', { address: 'a@example.org', rest: 'SIZE=1' }],
  ['<@one.example,@two.example:a@example.org>', { address: 'a@example.org', rest: '' }],
  ['<Postmaster>', { address: 'postmaster', rest: '' }],
  ['<"a>b"@example.org> X', { address: '"a>b"@example.org', rest: 'X' }],
  ['<a@example.org>SIZE=1', undefined],
  ['<a@example.org', undefined],
  ['<a>', undefined],
  ['', undefined],
  [`<${'x'.repeat(100_000)}`, undefined],
])('path %j', (text, expected) => {
  expect(parsePath(text)).toEqual(expected);
});

const address = (name: string | null, mailbox: string | null, host: string | null, route: string | null = null) => ({
  name,
  route,
  mailbox,
  host,
});

test.each([
  ['', []],
  [',,;,', []],
  ['ann@example.org', [address(null, 'ann', 'example.org')]],
  ['Ann B. Smith <ann@example.org>', [address('Ann B. Smith', 'ann', 'example.org')]],
  ['"Smith, Ann" <ann@example.org>, bob@example.org', [address('Smith, Ann', 'ann', 'example.org'), address(null, 'bob', 'example.org')]],
  ['ann@example.org (Ann (the) Smith)', [address('Ann (the) Smith', 'ann', 'example.org')]],
  ['=?utf-8?q?=C3=84nne?= <a@example.org>', [address('=?utf-8?q?=C3=84nne?=', 'a', 'example.org')]],
  ['Änne <änne@bücher.example>', [address('Änne', 'änne', 'bücher.example')]],
  ['"a b"@example.org', [address(null, 'a b', 'example.org')]],
  ['ann . smith @ example . org', [address(null, 'ann.smith', 'example.org')]],
  ['<@one.example,@two.example:ann@example.org>', [address(null, 'ann', 'example.org', '@one.example,@two.example')]],
  ['Ann <ann@[192.0.2.1]>', [address('Ann', 'ann', '[192.0.2.1]')]],
  [
    'Friends: ann@example.org, Bob <bob@example.org>;',
    [address(null, 'Friends', null), address(null, 'ann', 'example.org'), address('Bob', 'bob', 'example.org'), address(null, null, null)],
  ],
  ['undisclosed-recipients:;', [address(null, 'undisclosed-recipients', null), address(null, null, null)]],
  ['Open: ann@example.org', [address(null, 'Open', null), address(null, 'ann', 'example.org'), address(null, null, null)]],
  ['just a name', [address(null, 'just a name', '')]],
  ['Ann <ann@example.org', [address('Ann', 'ann', 'example.org')]],
  ['"open quote <ann@example.org>', [address(null, 'open quote <ann@example.org>', '')]],
  ['Ann <ann@example.org> rubbish, bob@example.org', [address('Ann', 'ann', 'example.org'), address(null, 'bob', 'example.org')]],
  ['Ann <>', [address('Ann', '', '')]],
  ['ann@example.org\r\n\t, bob@example.org', [address(null, 'ann', 'example.org'), address(null, 'bob', 'example.org')]],
])('address list %j', (text, expected) => {
  expect(parseAddressList(text)).toEqual(expected);
});

test('an endless list ends and nesting costs nothing', () => {
  expect(parseAddressList('a@b,'.repeat(50_000))).toHaveLength(10_000);
  expect(parseAddressList('('.repeat(500_000))).toEqual([]);
  expect(parseAddressList('<'.repeat(200_000)).length).toBeLessThanOrEqual(10_000);
  expect(parseAddressList(`${'"\\'.repeat(200_000)}`).length).toBeLessThanOrEqual(10_000);
  expect(parseAddressList('a:'.repeat(200_000)).length).toBeLessThanOrEqual(10_000);
});
