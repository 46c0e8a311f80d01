/** The small closed things: URLs, class names, passwords on their way, positions of the feed. */

import { expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import { type Change, Entry, system } from '../../src/directory/index.ts';
import { ClassTree, namesIn } from '../../src/directory-remote/class-tree.ts';
import { Feed } from '../../src/directory-remote/feed.ts';
import { parseEndpoint, saltedSha1 } from '../../src/directory-remote/index.ts';
import { splitAdd, splitModify } from '../../src/directory-remote/passwords.ts';
import { parseDn } from '../../src/ldap-wire/index.ts';

test.each([
  ['ldap://ldap.example.net', { host: 'ldap.example.net', port: 389 }, false],
  ['LDAPS://ldap.example.net', { host: 'ldap.example.net', port: 636 }, true],
  ['ldap://127.0.0.1:3890/', { host: '127.0.0.1', port: 3890 }, false],
  ['ldaps://[::1]:6360', { host: '::1', port: 6360 }, true],
  ['ldapi://%2Frun%2Fldapi', { path: '/run/ldapi' }, false],
  ['ldapi:///run/slapd/ldapi', { path: '/run/slapd/ldapi' }, false],
])('%s is a place', (url, place, secure) => expect(parseEndpoint(url)).toEqual({ url, place, secure }));

test.each([
  '',
  'ldap',
  'ldap://',
  'http://x',
  'ldap://x:0',
  'ldap://x:65536',
  'ldap://x/dc=test',
  'ldap://a b',
  'ldapi://relative',
  'ldapi://%zz',
  'ldaps://münchen.test',
])('"%s" is none', (url) => expect(parseEndpoint(url)).toBeUndefined());

test('names of a description, quoted or not, one or several', () => {
  expect(namesIn("( 2.5.6.6 NAME 'person' SUP top STRUCTURAL )", 'NAME')).toEqual(['person']);
  expect(namesIn("( 1.2 NAME ( 'one' 'two' ) SUP ( top $ person ) )", 'NAME')).toEqual(['one', 'two']);
  expect(namesIn("( 1.2 NAME ( 'one' 'two' ) SUP ( top $ person ) )", 'SUP')).toEqual(['top', 'person']);
  expect(namesIn('( 1.2 )', 'SUP')).toEqual([]);
});

test('superclasses are added once each, also where the published schema goes in circles', () => {
  const published = new Entry(parseDn('cn=subschema'), [
    { name: 'objectClasses', values: ["( 1 NAME 'top' )", "( 2 NAME 'a' SUP b )", "( 3 NAME 'B' SUP ( a $ top ) )"] },
  ]);
  const tree = new ClassTree(published);
  expect(tree.complete([{ name: 'objectclass', values: ['A', 'other'] }])).toEqual([
    { name: 'objectclass', values: ['A', 'other', 'B', 'top'] },
  ]);
  const none = [{ name: 'cn', values: ['x'] }];
  expect(tree.complete(none)).toBe(none);
  expect(new ClassTree(undefined).complete([{ name: 'objectClass', values: ['a'] }])).toEqual([{ name: 'objectClass', values: ['a'] }]);
});

test('a plain password leaves the write and goes its own way; a hash stays; two are refused', () => {
  const added = splitAdd([
    { name: 'cn', values: ['x'] },
    { name: 'userPassword', values: ['gehéim'] },
  ]);
  expect(added.password).toBe('gehéim');
  expect(added.attributes[1]?.values[0]).toMatch(/^\{SSHA\}/);
  const braced = splitAdd([{ name: 'userPassword', values: ['{not}a-scheme'] }]);
  expect(braced.password).toBe('{not}a-scheme');
  expect(JSON.stringify(braced.attributes)).not.toContain('a-scheme');
  const hashed = [{ name: 'userPassword', values: [saltedSha1('x')] }];
  expect(splitAdd(hashed)).toEqual({ attributes: hashed, password: undefined });
  const other = { operation: 'replace', attribute: { name: 'sn', values: ['x'] } } as const;
  const fresh = { operation: 'replace', attribute: { name: 'UserPassword', values: ['secret'] } } as const;
  expect(splitModify([other, fresh])).toEqual({ modifications: [other], password: 'secret' });
  const gone = { operation: 'replace', attribute: { name: 'userPassword', values: [] } } as const;
  expect(splitModify([gone])).toEqual({ modifications: [gone], password: undefined });
  expect(() => splitAdd([{ name: 'userPassword', values: ['one', 'two'] }])).toThrow('one password');
});

test('the feed goes on from a position it still has, and says lost for any other', async () => {
  const feed = new Feed(1_000, silentLog);
  const change = { kind: 'modify', uuid: 'x', before: undefined, after: undefined, at: 0, actor: system('test') } as const;
  const watch = (from: number | undefined): { heard: number[]; lost: number } => {
    const seen: { heard: number[]; lost: number } = { heard: [], lost: 0 };
    feed.watch(
      from,
      ({ position }: Change) => seen.heard.push(position),
      () => seen.lost++,
    );
    return seen;
  };
  feed.emit(change);
  feed.emit(change);
  const [now, earlier, unknown, future] = [watch(undefined), watch(1_001), watch(5), watch(9_999)];
  await Promise.resolve();
  feed.emit(change);
  expect([now, earlier]).toEqual([
    { heard: [1_003], lost: 0 },
    { heard: [1_002, 1_003], lost: 0 },
  ]);
  expect([unknown.lost, future.lost]).toEqual([1, 1]);
  for (let n = 0; n < 3_000; n++) feed.emit(change);
  const late = watch(1_003);
  await Promise.resolve();
  expect(late).toEqual({ heard: [], lost: 1 });
  feed.lose();
  expect(now.lost).toBe(1);
});
