import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Actor, checkDirectory, reindexDirectory } from '../../src/directory/index.ts';
import { parseRdn } from '../../src/ldap-wire/index.ts';
import { attributes, dn, fill, type Opened, openTemporary, refusal, root, testSchema } from './support.ts';

/** Limits, accounts and lists as the platform declares them. */
const more = `objectidentifier limitArc 2.25.2
${['mtDomainMaxUsers', 'mtDomainMaxSharedAccounts', 'mtDomainMaxLists', 'mtDomainMaxStoreQuota', 'mtDomainMaxWebQuota', 'mtWebFolderQuota']
  .map(
    (name, n) =>
      `attributetype ( limitArc:1.${n} NAME '${name}' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE X-MT-RANGE '0-999999999999999' )`,
  )
  .join('\n')}
${['mtDomainUsers', 'mtDomainStoreQuota', 'mtDomainStoreWithoutQuota', 'mtDomainLists']
  .map(
    (name, n) =>
      `attributetype ( limitArc:1.${n + 20} NAME '${name}' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )`,
  )
  .join('\n')}
attributetype ( limitArc:1.30 NAME 'mtWebFolder' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
objectclass ( limitArc:2.1 NAME 'mtLimits' SUP top AUXILIARY MAY ( mtDomainMaxUsers $ mtDomainMaxSharedAccounts $ mtDomainMaxLists $ mtDomainMaxStoreQuota $ mtDomainMaxWebQuota ) )
objectclass ( limitArc:2.2 NAME 'mtMailUser' SUP top AUXILIARY MAY ( mailQuotaSize $ mtWebFolder $ mtWebFolderQuota ) )
objectclass ( limitArc:2.3 NAME 'mtSharedAccount' SUP top AUXILIARY )
`;
const schema = testSchema({ 'limits.schema': more });

const jade = 'dc=jade,dc=net';
let opened: Opened;
let admin: Actor;
beforeEach(async () => {
  opened = await openTemporary({ schema });
  await fill(opened.directory);
  for (const domain of ['jade', 'onyx'])
    await opened.directory.modify(root, dn(`dc=${domain},dc=net`), [
      { operation: 'add', attribute: { name: 'objectClass', values: ['mtMailDomain', 'mtLimits'] } },
    ]);
  admin = await opened.directory.authenticate(dn(`cn=admin,${jade}`), 'admin secret', { door: 'ldap' });
});
afterEach(async () => {
  expect((await checkDirectory(opened.keyValue, schema)).faults).toEqual([]);
  await opened.close();
});

const name = (user: string, base = jade): string => `mail=${user}@jade.net,${base}`;
const account = (user: string, values: Record<string, string | string[]> = {}) => ({
  objectClass: ['inetOrgPerson', 'mtMailUser', ...([values['objectClass'] ?? []].flat() as string[])],
  cn: user,
  sn: user,
  mail: `${user}@jade.net`,
  ...Object.fromEntries(Object.entries(values).filter(([key]) => key !== 'objectClass')),
});
const add = (user: string, values: Record<string, string | string[]> = {}, actor = admin) =>
  opened.directory.add(actor, dn(name(user)), attributes(account(user, values)));
const limit = (attribute: string, value?: number, domain = jade) =>
  opened.directory.modify(root, dn(domain), [
    { operation: 'replace', attribute: { name: attribute, values: value === undefined ? [] : [String(value)] } },
  ]);
const set = (user: string, attribute: string, ...values: string[]) =>
  opened.directory.modify(admin, dn(name(user)), [{ operation: 'replace', attribute: { name: attribute, values } }]);
const shown = async (attribute: string, domain = jade): Promise<string | undefined> =>
  (await opened.directory.read(root, dn(domain), [attribute]))?.text(attribute);

test('no more users than the domain may have, for a domain administrator and for the server itself', async () => {
  await limit('mtDomainMaxUsers', 2);
  await add('a');
  await add('b');
  const say = 'adminLimitExceeded: attribute mtDomainMaxUsers: the domain jade.net may have 2 users and has 2; 1 more cannot be added';
  expect(await refusal(add('c'))).toBe(say);
  expect(await refusal(add('c', {}, root))).toBe(say);
  const batch = opened.directory.addBatch(root, [{ dn: dn(name('c')), attributes: attributes(account('c')) }]);
  expect(await refusal(batch)).toContain('may have 2 users');
  expect(await shown('mtDomainUsers')).toBe('2');
  await opened.directory.delete(admin, dn(name('a')));
  await add('c');
  expect(await shown('mtDomainUsers', 'dc=net')).toBeUndefined();
  expect(await refusal(limit('mtDomainMaxUsers', -1))).toContain('constraintViolation');
  const own = opened.directory.modify(admin, dn(jade), [{ operation: 'replace', attribute: { name: 'mtDomainMaxUsers', values: ['99'] } }]);
  expect(await refusal(own)).toContain('insufficientAccessRights');
});

test('a limit below what is there keeps what is there, and nothing more comes', async () => {
  for (const user of ['a', 'b', 'c']) await add(user);
  await limit('mtDomainMaxUsers', 1);
  expect(await refusal(add('d'))).toContain('may have 1 users and has 3');
  await set('a', 'title', 'Dr');
  await opened.directory.delete(admin, dn(name('b')));
  expect(await refusal(add('d'))).toContain('has 2');
  await limit('mtDomainMaxUsers');
  await add('d');
});

test('an entry becomes a user, a shared account, or neither, and is counted so', async () => {
  await limit('mtDomainMaxUsers', 1);
  await limit('mtDomainMaxSharedAccounts', 0);
  await add('a');
  expect(await refusal(add('b', { objectClass: 'mtSharedAccount' }))).toBe(
    'adminLimitExceeded: attribute mtDomainMaxSharedAccounts: the domain jade.net may have no shared accounts',
  );
  await limit('mtDomainMaxSharedAccounts', 1);
  await add('b', { objectClass: 'mtSharedAccount' });
  const classes = (operation: 'add' | 'delete', user: string, value: string) =>
    opened.directory.modify(admin, dn(name(user)), [{ operation, attribute: { name: 'objectClass', values: [value] } }]);
  expect(await refusal(classes('add', 'a', 'mtSharedAccount'))).toContain('mtDomainMaxSharedAccounts');
  expect(await refusal(classes('delete', 'b', 'mtSharedAccount'))).toContain('mtDomainMaxUsers');
  await classes('delete', 'a', 'mtMailUser');
  await classes('delete', 'b', 'mtSharedAccount');
  expect(await refusal(classes('add', 'a', 'mtMailUser'))).toContain('mtDomainMaxUsers');
});

test('lists can be limited and switched off', async () => {
  const list = (cn: string) =>
    opened.directory.add(
      admin,
      dn(`cn=${cn},${jade}`),
      attributes({ objectClass: 'nisMailAlias', cn, rfc822MailMember: 'x@elsewhere.example' }),
    );
  await limit('mtDomainMaxLists', 1);
  await list('one');
  expect(await refusal(list('two'))).toContain('the domain jade.net may have 1 lists and has 1');
  expect(await shown('mtDomainLists')).toBe('1');
  await limit('mtDomainMaxLists', 0);
  expect(await refusal(list('two'))).toContain('may have no lists');
});

test('the quotas of a domain are given out together, and everybody needs one', async () => {
  await add('open');
  await limit('mtDomainMaxStoreQuota', 1000);
  expect(await shown('mtDomainStoreWithoutQuota')).toBe('1');
  expect(await refusal(add('a'))).toContain(
    'attribute mailQuotaSize: required and missing, for the domain jade.net may have 1000 octets of mailboxes',
  );
  await add('a', { mailQuotaSize: '600' });
  expect(await refusal(add('b', { mailQuotaSize: '500' }))).toContain(
    'may have 1000 octets of mailboxes and has 600; 500 more cannot be added',
  );
  await add('b', { mailQuotaSize: '400' });
  expect(await refusal(set('b', 'mailQuotaSize', '401'))).toContain('1 more cannot be added');
  expect(await refusal(set('b', 'mailQuotaSize'))).toContain('attribute mailQuotaSize: required');
  expect(await refusal(set('b', 'mailQuotaSize', '0'))).toContain('attribute mailQuotaSize: required');
  await set('a', 'mailQuotaSize', '500');
  await set('b', 'mailQuotaSize', '500');
  expect(await shown('mtDomainStoreQuota')).toBe('1000');
  await set('open', 'title', 'Dr');
  await limit('mtDomainMaxWebQuota', 0);
  expect(await refusal(set('a', 'mtWebFolder', 'TRUE'))).toContain('may have no octets of web folders');
});

test('what moves between domains takes its numbers along, a subtree all of them', async () => {
  await opened.directory.add(root, dn(`ou=staff,${jade}`), attributes({ objectClass: 'organizationalUnit', ou: 'staff' }));
  for (const user of ['a', 'b'])
    await opened.directory.add(root, dn(name(user, `ou=staff,${jade}`)), attributes(account(user, { mailQuotaSize: '10' })));
  await limit('mtDomainMaxUsers', 1, 'dc=onyx,dc=net');
  const move = () =>
    opened.directory.rename(root, dn(`ou=staff,${jade}`), {
      rdn: parseRdn('ou=staff'),
      deleteOldRdn: false,
      newSuperior: dn('dc=onyx,dc=net'),
    });
  expect(await refusal(move())).toContain('the domain onyx.net may have 1 users and has 0; 2 more cannot be added');
  await limit('mtDomainMaxUsers', 2, 'dc=onyx,dc=net');
  await move();
  expect([await shown('mtDomainUsers'), await shown('mtDomainUsers', 'dc=onyx,dc=net')]).toEqual(['0', '2']);
  await opened.directory.delete(root, dn('ou=staff,dc=onyx,dc=net'), { subtree: true });
  const deleted = await opened.directory.position();
  expect(await shown('mtDomainUsers', 'dc=onyx,dc=net')).toBe('0');
  await limit('mtDomainMaxUsers', 1, 'dc=onyx,dc=net');
  expect(await refusal(opened.directory.undo(root, deleted))).toContain('may have 1 users');
  await limit('mtDomainMaxUsers', 2, 'dc=onyx,dc=net');
  await opened.directory.undo(root, deleted);
  expect(await shown('mtDomainStoreQuota', 'dc=onyx,dc=net')).toBe('20');
});

test('sub-domains count for the domain above', async () => {
  await limit('mtDomainMaxUsers', 1);
  const below = `dc=branch,${jade}`;
  await opened.directory.add(root, dn(below), attributes({ objectClass: ['domain', 'mtMailDomain'], dc: 'branch' }));
  await opened.directory.add(root, dn(name('a', below)), attributes(account('a')));
  expect(await refusal(add('b'))).toContain('has 1');
});

test('of many who come at once exactly as many get in as may', async () => {
  await limit('mtDomainMaxUsers', 5);
  const results = await Promise.all(Array.from({ length: 60 }, (_, n) => refusal(add(`u${n}`))));
  expect(results.filter((result) => result === 'not refused')).toHaveLength(5);
  expect(await shown('mtDomainUsers')).toBe('5');
});

test('lost numbers are found by the check, and made anew by reindexing and by a start that counts otherwise', async () => {
  await add('a', { mailQuotaSize: '10' });
  await opened.keyValue.transact(async (read) => {
    const [first] = await read.scan({ from: 'directory/u/', to: 'directory/u0' });
    return { deletes: first ? [first[0]] : [], result: undefined };
  }, 'durable');
  expect((await checkDirectory(opened.keyValue, schema)).faults.join()).toMatch(/below it 1 users, 10 storeQuota, counted nowhere/);
  await reindexDirectory(opened.keyValue, schema);
  expect((await checkDirectory(opened.keyValue, schema)).faults).toEqual([]);
  await opened.keyValue.transact(async () => ({ deletes: ['directory/w', 'directory/u/a1'], result: undefined }), 'durable');
  opened = await opened.reopen();
});

test('no access rule hangs on what is counted below an entry: it is about the entry as it stands', async () => {
  const values = {
    ...{ objectClass: 'mtAccess', cn: 'few', mtAccessOrder: '1', mtAccessWho: 'all', mtAccessEffect: 'deny', mtAccessRight: 'read' },
    mtAccessFilter: '(mtDomainUsers=0)',
  };
  expect(await refusal(opened.directory.add(root, dn('cn=few,cn=access,cn=mailtree'), attributes(values)))).toBe(
    'constraintViolation: attribute mtAccessFilter: mtDomainUsers is not of the entry itself',
  );
});
