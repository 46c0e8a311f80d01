/** Attribute descriptions over the wire: options, language tags and ranges, `;binary`, and what is asked for by other means than a name. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseFilter, type Request, type WireAttribute } from '../../src/ldap-wire/index.ts';
import { dn, fill, type Opened, openTemporary, person, root } from '../directory/support.ts';
import { ask, codeOf, find, sayOf } from '../support/ldap-controls.ts';
import { type Door, openDoor, type RawLdap, searchFor, simpleBind } from '../support/ldap-door.ts';

const base = 'dc=jade,dc=net';
const name = `mail=many@jade.net,${base}`;
/** Any SEQUENCE does: what is in a certificate is nobody's business here. */
const certificate = Uint8Array.from(Buffer.from('30030201ff', 'hex'));
const other = Uint8Array.from(Buffer.from('3003020180', 'hex'));

let opened: Opened;
let it: Door;
let client: RawLdap;
beforeAll(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
  await opened.directory.add(root, dn(name), [
    ...person('many@jade.net'),
    { name: 'cn;lang-de', values: ['Größe'] },
    { name: 'cn;lang-en', values: ['Size'] },
    { name: 'CN;LANG-en-US;x-test', values: ['Bigness'] },
    { name: 'userCertificate', values: [certificate] },
    { name: 'userSMIMECertificate;binary', values: [certificate] },
  ]);
  it = await openDoor({ directory: opened.directory });
  client = await it.client();
  expect(codeOf(await ask(client, simpleBind('cn=admin,cn=admins,cn=mailtree', 'admin secret')))).toBe(0);
});
afterAll(async () => {
  await it.end();
  await opened.close();
});

async function attributesOf(
  attributes: string[],
  more: Partial<Extract<Request, { op: 'search' }>> = {},
): Promise<readonly WireAttribute[]> {
  const { entries } = await find(client, searchFor('(objectClass=*)', { base: name, scope: 'base', attributes, ...more }));
  const [entry] = entries;
  return entry?.body.op === 'entry' ? entry.body.attributes : [];
}
const namesOf = async (...attributes: string[]): Promise<string[]> => (await attributesOf(attributes)).map((attribute) => attribute.name);

test.each([
  [['cn'], ['cn', 'cn;lang-de', 'cn;lang-en', 'cn;lang-en-us;x-test']],
  [['CN;lang-DE'], ['cn;lang-de']],
  [['cn;lang-en'], ['cn;lang-en']],
  [['cn;lang-en-'], ['cn;lang-en', 'cn;lang-en-us;x-test']],
  [['cn;lang-'], ['cn;lang-de', 'cn;lang-en', 'cn;lang-en-us;x-test']],
  [['name;lang-de'], ['cn;lang-de']],
  [['cn;x-test'], ['cn;lang-en-us;x-test']],
  [['cn;x-test;lang-en-us'], ['cn;lang-en-us;x-test']],
  [['cn;lang-fr'], []],
  [['cn;'], []],
  [['cn;;lang-de'], []],
  [['2.5.4.3;lang-de'], ['cn;lang-de']],
  [['1.1'], []],
  [['1.1', 'sn'], ['sn']],
  [['nonsense', 'sn'], ['sn']],
  [
    ['entryUUID', 'sn'],
    ['sn', 'entryUUID'],
  ],
  [['@person'], ['objectClass', 'cn', 'sn', 'cn;lang-de', 'cn;lang-en', 'cn;lang-en-us;x-test']],
  [['@nonsense'], []],
])('asked for %j it gives %j', async (asked, expected) => {
  expect((await namesOf(...asked)).sort()).toEqual([...expected].sort());
});

test('all user attributes, all operational ones, both, and types alone', async () => {
  const [user, none, operational, both] = [await namesOf(), await namesOf('*'), await namesOf('+'), await namesOf('*', '+')];
  expect(user).toEqual(none);
  expect(user).toContain('mail');
  expect(user).not.toContain('entryUUID');
  expect(operational).toEqual(
    expect.arrayContaining([
      'entryUUID',
      'createTimestamp',
      'modifiersName',
      'entryDN',
      'hasSubordinates',
      'subschemaSubentry',
      'structuralObjectClass',
    ]),
  );
  expect(operational).not.toContain('mail');
  expect([...both].sort()).toEqual([...user, ...operational].sort());
  const types = await attributesOf(['cn', '+'], { typesOnly: true });
  expect(types.length).toBeGreaterThan(5);
  for (const { values } of types) expect(values).toEqual([]);
});

test.each([
  ['userCertificate', 'userCertificate;binary'],
  ['userCertificate;binary', 'userCertificate;binary'],
  ['2.5.4.36', 'userCertificate;binary'],
  ['userSMIMECertificate', 'userSMIMECertificate'],
  ['userSMIMECertificate;binary', 'userSMIMECertificate;binary'],
])('%s comes as %s', async (asked, given) => {
  expect(await attributesOf([asked])).toEqual([{ name: given, values: [certificate] }]);
});

test('a certificate is found, compared, changed and deleted under either name', async () => {
  for (const attribute of ['userCertificate', 'userCertificate;binary']) {
    expect((await find(client, searchFor('(cn=x)', { filter: { type: 'present', attribute } }))).names).toEqual(['mail=many@jade.net']);
    const modify = (operation: 'add' | 'delete'): Request => ({
      op: 'modify',
      dn: name,
      modifications: [{ operation, attribute: { name: attribute, values: [other] } }],
    });
    expect(codeOf(await ask(client, modify('add')))).toBe(0);
    expect(codeOf(await ask(client, modify('add')))).toBe(20);
    expect(await attributesOf(['userCertificate'])).toEqual([{ name: 'userCertificate;binary', values: [certificate, other] }]);
    expect(codeOf(await ask(client, modify('delete')))).toBe(0);
    expect(codeOf(await ask(client, modify('delete')))).toBe(16);
  }
});

test.each([
  ['text in binary', 'cn;binary', 17],
  ['a language range', 'cn;lang-en-', 17],
  ['an option that is none', 'cn;lang_en', 17],
  ['nine options', 'cn;a;b;c;d;e;f;g;h;i', 17],
])('%s is not stored', async (_, attribute, code) => {
  const answer = await ask(client, {
    op: 'modify',
    dn: name,
    modifications: [{ operation: 'add', attribute: { name: attribute, values: ['x'] } }],
  });
  expect([codeOf(answer), sayOf(answer)]).toEqual([code, expect.stringContaining(attribute)]);
});

test.each([
  ['(cn=Größe)', true],
  ['(cn;lang-de=GRÖSSE)', true],
  ['(cn;lang-en=GRÖSSE)', false],
  ['(cn;lang-en-=bigness)', true],
  ['(cn;lang-en-us=bigness)', true],
  ['(cn;x-test=*)', true],
  ['(cn;lang-fr=*)', false],
  ['(!(cn;lang-fr=*))', true],
  ['(cn;lang-en-=big*)', true],
  ['(name;lang-de=größe)', true],
  // Text is never in binary: nobody knows whether it is so.
  ['(cn;binary=*)', false],
  ['(!(cn;binary=*))', false],
  ['(&)', true],
  ['(|)', false],
  ['(!(|))', true],
])('the filter %s finds it: %s', async (filter, expected) => {
  expect((await find(client, searchFor('(cn=x)', { base: name, scope: 'base', filter: parseFilter(filter) }))).names).toEqual(
    expected ? ['mail=many@jade.net'] : [],
  );
});

test.each([
  ['cn', 'Size', 6],
  ['cn;lang-en', 'SIZE', 6],
  ['cn;lang-de', 'Size', 5],
  ['cn;lang-en-', 'bigness', 6],
  ['name', 'größe', 6],
  ['cn;lang-fr', 'x', 16],
  ['cn;binary', 'x', 17],
  ['nonsense', 'x', 17],
])('comparing %s with %s gives %d', async (attribute, value, code) => {
  expect(codeOf(await ask(client, { op: 'compare', dn: name, attribute, value: Buffer.from(value) }))).toBe(code);
});

test('a value under one language goes, and the others stay', async () => {
  const remove = (attribute: string): Request => ({
    op: 'modify',
    dn: name,
    modifications: [{ operation: 'delete', attribute: { name: attribute, values: [] } }],
  });
  expect(codeOf(await ask(client, remove('cn;lang-DE')))).toBe(0);
  expect(codeOf(await ask(client, remove('cn;lang-DE')))).toBe(16);
  expect(await namesOf('cn')).toEqual(['cn', 'cn;lang-en', 'cn;lang-en-us;x-test']);
});

test.each([0, 1, 2, 3])('there are no aliases to follow, whatever is asked for (%d)', async (derefAliases) => {
  const { names, done } = await find(client, searchFor('(mail=many@jade.net)', { derefAliases }));
  expect([names, codeOf(done)]).toEqual([['mail=many@jade.net'], 0]);
});
