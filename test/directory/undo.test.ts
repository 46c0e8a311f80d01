import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Actor, checkDirectory, type HistoryChange, type HistoryQuery, type Modification, whoDid } from '../../src/directory/index.ts';
import { parseRdn } from '../../src/ldap-wire/index.ts';
import { attributes, dn, fill, type Opened, openTemporary, person, refusal, root, testSchema } from './support.ts';

const jade = 'dc=jade,dc=net';
const user = (name: string): string => `mail=${name}@jade.net,${jade}`;
let opened: Opened;
let admin: Actor;
let domainAdmin: Actor;
beforeEach(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
  const from = { door: 'ldap', address: '192.0.2.7' };
  admin = await opened.directory.authenticate(dn('cn=admin,cn=admins,cn=mailtree'), 'admin secret', from);
  domainAdmin = await opened.directory.authenticate(dn(`cn=admin,${jade}`), 'admin secret', from);
});
afterEach(async () => {
  // Whatever was undone, all records agree with one another.
  expect((await checkDirectory(opened.keyValue, testSchema())).faults).toEqual([]);
  await opened.close();
});

const last = (): Promise<number> => opened.directory.position();
const undo = (change: number, options = {}, actor = admin) => opened.directory.undo(actor, change, options);
const read = async (name: string, attribute: string): Promise<string[]> =>
  ((await opened.directory.read(root, dn(name), ['*', '+']))?.texts(attribute) ?? []).sort();
const set = (name: string, ...changes: [Modification['operation'], string, ...string[]][]) =>
  opened.directory.modify(
    admin,
    dn(name),
    changes.map(([operation, attribute, ...values]) => ({ operation, attribute: { name: attribute, values } })),
  );
async function history(query: HistoryQuery, actor = admin): Promise<HistoryChange[]> {
  const found: HistoryChange[] = [];
  for await (const item of opened.directory.history(actor, query)) if (item.kind === 'change') found.push(item);
  return found;
}
const lines = async (query: HistoryQuery): Promise<string[]> =>
  (await history(query)).map(
    ({ change, differences }) =>
      `${change.kind} ${differences
        .map(({ attribute, removed, added, secret }) => (secret ? `${attribute}: secret` : `${attribute}: ${removed}→${added}`))
        .sort()
        .join('; ')}`,
  );

test('the history of an entry tells who changed what, from where, by which door; of secrets only that they changed', async () => {
  await set(user('user1'), ['replace', 'title', 'Dr'], ['replace', 'userPassword', 'a new secret']);
  await set(user('user1'), ['replace', 'title', 'Prof']);
  await set(user('user2'), ['replace', 'title', 'Mr']);
  const items = await history({ dn: dn(user('user1')) });
  expect(items.map(({ change }) => change.kind)).toEqual(['modify', 'modify', 'add']);
  expect((await lines({ dn: dn(user('user1')) })).slice(0, 2)).toEqual([
    'modify title: Dr→Prof',
    'modify title: →Dr; userPassword: secret',
  ]);
  expect(items[0] && [whoDid(items[0]), items[0].change.actor.door, items[0].change.actor.address]).toEqual([
    'cn=admin,cn=admins,cn=mailtree',
    'ldap',
    '192.0.2.7',
  ]);
  expect(items.at(-1) && whoDid(items.at(-1) as HistoryChange)).toBe('server');
  expect(JSON.stringify(items)).not.toMatch(/SCRAM|secret of user1|a new secret/);
});

test('a lock that somebody set is told and undone; what the server notes for itself is not told', async () => {
  await set(user('user1'), ['replace', 'pwdAccountLockedTime', '000001010000Z']);
  const locked = await last();
  const values = ['20300101000000Z'];
  await opened.directory.note(dn(user('user2')), [{ operation: 'replace', attribute: { name: 'pwdLastSuccess', values } }]);
  expect(await last()).toBe(locked + 1);
  expect(await lines({ limit: 1 })).toEqual(['modify pwdAccountLockedTime: →000001010000Z']);
  await undo(locked);
  expect(await read(user('user1'), 'pwdAccountLockedTime')).toEqual([]);
});

test('an entry is followed through renames, and one that is gone by its old name', async () => {
  const to = { rdn: parseRdn('mail=moved@jade.net'), deleteOldRdn: true };
  await opened.directory.rename(admin, dn(user('user1')), to);
  await set(user('moved'), ['replace', 'title', 'Dr']);
  const expected = ['modify', 'rename', 'add'];
  for (const name of [user('moved'), user('user1')]) expect((await history({ dn: dn(name) })).map((i) => i.change.kind)).toEqual(expected);
  await opened.directory.delete(admin, dn(user('moved')));
  for (const name of [user('moved'), user('user1')])
    expect((await history({ dn: dn(name) })).map((i) => i.change.kind)).toEqual(['delete', ...expected]);
  expect(await history({ dn: dn(user('nobody')) })).toEqual([]);
});

test('the history is narrowed by time, author, attribute and number', async () => {
  const start = opened.clock.now();
  opened.clock.advance(7_200_000);
  await set(user('user1'), ['replace', 'title', 'Dr']);
  opened.clock.advance(7_200_000);
  await set(user('user2'), ['replace', 'employeeNumber', '9']);
  expect(await lines({ since: start + 7_200_000 })).toEqual(['modify employeeNumber: 77→9', 'modify title: →Dr']);
  expect(await lines({ since: start + 1, until: start + 7_200_001 })).toEqual(['modify title: →Dr']);
  expect(await lines({ by: '192.0.2', attribute: 'TITLE' })).toEqual(['modify title: →Dr']);
  expect(await lines({ by: 'cn=admin,cn=admins', limit: 1 })).toEqual(['modify employeeNumber: 77→9']);
  expect((await history({ by: 'server' })).length).toBeGreaterThan(10);
});

test('a domain administrator knows and undoes what happened in the own domain alone', async () => {
  await set('mail=user1@onyx.net,dc=onyx,dc=net', ['replace', 'title', 'Dr']);
  const elsewhere = await last();
  await set(user('user1'), ['replace', 'title', 'Dr']);
  const here = await last();
  expect((await history({ by: '192.0.2' }, domainAdmin)).map(({ change }) => change.position)).toEqual([here]);
  expect(await refusal(undo(elsewhere, {}, domainAdmin))).toBe(`insufficientAccessRights: you may not undo change ${elsewhere}`);
  await undo(here, {}, domainAdmin);
  expect(await read(user('user1'), 'title')).toEqual([]);
  const user1 = await opened.directory.authenticate(dn(user('user1')), 'secret of user1', { door: 'ldap' });
  expect(await refusal(history({}, user1))).toContain('insufficientAccessRights');
  expect(await refusal(undo(here, {}, user1))).toContain('insufficientAccessRights');
});

test('a modification is undone value by value, and the undo undone', async () => {
  await set(user('user1'), ['replace', 'description', 'zero']);
  await set(user('user1'), ['replace', 'description', 'one', 'two'], ['replace', 'title', 'Dr']);
  const first = await last();
  await set(user('user1'), ['add', 'description', 'three'], ['delete', 'description', 'one']);
  const second = await last();
  const dry = await undo(second, { dryRun: true });
  expect(dry.steps.map(({ does, differences }) => [does, differences[0]?.removed, differences[0]?.added])).toEqual([
    ['modify', ['three'], ['one']],
  ]);
  expect(await last()).toBe(second);
  await undo(second);
  expect(await read(user('user1'), 'description')).toEqual(['one', 'two']);
  const undone = await last();
  expect((await history({ limit: 1 }))[0]?.undoes).toBe(second);
  expect(await refusal(undo(second))).toContain('nothing left to undo');
  await undo(undone);
  expect(await read(user('user1'), 'description')).toEqual(['three', 'two']);
  expect(await refusal(undo(first))).toMatch(/attribute description of .* was changed again by change \d+ \(.*, cn=admin,cn=admins/);
  const forced = await undo(first, { force: true });
  expect(forced.conflicts).toHaveLength(1);
  expect(await read(user('user1'), 'title')).toEqual([]);
  expect(await read(user('user1'), 'description')).toEqual(['three', 'two']);
});

test('members that came later stay when a change of a group is undone', async () => {
  const group = `cn=staff,${jade}`;
  const member = (n: number): string => user(`user${n}`);
  await opened.directory.add(admin, dn(group), attributes({ objectClass: 'groupOfNames', cn: 'staff', member: [member(1), member(2)] }));
  await set(group, ['delete', 'member', member(1)]);
  const removed = await last();
  await set(group, ['add', 'member', member(3)]);
  await undo(removed);
  expect(await read(group, 'member')).toEqual([member(1), member(2), member(3)]);
});

test('an attribute with one value that was changed again is not undone', async () => {
  await set(user('user1'), ['replace', 'preferredLanguage', 'de']);
  const first = await last();
  await set(user('user1'), ['replace', 'preferredLanguage', 'fr']);
  const second = await last();
  expect(await refusal(undo(first))).toContain(`attribute preferredLanguage of ${user('user1')} was changed again by change ${second}`);
  expect(await refusal(undo(first, { force: true }))).toContain('cannot be undone');
  expect((await undo(first, { dryRun: true })).conflicts).toHaveLength(1);
});

test('a changed password is not set back', async () => {
  await set(user('user1'), ['replace', 'userPassword', 'a new secret'], ['replace', 'title', 'Dr']);
  const change = await last();
  expect(await refusal(undo(change))).toContain(
    'attribute userPassword of mail=user1@jade.net,dc=jade,dc=net: a secret cannot be set back',
  );
  await undo(change, { force: true });
  expect(await read(user('user1'), 'title')).toEqual([]);
  await expect(opened.directory.authenticate(dn(user('user1')), 'a new secret', { door: 'ldap' })).resolves.toBeDefined();
});

test('a new entry is removed again, unless somebody has worked on it', async () => {
  await opened.directory.add(admin, dn(user('new')), person('new@jade.net'));
  const added = await last();
  await set(user('new'), ['replace', 'title', 'Dr']);
  expect(await refusal(undo(added))).toContain('attribute title of mail=new@jade.net');
  await set(user('new'), ['replace', 'title']);
  await opened.directory.add(admin, dn(`cn=c,${user('new')}`), attributes({ objectClass: 'device', cn: 'c' }));
  expect(await refusal(undo(added))).toContain('has entries below it by now');
  await opened.directory.delete(admin, dn(`cn=c,${user('new')}`));
  await undo(added);
  expect(await opened.directory.read(root, dn(user('new')))).toBeUndefined();
  expect(await refusal(undo(added))).toContain('is not there any more');
});

test('a deleted entry comes back with its entryUUID, its times and its password', async () => {
  const uuid = await read(user('user1'), 'entryUUID');
  const created = await read(user('user1'), 'createTimestamp');
  opened.clock.advance(5000);
  await opened.directory.delete(admin, dn(user('user1')));
  const deleted = await last();
  await undo(deleted);
  expect(await read(user('user1'), 'entryUUID')).toEqual(uuid);
  expect(await read(user('user1'), 'createTimestamp')).toEqual(created);
  expect(await read(user('user1'), 'modifiersName')).toEqual(['cn=admin,cn=admins,cn=mailtree']);
  await expect(opened.directory.authenticate(dn(user('user1')), 'secret of user1', { door: 'ldap' })).resolves.toBeDefined();
  expect((await history({ dn: dn(user('user1')) })).map(({ change }) => change.kind)).toEqual(['add', 'delete', 'add']);
  expect(await refusal(undo(deleted))).toContain('is there again');
});

test('what was kept of a deleted entry goes with the record of the change, its password too', async () => {
  await opened.directory.delete(admin, dn(user('user1')));
  const deleted = await last();
  const sealed = async (): Promise<number> => {
    let count = 0;
    for await (const _ of opened.keyValue.scan({ from: 'directory/d/', to: 'directory/e/' })) count += 1;
    return count;
  };
  expect(await sealed()).toBe(1);
  opened.clock.advance(31 * 86_400_000);
  opened.clock.advance(700_000);
  while ((await sealed()) > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(await sealed()).toBe(0);
  expect(await refusal(undo(deleted))).toContain('noSuchObject: there is no change');
});

test('a taken address or name keeps a deleted entry from coming back', async () => {
  await opened.directory.delete(admin, dn(user('user1')));
  const deleted = await last();
  await set(user('user2'), ['add', 'mailLocalAddress', 'user1@jade.net']);
  expect(await refusal(undo(deleted))).toContain('the address "user1@jade.net" belongs to another entry');
  await set(user('user2'), ['delete', 'mailLocalAddress', 'user1@jade.net']);
  await opened.directory.add(admin, dn(user('user1')), person('user1@jade.net'));
  expect(await refusal(undo(deleted))).toContain('entryAlreadyExists');
});

test('a deleted subtree comes back as one, below what its parent is called now', async () => {
  const names = ['', 'cn=a,', 'cn=b,cn=a,'].map((below) => `${below}${user('user1')}`);
  for (const name of names.slice(1))
    await opened.directory.add(admin, dn(name), attributes({ objectClass: 'device', cn: name.slice(3, 4) }));
  const uuids = await Promise.all(names.map((name) => read(name, 'entryUUID')));
  await opened.directory.delete(admin, dn(user('user1')), { subtree: true });
  const middle = (await last()) - 1;
  await opened.directory.rename(admin, dn('dc=jade,dc=net'), { rdn: parseRdn('dc=ruby'), deleteOldRdn: true });
  const result = await undo(middle);
  expect(result).toMatchObject({ changes: 3, operation: middle - 1 });
  const now = names.map((name) => name.replace('dc=jade', 'dc=ruby'));
  expect(await Promise.all(now.map((name) => read(name, 'entryUUID')))).toEqual(uuids);
  expect(await last()).toBe(middle + 2 + 3);
  await undo(await last());
  expect(await opened.directory.read(root, dn(now[0] ?? ''))).toBeUndefined();
});

test('a rename is undone, also when something above was renamed since, and not when the entry was', async () => {
  await opened.directory.add(admin, dn(`ou=a,${jade}`), attributes({ objectClass: 'organizationalUnit', ou: 'a' }));
  await opened.directory.add(admin, dn(`ou=b,${jade}`), attributes({ objectClass: 'organizationalUnit', ou: 'b' }));
  await opened.directory.add(admin, dn(`cn=x,ou=a,${jade}`), attributes({ objectClass: 'device', cn: 'x' }));
  await opened.directory.rename(admin, dn(`cn=x,ou=a,${jade}`), {
    rdn: parseRdn('cn=y'),
    deleteOldRdn: true,
    newSuperior: dn(`ou=b,${jade}`),
  });
  const moved = await last();
  await opened.directory.rename(admin, dn(`ou=a,${jade}`), { rdn: parseRdn('ou=c'), deleteOldRdn: true });
  await undo(moved);
  expect(await read(`cn=x,ou=c,${jade}`, 'cn')).toEqual(['x']);
  await opened.directory.rename(admin, dn(`cn=x,ou=c,${jade}`), { rdn: parseRdn('cn=z'), deleteOldRdn: true });
  const again = await last();
  expect(await refusal(undo(again - 1))).toContain(`the name of cn=z,ou=c,${jade} was changed again by change ${again}`);
  await undo(again);
  expect(await read(`cn=x,ou=c,${jade}`, 'cn')).toEqual(['x']);
});

test('what cannot be written now is refused as any write is, or left out', async () => {
  await opened.directory.add(admin, dn(`ou=a,${jade}`), attributes({ objectClass: 'organizationalUnit', ou: 'a' }));
  await opened.directory.add(admin, dn(`cn=x,ou=a,${jade}`), attributes({ objectClass: 'device', cn: 'x' }));
  await opened.directory.delete(admin, dn(`cn=x,ou=a,${jade}`));
  const deleted = await last();
  await opened.directory.delete(admin, dn(`ou=a,${jade}`));
  expect(await refusal(undo(deleted))).toBe('noSuchObject: the parent entry does not exist');
  expect((await undo(deleted, { dryRun: true })).conflicts.map(({ why }) => why)).toEqual(['the parent entry does not exist']);
});

test('an import stands in the history as a whole and cannot be undone', async () => {
  const before = await last();
  await opened.directory.addBatch(
    { ...root, door: 'import' },
    [1, 2, 3].map((n) => ({ dn: dn(user(`more${n}`)), attributes: person(`more${n}@jade.net`) })),
  );
  const items = [];
  for await (const item of opened.directory.history(admin, { limit: 1 })) items.push(item);
  expect(items).toMatchObject([{ kind: 'import', from: before + 1, to: before + 3, actor: { door: 'import' } }]);
  expect(await refusal(undo(before + 3))).toContain('is an import, which cannot be undone');
  await set(user('more1'), ['replace', 'title', 'Dr']);
  expect(await lines({ dn: dn(user('more1')) })).toEqual(['modify title: →Dr']);
});

test('the log keeps within its size, oldest changes first', async () => {
  const { Trimmer } = await import('../../src/directory/history/trim.ts');
  const trimmer = new Trimmer(opened.keyValue);
  await trimmer.trim({ until: 0, octets: 1_000_000 });
  for (let n = 0; n < 60; n++) await set(user('user1'), ['replace', 'description', `${n} `.repeat(200)]);
  const all = (await history({})).length;
  expect(await trimmer.trim({ until: 0, octets: 40_000 })).toBeGreaterThan(10);
  const kept = await history({});
  expect(kept.length).toBeLessThan(all);
  expect(kept[0]?.change.position).toBe(await last());
  expect(await trimmer.trim({ until: 0, octets: 40_000 })).toBe(0);
});

test('a domain administrator learns from the history no more than from the entries, and undoes nothing unseen', async () => {
  const chief = await opened.directory.authenticate(dn('cn=admin,dc=jade,dc=net'), 'admin secret', { door: 'ldap' });
  const rule = (cn: string, order: string, more: Record<string, string>) =>
    opened.directory.add(
      root,
      dn(`cn=${cn},cn=access,cn=mailtree`),
      attributes({
        ...{ objectClass: 'mtAccess', cn, mtAccessOrder: order, mtAccessWho: 'domain-admin', mtAccessEffect: 'deny' },
        ...{ mtAccessRight: ['read', 'search', 'compare'], ...more },
      }),
    );
  await rule('numbers', '1', { mtAccessAttribute: 'employeeNumber' });
  await rule('second', '2', { mtAccessTarget: `entry:${user('user2')}` });
  await set(user('user1'), ['replace', 'employeeNumber', '4711']);
  await set(user('user1'), ['replace', 'employeeNumber', '4712'], ['replace', 'title', 'Dr']);
  const both = await last();
  await set(user('user2'), ['replace', 'title', 'Mr']);
  const [newest] = await history({}, chief);
  expect(newest).toMatchObject({ change: { position: both }, differences: [{ attribute: 'title', added: ['Dr'] }] });
  expect(JSON.stringify(await history({}, chief))).not.toMatch(/4711|4712|user2@jade/);
  expect(await history({ attribute: 'employeeNumber' }, chief)).toEqual([]);
  expect(await refusal(undo(both, { dryRun: true }, chief))).toContain('insufficientAccessRights');
  await set(user('user1'), ['replace', 'title', 'Prof']);
  await undo(await last(), {}, chief);
  expect(await read(user('user1'), 'title')).toEqual(['Dr']);
});
