import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Actor, anonymous, type Entry, type Modification } from '../../src/directory/index.ts';
import { parseFilter, parseRdn } from '../../src/ldap-wire/index.ts';
import { all, attributes, dn, fill, mails, type Opened, openTemporary, person, refusal, root, settings } from './support.ts';

const jade = 'dc=jade,dc=net';
const onyx = 'dc=onyx,dc=net';
let opened: Opened;
const actors: Record<string, Actor> = {};
beforeAll(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
  const as = (name: string, password: string): Promise<Actor> => opened.directory.authenticate(dn(name), password, { door: 'test' });
  actors['anonymous'] = anonymous('test');
  actors['user'] = await as(`mail=user1@jade.net,${jade}`, 'secret of user1');
  actors['domain'] = await as(`cn=admin,${jade}`, 'admin secret');
  actors['super'] = await as('cn=admin,cn=admins,cn=mailtree', 'admin secret');
});
afterAll(() => opened.close());

const actor = (name: string): Actor => actors[name] ?? root;
const read = (who: string, name: string, ...wanted: string[]): Promise<Entry | undefined> =>
  opened.directory.read(actor(who), dn(name), wanted);
const change = (who: string, name: string, attribute: string, ...values: string[]): Promise<string> => {
  const modifications: Modification[] = [{ operation: 'replace', attribute: { name: attribute, values } }];
  return refusal(opened.directory.modify(actor(who), dn(name), modifications));
};
const done = 'not refused';

const readable: [who: string, name: string, attribute: string, may: boolean][] = [
  ['anonymous', `mail=user1@jade.net,${jade}`, 'cn', true],
  ['anonymous', `mail=user1@jade.net,${jade}`, 'mail', true],
  ['anonymous', `mail=user1@jade.net,${jade}`, 'telephoneNumber', true],
  ['anonymous', `mail=user1@jade.net,${jade}`, 'employeeNumber', false],
  ['user', `mail=user1@jade.net,${jade}`, 'employeeNumber', true],
  ['user', `mail=user2@jade.net,${jade}`, 'employeeNumber', false],
  ['domain', `mail=user2@jade.net,${jade}`, 'employeeNumber', true],
  ['domain', `mail=user2@onyx.net,${onyx}`, 'employeeNumber', false],
  ['super', `mail=user2@onyx.net,${onyx}`, 'employeeNumber', true],
  ...['anonymous', 'user', 'domain', 'super'].map((who): [string, string, string, boolean] => [
    who,
    `mail=user1@jade.net,${jade}`,
    'userPassword',
    false,
  ]),
  ['system', `mail=user1@jade.net,${jade}`, 'userPassword', true],
  ['super', 'cn=mailtree', 'cn', true],
];

test.each(readable)('%s reading %s: %s %s', async (who, name, attribute, may) => {
  expect((await read(who, name, attribute))?.has(attribute)).toBe(may);
  const asked = await all(opened.directory.search(actor(who), { base: dn(name), scope: 'base', filter: parseFilter(`(${attribute}=*)`) }));
  expect(asked).toHaveLength(may ? 1 : 0);
  const denied = await all(
    opened.directory.search(actor(who), { base: dn(name), scope: 'base', filter: parseFilter(`(!(${attribute}=zzz))`) }),
  );
  expect(denied).toHaveLength(may ? 1 : 0);
});

test.each(['anonymous', 'user', 'domain'])('%s may not know that the system tree exists', async (who) => {
  expect(await read(who, 'cn=mailtree')).toBeUndefined();
  expect(await read(who, 'cn=admin,cn=admins,cn=mailtree')).toBeUndefined();
  expect(
    await refusal(all(opened.directory.search(actor(who), { base: dn('cn=mailtree'), scope: 'sub', filter: parseFilter('(cn=*)') }))),
  ).toContain('noSuchObject');
  const found = await all(opened.directory.search(actor(who), { base: dn(''), scope: 'sub', filter: parseFilter('(objectClass=*)') }));
  expect(found.some((entry) => entry.dn.isWithin(dn('cn=mailtree')))).toBe(false);
  expect(await change(who, 'cn=mailtree', 'description', 'x')).toContain('noSuchObject');
});

const writes: [who: string, name: string, attribute: string, value: string, expected: string][] = [
  ['anonymous', `mail=user1@jade.net,${jade}`, 'cn', 'x', 'insufficientAccessRights: attribute cn'],
  ['anonymous', `mail=user1@jade.net,${jade}`, 'userPassword', 'new password', 'insufficientAccessRights: attribute userPassword'],
  ['user', `mail=user1@jade.net,${jade}`, 'cn', 'x', 'insufficientAccessRights: attribute cn'],
  ['user', `mail=user1@jade.net,${jade}`, 'accountStatus', 'active', 'insufficientAccessRights'],
  ['user', `mail=user1@jade.net,${jade}`, 'mtPreferenceColour', 'green', done],
  ['user', `mail=user2@jade.net,${jade}`, 'mtPreferenceColour', 'green', 'insufficientAccessRights'],
  ['user', `mail=user2@jade.net,${jade}`, 'userPassword', 'new password', 'insufficientAccessRights'],
  ['domain', `mail=user2@jade.net,${jade}`, 'cn', 'By the administrator', done],
  ['domain', `mail=user2@jade.net,${jade}`, 'userPassword', 'new password', done],
  ['domain', `mail=user2@onyx.net,${onyx}`, 'cn', 'x', 'insufficientAccessRights'],
  ['domain', jade, 'mtDomainLimitUsers', '1000', 'insufficientAccessRights: attribute mtDomainLimitUsers'],
  ['domain', jade, 'description', 'x', 'insufficientAccessRights'],
  ['super', jade, 'mtDomainLimitUsers', '1000', done],
  ['super', 'cn=mailtree', 'description', 'x', done],
];

test.each(writes)('%s changing %s %s to %s', async (who, name, attribute, value, expected) => {
  expect(await change(who, name, attribute, value)).toContain(expected);
});

test('adding, moving and deleting need the rights for it', async () => {
  const { directory } = opened;
  const fresh = (domain: string): [ReturnType<typeof dn>, ReturnType<typeof person>] => [
    dn(`mail=fresh@${domain}.net,dc=${domain},dc=net`),
    person(`fresh@${domain}.net`),
  ];
  expect(await refusal(directory.add(actor('anonymous'), ...fresh('jade')))).toContain('insufficientAccessRights');
  expect(await refusal(directory.add(actor('user'), ...fresh('jade')))).toContain('insufficientAccessRights');
  expect(await refusal(directory.add(actor('domain'), ...fresh('onyx')))).toContain('insufficientAccessRights');
  expect(await refusal(directory.add(actor('domain'), dn(`dc=sub,${jade}`), attributes({ objectClass: 'domain', dc: 'sub' })))).toContain(
    'insufficientAccessRights',
  );
  expect(await refusal(directory.add(actor('user'), dn('dc=org'), attributes({ objectClass: 'domain', dc: 'org' })))).toContain(
    'insufficientAccessRights',
  );
  expect(await refusal(directory.add(actor('domain'), ...fresh('jade')))).toBe(done);
  const [name] = fresh('jade');
  expect(await refusal(directory.rename(actor('user'), name, { rdn: parseRdn('mail=other@jade.net'), deleteOldRdn: true }))).toContain(
    'insufficientAccessRights',
  );
  expect(
    await refusal(
      directory.rename(actor('domain'), name, { rdn: parseRdn('mail=fresh@jade.net'), deleteOldRdn: false, newSuperior: dn(onyx) }),
    ),
  ).toContain('insufficientAccessRights');
  expect(await refusal(directory.delete(actor('user'), name))).toContain('insufficientAccessRights');
  expect(await refusal(directory.delete(actor('domain'), dn(jade)))).toContain('insufficientAccessRights');
  expect(await refusal(directory.delete(actor('domain'), name))).toBe(done);
});

test('nobody turns an entry into one that he may not touch', async () => {
  const name = dn(`mail=user2@jade.net,${jade}`);
  const answer = await refusal(
    opened.directory.modify(actor('domain'), name, [
      { operation: 'add', attribute: { name: 'objectClass', values: ['dcObject'] } },
      { operation: 'add', attribute: { name: 'dc', values: ['mine'] } },
    ]),
  );
  expect(answer).toContain('insufficientAccessRights');
});

test('a changed rule holds from the next question on, and one that says nothing is refused', async () => {
  const rule = dn('cn=hide numbers,cn=access,cn=mailtree');
  const values = {
    objectClass: 'mtAccess',
    cn: 'hide numbers',
    mtAccessOrder: '1',
    mtAccessWho: ['anonymous', `subtree:${onyx}`],
    mtAccessRight: 'read',
    mtAccessEffect: 'deny',
    mtAccessAttribute: 'telephoneNumber',
  };
  expect((await read('anonymous', `mail=user1@jade.net,${jade}`))?.has('telephoneNumber')).toBe(true);
  await opened.directory.add(root, rule, attributes(values));
  expect((await read('anonymous', `mail=user1@jade.net,${jade}`))?.has('telephoneNumber')).toBe(false);
  expect((await read('user', `mail=user2@jade.net,${jade}`))?.has('telephoneNumber')).toBe(true);
  const wrong = { operation: 'replace', attribute: { name: 'mtAccessWho', values: ['everybody and his dog'] } } as const;
  expect(await refusal(opened.directory.modify(root, rule, [wrong]))).toContain(
    'constraintViolation: attribute mtAccessWho: "everybody and his dog" is none of all, anonymous',
  );
  expect((await read('anonymous', `mail=user1@jade.net,${jade}`))?.has('telephoneNumber')).toBe(false);
  await opened.directory.delete(root, rule);
  expect((await read('anonymous', `mail=user1@jade.net,${jade}`))?.has('telephoneNumber')).toBe(true);
});

test('a rule that takes the place of another is not mistaken for it', async () => {
  const rule = (name: string, effect: string) => ({
    objectClass: 'mtAccess',
    cn: name,
    mtAccessOrder: '2',
    mtAccessWho: 'all',
    mtAccessRight: 'read',
    mtAccessEffect: effect,
    mtAccessAttribute: 'employeeNumber',
  });
  const name = `mail=user2@jade.net,${jade}`;
  await opened.directory.add(root, dn('cn=shown,cn=access,cn=mailtree'), attributes(rule('shown', 'allow')));
  expect((await read('anonymous', name))?.has('employeeNumber')).toBe(true);
  await opened.directory.modify(root, dn('cn=shown,cn=access,cn=mailtree'), [
    { operation: 'replace', attribute: { name: 'mtAccessEffect', values: ['deny'] } },
  ]);
  expect((await read('anonymous', name))?.has('employeeNumber')).toBe(false);
  await opened.directory.delete(root, dn('cn=shown,cn=access,cn=mailtree'));
});

test('a rule that is moved to the access rules holds at once', async () => {
  const elsewhere = dn('cn=late,cn=mailtree');
  const values = {
    objectClass: 'mtAccess',
    cn: 'late',
    mtAccessOrder: '3',
    mtAccessWho: 'anonymous',
    mtAccessRight: 'read',
    mtAccessEffect: 'deny',
    mtAccessAttribute: 'telephoneNumber',
  };
  await opened.directory.add(root, elsewhere, attributes(values));
  expect((await read('anonymous', `mail=user1@jade.net,${jade}`))?.has('telephoneNumber')).toBe(true);
  await opened.directory.rename(root, elsewhere, {
    rdn: parseRdn('cn=late'),
    deleteOldRdn: false,
    newSuperior: dn('cn=access,cn=mailtree'),
  });
  expect((await read('anonymous', `mail=user1@jade.net,${jade}`))?.has('telephoneNumber')).toBe(false);
  await opened.directory.delete(root, dn('cn=late,cn=access,cn=mailtree'));
});

test('one asker’s list of attributes never decides what another gets', async () => {
  const name = `mail=user1@jade.net,${jade}`;
  expect((await read('anonymous', name, 'sn,title', '!sn'))?.attributes.size).toBe(0);
  expect((await read('system', name, 'sn', 'title', '!sn'))?.text('sn')).toBe('Example');
  expect((await read('anonymous', name, '*,+'))?.attributes.size).toBe(0);
  expect((await read('system', name, '*', '+'))?.has('entryUUID')).toBe(true);
});

test('renaming tells nothing to those who may not rename', async () => {
  const name = dn(`mail=user1@jade.net,${jade}`);
  await opened.directory.add(
    root,
    dn(`cn=hidden,mail=user2@jade.net,${jade}`),
    attributes({ objectClass: 'person', cn: 'hidden', sn: 'Hidden' }),
  );
  const answers = await Promise.all(
    ['hidden', 'missing'].map((cn) =>
      refusal(
        opened.directory.rename(actor('anonymous'), name, {
          rdn: parseRdn(`cn=${cn}`),
          deleteOldRdn: false,
          newSuperior: dn(`mail=user2@jade.net,${jade}`),
        }),
      ),
    ),
  );
  expect(answers[0]).toBe(answers[1]);
  expect(answers[0]).toContain('insufficientAccessRights');
  await opened.directory.delete(root, dn(`cn=hidden,mail=user2@jade.net,${jade}`));
});

test('anonymous reading can be switched off as a whole', async () => {
  const closed = await opened.reopen({ settings: settings({ anonymousRead: false }) });
  opened = closed;
  expect(
    await mails(closed.directory.search(anonymous('test'), { base: dn(''), scope: 'sub', filter: parseFilter('(mail=user1@jade.net)') })),
  ).toEqual([]);
  expect(
    await mails(closed.directory.search(actor('user'), { base: dn(''), scope: 'sub', filter: parseFilter('(mail=user1@jade.net)') })),
  ).toEqual(['user1@jade.net']);
});
