/** What becomes of a connection when the account it was logged in to changes. */

import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { passwordText } from '../../src/directory/index.ts';
import { type Message, parseRdn, type Request, type Response } from '../../src/ldap-wire/index.ts';
import { attributes, dn, fill, type Opened, openTemporary, root } from '../directory/support.ts';
import { ask, codeOf, find, sayOf } from '../support/ldap-controls.ts';
import { type Door, openDoor, type RawLdap, searchFor, simpleBind } from '../support/ldap-door.ts';

const base = 'dc=jade,dc=net';
const user1 = `mail=user1@jade.net,${base}`;
const notice = '1.3.6.1.4.1.1466.20036';

const sha1 = (text: string): Buffer => createHash('sha1').update(text).digest();

let opened: Opened;
let it: Door;
let client: RawLdap;
beforeEach(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
  it = await openDoor({ directory: opened.directory });
  client = await it.client();
  expect(codeOf(await ask(client, simpleBind(user1, 'secret of user1')))).toBe(0);
});
afterEach(async () => {
  await it.end();
  await opened.close();
});

const replace = (name: string, ...values: string[]) => [{ operation: 'replace', attribute: { name, values } }] as const;
const own = (name: string, ...values: string[]): Request => ({ op: 'modify', dn: user1, modifications: replace(name, ...values) });

async function toldToGo(of: RawLdap): Promise<void> {
  const message: Message<Response> | undefined = await of.next();
  expect(message).toMatchObject({ id: 0, body: { op: 'extended', oid: notice, result: { code: 8 } } });
  expect(sayOf(message)).toContain('log in again');
  await of.closed;
}

test.each([
  ['is deleted', () => opened.directory.delete(root, dn(user1))],
  ['is renamed', () => opened.directory.rename(root, dn(user1), { rdn: parseRdn('mail=other@jade.net'), deleteOldRdn: true })],
  [
    'is moved',
    () =>
      opened.directory.rename(root, dn(user1), {
        rdn: parseRdn('mail=user1@jade.net'),
        deleteOldRdn: true,
        newSuperior: dn('dc=onyx,dc=net'),
      }),
  ],
  ['stands in a domain that is renamed', () => opened.directory.rename(root, dn(base), { rdn: parseRdn('dc=jet'), deleteOldRdn: true })],
  ['goes with its domain', () => opened.directory.delete(root, dn(base), { subtree: true })],
  ['is disabled', () => opened.directory.modify(root, dn(user1), replace('accountStatus', 'disabled'))],
  ['gets another password', () => opened.directory.modify(root, dn(user1), replace('userPassword', 'quite another'))],
  ['loses its password', () => opened.directory.modify(root, dn(user1), replace('userPassword'))],
  [
    'is deleted and made again',
    async () => {
      const entry = await opened.directory.readAll(dn(user1));
      await opened.directory.delete(root, dn(user1));
      const kept = [...(entry?.attributes.values() ?? [])].filter(({ name }) =>
        ['objectClass', 'mail', 'cn', 'sn', 'userPassword'].includes(name),
      );
      await opened.directory.add(root, dn(user1), kept);
    },
  ],
] as [string, () => Promise<unknown>][])('a connection whose entry %s is told to log in again, idle as it is', async (_, happen) => {
  await happen();
  await toldToGo(client);
});

test('the next request is not carried out, however soon it comes', async () => {
  const other = await it.client();
  expect(codeOf(await ask(other, simpleBind('cn=admin,cn=admins,cn=mailtree', 'admin secret')))).toBe(0);
  // Both in one go: the second connection's request is there when the first one's is done.
  const changed = ask(other, { op: 'modify', dn: user1, modifications: replace('userPassword', 'quite another') });
  expect(codeOf(await changed)).toBe(0);
  client.send(77, own('mtPreferenceColour', 'red'));
  await toldToGo(client);
  expect((await opened.directory.readAll(dn(user1)))?.has('mtPreferenceColour')).toBe(false);
});

test('other changes of the entry, and changes of others, disturb nobody', async () => {
  await opened.directory.modify(root, dn(user1), replace('title', 'Dr'));
  await opened.directory.modify(root, dn(user1), replace('accountStatus', 'active'));
  await opened.directory.rename(root, dn(user1), { rdn: parseRdn('mail=User1@JADE.net'), deleteOldRdn: true });
  await opened.directory.modify(root, dn(`mail=user2@jade.net,${base}`), replace('userPassword', 'quite another'));
  await opened.directory.delete(root, dn(`mail=user2@jade.net,${base}`));
  expect(codeOf(await ask(client, own('mtPreferenceColour', 'red')))).toBe(0);
});

test('a new password that the connection sets itself leaves it logged in, and no other', async () => {
  const other = await it.client();
  expect(codeOf(await ask(other, simpleBind(user1, 'secret of user1')))).toBe(0);
  expect(codeOf(await ask(client, own('userPassword', 'quite another')))).toBe(0);
  await toldToGo(other);
  expect(codeOf(await ask(client, own('mtPreferenceColour', 'red')))).toBe(0);
});

test('a better form of an imported password disturbs nobody', async () => {
  const name = `cn=imported,${base}`;
  // The password is "secret".
  const imported = `{SSHA}${Buffer.concat([sha1('secretsalt'), Buffer.from('salt')]).toString('base64')}`;
  await opened.directory.add(root, dn(name), attributes({ objectClass: 'person', cn: 'imported', sn: 'x', userPassword: imported }));
  const early = await it.client();
  expect(codeOf(await ask(early, simpleBind(name, 'secret')))).toBe(0);
  const stored = async (): Promise<string> => passwordText((await opened.directory.readAll(dn(name)))?.values('userPassword')[0] ?? '');
  for (let n = 0; n < 10_000 && !(await stored()).startsWith('{SCRAM'); n++) await new Promise((resolve) => setImmediate(resolve));
  expect(await stored()).toMatch(/^\{SCRAM/);
  expect(codeOf((await find(early, searchFor('(objectClass=*)', { base: name, scope: 'base' }))).done)).toBe(0);
});

test('who renames or deletes the own entry gets the answer before the farewell', async () => {
  await it.end();
  it = await openDoor({ directory: opened.directory });
  client = await it.client();
  const name = 'cn=other,cn=admins,cn=mailtree';
  await opened.directory.add(root, dn(name), attributes({ objectClass: 'person', cn: 'other', sn: 'x', userPassword: 'other secret' }));
  expect(codeOf(await ask(client, simpleBind(name, 'other secret')))).toBe(0);
  expect(codeOf(await ask(client, { op: 'delete', dn: name }))).toBe(0);
  await toldToGo(client);
});

test('after another log-in on the connection the first account does not matter', async () => {
  expect(codeOf(await ask(client, simpleBind(`mail=user2@jade.net,${base}`, 'secret of user2')))).toBe(0);
  await opened.directory.delete(root, dn(user1));
  expect(codeOf((await find(client, searchFor('(mail=user2@jade.net)'))).done)).toBe(0);
});
