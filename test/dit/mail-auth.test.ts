/** Rules of mail authentication for domains, and keys of DKIM, as entries: what may be written, and what the view makes of it. */

import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import { loadSchema } from '../../src/directory/index.ts';
import { type OpenDit, openDit, platformRules } from '../../src/dit/index.ts';
import { attributes, dn, type Opened, openTemporary, refusal, root } from '../directory/support.ts';

const base = 'cn=mta,cn=mailtree';
let opened: Opened;
let dit: OpenDit;

const add = (name: string, values: Record<string, string | string[]>) => refusal(opened.directory.add(root, dn(name), attributes(values)));
const rule = (cn: string, values: Record<string, string> = {}) =>
  add(`cn=${cn},cn=mailauth,${base}`, { objectClass: 'mtMailAuthDomain', cn, ...values });
const key = (cn: string, state = 'active', type = 'rsa') =>
  add(`cn=${cn},cn=dkim,${base}`, {
    objectClass: 'mtDkimKey',
    cn,
    mtDkimKeyType: type,
    mtDkimState: state,
    mtDkimPublicKey: 'AAAA',
    mtDkimPrivateKey: `private ${cn}`,
  });
const change = (name: string, attribute: string, value: string) =>
  refusal(opened.directory.modify(root, dn(name), [{ operation: 'replace', attribute: { name: attribute, values: [value] } }]));

beforeAll(async () => {
  const schema = await loadSchema([join(process.cwd(), 'schema')]);
  opened = await openTemporary({ schema, rules: platformRules({ systemBase: dn('cn=mailtree'), domainBase: dn('') }) });
  await add('cn=mailtree', { objectClass: 'mtContainer', cn: 'mailtree' });
  await add(base, { objectClass: 'mtMta', cn: 'mta' });
  await add(`cn=mailauth,${base}`, { objectClass: 'mtMailAuth', cn: 'mailauth' });
  await add(`cn=dkim,${base}`, { objectClass: 'mtContainer', cn: 'dkim' });
  dit = await openDit({
    directory: opened.directory,
    systemBase: dn('cn=mailtree'),
    domainBase: dn(''),
    host: 'mail.test',
    log: silentLog,
  });
});
afterAll(async () => {
  dit.close();
  await opened.close();
});

test('a rule is for a domain, and one domain has one', async () => {
  expect(await rule('Bank.Example', { mtMailAuthDmarcFail: 'reject' })).toBe('not refused');
  expect(await rule('*.bank.example')).toMatch(/is cn=Bank\.Example,.* already/);
  for (const cn of ['a b', 'x..y', 'joe@bank.example'])
    expect(await rule(cn)).toMatch(/constraintViolation: attribute cn: ".*" is not a domain/);
  expect(await rule('other.example', { mtMailAuthDmarcFail: 'sometimes' })).toMatch(/mtMailAuthDmarcFail/);
});

test('of several rules that of the closest domain counts, as it is now', async () => {
  expect(dit.mailAuthRule('www.bank.example')).toMatchObject({
    domain: 'bank.example',
    dmarcFail: 'reject',
    spfFail: undefined,
    mustPass: false,
  });
  expect(dit.mailAuthRule('notbank.example')).toBeUndefined();
  await rule('www.bank.example', { mtMailAuthRequire: 'TRUE', mtMailAuthSpfFail: 'tag' });
  expect(dit.mailAuthRule('a.www.bank.example')).toMatchObject({
    domain: 'www.bank.example',
    dmarcFail: undefined,
    spfFail: 'tag',
    mustPass: true,
  });
  await opened.directory.delete(root, dn(`cn=www.bank.example,cn=mailauth,${base}`));
  expect(dit.mailAuthRule('a.www.bank.example')).toMatchObject({ domain: 'bank.example' });
});

test('a key is called like its record', async () => {
  expect(dit.signs).toBe(false);
  for (const cn of ['example.org', '_domainkey.example.org', 's._domainkey.', 'a b._domainkey.example.org'])
    expect(await key(cn)).toMatch(/is not selector\._domainkey\.domain/);
  expect(await key('s._domainkey.example.org', 'new')).toBe('not refused');
  expect(await key('S._domainkey.Example.ORG')).toMatch(/already/);
  expect(await key('t._domainkey.example.org', 'asleep')).toMatch(/mtDkimState/);
  expect(await key('t._domainkey.example.org', 'active', 'dsa')).toMatch(/mtDkimKeyType/);
});

test('the active keys of a domain are read with their private halves, at once after a change', async () => {
  expect(await dit.signingKeys('example.org')).toEqual([]);
  const name = `cn=s._domainkey.example.org,cn=dkim,${base}`;
  await change(name, 'mtDkimState', 'active');
  expect(dit.signs).toBe(true);
  const expected = { domain: 'example.org', selector: 's', type: 'rsa', privateKey: 'private s._domainkey.example.org' };
  expect(await dit.signingKeys('example.org')).toEqual([expected]);
  await change(name, 'mtDkimPrivateKey', 'another');
  expect(await dit.signingKeys('example.org')).toEqual([{ ...expected, privateKey: 'another' }]);
  expect(await dit.signingKeys('sub.example.org')).toEqual([]);
  await change(name, 'mtDkimState', 'retired');
  expect(await dit.signingKeys('example.org')).toEqual([]);
  expect(dit.signs).toBe(false);
});
