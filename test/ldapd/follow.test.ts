/** Content synchronisation and persistent search at the door: phases, cookies, limits, endings, hostile values. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Modification } from '../../src/directory/index.ts';
import { type Control, encodeRequest, parseRdn, type Request } from '../../src/ldap-wire/index.ts';
import type { LdapdSettings } from '../../src/ldapd/index.ts';
import { attributes, dn, fill, type Opened, openTemporary, person, root } from '../directory/support.ts';
import { Follower, persistentOid, persists, syncOid, syncs } from '../support/followers.ts';
import { codeOf, control, pages, sayOf } from '../support/ldap-controls.ts';
import { type Door, openDoor, type RawLdap, searchFor, simpleBind } from '../support/ldap-door.ts';

let opened: Opened;
let it: Door;

async function open(settings: Partial<LdapdSettings> = {}): Promise<void> {
  it = await openDoor({ directory: opened.directory, followed: opened.directory }, settings);
}
beforeEach(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
  await open();
});
afterEach(async () => {
  await it.end();
  await opened.close();
});

const base = 'dc=jade,dc=net';
const mail = (user: string): string => `mail=${user}@jade.net`;
const nameOf = (user: string) => dn(`${mail(user)},${base}`);
const add = async (user: string): Promise<void> => {
  await opened.directory.add(root, nameOf(user), person(`${user}@jade.net`));
};
const set = async (user: string, attribute: string, ...values: string[]): Promise<void> => {
  const modification: Modification = { operation: 'replace', attribute: { name: attribute, values } };
  await opened.directory.modify(root, nameOf(user), [modification]);
};
const remove = async (user: string): Promise<void> => {
  await opened.directory.delete(root, nameOf(user));
};
const rename = async (user: string, to: string): Promise<void> => {
  await opened.directory.rename(root, nameOf(user), { rdn: parseRdn(mail(to)), deleteOldRdn: true });
};

async function admin(): Promise<RawLdap> {
  const client = await it.client();
  await client.ask(1, simpleBind('cn=admin,cn=admins,cn=mailtree', 'admin secret'));
  return client;
}
const people = searchFor('(objectClass=inetOrgPerson)');
let lastId = 100;
const follow = (client: RawLdap, request: Request, ...controls: Control[]): Follower =>
  new Follower(client, ++lastId, request, ...controls);
/** One refresh from a cookie: its lines, and where it leads. */
async function poll(client: RawLdap, cookie: string | undefined, request: Request = people, reloadHint = false) {
  const follower = follow(client, request, syncs(1, cookie, reloadHint));
  const lines = await follower.until('done');
  return { lines: lines.sort(), cookie: follower.cookie };
}

test('polls: everything first, then what has changed, and what is gone by its UUID', async () => {
  const client = await admin();
  const first = follow(client, people, syncs(1));
  expect((await first.until('done')).sort()).toEqual([`add ${mail('user1')}`, `add ${mail('user2')}`, 'done 0']);
  expect(await poll(client, first.cookie)).toEqual({ lines: ['done 0 deletes'], cookie: first.cookie });
  await add('user3');
  await set('user1', 'title', 'Dr');
  await remove('user2');
  const second = follow(client, people, syncs(1, first.cookie));
  for (const [uuid, name] of first.uuids) second.uuids.set(uuid, name);
  const lines = await second.until('done');
  expect(lines.sort()).toEqual([`add ${mail('user1')}`, `add ${mail('user3')}`, 'done 0 deletes', `ids deleted ${mail('user2')}`]);
  expect(second.cookie).not.toBe(first.cookie);
});

test('persist: what comes into the content is added, what leaves it is deleted, renames keep their UUID', async () => {
  const client = await admin();
  const follower = follow(client, searchFor('(title=in)'), syncs(3));
  expect(await follower.next()).toBe('refreshPresent');
  await set('user1', 'title', 'in');
  expect(await follower.next()).toBe(`add ${mail('user1')}`);
  await set('user1', 'description', 'seen');
  expect(await follower.next()).toBe(`modify ${mail('user1')}`);
  await rename('user1', 'other');
  expect(await follower.next()).toBe(`modify ${mail('other')}`);
  expect(follower.uuids.size).toBe(1);
  await set('other', 'title', 'out');
  expect(await follower.next()).toBe(`delete ${mail('other')}`);
  await set('other', 'title', 'in');
  expect(await follower.next()).toBe(`add ${mail('other')}`);
  await remove('other');
  expect(await follower.next()).toBe(`delete ${mail('other')}`);
  expect((await poll(client, follower.cookie, searchFor('(title=in)'))).lines).toEqual(['done 0 deletes']);
});

test('a change of nothing that was asked for is not told; every 256 of them bring a new cookie', async () => {
  const client = await admin();
  const follower = follow(client, { ...people, attributes: ['cn'] } as Request, syncs(3));
  await follower.until('refreshPresent');
  for (let n = 0; n < 300; n++) await set('user1', 'title', `number ${n}`);
  expect(await follower.next()).toBe('cookie');
  await set('user1', 'cn', 'Other');
  expect(await follower.next()).toBe(`modify ${mail('user1')}`);
});

test('a cookie is good after a restart of the door and the directory', async () => {
  const { cookie } = await poll(await admin(), undefined);
  await add('between');
  await it.end();
  opened = await opened.reopen();
  await open();
  await add('after');
  expect((await poll(await admin(), cookie)).lines).toEqual([`add ${mail('after')}`, `add ${mail('between')}`, 'done 0 deletes']);
});

test('what OpenLDAP makes of a cookie is good: the CSN alone, with its own rid', async () => {
  const client = await admin();
  const first = follow(client, people, syncs(1, 'rid=007'));
  expect((await first.until('done')).length).toBe(3);
  expect(first.cookie).toMatch(/^rid=007,csn=\d{14}\.\d{6}Z#[0-9a-f]{6}#000#[0-9a-f]{6}$/);
  const csn = first.cookie?.split('csn=')[1];
  await add('user3');
  expect((await poll(client, `rid=012,sid=001,csn=${csn}`)).lines).toEqual([`add ${mail('user3')}`, 'done 0 deletes']);
  expect((await poll(client, `rid=012,csn=20200101000000.000000Z#000001#001#000000;${csn}`)).lines.at(-1)).toBe('done 0 deletes');
});

test('cookies that lead nowhere: 4096, or everything with reloadHint or for an OpenLDAP consumer', async () => {
  const client = await admin();
  const { cookie = '' } = await poll(client, undefined);
  const all = [`add ${mail('user1')}`, `add ${mail('user2')}`, 'done 0'];
  const wrong = [
    'nonsense',
    'csn=',
    '\u0000\u0001',
    'x'.repeat(60_000),
    cookie.replace(/#......$/, '#000000'),
    cookie.replace(/=\d{4}/, '=2099'),
    cookie.replace(/#[0-9a-f]{6}#/, '#ffffff#'),
    'csn=99999999999999.999999Z#000000#000#000000',
    ';'.repeat(1_000),
  ];
  for (const each of wrong) {
    expect([each.slice(0, 60), (await poll(client, each)).lines]).toEqual([each.slice(0, 60), ['done 4096']]);
    expect((await poll(client, each, people, true)).lines).toEqual(all);
    expect((await poll(client, `rid=001,${each}`)).lines).toEqual(all);
  }
  // Another search, another asker.
  expect((await poll(client, cookie, searchFor('(cn=*)'))).lines).toEqual(['done 4096']);
  expect((await poll(client, cookie, { ...people, attributes: ['cn'] } as Request)).lines).toEqual(['done 4096']);
  const stranger = await it.client();
  expect((await poll(stranger, cookie)).lines).toEqual(['done 4096']);
  // Limits are no part of the search (RFC 4533 §3.5).
  expect((await poll(client, cookie, { ...people, sizeLimit: 7, timeLimit: 9 } as Request)).lines).toEqual(['done 0 deletes']);
});

test('a cookie of another database is refused, with the same number and at the same time too', async () => {
  const { cookie } = await poll(await admin(), undefined);
  await it.end();
  await opened.close();
  opened = await openTemporary();
  await fill(opened.directory);
  await open();
  expect((await poll(await admin(), cookie)).lines).toEqual(['done 4096']);
});

test('where the history was cut, present entries are named by their UUIDs; after an import everything is sent', async () => {
  let client = await admin();
  const first = follow(client, people, syncs(1));
  await first.until('done');
  await set('user1', 'title', 'Dr');
  await add('user3');
  opened.clock.advance(31 * 86_400_000);
  await add('user4');
  opened.clock.advance(3_700_000);
  // Closing waits for the trimming that has begun.
  await it.end();
  opened = await opened.reopen();
  await open();
  client = await admin();
  const second = follow(client, people, syncs(1, first.cookie));
  for (const [uuid, name] of first.uuids) second.uuids.set(uuid, name);
  const lines = await second.until('done');
  expect(lines.sort()).toEqual([
    `add ${mail('user1')}`,
    `add ${mail('user3')}`,
    `add ${mail('user4')}`,
    'done 0',
    `ids present ${mail('user2')}`,
  ]);
  await opened.directory.addBatch(root, [{ dn: nameOf('imported'), attributes: person('imported@jade.net') }]);
  expect((await poll(client, second.cookie)).lines).toHaveLength(6);
});

test('Cancel ends a synchronisation with canceled and its cookie; Abandon ends it in silence', async () => {
  const client = await admin();
  const follower = follow(client, people, syncs(3));
  await follower.until('refreshPresent');
  await add('user3');
  expect(await follower.next()).toBe(`add ${mail('user3')}`);
  const { cookie, id } = follower;
  client.send(900, { op: 'extended', oid: '1.3.6.1.1.8', value: Buffer.from([0x30, 4, 2, 2, id >> 8, id & 0xff]) });
  const answers = [await client.next(), await client.next()];
  const [cancelled, done] = answers[0]?.id === 900 ? answers : answers.reverse();
  expect([codeOf(cancelled), codeOf(done), done?.id]).toEqual([0, 118, id]);
  expect(done?.controls[0]?.value && Buffer.from(done.controls[0].value).toString('latin1')).toContain(cookie);
  const second = follow(client, people, syncs(3, cookie));
  expect(await second.until('refresh')).toEqual(['refreshDelete']);
  client.send(901, { op: 'abandon', target: second.id });
  await add('user4');
  expect(codeOf(await client.ask(902, searchFor('(mail=none)')))).toBe(0);
});

test('a bind and the end of the server end what stays, with the cookie', async () => {
  const client = await admin();
  const follower = follow(client, people, syncs(3));
  await follower.until('refreshPresent');
  client.send(901, simpleBind('cn=admin,cn=admins,cn=mailtree', 'admin secret'));
  expect(await follower.next()).toBe('done 118');
  expect(follower.cookie).toMatch(/^csn=/);
  expect(codeOf(await client.next())).toBe(0);
  const second = follow(client, people, syncs(3, follower.cookie));
  expect(await second.next()).toBe('refreshDelete');
  const stopped = it.door.stop();
  expect(await second.next()).toBe('done 52');
  expect(second.cookie).toBe(follower.cookie);
  await stopped;
});

test.each([
  ['synchronisation', () => syncs(3)],
  ['persistent search', () => persists(15, true, true)],
])('a %s with a bind or the end of the client right behind it ends', async (_, wish) => {
  const search = searchFor('(objectClass=*)', { base: `${mail('user1')},${base}`, scope: 'base' });
  const client = await admin();
  const bind = encodeRequest(902, simpleBind('cn=admin,cn=admins,cn=mailtree', 'admin secret'));
  client.write(Buffer.concat([encodeRequest(901, search, [wish()]), bind]));
  const answers: number[] = [];
  for (let message = await client.next(); message; message = await client.next()) {
    if (message.body.op !== 'entry' && message.body.op !== 'intermediate') answers.push(message.id);
    if (message.id === 902) break;
  }
  expect(answers).toEqual([901, 902]);
  client.socket.end(encodeRequest(903, search, [wish()]));
  await client.closed;
});

test('the base is deleted, renamed or moved: noSuchObject', async () => {
  await add('base');
  const client = await admin();
  const there = (name: string): Request => searchFor('(objectClass=*)', { base: `${mail(name)},${base}` });
  expect(await follow(client, there('none'), syncs(3)).next()).toBe('done 32');
  const first = follow(client, there('base'), syncs(3));
  await first.until('refreshPresent');
  await rename('base', 'moved');
  expect(await first.next()).toBe('done 32');
  const second = follow(client, there('moved'), syncs(3));
  await second.until('refreshPresent');
  await remove('moved');
  expect(await second.next()).toBe('done 32');
});

test('rights that change end a persist at once, and nothing is told that they forbid', async () => {
  const stranger = await it.client();
  const follower = follow(stranger, people, syncs(3));
  await follower.until('refreshPresent');
  const rule = { objectClass: 'mtAccess', cn: 'no', mtAccessOrder: '1', mtAccessWho: 'anonymous', mtAccessEffect: 'deny' };
  const deny = attributes({ ...rule, mtAccessRight: ['read', 'search', 'compare'], mtAccessTarget: `children:${base}` });
  await Promise.all([opened.directory.add(root, dn('cn=no,cn=access,cn=mailtree'), deny), add('secret1'), add('secret2')]);
  await add('secret3');
  const lines = await follower.until('done');
  expect(lines).toEqual(['done 4096']);
  const again = follow(stranger, people, syncs(1, follower.cookie, true));
  expect(await again.until('done')).toEqual(['done 0']);
});

test('who is bound and loses the account loses the persist', async () => {
  const client = await it.client();
  await client.ask(1, simpleBind(`${mail('user1')},${base}`, 'secret of user1'));
  const follower = follow(client, people, syncs(3));
  await follower.until('refreshPresent');
  await set('user1', 'accountStatus', 'disabled');
  expect(await follower.next()).toBe('done 8');
});

test('UUIDs of entries the asker never could know are not sent', async () => {
  const client = await it.client();
  const everything = searchFor('(objectClass=*)', { base: '', scope: 'sub' });
  const follower = follow(client, everything, syncs(3));
  await follower.until('refresh');
  const secret = dn('cn=hidden,cn=admins,cn=mailtree');
  await opened.directory.add(root, secret, attributes({ objectClass: 'person', cn: 'hidden', sn: 'x' }));
  await opened.directory.delete(root, secret);
  await add('seen');
  expect(await follower.next()).toBe(`add ${mail('seen')}`);
  await opened.directory.delete(root, dn('cn=admin,cn=admins,cn=mailtree'));
  await remove('seen');
  expect(await follower.next()).toBe(`delete ${mail('seen')}`);
});

test('a connection with open persists goes on serving, and has a limit of them; so have all together, strangers a quarter', async () => {
  await it.end();
  await open({ maxOperations: 2, maxPersistent: 3, maxPersistentAll: 8 });
  const client = await admin();
  for (let n = 0; n < 3; n++) {
    const one = follow(client, people, syncs(3));
    await one.until('refreshPresent');
  }
  const fourth = await client.ask(801, people, [syncs(3)]);
  expect([codeOf(fourth), sayOf(fourth)]).toEqual([11, 'the connection has as many searches that stay open as it may']);
  expect(codeOf(await client.ask(802, searchFor('(mail=none)')))).toBe(0);
  const [one, other] = [await it.client(), await it.client()];
  for (let n = 0; n < 2; n++) await follow(n ? one : other, people, persists(15, true, true));
  const third = await it.client();
  expect(codeOf(await third.ask(1, people, [persists(15, true, true)]))).toBe(11);
  one.socket.destroy();
  for (let code: number | undefined = 11; code === 11; ) {
    const client = await it.client();
    client.send(1, people, [persists(15, true, true)]);
    client.send(2, searchFor('(mail=none)'));
    const answer = await client.next();
    code = answer?.id === 1 ? codeOf(answer) : undefined;
  }
});

test('what a persist cannot be together with, and values that make no sense', async () => {
  const client = await admin();
  const code = async (request: Request, ...controls: Control[]): Promise<number | undefined> =>
    codeOf(await client.ask(++lastId, request, controls));
  expect(await code(people, syncs(1), persists(15, true, true))).toBe(2);
  expect(await code(people, syncs(1), pages(1))).toBe(12);
  expect(await code(searchFor('(objectClass=*)', { derefAliases: 1 }), syncs(1))).toBe(2);
  expect(await code(searchFor('(objectClass=*)', { derefAliases: 3 }), syncs(1))).toBe(2);
  expect(await code({ op: 'delete', dn: base }, syncs(1))).toBe(12);
  for (const mode of [0, 2, 4, 255]) expect(await code(people, syncs(mode))).toBe(2);
  for (const types of [0, 16, 31, 1_000]) expect(await code(people, persists(types, true, true))).toBe(2);
  const values = [
    '',
    '30',
    '3000',
    '300202 01',
    '30030a0101 00',
    '30050a010104ff',
    '30060a01030101',
    '30800a01010000',
    '0a0101',
    'ffffffff',
  ];
  for (const value of values)
    for (const oid of [syncOid, persistentOid])
      expect([value, await code(people, control(oid, Buffer.from(value.replaceAll(' ', ''), 'hex')))]).toEqual([value, 2]);
  expect(await code(people, control(syncOid))).toBe(2);
});

test('size and time limits are about the refresh', async () => {
  const client = await admin();
  const few = follow(client, { ...people, sizeLimit: 1 } as Request, syncs(1));
  expect(await few.until('done')).toEqual([`add ${mail('user1')}`, 'done 4']);
  const { cookie } = await poll(client, undefined);
  await add('user3');
  await add('user4');
  expect((await poll(client, cookie, { ...people, sizeLimit: 1 } as Request)).lines).toEqual([expect.stringContaining('add'), 'done 4']);
  const enough = follow(client, { ...people, sizeLimit: 2, timeLimit: 1 } as Request, syncs(3, cookie));
  expect((await enough.until('refresh')).at(-1)).toBe('refreshDelete');
  it.clock.advance(10_000);
  opened.clock.advance(10_000);
  for (const user of ['user5', 'user6', 'user7']) await add(user);
  expect(await enough.until(`add ${mail('user7')}`)).toHaveLength(3);
});

test('without the directory that can be followed the controls are refused, or passed over', async () => {
  await it.end();
  it = await openDoor({ directory: opened.directory });
  const client = await admin();
  expect(codeOf(await client.ask(2, people, [syncs(3)]))).toBe(12);
  client.send(3, people, [syncs(3, undefined, false, false)]);
  for (let n = 0; n < 2; n++) expect((await client.next())?.body.op).toBe('entry');
  expect(codeOf(await client.next())).toBe(0);
});

test('persistent search: entries, then changes of the wanted kinds with their notices', async () => {
  const client = await admin();
  const all = follow(client, people, persists(15, false, true));
  expect([await all.next(), await all.next()].sort()).toEqual([`entry ${mail('user1')}`, `entry ${mail('user2')}`]);
  const start = await opened.directory.position();
  await add('user3');
  expect(await all.next()).toBe(`entry ${mail('user3')} 1 #${start + 1}`);
  await set('user3', 'title', 'x');
  expect(await all.next()).toBe(`entry ${mail('user3')} 4 #${start + 2}`);
  await rename('user3', 'user4');
  expect(await all.next()).toBe(`entry ${mail('user4')} 8 from ${mail('user3')} #${start + 3}`);
  await remove('user4');
  expect(await all.next()).toBe(`entry ${mail('user4')} 2 #${start + 4}`);
  const some = await admin();
  const deletions = follow(some, people, persists(2, true, false));
  expect(codeOf(await some.ask(700, searchFor('(mail=none)')))).toBe(0);
  await add('user5');
  await remove('user5');
  expect(await deletions.next()).toBe(`entry ${mail('user5')}`);
});

test('a client that does not read is held up alone, and its connection ends', async () => {
  await it.end();
  await open({ messageTime: 5 });
  const [deaf, client] = [await admin(), await admin()];
  const silent = follow(deaf, searchFor('(objectClass=*)'), syncs(3));
  await silent.until('refreshPresent');
  const follower = follow(client, searchFor('(objectClass=*)', { attributes: ['cn'] }), syncs(3));
  await follower.until('refreshPresent');
  deaf.socket.pause();
  const large = Array.from({ length: 60 }, (_, n) => `${n} ${'x'.repeat(1_000)}`);
  for (let n = 0; n < 150; n++) await set('user1', 'description', `number ${n}`, ...large);
  await set('user1', 'cn', 'The last');
  expect((await follower.until('modify')).at(-1)).toBe(`modify ${mail('user1')}`);
  const connections = it.door.connections;
  for (let n = 0; n < 20 && it.door.connections === connections; n++) {
    it.clock.advance(2_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(it.door.connections).toBe(connections - 1);
});
