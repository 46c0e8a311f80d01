/** One entry, one filter item, and whether it is true, false or Undefined: asked as it is and under `not`. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseFilter } from '../../src/ldap-wire/index.ts';
import { all, attributes, dn, type Opened, openTemporary, refusal, root } from './support.ts';

let opened: Opened;
const name = dn('cn=Bjørn  Jensen+telephoneNumber=\\+1 313-555,dc=jade,dc=net');
beforeAll(async () => {
  opened = await openTemporary();
  await opened.directory.add(root, dn('dc=jade,dc=net'), attributes({ objectClass: 'domain', dc: 'jade' }));
  await opened.directory.add(
    root,
    name,
    attributes({
      objectClass: ['inetOrgPerson', 'extensibleObject'],
      cn: ['Bjørn Jensen', 'foo bar'],
      'cn;lang-en-US': 'Bear',
      sn: 'Jensen',
      'sn;lang-de;lang-x': 'Bär',
      c: 'NO',
      telephoneNumber: ['+1 313-555', '+1 313 555 2333'],
      postalAddress: 'Info Tech $ 535 W. William St. $ Anytown, MI 48103',
      mail: 'bjorn@example.com',
      x121Address: '15 079',
      labeledURI: 'http://Example.com/A home page',
      description: ['a b', 'a\u00a8', 'Straße'],
      seeAlso: 'cn=Somebody  Else, dc=jade,dc=net',
      mtTestNumber: '13',
      mtTestTime: '20050304001801.234Z',
      userPassword: 'secret',
    }),
  );
});
afterAll(() => opened.close());

const T = true;
const F = false;
const U = undefined;
const table: [item: string, truth: boolean | undefined][] = [
  // RFC 4518 §2.6.1: the value is prepared as " a  b ", and parts take from it in turn.
  ['description=*a b*', T],
  ['description=*a   b*', T],
  ['description=a *', T],
  ['description=a * b', T],
  ['description=*a *b*', T],
  ['description=*a * b*', T],
  ['description=*a * * b*', F],
  ['description=*b *', T],
  ['description=* a*', T],
  ['description=*ab*', F],
  ['description=* *', T],
  ['description=  a*', T],
  ['description=*b  ', T],
  ['description=A B*', T],
  ['description=*a*a*', F],
  ['description=a b*b', F],
  ['description=*strass*', T],
  ['description=*TRASSE', T],
  ['description=stra\\c3\\9fe', T],
  ['description=*a\\c2\\a8', T],
  ['description=*\\e2\\82*', U],
  ['cn=bj*J*n', T],
  ['cn=*ø*', T],
  ['cn=*Ø*ENSEN', T],
  ['cn=foo*bar', T],
  ['cn=fo*obar', F],
  ['telephoneNumber=*-5 5 5*', T],
  ['telephoneNumber=+13*', T],
  ['telephoneNumber=*313555*333', T],
  ['telephoneNumber=*-*', T],
  ['telephoneNumber=*4*', F],
  ['x121Address=1 5*79', T],
  ['postalAddress=*william*', T],
  ['postalAddress=info*48103', T],
  ['postalAddress=*tech*anytown*', T],
  ['postalAddress=*$*', F],
  ['postalAddress=*tech535*', F],
  ['postalAddress=INFO TECH$535 w. william st.$anytown, mi 48103', T],
  ['postalAddress=info tech', F],
  ['mail=*EXAMPLE.com', T],
  ['mail=*é*', U],
  ['mail=é', U],
  ['labeledURI=*a*', U],
  // Equality, ordering, presence.
  ['cn=bjørn JENSEN', T],
  ['cn=Bjorn Jensen', F],
  ['cn=', U],
  ['c=no', T],
  ['c=Norway', F],
  ['seeAlso=CN=somebody else,DC=JADE,dc=net', T],
  ['seeAlso=somebody', U],
  ['seeAlso=', F],
  ['mtTestNumber>=13', T],
  ['mtTestNumber<=9', F],
  ['mtTestNumber>=x', U],
  ['mtTestNumber>=013', U],
  ['cn>=a', U],
  ['mtTestTime>=20050304001801.2339Z', T],
  ['mtTestTime<=20050304011801.234+01', T],
  ['mtTestTime<=20050304001801Z', F],
  ['mtTestTime=2005', U],
  ['cn~=FOO  bar', T],
  ['initials=*', F],
  ['initials=x', F],
  ['noSuch=*', U],
  ['noSuch=x', U],
  ['noSuch>=x', U],
  ['noSuch=*x*', U],
  ['jpegPhoto=x', U],
  ['jpegPhoto=*', F],
  ['userPassword=*ecre*', U],
  ['objectClass=2.5.6.6', T],
  ['objectClass=top', T],
  ['objectClass=noSuchClass', U],
  ['objectClass=1.2.3', F],
  ['objectClass=not an oid', U],
  ['objectClass=pers*', U],
  // Supertypes and options.
  ['name=jensen', T],
  ['name=no', T],
  ['name=*ear', T],
  ['2.5.4.41=JENSEN', T],
  ['distinguishedName=cn=somebody else,dc=jade,dc=net', T],
  ['cn=bear', T],
  ['cn;lang-en-us=bear', T],
  ['cn;lang-en=bear', F],
  ['cn;lang-en-=bear', T],
  ['cn;lang-=bear', T],
  ['cn;lang-de=*', F],
  ['cn;LANG-EN-US=*', T],
  ['name;lang-en-us=BEAR', T],
  ['sn;lang-x=bär', T],
  ['sn;lang-x;lang-de=bär', T],
  ['sn;lang-x;lang-en=bär', F],
  ['cn;x-none=bear', F],
  // Extensible match.
  ['cn:caseExactMatch:=Foo Bar', F],
  ['cn:caseExactMatch:=foo bar', T],
  ['cn:2.5.13.5:=foo  bar', T],
  ['cn:noSuchRule:=foo bar', U],
  ['noSuch:caseExactMatch:=foo bar', U],
  ['cn:=FOO BAR', T],
  ['cn:integerMatch:=1', U],
  ['mail:caseExactMatch:=bjorn@example.com', U],
  ['mail:caseExactIA5Match:=BJORN@example.com', F],
  ['telephoneNumber:caseExactMatch:=+1 313-555', T],
  ['mtTestNumber:integerMatch:=13', T],
  ['mtTestNumber:integerMatch:=x', U],
  ['mtTestNumber:1.2.840.113556.1.4.803:=9', T],
  ['mtTestNumber:1.2.840.113556.1.4.803:=2', F],
  ['mtTestNumber:integerOrderingMatch:=14', T],
  ['mtTestNumber:integerOrderingMatch:=13', F],
  ['mtTestTime:generalizedTimeOrderingMatch:=20990101000000Z', T],
  ['cn:caseIgnoreSubstringsMatch:=\\2aO B\\2a', T],
  ['cn:caseExactSubstringsMatch:=\\2aO B\\2a', F],
  ['cn:caseIgnoreSubstringsMatch:=fo', U],
  ['cn:wordMatch:=BAR', T],
  ['cn:wordMatch:=ba', F],
  ['description:keywordMatch:=b', T],
  [':caseExactMatch:=foo bar', T],
  [':caseExactMatch:=Foo bar', F],
  [':caseIgnoreMatch:=no', T],
  [':noSuchRule:=x', U],
  ['dc:dn:=JADE', T],
  ['dc:=JADE', F],
  ['dc:dn:=onyx', F],
  ['domainComponent:dn:caseIgnoreIA5Match:=net', T],
  [':dn:caseIgnoreIA5Match:=net', T],
  [':dn:2.5.13.20:=+1-313-555', T],
  ['cn:dn:caseExactMatch:=Bjørn Jensen', T],
  ['cn:dn:caseExactMatch:=bjørn jensen', F],
  ['noSuch:dn:=x', U],
  // Computed attributes.
  ['hasSubordinates=FALSE', T],
  ['hasSubordinates=false', U],
  ['entryDN=telephoneNumber=\\5c+1313555+CN=bjørn jensen,DC=jade,DC=net', T],
  ['subschemaSubentry=CN=subschema', T],
  ['structuralObjectClass=2.16.840.1.113730.3.2.2', T],
];

const holds = async (filter: string): Promise<boolean> =>
  (await all(opened.directory.search(root, { base: name, scope: 'base', filter: parseFilter(filter) }))).length === 1;

test.each(table)('(%s) is %s', async (item, truth) => {
  expect([await holds(`(${item})`), await holds(`(!(${item}))`)]).toEqual([truth === true, truth === false]);
});

test('three-valued logic: Undefined neither makes true nor false', async () => {
  for (const [filter, expected] of [
    ['(&(cn=foo bar)(noSuch=x))', false],
    ['(!(&(cn=foo bar)(noSuch=x)))', false],
    ['(|(cn=foo bar)(noSuch=x))', true],
    ['(!(|(cn=nobody)(noSuch=x)))', false],
    ['(!(&(cn=nobody)(noSuch=x)))', true],
    ['(&(|(noSuch=x)(sn=jensen))(!(sn=smith)))', true],
    ['(!(!(noSuch=x)))', false],
    ['(&)', true],
    ['(|)', false],
    ['(!(&))', false],
    ['(!(|))', true],
  ] as const)
    expect([filter, await holds(filter)]).toEqual([filter, expected]);
});

test('an entry is found by any spelling of its name that the rules of its attributes call the same', async () => {
  const { directory } = opened;
  for (const text of [
    'telephoneNumber=\\+1-313 555+CN=BJØRN JENSEN,DC=jade,DC=net',
    '2.5.4.20=\\+1313555+2.5.4.3=bjørn  jensen,domainComponent=jade,dc=net',
  ])
    expect((await directory.read(root, dn(text)))?.text('sn')).toBe('Jensen');
  expect(await directory.read(root, dn('cn=Bjorn Jensen+telephoneNumber=\\+1 313-555,dc=jade,dc=net'))).toBeUndefined();
  for (const uri of ['http://a/B', 'http://a/b'])
    await directory.add(
      root,
      dn(`labeledURI=${uri},dc=jade,dc=net`),
      attributes({ objectClass: ['account', 'labeledURIObject'], uid: uri, labeledURI: uri }),
    );
  expect((await directory.read(root, dn('labeledURI=http://a/b,dc=jade,dc=net')))?.text('uid')).toBe('http://a/b');
  expect((await directory.read(root, dn('labeledURI=http://a/B,dc=jade,dc=net')))?.text('uid')).toBe('http://a/B');
  expect(await directory.read(root, dn('labeledURI=HTTP://a/B,dc=jade,dc=net'))).toBeUndefined();
});

test('attributes are chosen by type, derived type, option and range of options; binary ones travel as such', async () => {
  const { directory } = opened;
  const certificate = new Uint8Array([0x30, 0x02, 0x30, 0x00]);
  await directory.modify(root, name, [{ operation: 'add', attribute: { name: 'userCertificate;binary', values: [certificate] } }]);
  const chosen = async (...wanted: string[]) =>
    [...((await directory.read(root, name, wanted))?.attributes.values() ?? [])].map((attribute) => attribute.name).sort();
  expect(await chosen('cn')).toEqual(['cn', 'cn;lang-en-us']);
  expect(await chosen('CN;lang-en-US')).toEqual(['cn;lang-en-us']);
  expect(await chosen('cn;lang-en-')).toEqual(['cn;lang-en-us']);
  expect(await chosen('cn;lang-de')).toEqual([]);
  expect(await chosen('name;lang-')).toEqual(['cn;lang-en-us', 'sn;lang-de;lang-x']);
  expect(await chosen('sn;lang-x')).toEqual(['sn;lang-de;lang-x']);
  expect(await chosen('name')).toEqual(['c', 'cn', 'cn;lang-en-us', 'sn', 'sn;lang-de;lang-x']);
  expect(await chosen('1.1')).toEqual([]);
  for (const wanted of ['userCertificate', 'userCertificate;binary', '2.5.4.36', '@pkiUser'])
    expect([wanted, (await chosen(wanted)).filter((each) => each.startsWith('user'))]).toEqual([wanted, ['userCertificate;binary']]);
  expect(await chosen('@noSuchClass')).toEqual([]);
  expect(await holds('(userCertificate=*)')).toBe(true);
  expect(await holds('(userCertificate;binary=*)')).toBe(true);
  expect(await refusal(directory.modify(root, name, [{ operation: 'add', attribute: { name: 'cn;lang-en-', values: ['x'] } }]))).toBe(
    'undefinedAttributeType: attribute cn;lang-en-: a language range is for searching only',
  );
  for (const [attribute, value, result] of [
    ['name', 'bear', true],
    ['cn;lang-en-us', 'BEAR', true],
    ['cn;lang-en-us', 'foo bar', false],
    ['cn', 'bear', true],
  ] as const)
    expect([attribute, value, await directory.compare(root, name, attribute, value)]).toEqual([attribute, value, result]);
});

test('long parts in long values: found where they stand, and made for the worst they cost in proportion to their lengths', async () => {
  const { directory } = opened;
  const at = dn('cn=long,dc=jade,dc=net');
  const long = 'a'.repeat(1_000_000);
  await directory.add(
    root,
    at,
    attributes({ objectClass: 'device', cn: 'long', description: [long, `${'xyz'.repeat(50)}!${'xyz'.repeat(50)}`] }),
  );
  const found = async (item: string) =>
    (await all(directory.search(root, { base: at, scope: 'base', filter: parseFilter(`(description=${item})`) }))).length;
  for (const [item, count] of [
    [`*${'a'.repeat(50_000)}b${'a'.repeat(50_000)}*`, 0],
    [`*${'a'.repeat(60_000)}*${'a'.repeat(60_000)}*`, 1],
    [`*b${'a'.repeat(100_000)}*`, 0],
    [`*${'xyz'.repeat(30)}!${'xyz'.repeat(30)}*`, 1],
    [`*${'xyz'.repeat(30)}!${'xyz'.repeat(30)}*${'xyz'.repeat(20)}*`, 1],
    [`*${'xyz'.repeat(30)}!${'xyz'.repeat(30)}*${'xyz'.repeat(21)}*`, 0],
    [`*${'zyx'.repeat(30)}*`, 0],
    [`*${'zxy'.repeat(40)}*`, 1],
  ] as const)
    expect([item.slice(0, 40), await found(item)]).toEqual([item.slice(0, 40), count]);
});
