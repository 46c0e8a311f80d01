/** What an access rule can say: who, which entries, which attributes; and what is refused as a rule. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Actor, anonymous, type Entry, type Modification } from '../../src/directory/index.ts';
import { parseFilter, parseRdn } from '../../src/ldap-wire/index.ts';
import { all, attributes, dn, fill, type Opened, openTemporary, person, refusal, root } from './support.ts';

type Values = Readonly<Record<string, string | readonly string[]>>;
const jade = 'dc=jade,dc=net';
const onyx = 'dc=onyx,dc=net';
const user = (n: number, domain = 'jade'): string => `mail=user${n}@${domain}.net,dc=${domain},dc=net`;
const staff = `cn=staff,${jade}`;
let opened: Opened;
let me: Actor;
let other: Actor;
let foreign: Actor;
let chief: Actor;
let admin: Actor;
beforeAll(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
  const as = (name: string, password: string): Promise<Actor> => opened.directory.authenticate(dn(name), password, { door: 'test' });
  await opened.directory.add(root, dn(staff), attributes({ objectClass: 'groupOfNames', cn: 'staff', member: user(2) }));
  await opened.directory.modify(root, dn(user(1)), [{ operation: 'replace', attribute: { name: 'manager', values: [user(2, 'onyx')] } }]);
  me = await as(user(1), 'secret of user1');
  other = await as(user(2), 'secret of user2');
  foreign = await as(user(1, 'onyx'), 'secret of user1');
  chief = await as(user(2, 'onyx'), 'secret of user2');
  admin = await as('cn=admin,cn=admins,cn=mailtree', 'admin secret');
});
afterAll(() => opened.close());

const ruleName = (cn: string) => dn(`cn=${cn},cn=access,cn=mailtree`);
const ruleOf = (cn: string, values: Values) =>
  attributes({
    objectClass: 'mtAccess',
    cn,
    mtAccessOrder: '10',
    mtAccessEffect: 'allow',
    mtAccessWho: 'all',
    mtAccessRight: 'read',
    ...values,
  });

/** Runs with these rules in force, and takes them away again. */
async function under(rules: Readonly<Record<string, Values>>, run: () => Promise<void>): Promise<void> {
  for (const [cn, values] of Object.entries(rules)) await opened.directory.add(admin, ruleName(cn), ruleOf(cn, values));
  try {
    await run();
  } finally {
    for (const cn of Object.keys(rules)) await opened.directory.delete(admin, ruleName(cn));
  }
}

const sees = async (actor: Actor, name: string, attribute: string): Promise<boolean> =>
  (await opened.directory.read(actor, dn(name), [attribute]))?.has(attribute) ?? false;
const change = (
  actor: Actor,
  name: string,
  operation: Modification['operation'],
  attribute: string,
  ...values: string[]
): Promise<string> => refusal(opened.directory.modify(actor, dn(name), [{ operation, attribute: { name: attribute, values } }]));
const search = (actor: Actor, filter: string, base = ''): Promise<Entry[]> =>
  all(opened.directory.search(actor, { base: dn(base), scope: 'sub', filter: parseFilter(filter) }));
const done = 'not refused';

test('a named delegate manages one subtree, and of its entries the attributes that are his', async () => {
  const rules = {
    delegate: {
      mtAccessWho: `dn:${user(1, 'onyx')}`,
      mtAccessTarget: `children:${jade}`,
      mtAccessRight: ['search', 'read', 'write'],
      mtAccessAttribute: ['telephoneNumber', 'roomNumber'],
    },
  };
  await under(rules, async () => {
    expect(await change(foreign, user(1), 'replace', 'telephoneNumber', '+49 89 99')).toBe(done);
    expect(await change(foreign, user(1), 'replace', 'sn', 'Other')).toContain('insufficientAccessRights: attribute sn');
    expect(await change(foreign, user(1), 'replace', 'userPassword', 'new password')).toContain('insufficientAccessRights');
    expect(await change(foreign, user(2, 'onyx'), 'replace', 'telephoneNumber', '1')).toContain('insufficientAccessRights');
    expect(await change(chief, user(1), 'replace', 'telephoneNumber', '1')).toContain('insufficientAccessRights');
  });
  expect(await change(foreign, user(1), 'replace', 'telephoneNumber', '1')).toContain('insufficientAccessRights');
});

test('a delegate who makes and removes accounts does so with the attributes that are his', async () => {
  const rules = {
    accounts: {
      mtAccessWho: `dn:${user(1, 'onyx')}`,
      mtAccessTarget: `children:${jade}`,
      mtAccessClass: 'person',
      mtAccessFilter: '(&(cn=*)(!(employeeType=boss)))',
      mtAccessRight: ['read', 'write', 'add', 'delete'],
      mtAccessAttribute: ['objectClass', 'cn', 'sn', 'mail', 'userPassword', 'employeeType'],
    },
  };
  const name = dn(`mail=made@jade.net,${jade}`);
  const make = (more: Values = {}, who = foreign): Promise<string> => {
    const values = {
      objectClass: 'inetOrgPerson',
      commonName: 'Made',
      sn: 'Made',
      mail: 'made@jade.net',
      userPassword: 'made up',
      ...more,
    };
    return refusal(opened.directory.add(who, name, attributes(values)));
  };
  expect(await make()).toContain('insufficientAccessRights');
  await under(rules, async () => {
    expect(await make({ title: 'Dr.' })).toContain('insufficientAccessRights: attribute title');
    expect(await make({ employeeType: 'boss' })).toContain('insufficientAccessRights');
    expect(await make({ userPassword: '{SSHA}awc/Cj0kafyFd5d8fGn07xoHBJJzYWx0c2FsdA==' })).toContain('give the password itself');
    expect(await make({}, chief)).toContain('insufficientAccessRights');
    expect(await make()).toBe(done);
    expect(await refusal(opened.directory.rename(foreign, name, { rdn: parseRdn('mail=made2@jade.net'), deleteOldRdn: true }))).toBe(done);
    const box = attributes({ objectClass: 'device', cn: 'box' });
    expect(await refusal(opened.directory.add(foreign, dn(`cn=box,${jade}`), box))).toContain('insufficientAccessRights');
    expect(await refusal(opened.directory.delete(foreign, dn(jade)))).toContain('insufficientAccessRights');
    expect(await refusal(opened.directory.delete(foreign, dn(`mail=made2@jade.net,${jade}`)))).toBe(done);
  });
});

test('members of a group are delegates as long as they are members', async () => {
  const rules = {
    'help desk': {
      mtAccessWho: `group:${staff}`,
      mtAccessTarget: `children:${jade}`,
      mtAccessRight: 'write',
      mtAccessAttribute: 'userPassword',
    },
  };
  await under(rules, async () => {
    expect(await change(other, user(1), 'replace', 'userPassword', 'by the help desk')).toBe(done);
    expect(await change(other, user(1), 'replace', 'userPassword', '{SSHA}awc/Cj0kafyFd5d8fGn07xoHBJJzYWx0c2FsdA==')).toContain(
      'give the password itself',
    );
    expect(await change(other, user(1), 'replace', 'sn', 'x')).toContain('insufficientAccessRights');
    expect(await change(me, user(2), 'replace', 'userPassword', 'not a member')).toContain('insufficientAccessRights');
    await opened.directory.modify(root, dn(staff), [{ operation: 'replace', attribute: { name: 'member', values: [user(1, 'onyx')] } }]);
    expect(await change(other, user(1), 'replace', 'userPassword', 'no more')).toContain('insufficientAccessRights');
    expect(await change(foreign, user(1), 'replace', 'userPassword', 'by another')).toBe(done);
    await opened.directory.modify(root, dn(staff), [{ operation: 'replace', attribute: { name: 'member', values: [user(2)] } }]);
  });
});

test('an attribute of the entry names who may, and no longer does when it changes', async () => {
  const rules = {
    managers: { mtAccessWho: 'attribute:manager', mtAccessRight: ['read', 'write'], mtAccessAttribute: ['roomNumber', 'employeeNumber'] },
  };
  await under(rules, async () => {
    expect(await sees(chief, user(1), 'employeeNumber')).toBe(true);
    expect(await change(chief, user(1), 'replace', 'roomNumber', '7')).toBe(done);
    expect(await change(chief, user(2), 'replace', 'roomNumber', '7')).toContain('insufficientAccessRights');
    expect(await change(foreign, user(1), 'replace', 'roomNumber', '8')).toContain('insufficientAccessRights');
    const swap = (to: string) =>
      opened.directory.modify(root, dn(user(1)), [{ operation: 'replace', attribute: { name: 'manager', values: [to] } }]);
    await swap(user(1, 'onyx'));
    expect(await change(chief, user(1), 'replace', 'roomNumber', '9')).toContain('insufficientAccessRights');
    await swap(user(2, 'onyx'));
  });
});

test('people join and leave a group that lets them, themselves alone', async () => {
  const club = `cn=club,${jade}`;
  await opened.directory.add(root, dn(club), attributes({ objectClass: 'groupOfNames', cn: 'club', member: user(1, 'onyx') }));
  const rules = {
    join: { mtAccessWho: 'same-domain', mtAccessTarget: `entry:${club}`, mtAccessRight: 'selfwrite', mtAccessAttribute: 'member' },
  };
  await under(rules, async () => {
    expect(await change(me, club, 'add', 'member', user(2))).toContain('insufficientAccessRights: attribute member');
    expect(await change(me, club, 'add', 'member', user(1), user(2))).toContain('insufficientAccessRights');
    expect(await change(me, club, 'delete', 'member', user(1, 'onyx'))).toContain('insufficientAccessRights');
    expect(await change(me, club, 'delete', 'member')).toContain('insufficientAccessRights');
    expect(await change(me, club, 'replace', 'member', user(1))).toContain('insufficientAccessRights');
    expect(await change(foreign, club, 'delete', 'member', user(1, 'onyx'))).toContain('insufficientAccessRights');
    expect(await change(me, club, 'add', 'member', user(1).toUpperCase())).toBe(done);
    expect(await change(me, club, 'delete', 'member', user(1))).toBe(done);
    expect(await change(me, club, 'add', 'description', 'x')).toContain('insufficientAccessRights');
  });
  await opened.directory.delete(root, dn(club));
});

test('users of one domain cannot look into another one', async () => {
  const rules = {
    'own domain': {
      mtAccessOrder: '5',
      mtAccessWho: ['same-domain', 'domain-admin'],
      mtAccessRight: ['search', 'read', 'compare'],
      mtAccessAttribute: '@inetOrgPerson',
    },
    'no other': { mtAccessOrder: '650', mtAccessRight: ['search', 'read', 'compare'], mtAccessEffect: 'deny', mtAccessTarget: 'domains' },
  };
  const generalOff = { operation: 'replace', attribute: { name: 'mtAccessWho', values: ['same-domain'] } } as const;
  const general = ruleName('general information');
  await opened.directory.modify(admin, general, [generalOff]);
  await under(rules, async () => {
    expect((await search(me, '(mail=user*)')).map((entry) => entry.dn.key).sort()).toEqual([user(1), user(2)]);
    expect((await search(foreign, '(mail=user*)')).map((entry) => entry.dn.key).sort()).toEqual([user(1, 'onyx'), user(2, 'onyx')]);
    expect(await search(anonymous('test'), '(objectClass=*)')).toEqual([]);
    expect(await refusal(search(me, '(mail=*)', onyx))).toContain('noSuchObject');
    expect(await refusal(opened.directory.compare(me, dn(user(1, 'onyx')), 'cn', 'x'))).toContain('noSuchObject');
  });
  await opened.directory.modify(admin, general, [{ operation: 'replace', attribute: { name: 'mtAccessWho', values: ['all'] } }]);
});

test('a filter chooses the entries, before a change and after it', async () => {
  const rules = {
    interns: {
      mtAccessWho: 'authenticated',
      mtAccessFilter: '(&(employeeType=intern)(!(title=Dr*)))',
      mtAccessRight: 'write',
      mtAccessAttribute: ['title', 'employeeType', 'objectClass', 'mail', 'cn', 'sn'],
    },
  };
  const intern = `mail=intern@jade.net,${jade}`;
  await opened.directory.add(root, dn(intern), person('intern@jade.net', { employeeType: 'intern' }));
  await under(rules, async () => {
    expect(await change(foreign, intern, 'replace', 'title', 'Mr')).toBe(done);
    expect(await change(foreign, user(1), 'replace', 'title', 'Mr')).toContain('insufficientAccessRights');
    expect(await change(foreign, intern, 'replace', 'title', 'Dr.')).toContain('insufficientAccessRights: attribute title');
    expect(await change(foreign, intern, 'replace', 'employeeType', 'boss')).toContain('insufficientAccessRights');
  });
  await opened.directory.delete(root, dn(intern));
});

test('@CLASS stands for the attributes of a class', async () => {
  const rules = { people: { mtAccessWho: 'anonymous', mtAccessRight: 'read', mtAccessAttribute: '@inetOrgPerson' } };
  await under(rules, async () => {
    expect(await sees(anonymous('test'), user(1), 'employeeNumber')).toBe(true);
    expect(await sees(anonymous('test'), user(1), 'createTimestamp')).toBe(true);
    expect(await sees(anonymous('test'), user(1), 'creatorsName')).toBe(false);
  });
});

const bad: [what: string, values: Values, expected: string][] = [
  ['nobody we know', { mtAccessWho: 'everybody' }, 'attribute mtAccessWho: "everybody" is none of all'],
  ['a name that is none', { mtAccessWho: 'dn:user1' }, 'attribute mtAccessWho: "user1" is not a distinguished name'],
  ['an empty name', { mtAccessTarget: 'entry: ' }, 'attribute mtAccessTarget: "entry: " is none of *'],
  ['a group that is no name', { mtAccessWho: 'group:staff' }, 'attribute mtAccessWho: "staff" is not a distinguished name'],
  ['an attribute that is none', { mtAccessWho: 'attribute:boss' }, 'attribute mtAccessWho: "boss" is not defined in the schema'],
  ['an attribute without names', { mtAccessWho: 'attribute:title' }, 'attribute mtAccessWho: title does not hold names'],
  ['a target that is none', { mtAccessTarget: 'everywhere' }, 'attribute mtAccessTarget: "everywhere" is none of *'],
  ['a right that is none', { mtAccessRight: 'fly' }, 'attribute mtAccessRight: "fly" is none of search'],
  ['an effect that is none', { mtAccessEffect: 'perhaps' }, 'attribute mtAccessEffect: "perhaps" is none of allow, deny'],
  ['an order nobody can count', { mtAccessOrder: '99999999999999999999' }, 'attribute mtAccessOrder: is not a number'],
  ['a class that is none', { mtAccessClass: 'wizard' }, 'attribute mtAccessClass: "wizard" is no object class'],
  [
    'an attribute nobody knows',
    { mtAccessAttribute: ['cn', 'favouritePizza'] },
    'attribute mtAccessAttribute: "favouritePizza" is neither',
  ],
  ['a class of attributes nobody knows', { mtAccessAttribute: '@wizard' }, 'attribute mtAccessAttribute: "@wizard" is neither'],
  ['an ending that is none', { mtAccessAttribute: 'mt*Limit' }, 'attribute mtAccessAttribute: "mt*Limit" is neither'],
  ['a filter that is none', { mtAccessFilter: '(cn=x' }, 'attribute mtAccessFilter: "(cn=x" is not a filter'],
  [
    'a filter about what nobody knows',
    { mtAccessFilter: '(favouritePizza=x)' },
    'attribute mtAccessFilter: "favouritePizza" is not defined',
  ],
  ['a filter about passwords', { mtAccessFilter: '(userPassword=*)' }, 'attribute mtAccessFilter: userPassword is secret'],
  ['a filter about other entries', { mtAccessFilter: '(hasSubordinates=TRUE)' }, 'attribute mtAccessFilter: hasSubordinates is not of'],
  [
    'a filter without an attribute',
    { mtAccessFilter: '(:caseIgnoreMatch:=x)' },
    'attribute mtAccessFilter: has a part that names no attribute',
  ],
  ['a filter of a hundred parts', { mtAccessFilter: `(|${'(cn=x)'.repeat(100)})` }, 'attribute mtAccessFilter: has more than 50 parts'],
  ['a filter as long as a book', { mtAccessFilter: `(cn=${'x'.repeat(3000)})` }, 'attribute mtAccessFilter'],
  ['a thousand askers', { mtAccessWho: Array.from({ length: 201 }, (_, n) => `dn:cn=${n}`) }, 'attribute mtAccessWho: has more than 200'],
];

test.each(bad)('a rule with %s is refused', async (_what, values, expected) => {
  const answer = await refusal(opened.directory.add(admin, ruleName('bad'), ruleOf('bad', values)));
  expect(answer).toContain(`constraintViolation: ${expected}`);
});

test('no rule takes anything from a super administrator', async () => {
  const everything = ['search', 'read', 'compare', 'write', 'add', 'delete'];
  const rules = {
    'all shut': { mtAccessOrder: '0', mtAccessWho: ['all', 'subtree:cn=mailtree'], mtAccessRight: everything, mtAccessEffect: 'deny' },
  };
  await under(rules, async () => {
    expect(await sees(me, user(1), 'cn')).toBe(false);
    expect(await sees(admin, user(1), 'employeeNumber')).toBe(true);
    expect(await change(admin, user(1), 'replace', 'description', 'by the administrator')).toBe(done);
  });
});

test('the last resort of administration keeps a password and stays active', async () => {
  const name = 'cn=admin,cn=admins,cn=mailtree';
  expect(await change(admin, name, 'delete', 'userPassword')).toContain('attribute userPassword: the last resort');
  expect(await change(root, name, 'replace', 'userPassword')).toContain('attribute userPassword: the last resort');
  const disabled = opened.directory.modify(admin, dn(name), [
    { operation: 'add', attribute: { name: 'objectClass', values: ['mtTest'] } },
    { operation: 'add', attribute: { name: 'accountStatus', values: ['disabled'] } },
  ]);
  expect(await refusal(disabled)).toContain('attribute accountStatus: the last resort');
  expect(await change(admin, name, 'replace', 'userPassword', 'admin secret')).toBe(done);
});

test('whoever is disabled, deleted or renamed has the rights of a stranger from then on', async () => {
  const name = `mail=leaver@jade.net,${jade}`;
  const add = () => opened.directory.add(root, dn(name), person('leaver@jade.net', { userPassword: 'soon gone', employeeNumber: '1' }));
  await add();
  const leaver = await opened.directory.authenticate(dn(name), 'soon gone', { door: 'test' });
  expect(await sees(leaver, name, 'employeeNumber')).toBe(true);
  await opened.directory.modify(root, dn(name), [{ operation: 'replace', attribute: { name: 'accountStatus', values: ['disabled'] } }]);
  expect(await sees(leaver, name, 'employeeNumber')).toBe(false);
  await opened.directory.modify(root, dn(name), [{ operation: 'replace', attribute: { name: 'accountStatus', values: [] } }]);
  expect(await sees(leaver, name, 'employeeNumber')).toBe(true);
  await opened.directory.rename(root, dn(name), { rdn: parseRdn('mail=gone@jade.net'), deleteOldRdn: true });
  expect(await sees(leaver, `mail=gone@jade.net,${jade}`, 'employeeNumber')).toBe(false);
  const boss = 'cn=second,cn=admins,cn=mailtree';
  await opened.directory.add(
    root,
    dn(boss),
    attributes({ objectClass: 'person', cn: 'second', sn: 'Second', userPassword: 'second secret' }),
  );
  const second = await opened.directory.authenticate(dn(boss), 'second secret', { door: 'test' });
  expect(await sees(second, 'cn=mailtree', 'cn')).toBe(true);
  await opened.directory.delete(admin, dn(boss));
  expect(await sees(second, 'cn=mailtree', 'cn')).toBe(false);
  expect(await change(second, user(1), 'replace', 'sn', 'x')).toContain('insufficientAccessRights');
});

test('nobody makes himself the administrator of a domain by a name he may write', async () => {
  const free = { mtAccessWho: `dn:${user(1)}`, mtAccessRight: ['read', 'write'] };
  const rename = (rdn: string) => opened.directory.rename(me, dn(user(1)), { rdn: parseRdn(rdn), deleteOldRdn: false });
  await under({ free }, async () => {
    await opened.directory.delete(admin, dn(`cn=admin,${jade}`));
    expect(await refusal(rename('cn=admin'))).toBe('insufficientAccessRights: you may not make it an administrator of the domain');
    await rename('cn=me');
    await opened.directory.rename(admin, dn(`cn=me,${jade}`), { rdn: parseRdn('mail=user1@jade.net'), deleteOldRdn: true });
  });
});
