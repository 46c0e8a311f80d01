import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Actor } from '../../src/directory/index.ts';
import { platformRules } from '../../src/dit/index.ts';
import { parseRdn } from '../../src/ldap-wire/index.ts';
import { attributes, dn, fill, type Opened, openTemporary, person, refusal, root } from '../directory/support.ts';

const jade = 'dc=jade,dc=net';
const done = 'not refused';
let opened: Opened;
let domainAdmin: Actor;
let superAdmin: Actor;
beforeAll(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
  for (const [name, more] of [
    [jade, []],
    ['dc=onyx,dc=net', [{ name: 'mtSubdomains', values: ['TRUE'] }]],
  ] as const) {
    await opened.directory.modify(root, dn(name), [
      { operation: 'add', attribute: { name: 'objectClass', values: ['mtMailDomain'] } },
      ...more.map((attribute) => ({ operation: 'add' as const, attribute })),
    ]);
  }
  const elsewhere = [dn('o=Elsewhere,c=US')];
  const rules = platformRules({ systemBase: dn('cn=mailtree'), domainBase: dn(''), elsewhere });
  opened = await opened.reopen({ rules, suffixes: elsewhere, elsewhere });
  const { directory } = opened;
  domainAdmin = await directory.authenticate(dn(`cn=admin,${jade}`), 'admin secret', { door: 'test' });
  superAdmin = await directory.authenticate(dn('cn=admin,cn=admins,cn=mailtree'), 'admin secret', { door: 'test' });
});
afterAll(() => opened.close());

const add = (actor: Actor, attribute: string, address: string): Promise<string> =>
  refusal(
    opened.directory.modify(actor, dn(`mail=user1@jade.net,${jade}`), [
      { operation: 'add', attribute: { name: attribute, values: [address] } },
    ]),
  );

test.each([
  ['mailLocalAddress', 'boss@jade.net', done],
  ['mailLocalAddress', 'Büro@jade.net', 'invalidAttributeSyntax'],
  ['mailLocalAddress', 'boss@onyx.net', 'belongs below dc=onyx,dc=net'],
  ['mailLocalAddress', 'boss@branch.onyx.net', 'belongs below dc=onyx,dc=net'],
  ['mailLocalAddress', 'boss@bank.example', 'not a local one'],
  ['mailLocalAddress', 'boss@branch.jade.net', 'not a local one'],
  ['mail', 'boss@bank.example', 'not a local one'],
  ['mailLocalAddress', 'nobody', 'is not a mail address'],
  ['mailLocalAddress', 'a b@jade.net', 'is not a mail address'],
  ['mailLocalAddress;x-old', 'boss@onyx.net', 'takes no attribute options'],
])('a domain administrator adding %s %s: %s', async (attribute, address, expected) => {
  expect(await add(domainAdmin, attribute, address)).toContain(expected);
});

test.each([
  ['mailLocalAddress', 'sales@onyx.net', done],
  ['mailLocalAddress', 'sales@bank.example', done],
  ['mail', 'sales2@onyx.net', 'belongs below dc=onyx,dc=net'],
  ['mail', 'friend@bank.example', 'not a local one'],
])('an administrator of the whole platform adding %s %s: %s', async (attribute, address, expected) => {
  expect(await add(superAdmin, attribute, address)).toContain(expected);
});

test('an address is judged again where its entry moves', async () => {
  const { directory } = opened;
  await directory.add(root, dn(`mail=moving@jade.net,${jade}`), person('moving@jade.net'));
  const to = { rdn: parseRdn('mail=moving@jade.net'), deleteOldRdn: false, newSuperior: dn('dc=onyx,dc=net') };
  expect(await refusal(directory.rename(superAdmin, dn(`mail=moving@jade.net,${jade}`), to))).toContain('belongs below dc=jade');
});

test('a member of a list may be anybody', async () => {
  const { directory } = opened;
  await directory.add(root, dn(`mail=list@jade.net,${jade}`), attributes({ objectClass: 'mtTestList', mail: 'list@jade.net' }));
  const member = dn(`mail=friend@elsewhere.example,mail=list@jade.net,${jade}`);
  expect(
    await refusal(directory.add(domainAdmin, member, attributes({ objectClass: 'mtTestList', mail: 'friend@elsewhere.example' }))),
  ).toBe(done);
});

test.each(['cn=mailtree', 'cn=admins,cn=mailtree', 'cn=admin,cn=admins,cn=mailtree', 'cn=access,cn=mailtree'])(
  'nobody renames %s, nor removes it',
  async (name) => {
    const { directory } = opened;
    expect(await refusal(directory.rename(root, dn(name), { rdn: parseRdn('cn=other'), deleteOldRdn: false }))).toContain(
      'unwillingToPerform',
    );
    expect(await refusal(directory.delete(superAdmin, dn(name)))).toMatch(/unwillingToPerform|notAllowedOnNonLeaf/);
  },
);

test("in a further suffix addresses are information: anybody's, as often as one likes, and no mail domain stands there", async () => {
  const { directory } = opened;
  const organization = (o: string, more: readonly string[] = []) => attributes({ objectClass: ['organization', ...more], o });
  await directory.add(root, dn('o=Elsewhere,c=US'), organization('Elsewhere'));
  for (const name of ['a', 'b'])
    expect(await refusal(directory.add(root, dn(`cn=${name},o=Elsewhere,c=US`), person('user2@jade.net', { cn: name })))).toBe(done);
  expect(await refusal(directory.add(root, dn('o=Branch,o=Elsewhere,c=US'), organization('Branch', ['mtMailDomain'])))).toBe(
    'constraintViolation: attribute objectClass: mtMailDomain: o=Elsewhere,c=US is a further suffix, and mail domains do not stand there',
  );
  // From there into a domain it is an address like any other.
  expect(
    await refusal(
      directory.rename(root, dn('cn=a,o=Elsewhere,c=US'), { rdn: parseRdn('cn=a'), deleteOldRdn: false, newSuperior: dn(jade) }),
    ),
  ).toContain('belongs to another entry');
});

test('a domain is not another name for itself', async () => {
  const alias = (of: string): Promise<string> =>
    refusal(opened.directory.modify(superAdmin, dn(jade), [{ operation: 'replace', attribute: { name: 'mtDomainAlias', values: [of] } }]));
  expect(await alias('JADE.net')).toBe(
    'constraintViolation: attribute mtDomainAlias: JADE.net is this domain itself; it names another one',
  );
  expect(await alias('onyx.net')).toBe(done);
});

test.each([
  ['accountStatus', 'disable', 'attribute accountStatus: "disable" is none of active, nologin, noaccess, disabled, deleted'],
  ['mailQuotaSize', '-5', 'attribute mailQuotaSize: "-5" is not in the range 0 to 9223372036854775807'],
  ['mailSizeMax', '-1', 'attribute mailSizeMax: "-1" is not in the range 0 to 9223372036854775807'],
])('%s does not take "%s"', async (attribute, value, why) => {
  const name = dn(`mail=user2@jade.net,${jade}`);
  const change = [{ operation: 'replace', attribute: { name: attribute, values: [value] } }] as const;
  expect(await refusal(opened.directory.modify(superAdmin, name, change))).toBe(`constraintViolation: ${why}`);
});

test('the settings of a component can neither be removed nor renamed', async () => {
  const name = dn('cn=probe,cn=mailtree');
  const { directory } = opened;
  const values = [
    { name: 'objectClass', values: ['applicationProcess', 'mtTestSettings'] },
    { name: 'cn', values: ['probe'] },
  ];
  await directory.add(superAdmin, name, values);
  expect(await refusal(directory.delete(superAdmin, name))).toContain('is needed by the server: it can neither be removed nor renamed');
});
