/** The policy of passwords: what is refused as one, what is noted beside it, when it opens nothing any more. */

import { execFileSync } from 'node:child_process';
import { afterEach, expect, test } from '@jest/globals';
import { LiveValue } from '../../src/base/index.ts';
import {
  type Actor,
  type DirectorySettings,
  inlineHasher,
  type Login,
  type Modification,
  passwordText,
  system,
} from '../../src/directory/index.ts';
import { parseFilter } from '../../src/ldap-wire/index.ts';
import { all, attributes, dn, fill, type Opened, openTemporary, person, refusal, root, settings } from './support.ts';

const name = dn('mail=user1@jade.net,dc=jade,dc=net');
const admins = dn('cn=admin,cn=admins,cn=mailtree');
let opened: Opened;
let from = 0;
async function begin(change: Partial<DirectorySettings>): Promise<void> {
  const live = new LiveValue(settings({ failureDelay: 0 }).value);
  opened = await openTemporary({ settings: live });
  await fill(opened.directory);
  live.set({ ...live.value, ...change });
}
afterEach(() => opened.close());

// Every attempt from another address.
const login = (password: string, who = name): Promise<Login> =>
  opened.directory.authenticate(who, password, { door: 'test', address: `192.0.2.${from++ % 250}` });
const change = (actor: Actor, attribute: string, ...values: string[]): Promise<string> => {
  const modifications: Modification[] = [{ operation: 'replace', attribute: { name: attribute, values } }];
  return refusal(opened.directory.modify(actor, name, modifications));
};
const noted = async (attribute: string, who = name): Promise<string | undefined> => (await opened.directory.readAll(who))?.text(attribute);
const settle = async (ready: () => Promise<boolean>): Promise<void> => {
  while (!(await ready())) await new Promise((resolve) => setImmediate(resolve));
};
const done = 'not refused';
const wrong = 'invalidCredentials: name or password is wrong';

const plain: [password: string, expected: string][] = [
  ['short1A', 'at least 8 characters'],
  ['onlysmallletters', 'at least 3 kinds'],
  ['small and 1 digit', done],
  ['ünïcödé Große 7', done],
  ['日本語 7 пароль', done],
];

test.each(plain)('with length and kinds asked for, "%s" is %s', async (password, expected) => {
  await begin({ minimumPassword: 8, passwordClasses: 3 });
  expect(await change(root, 'userPassword', password)).toContain(expected);
});

test('names and addresses are no passwords, where that is asked for', async () => {
  await begin({ passwordNotName: true });
  for (const bad of ['xxUSER1xx', 'user1@jade.net', 'the example', 'my name'])
    expect(await change(root, 'userPassword', bad)).toContain(
      'attribute userPassword: a password does not contain the name or the address',
    );
  expect(await change(root, 'userPassword', 'correct horse battery')).toBe(done);
  const fresh = person('fresh@jade.net', { userPassword: 'fresh is my name' });
  expect(await refusal(opened.directory.add(root, dn('mail=fresh@jade.net,dc=jade,dc=net'), fresh))).toContain('does not contain the name');
});

test('whoever changes the own password takes none of the last ones, and nobody sees those', async () => {
  await begin({ passwordHistory: 2 });
  const old = 'secret of user1';
  expect(await change(await login(old), 'userPassword', old)).toContain('attribute userPassword: this password was in use before');
  for (const fresh of ['first new', 'second new', 'third new']) {
    expect(
      await change(await login(fresh === 'first new' ? old : fresh === 'second new' ? 'first new' : 'second new'), 'userPassword', fresh),
    ).toBe(done);
  }
  const me = await login('third new');
  for (const former of ['third new', 'second new', 'first new'])
    expect(await change(me, 'userPassword', former)).toContain('was in use before');
  expect((await opened.directory.readAll(name))?.values('pwdHistory')).toHaveLength(2);
  const admin = await login('admin secret', admins);
  for (const actor of [me, admin]) {
    expect((await opened.directory.read(actor, name, ['*', '+', 'pwdHistory', 'userPassword']))?.has('pwdHistory')).toBe(false);
    const filter = parseFilter('(pwdHistory=*)');
    expect(await all(opened.directory.search(actor, { base: name, scope: 'base', filter }))).toEqual([]);
    expect(await refusal(opened.directory.compare(actor, name, 'pwdHistory', 'x'))).toContain('insufficientAccessRights');
    expect(await change(actor, 'pwdHistory')).toMatch(/constraintViolation: attribute pwdHistory: maintained by the server|insufficient/);
  }
  expect(await change(me, 'userPassword', old)).toBe(done);
  // An administrator is not asked for former ones, and the list grows all the same.
  expect(await change(admin, 'userPassword', 'third new')).toBe(done);
  const kept = (await opened.directory.readAll(name))?.values('pwdHistory').map(passwordText) ?? [];
  expect(kept).toHaveLength(2);
  for (const value of kept) expect(value).toMatch(/^\d{14}Z#1\.3\.6\.1\.4\.1\.1466\.115\.121\.1\.40#\d+#\{SCRAM-SHA-256\}/);
});

test('a change is noted with its time, an upgrade of the stored form is none', async () => {
  await begin({});
  opened.clock.advance(3_600_000);
  await change(root, 'userPassword', '{SSHA}awc/Cj0kafyFd5d8fGn07xoHBJJzYWx0c2FsdA==');
  const at = await noted('pwdChangedTime');
  const by = await noted('modifiersName');
  opened.clock.advance(3_600_000);
  await login('correct horse');
  const stored = async () => passwordText((await opened.directory.readAll(name))?.values('userPassword')[0] ?? '');
  await settle(async () => (await stored()).startsWith('{SCRAM'));
  expect(await stored()).toContain('{SCRAM-SHA-256}');
  expect(await noted('pwdChangedTime')).toBe(at);
  expect(await noted('modifiersName')).toBe(by);
  const mine = await login('correct horse');
  expect(await change(mine, 'userPassword', 'something else')).toBe(done);
  expect(await noted('pwdChangedTime')).not.toBe(at);
  expect(await change(mine, 'pwdChangedTime', '20000101000000Z')).toMatch(/constraintViolation: attribute pwdChangedTime/);
});

test('a password that somebody else set opens nothing but changing it', async () => {
  await begin({ passwordChangeAfterReset: true });
  const admin = await login('admin secret', admins);
  expect(await change(admin, 'userPassword', 'from the help desk')).toBe(done);
  const me = await login('from the help desk');
  expect(me.mustChange).toBe('reset');
  expect(await refusal(opened.directory.read(me, dn('mail=user2@jade.net,dc=jade,dc=net')))).toBe(done);
  expect(await opened.directory.read(me, dn('mail=user2@jade.net,dc=jade,dc=net'))).toBeUndefined();
  expect(await change(me, 'preferredLanguage', 'de')).toContain('insufficientAccessRights');
  expect(await change(me, 'pwdReset')).toContain('insufficientAccessRights');
  expect(await change(me, 'userPassword', 'now my own')).toBe(done);
  expect((await login('now my own')).mustChange).toBeUndefined();
  expect(await change(me, 'preferredLanguage', 'de')).toBe(done);
  expect(await change(admin, 'pwdReset', 'TRUE')).toBe(done);
  expect((await login('now my own')).mustChange).toBe('reset');
});

test('a password grows old, and says so before', async () => {
  await begin({ passwordAge: 10 });
  expect((await login('secret of user1')).expiresIn).toBe(10 * 86_400);
  const me = await login('secret of user1');
  opened.clock.advance(10 * 86_400_000);
  expect((await login('secret of user1')).mustChange).toBe('expired');
  expect(await change(me, 'preferredLanguage', 'de')).toContain('insufficientAccessRights');
  expect(await change(me, 'userPassword', 'young again')).toBe(done);
  expect(await login('young again')).toMatchObject({ expiresIn: 10 * 86_400 });
});

test('too many failures from anywhere lock the account for a while, and the answer stays the same', async () => {
  await begin({ lockoutFailures: 3, lockoutSeconds: 60 });
  for (let n = 0; n < 3; n++) expect(await refusal(login(`guess ${n}`))).toBe(wrong);
  expect(await refusal(login('secret of user1'))).toBe(wrong);
  await settle(async () => (await noted('pwdAccountLockedTime')) !== undefined);
  expect(await noted('pwdAccountLockedTime')).toMatch(/^\d{14}Z$/);
  expect(await refusal(login('secret of user1'))).toBe(wrong);
  opened.clock.advance(61_000);
  expect((await login('secret of user1')).dn?.key).toBe(name.key);
  for (let n = 0; n < 5; n++) expect(await refusal(login('guess', admins))).toBe(wrong);
  expect((await login('admin secret', admins)).dn?.key).toBe(admins.key);
});

test('guesses that are under way together do not get past the lock', async () => {
  await begin({ lockoutFailures: 3, lockoutSeconds: 0 });
  const answers = await Promise.all(
    [...Array.from({ length: 10 }, (_, n) => `guess ${n}`), 'secret of user1'].map((guess) => refusal(login(guess))),
  );
  expect(new Set(answers)).toEqual(new Set([wrong]));
});

test('a lock without an end is lifted by an administrator, by hand or with a new password', async () => {
  await begin({ lockoutFailures: 2, lockoutSeconds: 0 });
  const lock = async (): Promise<void> => {
    for (let n = 0; n < 2; n++) await refusal(login('guess'));
    await settle(async () => (await noted('pwdAccountLockedTime')) !== undefined);
  };
  const admin = await login('admin secret', dn('cn=admin,dc=jade,dc=net'));
  await lock();
  opened.clock.advance(365 * 86_400_000);
  expect(await refusal(login('secret of user1'))).toBe(wrong);
  expect(await change(admin, 'pwdAccountLockedTime')).toBe(done);
  expect((await login('secret of user1')).dn?.key).toBe(name.key);
  await lock();
  expect(await change(admin, 'userPassword', 'a fresh start')).toBe(done);
  expect((await login('a fresh start')).dn?.key).toBe(name.key);
  const mine = await login('a fresh start');
  expect(await change(mine, 'preferredLanguage', 'de')).toBe(done);
  expect(await change(admin, 'pwdAccountLockedTime', '000001010000Z')).toBe(done);
  // For good is at once, for what is open as well.
  expect(await change(mine, 'preferredLanguage', 'fr')).toContain('insufficientAccessRights');
  expect(await refusal(login('a fresh start'))).toBe(wrong);
  const me = dn('mail=user2@jade.net,dc=jade,dc=net');
  const other = await login('secret of user2', me);
  expect(await change(other, 'pwdAccountLockedTime', '000001010000Z')).toContain('insufficientAccessRights');
});

test('who is unlocked, or gets a new password, need not wait for the failures before', async () => {
  await begin({ failureDelay: 30 });
  const here = (password: string): Promise<Login> =>
    opened.directory.authenticate(name, password, { door: 'test', address: '198.51.100.7' });
  const admin = await login('admin secret', dn('cn=admin,dc=jade,dc=net'));
  const fail = async (): Promise<void> => {
    for (let n = 0; n < 6; n++) await refusal(here('guess'));
    expect(await refusal(here('secret of user1'))).toContain('busy');
  };
  await fail();
  expect(await change(admin, 'description', 'something else')).toBe(done);
  expect(await refusal(here('secret of user1'))).toContain('busy');
  expect(await change(admin, 'pwdAccountLockedTime', '000001010000Z')).toBe(done);
  expect(await refusal(here('secret of user1'))).toContain('busy');
  expect(await change(admin, 'pwdAccountLockedTime')).toBe(done);
  expect((await here('secret of user1')).dn?.key).toBe(name.key);
  await fail();
  expect(await change(admin, 'userPassword', 'a fresh start')).toBe(done);
  const me = await here('a fresh start');
  // Of one's own doing no more than before: whoever has a session could go on guessing.
  await fail();
  expect(await change(me, 'userPassword', 'changed by myself')).toBe(done);
  expect(await refusal(here('changed by myself'))).toContain('busy');
});

test('the last resort of administration cannot be locked', async () => {
  await begin({});
  const admin = await login('admin secret', admins);
  const answer = await refusal(
    opened.directory.modify(admin, admins, [{ operation: 'add', attribute: { name: 'pwdAccountLockedTime', values: ['000001010000Z'] } }]),
  );
  expect(answer).toContain('constraintViolation: attribute pwdAccountLockedTime: the last resort');
});

test('the last log-in is noted once in a while, and changes nothing else', async () => {
  await begin({ lastLoginHours: 24 });
  const by = await noted('modifyTimestamp');
  opened.clock.advance(1000);
  await login('secret of user1');
  await settle(async () => (await noted('pwdLastSuccess')) !== undefined);
  const first = await noted('pwdLastSuccess');
  expect(first).toBeDefined();
  expect(await noted('modifyTimestamp')).toBe(by);
  opened.clock.advance(3_600_000);
  const position = await opened.directory.position();
  await login('secret of user1');
  expect(await opened.directory.position()).toBe(position);
  opened.clock.advance(86_400_000);
  await login('secret of user1');
  await settle(async () => (await noted('pwdLastSuccess')) !== first);
  expect(await noted('pwdLastSuccess')).not.toBe(first);
});

test('comparing a password is slowed down and locked like logging in', async () => {
  opened = await openTemporary({ settings: settings({ lockoutFailures: 7 }) });
  await fill(opened.directory);
  const admin: Actor = {
    ...(await opened.directory.authenticate(dn('cn=admin,dc=jade,dc=net'), 'admin secret', { door: 'test' })),
    address: '192.0.2.7',
  };
  expect(await opened.directory.compare(admin, name, 'userPassword', 'secret of user1')).toBe(true);
  for (let n = 0; n < 5; n++) expect(await opened.directory.compare(admin, name, 'userPassword', 'guess')).toBe(false);
  expect(await refusal(opened.directory.compare(admin, name, 'userPassword', 'guess'))).toContain('busy: too many failed log-ins');
  expect(await opened.directory.compare(system('test'), name, 'userPassword', 'secret of user1')).toBe(true);
});

// Made while the test runs, by other programs, where they are installed.
const programs: [command: string, make: (password: string) => string][] = [
  ['openssl', (password) => `{CRYPT}${execFileSync('openssl', ['passwd', '-1', password], { encoding: 'utf8' }).trim()}`],
  ['openssl', (password) => `{CRYPT}${execFileSync('openssl', ['passwd', '-5', password], { encoding: 'utf8' }).trim()}`],
  ['openssl', (password) => `{CRYPT}${execFileSync('openssl', ['passwd', '-6', password], { encoding: 'utf8' }).trim()}`],
];

test.each(programs)('what %s makes is verified', async (_command, make) => {
  await begin({});
  for (const password of ['correct horse', 'ünïcödé', 'x'.repeat(60), 'p$w#{}']) {
    const stored = make(password);
    expect(await inlineHasher.check(password, [stored])).toBe(0);
    expect(await inlineHasher.check(`${password}!`, [stored])).toBe(-1);
  }
});

test('an exported entry comes back with its password, its age and its former ones', async () => {
  await begin({ passwordHistory: 3 });
  await change(await login('secret of user1'), 'userPassword', 'the next one');
  const entry = await opened.directory.readAll(name);
  await opened.directory.delete(root, name);
  const stored = [...(entry?.attributes.values() ?? [])].filter(
    (attribute) => !['entryDN', 'hasSubordinates', 'subschemaSubentry'].includes(attribute.name),
  );
  opened.clock.advance(1_000_000);
  await opened.directory.addBatch(root, [{ dn: name, attributes: stored }]);
  const back = await opened.directory.readAll(name);
  for (const attribute of ['userPassword', 'pwdChangedTime', 'pwdHistory'])
    expect(back?.values(attribute)).toEqual(entry?.values(attribute));
  expect(await change(await login('the next one'), 'userPassword', 'secret of user1')).toContain('was in use before');
});

test('of an administrator’s own password nothing is asked that locks him out', async () => {
  await begin({ passwordAge: 1 });
  const admin = await login('admin secret', admins);
  opened.clock.advance(2 * 86_400_000);
  expect(await refusal(opened.directory.modify(admin, name, [{ operation: 'replace', attribute: attributes({ sn: 'x' })[0]! }]))).not.toBe(
    done,
  );
  const own: Modification[] = [{ operation: 'replace', attribute: { name: 'userPassword', values: ['admin again'] } }];
  expect(await refusal(opened.directory.modify(admin, admins, own))).toBe(done);
  expect(await refusal(opened.directory.modify(admin, name, [{ operation: 'replace', attribute: attributes({ sn: 'x' })[0]! }]))).toBe(
    done,
  );
});
