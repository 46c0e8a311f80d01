import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Actor, checkDirectory } from '../../src/directory/index.ts';
import { parseFilter, parseRdn } from '../../src/ldap-wire/index.ts';
import { all, attributes, dn, fill, type Opened, openTemporary, refusal, root, testSchema } from './support.ts';

const jade = 'dc=jade,dc=net';
const user = (name: string): string => `mail=${name}@jade.net,${jade}`;
let opened: Opened;
let admin: Actor;
beforeEach(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
  admin = await opened.directory.authenticate(dn('cn=admin,cn=admins,cn=mailtree'), 'admin secret', { door: 'ldap' });
});
afterEach(async () => {
  expect((await checkDirectory(opened.keyValue, testSchema())).faults).toEqual([]);
  await opened.close();
});

const add = (name: string, values: Record<string, string | string[]>) => opened.directory.add(admin, dn(name), attributes(values));
const group = (name: string, ...members: string[]) => add(`cn=${name},${jade}`, { objectClass: 'groupOfNames', cn: name, member: members });
const rename = (name: string, rdn: string, newSuperior?: string) =>
  opened.directory.rename(admin, dn(name), {
    rdn: parseRdn(rdn),
    deleteOldRdn: true,
    ...(newSuperior === undefined ? {} : { newSuperior: dn(newSuperior) }),
  });
const remove = (name: string, options = {}) => opened.directory.delete(admin, dn(name), options);
const read = async (name: string, attribute: string): Promise<string[]> =>
  ((await opened.directory.read(root, dn(name), ['*', '+']))?.texts(attribute) ?? []).sort();
const set = (name: string, attribute: string, ...values: string[]) =>
  opened.directory.modify(admin, dn(name), [{ operation: 'replace', attribute: { name: attribute, values } }]);

test.each([
  ['member', 'groupOfNames', {}],
  ['uniqueMember', 'groupOfUniqueNames', {}],
  ['owner', 'groupOfNames', { member: user('user2') }],
  ['seeAlso', 'device', {}],
  ['roleOccupant', 'organizationalRole', {}],
  ['manager', 'inetOrgPerson', { sn: 'x' }],
  ['secretary', 'inetOrgPerson', { sn: 'x' }],
])('%s follows a rename and a deletion', async (attribute, objectClass, more) => {
  await add(`cn=x,${jade}`, { objectClass, cn: 'x', ...more, [attribute]: [user('user1').toUpperCase(), user('user2')] });
  await rename(user('user1'), 'mail=new@jade.net');
  expect(await read(`cn=x,${jade}`, attribute)).toEqual([user('new'), user('user2')]);
  expect(await read(`cn=x,${jade}`, 'modifiersName')).toEqual(['cn=admin,cn=admins,cn=mailtree']);
  await remove(user('new'));
  expect(await read(`cn=x,${jade}`, attribute)).toEqual([user('user2')]);
});

test('a unique member with an identifier behind its name follows, and keeps it', async () => {
  await add(`cn=x,${jade}`, { objectClass: 'groupOfUniqueNames', cn: 'x', uniqueMember: [`${user('user1')}#'0101'B`, user('user2')] });
  await rename(user('user1'), 'mail=new@jade.net');
  expect(await read(`cn=x,${jade}`, 'uniqueMember')).toEqual([`${user('new')}#'0101'B`, user('user2')]);
  const found = opened.directory.search(root, {
    base: dn(jade),
    scope: 'sub',
    filter: parseFilter(`(uniqueMember=${user('new')}#'0101'B)`),
  });
  expect(await all(found)).toHaveLength(1);
  const other = opened.directory.search(root, { base: dn(jade), scope: 'sub', filter: parseFilter(`(uniqueMember=${user('new')}#'11'B)`) });
  expect(await all(other)).toHaveLength(0);
});

test('references follow when something above is renamed, and into the access rules', async () => {
  await add(`ou=a,${jade}`, { objectClass: 'organizationalUnit', ou: 'a' });
  await add(`ou=b,${jade}`, { objectClass: 'organizationalUnit', ou: 'b' });
  await add(`cn=x,ou=a,${jade}`, { objectClass: 'device', cn: 'x' });
  await group('staff', `cn=x,ou=a,${jade}`, user('user1'));
  await add('cn=special,cn=access,cn=mailtree', {
    objectClass: 'mtAccess',
    cn: 'special',
    mtAccessOrder: '1',
    mtAccessEffect: 'allow',
    mtAccessWho: [`dn:cn=x,ou=a,${jade}`, `subtree:ou=a,${jade}`],
    mtAccessTarget: [`children:ou=a,${jade}`, 'system'],
    mtAccessRight: 'read',
  });
  await rename(`ou=a,${jade}`, 'ou=c', `ou=b,${jade}`);
  expect(await read(`cn=staff,${jade}`, 'member')).toEqual([`cn=x,ou=c,ou=b,${jade}`, user('user1')]);
  const rule = 'cn=special,cn=access,cn=mailtree';
  expect(await read(rule, 'mtAccessWho')).toEqual([`dn:cn=x,ou=c,ou=b,${jade}`, `subtree:ou=c,ou=b,${jade}`]);
  expect(await read(rule, 'mtAccessTarget')).toEqual([`children:ou=c,ou=b,${jade}`, 'system']);
  await remove(`cn=x,ou=c,ou=b,${jade}`);
  expect(await read(rule, 'mtAccessWho')).toEqual([`subtree:ou=c,ou=b,${jade}`]);
  expect(await refusal(remove(`ou=c,ou=b,${jade}`))).toContain('it is the last mtAccessWho of cn=special,cn=access,cn=mailtree');
});

test('the last member of a group stays, or goes with the group', async () => {
  await group('staff', user('user1'));
  const refused = `unwillingToPerform: it is the last member of cn=staff,${jade}, which cannot do without: give that another one, or delete it, first`;
  expect(await refusal(remove(user('user1')))).toBe(refused);
  expect(await read(user('user1'), 'mail')).toEqual(['user1@jade.net']);
  await remove(jade, { subtree: true });
  expect(await opened.directory.read(root, dn(jade))).toBeUndefined();
});

test('one undo brings back the entry and its places in groups', async () => {
  await group('staff', user('user1'), user('user2'));
  await group('board', user('user1'), user('user2'));
  await remove(user('user1'));
  const last = await opened.directory.position();
  expect(await read(`cn=board,${jade}`, 'member')).toEqual([user('user2')]);
  const { changes } = await opened.directory.undo(admin, last);
  expect(changes).toBe(3);
  for (const name of ['staff', 'board']) expect(await read(`cn=${name},${jade}`, 'member')).toEqual([user('user1'), user('user2')]);
  await rename(user('user1'), 'mail=new@jade.net');
  await opened.directory.undo(admin, await opened.directory.position());
  expect(await read(`cn=board,${jade}`, 'member')).toEqual([user('user1'), user('user2')]);
});

test('a group that has both the old and the new name has the new one once', async () => {
  await group('staff', user('user1'), user('new'));
  await rename(user('user1'), 'mail=new@jade.net');
  expect(await read(`cn=staff,${jade}`, 'member')).toEqual([user('new')]);
});

test('addresses follow a new primary address into lists and forwarding', async () => {
  await add(`cn=humor,${jade}`, {
    objectClass: ['nisMailAlias'],
    cn: 'humor',
    rfc822MailMember: ['USER1@jade.net', 'friend@elsewhere.example'],
  });
  await add(`mail=list@jade.net,${jade}`, { objectClass: 'mtTestList', mail: 'list@jade.net' });
  await add(`mail=user1@jade.net,mail=list@jade.net,${jade}`, { objectClass: 'mtTestList', mail: 'user1@jade.net', description: 'digest' });
  await rename(user('user1'), 'mail=new@jade.net');
  expect(await read(`cn=humor,${jade}`, 'rfc822MailMember')).toEqual(['friend@elsewhere.example', 'new@jade.net']);
  expect(await read(`mail=new@jade.net,mail=list@jade.net,${jade}`, 'description')).toEqual(['digest']);
  // The old address stays as an alias: nothing has to follow.
  await opened.directory.modify(admin, dn(user('user2')), [
    { operation: 'add', attribute: { name: 'mailLocalAddress', values: ['second@jade.net'] } },
  ]);
  await set(`cn=humor,${jade}`, 'rfc822MailMember', 'second@jade.net', 'new@jade.net');
  await remove(user('user2'));
  expect(await read(`cn=humor,${jade}`, 'rfc822MailMember')).toEqual(['new@jade.net']);
  await remove(user('new'));
  expect(await read(`cn=humor,${jade}`, 'rfc822MailMember')).toEqual([]);
  expect(await opened.directory.read(root, dn(`mail=new@jade.net,mail=list@jade.net,${jade}`))).toBeUndefined();
});

test('a domain administrator who deletes a user takes it out of groups elsewhere', async () => {
  await add('cn=all,dc=onyx,dc=net', { objectClass: 'groupOfNames', cn: 'all', member: [user('user1'), user('user2')] });
  const domainAdmin = await opened.directory.authenticate(dn(`cn=admin,${jade}`), 'admin secret', { door: 'ldap' });
  await opened.directory.delete(domainAdmin, dn(user('user1')));
  expect(await read('cn=all,dc=onyx,dc=net', 'member')).toEqual([user('user2')]);
});

test('a user in many groups and a large group are worked on at once, and undone at once', async () => {
  const members = Array.from({ length: 2_000 }, (_, n) => `cn=m${n},${jade}`);
  await opened.directory.addBatch(root, [
    {
      dn: dn(`cn=large,${jade}`),
      attributes: attributes({ objectClass: 'groupOfNames', cn: 'large', member: [...members, user('user1')] }),
    },
  ]);
  for (let from = 0; from < 400; from += 200)
    await opened.directory.addBatch(
      root,
      Array.from({ length: 200 }, (_, n) => ({
        dn: dn(`cn=g${from + n},${jade}`),
        attributes: attributes({ objectClass: 'groupOfNames', cn: `g${from + n}`, member: [user('user1'), user('user2')] }),
      })),
    );
  await rename(user('user1'), 'mail=new@jade.net');
  expect(await read(`cn=g399,${jade}`, 'member')).toEqual([user('new'), user('user2')]);
  expect((await read(`cn=large,${jade}`, 'member')).filter((name) => name.startsWith('mail='))).toEqual([user('new')]);
  await opened.directory.undo(admin, await opened.directory.position());
  expect(await read(`cn=g399,${jade}`, 'member')).toEqual([user('user1'), user('user2')]);
}, 60_000);

test('moving a subtree to where a name below would be too deep is refused, all of it', async () => {
  let deep = jade;
  for (let n = 0; n < 60; n++) {
    deep = `ou=${n},${deep}`;
    await add(deep, { objectClass: 'organizationalUnit', ou: String(n) });
  }
  let other = `ou=other,${jade}`;
  await add(other, { objectClass: 'organizationalUnit', ou: 'other' });
  for (let n = 0; n < 40; n++) {
    other = `ou=${n},${other}`;
    await add(other, { objectClass: 'organizationalUnit', ou: String(n) });
  }
  expect(await refusal(rename(`ou=0,${jade}`, 'ou=0', other))).toMatch(/would have more than 100 levels/);
  expect(await read(deep, 'ou')).toEqual(['59']);
});

test('what stands below an entry does not become a member of a list, or cease to be one, by its renaming', async () => {
  await add(`mail=list@jade.net,${jade}`, { objectClass: 'mtTestList', mail: 'list@jade.net', cn: 'list' });
  await add(`mail=user1@jade.net,mail=list@jade.net,${jade}`, { objectClass: 'mtTestList', mail: 'user1@jade.net' });
  const keep = (name: string, rdn: string) => opened.directory.rename(admin, dn(name), { rdn: parseRdn(rdn), deleteOldRdn: false });
  expect(await refusal(keep(`mail=list@jade.net,${jade}`, 'cn=list'))).toContain('unwillingToPerform: entries below one named by mail');
  await remove(`mail=user1@jade.net,mail=list@jade.net,${jade}`);
  await keep(`mail=list@jade.net,${jade}`, 'cn=list');
  await add(`mail=below@jade.net,cn=list,${jade}`, { objectClass: 'mtTestList', mail: 'below@jade.net' });
  expect(await refusal(keep(`cn=list,${jade}`, 'mail=list@jade.net'))).toContain('unwillingToPerform: entries below one named by mail');
});

test('addresses that were only mentioned are taken when a subtree moves to where it would own them', async () => {
  const place = await openTemporary({ elsewhere: [dn('ou=elsewhere,dc=jade,dc=net')] });
  const { directory } = place;
  await fill(directory);
  for (const ou of ['elsewhere', 'mine'])
    await directory.add(root, dn(`ou=${ou},${jade}`), attributes({ objectClass: 'organizationalUnit', ou }));
  await directory.add(root, dn(`ou=unit,ou=elsewhere,${jade}`), attributes({ objectClass: 'organizationalUnit', ou: 'unit' }));
  await directory.add(
    root,
    dn(`cn=copy,ou=unit,ou=elsewhere,${jade}`),
    attributes({ objectClass: 'mtTestList', cn: 'copy', mail: 'user1@jade.net' }),
  );
  const move = () =>
    directory.rename(root, dn(`ou=unit,ou=elsewhere,${jade}`), {
      rdn: parseRdn('ou=unit'),
      deleteOldRdn: false,
      newSuperior: dn(`ou=mine,${jade}`),
    });
  expect(await refusal(move())).toBe('constraintViolation: attribute mail: the address "user1@jade.net" belongs to another entry');
  await directory.modify(root, dn(`cn=copy,ou=unit,ou=elsewhere,${jade}`), [
    { operation: 'replace', attribute: { name: 'mail', values: ['copy@jade.net'] } },
  ]);
  await move();
  await place.close();
});

test('the name of an entry that is not to be known is not told to who deletes the last one it refers to', async () => {
  await add('cn=council,dc=onyx,dc=net', { objectClass: 'groupOfNames', cn: 'council', member: user('user1') });
  const chief = await opened.directory.authenticate(dn(`cn=admin,${jade}`), 'admin secret', { door: 'ldap' });
  const told = async (): Promise<string> => refusal(opened.directory.delete(chief, dn(user('user1'))));
  expect(await told()).toContain('it is the last member of cn=council,dc=onyx,dc=net');
  await add('cn=no council,cn=access,cn=mailtree', {
    ...{ objectClass: 'mtAccess', cn: 'no council', mtAccessOrder: '1', mtAccessWho: 'all', mtAccessEffect: 'deny' },
    ...{ mtAccessRight: ['read', 'search', 'compare'], mtAccessTarget: 'entry:cn=council,dc=onyx,dc=net' },
  });
  expect(await told()).toContain('it is the last member of another entry');
});
