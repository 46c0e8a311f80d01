/** What the server cannot do without stays, addresses move only with their domain, and of many who want one address one gets it. */

import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { checkDirectory, loadSchema, type Schema } from '../../src/directory/index.ts';
import { platformRules } from '../../src/dit/index.ts';
import { parseRdn } from '../../src/ldap-wire/index.ts';
import { attributes, dn, type Opened, openTemporary, refusal, root } from '../directory/support.ts';

const jade = 'dc=jade,dc=net';
const postmaster = `mail=postmaster@jade.net,${jade}`;
let schema: Schema;
let opened: Opened;

const add = (name: string, values: Record<string, string | string[]>) => opened.directory.add(root, dn(name), attributes(values));
const user = (address: string, more: Record<string, string | string[]> = {}) => ({
  objectClass: ['inetOrgPerson', 'mtMailUser', 'inetLocalMailRecipient'],
  cn: 'User',
  sn: 'User',
  ...(address.includes('@') ? { mail: address } : {}),
  ...more,
});
const rename = (name: string, rdn: string, newSuperior?: string) =>
  refusal(
    opened.directory.rename(root, dn(name), {
      rdn: parseRdn(rdn),
      deleteOldRdn: true,
      ...(newSuperior === undefined ? {} : { newSuperior: dn(newSuperior) }),
    }),
  );
const set = (name: string, attribute: string, ...values: string[]) =>
  refusal(opened.directory.modify(root, dn(name), [{ operation: 'replace', attribute: { name: attribute, values } }]));

beforeAll(async () => {
  schema = await loadSchema([join(process.cwd(), 'schema')]);
  opened = await openTemporary({ schema, rules: platformRules({ systemBase: dn('cn=mailtree'), domainBase: dn('') }) });
  await add('cn=mailtree', { objectClass: 'mtContainer', cn: 'mailtree' });
  await add('cn=server,cn=mailtree', { objectClass: 'mtServer', cn: 'server', mtLocalDomain: 'jade.net' });
  for (const name of ['peers', 'mta']) await add(`cn=${name},cn=mailtree`, { objectClass: 'mtContainer', cn: name });
  await add('cn=default,cn=peers,cn=mailtree', { objectClass: 'mtContainer', cn: 'default' });
  for (const name of ['forwarding', 'modules', 'dkim'])
    await add(`cn=${name},cn=mta,cn=mailtree`, { objectClass: 'mtContainer', cn: name });
  await add('cn=mailauth,cn=mta,cn=mailtree', { objectClass: 'mtMailAuth', cn: 'mailauth' });
  await add('cn=LoopDetection,cn=modules,cn=mta,cn=mailtree', { objectClass: 'mtLoopDetection', cn: 'LoopDetection' });
  for (const name of ['jade', 'onyx']) await add(`dc=${name},dc=net`, { objectClass: ['domain', 'mtMailDomain'], dc: name });
  await add(postmaster, user('postmaster@jade.net'));
  await add('mail=postmaster@onyx.net,dc=onyx,dc=net', user('postmaster@onyx.net'));
});
afterAll(async () => {
  expect((await checkDirectory(opened.keyValue, schema)).faults).toEqual([]);
  await opened.close();
});

test.each([
  'cn=server,cn=mailtree',
  'cn=peers,cn=mailtree',
  'cn=default,cn=peers,cn=mailtree',
  'cn=forwarding,cn=mta,cn=mailtree',
  'cn=modules,cn=mta,cn=mailtree',
  'cn=LoopDetection,cn=modules,cn=mta,cn=mailtree',
  'cn=mailauth,cn=mta,cn=mailtree',
  'cn=dkim,cn=mta,cn=mailtree',
  postmaster,
])('%s is neither removed nor renamed, by itself or with what is above it', async (name) => {
  expect(await refusal(opened.directory.delete(root, dn(name)))).toMatch(/unwillingToPerform: .*needed by the server|notAllowedOnNonLeaf/);
  expect(await rename(name, `${name.split('=')[0]}=other@jade.net`)).toMatch(/unwillingToPerform: .*needed by the server/);
  expect(await refusal(opened.directory.delete(root, dn(name).parent ?? dn(''), { subtree: true }))).toMatch(/unwillingToPerform/);
});

test('the postmaster of the first domain takes mail, and its address stays; others come and go', async () => {
  expect(await set(postmaster, 'accountStatus', 'disabled')).toContain('postmaster@jade.net is needed by the server');
  expect(await set(postmaster, 'mtAccountPermission', 'send')).toContain('it must take mail');
  expect(await set(postmaster, 'accountStatus', 'nologin')).toBe('not refused');
  expect(await set(postmaster, 'mailForwardingAddress', 'somebody@elsewhere.example')).toBe('not refused');
  expect(await refusal(opened.directory.delete(root, dn('mail=postmaster@onyx.net,dc=onyx,dc=net')))).toBe('not refused');
});

test('a domain keeps its name while addresses of it stand below, and nothing takes them elsewhere', async () => {
  await add(`ou=staff,${jade}`, { objectClass: 'organizationalUnit', ou: 'staff' });
  await add(`uid=a,ou=staff,${jade}`, user('', { uid: 'a', mail: 'a@jade.net' }));
  expect(await rename(jade, 'dc=ruby')).toContain('belongs below dc=jade,dc=net');
  expect(await rename('dc=net', 'dc=org')).toContain('which belongs below dc=jade,dc=net');
  expect(await rename(`ou=staff,${jade}`, 'ou=staff', 'dc=onyx,dc=net')).toContain('below it is a@jade.net');
  expect(await rename(`ou=staff,${jade}`, 'ou=crew')).toBe('not refused');
  expect(await rename('dc=onyx,dc=net', 'dc=opal')).toBe('not refused');
  expect(await rename('dc=opal,dc=net', 'dc=onyx')).toBe('not refused');
});

test.each([
  ['"b"@jade.net', 'must be written as b@jade.net'],
  ['b@JADE.net', 'belongs to another entry'],
  ['B@jade.net', 'belongs to another entry'],
  ['b@jade.net', 'belongs to another entry'],
])('%s beside b@jade.net: %s', async (address, expected) => {
  if (!(await opened.directory.read(root, dn(`mail=b@jade.net,${jade}`)))) await add(`mail=b@jade.net,${jade}`, user('b@jade.net'));
  expect(await set(postmaster, 'mailLocalAddress', address)).toContain(expected);
});

test('a domain with other letters is written in A-labels, so that its addresses are unique in every form', async () => {
  await add('dc=xn--bcher-kva,dc=net', { objectClass: ['domain', 'mtMailDomain'], dc: 'xn--bcher-kva' });
  const base = 'dc=xn--bcher-kva,dc=net';
  await add(`uid=x,${base}`, user('', { uid: 'x', mtMailAddress: 'jürgen@xn--bcher-kva.net' }));
  const other = (address: string) => refusal(add(`uid=y,${base}`, user('', { uid: 'y', mtMailAddress: address })));
  expect(await other('jürgen@bücher.net')).toContain('must be written with its domain as xn--bcher-kva.net');
  expect(await other('JÜRGEN@xn--bcher-kva.net')).toContain('belongs to another entry');
  expect(await other('ju\u0308rgen@xn--bcher-kva.net')).toMatch(/belongs to another entry|must be written as/);
});

test('of hundreds who want one address at the same moment, by whatever attribute and write, exactly one gets it', async () => {
  const base = 'dc=onyx,dc=net';
  for (let n = 0; n < 40; n++) await add(`mail=u${n}@onyx.net,${base}`, user(`u${n}@onyx.net`));
  for (let round = 0; round < 5; round++) {
    const address = `wanted${round}@onyx.net`;
    const spelled = (n: number): string => (n % 3 === 0 ? address.toUpperCase() : address);
    const attempts = Array.from({ length: 200 }, (_, n): Promise<unknown> => {
      const old = `mail=u${n % 40}@onyx.net,${base}`;
      if (n % 4 === 0) return add(`uid=r${round}n${n},${base}`, user('', { uid: `r${round}n${n}`, mail: spelled(n) }));
      if (n % 4 === 1)
        return add(`cn=r${round}n${n},${base}`, {
          objectClass: 'mtMailAlias',
          cn: `r${round}n${n}`,
          mail: spelled(n),
          mailForwardingAddress: 'x@onyx.net',
        });
      const attribute = { name: n % 4 === 2 ? 'mailLocalAddress' : 'mtMailAddress', values: [spelled(n)] };
      return opened.directory.modify(root, dn(old), [{ operation: 'add', attribute }]);
    });
    const results = await Promise.all(attempts.map(refusal));
    expect(results.filter((result) => result === 'not refused')).toHaveLength(1);
    for (const result of results)
      expect(result).toMatch(/^(not refused|constraintViolation: .*belongs to another entry|attributeOrValueExists)/);
  }
});
