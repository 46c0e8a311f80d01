import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Change, Position, Watch } from '../../src/directory/index.ts';
import { keys } from '../../src/directory/records/keys.ts';
import { parseFilter, parseRdn } from '../../src/ldap-wire/index.ts';
import { attributes, dn, fill, mails, type Opened, openTemporary, person, root } from './support.ts';

let opened: Opened;
beforeEach(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
});
afterEach(() => opened.close());

const settle = async (watch: Watch): Promise<void> => {
  while (watch.position < (await opened.directory.position())) await new Promise((resolve) => setImmediate(resolve));
};
const add = (user: string): Promise<unknown> =>
  opened.directory.add(root, dn(`mail=${user}@jade.net,dc=jade,dc=net`), person(`${user}@jade.net`));

test('whoever watches gets every change once and in order, wherever it starts', async () => {
  const start = await opened.directory.position();
  const heard: Position[][] = [[], [], []];
  const listen = (n: number, from: Position | undefined): Promise<Watch> =>
    opened.directory.watch(
      from,
      (change) => heard[n]?.push(change.position),
      () => heard[n]?.push(-1),
    );
  const watches = [await listen(0, start), await listen(1, 0), await listen(2, undefined)];
  await Promise.all(Array.from({ length: 250 }, (_, n) => add(`many${n}`)));
  for (const watch of watches) await settle(watch);
  const expected = Array.from({ length: 250 }, (_, n) => start + n + 1);
  expect(heard[0]).toEqual(expected);
  expect(heard[1]).toEqual([...Array.from({ length: start }, (_, n) => n + 1), ...expected]);
  expect(heard[2]).toEqual(expected);
});

test('a listener that fails keeps nobody from hearing, itself included', async () => {
  const heard: Change[] = [];
  const watch = await opened.directory.watch(
    undefined,
    (change) => {
      heard.push(change);
      throw new Error('listener');
    },
    () => {},
  );
  await add('one');
  await add('two');
  await settle(watch);
  expect(heard.map((change) => change.after?.text('mail'))).toEqual(['one@jade.net', 'two@jade.net']);
});

test('a change says who made it, when, and how the entry was and is', async () => {
  const heard: Change[] = [];
  const watch = await opened.directory.watch(
    undefined,
    (change) => heard.push(change),
    () => {},
  );
  const admin = await opened.directory.authenticate(dn('cn=admin,cn=admins,cn=mailtree'), 'admin secret', {
    door: 'ldap',
    address: '192.0.2.7',
  });
  await opened.directory.modify(admin, dn('mail=user1@jade.net,dc=jade,dc=net'), [
    { operation: 'replace', attribute: { name: 'title', values: ['Dr'] } },
  ]);
  await settle(watch);
  expect(heard[0]).toMatchObject({ kind: 'modify', at: opened.clock.now(), actor: { door: 'ldap', address: '192.0.2.7', as: 'bound' } });
  expect(heard[0]?.before?.has('title')).toBe(false);
  expect(heard[0]?.after?.text('title')).toBe('Dr');
  expect(heard[0]?.after?.text('modifiersName')).toBe('cn=admin,cn=admins,cn=mailtree');
});

test('everything is there again after a restart, the feed included', async () => {
  const before = await opened.directory.position();
  await add('kept');
  opened = await opened.reopen();
  expect(await opened.directory.position()).toBe(before + 1);
  const heard: Change[] = [];
  const watch = await opened.directory.watch(
    before,
    (change) => heard.push(change),
    () => {},
  );
  await settle(watch);
  expect(heard.map((change) => change.after?.text('mail'))).toEqual(['kept@jade.net']);
  expect(
    await mails(opened.directory.search(root, { base: dn('dc=net'), scope: 'sub', filter: parseFilter('(mail=kept@jade.net)') })),
  ).toEqual(['kept@jade.net']);
});

test('old changes go after their time, and who still needs them is told so', async () => {
  await add('old');
  const position = await opened.directory.position();
  opened.clock.advance(31 * 86_400_000);
  await add('new');
  opened.clock.advance(3_700_000);
  // Nobody reads before they are gone: what was just read is still in memory.
  while (opened.keyValue.getNow(keys.log(position)) !== undefined) await new Promise((resolve) => setImmediate(resolve));
  let lost = false;
  const heard: Change[] = [];
  const early = await opened.directory.watch(
    1,
    () => {},
    () => {
      lost = true;
    },
  );
  await new Promise((resolve) => setImmediate(resolve));
  early.stop();
  expect(lost).toBe(true);
  const watch = await opened.directory.watch(
    position,
    (change) => heard.push(change),
    () => {},
  );
  await settle(watch);
  expect(heard.map((change) => change.after?.text('mail'))).toEqual(['new@jade.net']);
});

test('a position that was never reached is lost, not waited for', async () => {
  let lost = false;
  await opened.directory.watch(
    1_000_000,
    () => {},
    () => {
      lost = true;
    },
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect(lost).toBe(true);
});

test('renaming a subtree takes everything below along, keeps the UUID, and is one change', async () => {
  const { directory } = opened;
  await directory.add(root, dn('cn=c,mail=user1@jade.net,dc=jade,dc=net'), attributes({ objectClass: 'device', cn: 'c' }));
  const uuid = (await directory.read(root, dn('cn=c,mail=user1@jade.net,dc=jade,dc=net'), ['entryUUID']))?.text('entryUUID');
  const before = await directory.position();
  await directory.rename(root, dn('dc=jade,dc=net'), { rdn: parseRdn('dc=ruby'), deleteOldRdn: true });
  expect(await directory.position()).toBe(before + 1);
  expect((await directory.read(root, dn('cn=c,mail=user1@jade.net,dc=ruby,dc=net'), ['entryUUID']))?.text('entryUUID')).toBe(uuid);
  expect(await directory.read(root, dn('mail=user1@jade.net,dc=jade,dc=net'))).toBeUndefined();
  const found = await mails(
    directory.search(root, { base: dn('dc=ruby,dc=net'), scope: 'sub', filter: parseFilter('(mail=user1@jade.net)') }),
  );
  expect(found).toEqual(['user1@jade.net']);
  expect((await directory.read(root, dn('dc=ruby,dc=net')))?.texts('dc')).toEqual(['ruby']);
});

test('a name that was deleted and made again is the new entry', async () => {
  await add('again');
  const name = dn('mail=again@jade.net,dc=jade,dc=net');
  const first = (await opened.directory.read(root, name, ['entryUUID']))?.text('entryUUID');
  await opened.directory.delete(root, name);
  expect(await opened.directory.read(root, name)).toBeUndefined();
  await add('again');
  const second = (await opened.directory.read(root, name, ['entryUUID']))?.text('entryUUID');
  expect(second).toBeDefined();
  expect(second).not.toBe(first);
});
