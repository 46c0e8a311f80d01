/** SASL and the password operation over the wire, with the bundled directory behind the door. */

import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { constant } from '../../src/base/index.ts';
import { BerReader, BerWriter, parseDn, type Request } from '../../src/ldap-wire/index.ts';
import { dn, fill, type Opened, openTemporary, root, settings } from '../directory/support.ts';
import { ask, codeOf, sayOf } from '../support/ldap-controls.ts';
import { type Door, openDoor, RawLdap, selfSigned, simpleBind } from '../support/ldap-door.ts';
import { tempDir } from '../support/temp.ts';

const base = 'dc=jade,dc=net';
const user1 = `mail=user1@jade.net,${base}`;
const admin = 'cn=admin,cn=admins,cn=mailtree';
const material = selfSigned();

let opened: Opened;
let it: Door;
let client: RawLdap;
let temp: { path: string; remove: () => Promise<void> };
/** As the server has it: an address is the entry that bears it, anything else is nobody. */
const userNamed = async (name: string): Promise<ReturnType<typeof parseDn>> => {
  const [, domain] = /@(jade|onyx)\.net$/i.exec(name) ?? [];
  return domain ? parseDn(`mail=${name},dc=${domain},dc=net`) : parseDn(`cn=nobody,cn=mailtree`);
};
beforeEach(async () => {
  temp = await tempDir();
  opened = await openTemporary({ settings: settings({ minimumPassword: 8, failureDelay: 0 }) });
  await fill(opened.directory);
  it = await openDoor({
    directory: opened.directory,
    tls: constant(material),
    userNamed,
    listen: {
      ldap: constant({ host: '127.0.0.1', port: 0 }),
      ldaps: constant({ host: '127.0.0.1', port: 0 }),
      ldapi: constant({ path: join(temp.path, 'ldapi') }),
    },
  });
  client = await it.client();
});
afterEach(async () => {
  await it.end();
  await opened.close();
  await temp.remove();
});

const sasl = (mechanism: string, credentials: string | undefined): Request => ({
  op: 'bind',
  version: 3,
  name: '',
  method: { type: 'sasl', mechanism, credentials: credentials === undefined ? undefined : Buffer.from(credentials, 'latin1') },
});
const plain = (name: string, password: string, authorize = ''): Request =>
  sasl('PLAIN', Buffer.from(`${authorize}\0${name}\0${password}`).toString('latin1'));
const whoAmI: Request = { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.3', value: undefined };
async function who(of: RawLdap = client): Promise<string> {
  const answer = await ask(of, whoAmI);
  return answer?.body.op === 'extended' ? Buffer.from(answer.body.value ?? []).toString() : 'no answer';
}

test.each([
  ['a distinguished name', `dn:${user1}`, ''],
  ['a distinguished name in another spelling', 'DN:MAIL=User1@jade.net, DC=JADE,dc=net', ''],
  ['an address behind u:', 'u:user1@jade.net', ''],
  ['an address', 'User1@JADE.net', ''],
  ['the same name to act for', 'user1@jade.net', `dn:${user1}`],
  ['the same address to act for', `dn:${user1}`, 'u:user1@jade.net'],
])('SASL PLAIN lets in %s', async (_, name, authorize) => {
  expect(codeOf(await ask(client, plain(name, 'secret of user1', authorize)))).toBe(0);
  expect(await who()).toBe(`dn:${user1}`);
});

test.each([
  ['a wrong password', plain(`dn:${user1}`, 'wrong')],
  ['no password', plain(`dn:${user1}`, '')],
  ['an address of nobody', plain('nobody@jade.net', 'secret of user1')],
  ['a name that is no address', plain('user1', 'secret of user1')],
  ['a malformed distinguished name', plain('dn:nonsense', 'secret of user1')],
  ['an empty distinguished name', plain('dn:', 'secret of user1')],
  ['somebody else to act for', plain(`dn:${user1}`, 'secret of user1', 'user2@jade.net')],
  ['the administrator to act for', plain(`dn:${user1}`, 'secret of user1', `dn:${admin}`)],
  ['a malformed name to act for', plain(`dn:${user1}`, 'secret of user1', 'dn:nonsense')],
])('SASL PLAIN with %s is refused in the same words, and the connection is anonymous', async (_, request) => {
  await ask(client, simpleBind(user1, 'secret of user1'));
  const answer = await ask(client, request);
  expect(codeOf(answer)).toBe(49);
  expect(sayOf(answer)).toMatch(/^(?:the )?name or (?:the )?password is wrong$/);
  expect(await who()).toBe('');
});

test.each([
  ['', 2],
  ['no nul', 2],
  ['\0', 2],
  ['\0\0secret', 2],
  ['\0a\0b\0c', 2],
  ['\0\xff\xfe\0secret', 2],
  [`\0${'x'.repeat(60_000)}\0y`, 49],
  [`\0user1@jade.net\0${'x'.repeat(60_000)}`, 49],
])('the PLAIN message %j is refused', async (credentials, code) => {
  expect(codeOf(await ask(client, sasl('PLAIN', credentials)))).toBe(code);
  expect(await who()).toBe('');
});

test('a client that waits to be asked is asked', async () => {
  const asked = await ask(client, sasl('PLAIN', undefined));
  expect(asked?.body).toMatchObject({ op: 'bind', result: { code: 14 }, credentials: new Uint8Array(0) });
  expect(await who()).toBe('');
  expect(codeOf(await ask(client, plain('user1@jade.net', 'secret of user1')))).toBe(0);
});

test('a password in the clear is refused where the setting says so; over TLS and the socket it is not', async () => {
  it.settings.set({ ...it.settings.value, passwordNeedsTls: true });
  expect(codeOf(await ask(client, plain('user1@jade.net', 'secret of user1')))).toBe(13);
  expect(codeOf(await ask(client, sasl('PLAIN', undefined)))).toBe(13);
  const { port } = it.door.addresses().ldaps as AddressInfo;
  const secure = new RawLdap(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }));
  const local = new RawLdap(connect(String(it.door.addresses().ldapi)));
  for (const one of [secure, local]) {
    expect(codeOf(await ask(one, plain('user1@jade.net', 'secret of user1')))).toBe(0);
    expect(await who(one)).toBe(`dn:${user1}`);
    one.socket.destroy();
  }
});

test('other mechanisms are not there', async () => {
  for (const name of ['plain', 'GSSAPI', 'DIGEST-MD5', '', 'EXTERNAL', 'X'.repeat(10_000)])
    expect(codeOf(await ask(client, sasl(name, 'x')))).toBe(7);
});

const change = (parts: { user?: string; old?: string; fresh?: string }): Request => {
  const writer = new BerWriter();
  const begun = writer.begin();
  if (parts.user !== undefined) writer.text(parts.user, 0x80);
  if (parts.old !== undefined) writer.text(parts.old, 0x81);
  if (parts.fresh !== undefined) writer.text(parts.fresh, 0x82);
  return { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.1', value: writer.end(begun).done() };
};

test.each([
  ['the own, without a name', {}],
  ['the own, by name', { user: user1 }],
  ['the own, by dn:', { user: `dn:${user1}` }],
  ['the own, by address', { user: 'user1@jade.net' }],
  ['the own, by u:', { user: 'u:user1@jade.net' }],
])('Password Modify changes %s', async (_, user) => {
  await ask(client, simpleBind(user1, 'secret of user1'));
  expect(codeOf(await ask(client, change({ ...user, old: 'secret of user1', fresh: 'another secret' })))).toBe(0);
  expect(await who()).toBe(`dn:${user1}`);
  const other = await it.client();
  expect(codeOf(await ask(other, simpleBind(user1, 'another secret')))).toBe(0);
  expect(codeOf(await ask(other, simpleBind(user1, 'secret of user1')))).toBe(49);
});

test.each([
  ['a wrong old password', change({ old: 'wrong', fresh: 'another secret' }), 49],
  ['an old password that is empty', change({ old: '', fresh: 'another secret' }), 49],
  ['a password that is too short', change({ fresh: 'short' }), 19],
  ['an empty password', change({ fresh: '' }), 19],
  ['a stored form', change({ fresh: '{SSHA}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }), 19],
  ["somebody else's", change({ user: `mail=user2@jade.net,${base}`, fresh: 'another secret' }), 50],
  ["nobody's", change({ user: 'nobody@jade.net', fresh: 'another secret' }), 32],
  ['a malformed name', change({ user: 'dn:nonsense', fresh: 'another secret' }), 34],
  ['no sequence', { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.1', value: Buffer.from('0400', 'hex') }, 2],
  ['octets behind it', { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.1', value: Buffer.from('300000', 'hex') }, 2],
  ['an element too long', { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.1', value: Buffer.from('30028009', 'hex') }, 2],
] as [string, Request, number][])('Password Modify with %s is refused and changes nothing', async (_, request, code) => {
  await ask(client, simpleBind(user1, 'secret of user1'));
  expect(codeOf(await ask(client, request))).toBe(code);
  expect(codeOf(await ask(client, simpleBind(user1, 'secret of user1')))).toBe(0);
});

test('a generated password keeps the rule of the shortest', async () => {
  await it.end();
  await opened.close();
  opened = await openTemporary({ settings: settings({ minimumPassword: 40 }) });
  await opened.directory.add(root, dn('dc=net'), [
    { name: 'objectClass', values: ['domain'] },
    { name: 'dc', values: ['net'] },
  ]);
  await opened.directory.add(root, dn('cn=a,dc=net'), [
    { name: 'objectClass', values: ['person'] },
    { name: 'sn', values: ['a'] },
    { name: 'cn', values: ['a'] },
  ]);
  it = await openDoor({
    directory: opened.directory,
    listen: { ldapi: constant({ path: join(temp.path, 'other') }), ldap: constant({ host: '127.0.0.1', port: 0 }) },
  });
  client = new RawLdap(connect(String(it.door.addresses().ldapi)));
  expect(codeOf(await ask(client, sasl('EXTERNAL', '')))).toBe(0);
  const answer = await ask(client, change({ user: 'cn=a,dc=net' }));
  const reader = new BerReader(answer?.body.op === 'extended' ? (answer.body.value ?? new Uint8Array(0)) : new Uint8Array(0));
  reader.enter(0x30);
  const password = reader.text(0x80);
  expect(password.length).toBeGreaterThanOrEqual(40);
  expect(codeOf(await ask(client, simpleBind('cn=a,dc=net', password)))).toBe(0);
  expect(codeOf(await ask(client, change({ user: 'someone@jade.net' })))).toBe(34);
  client.socket.destroy();
});

test('Cancel with a value that makes no sense is refused', async () => {
  for (const hex of ['', '3000', '3003040101', '30030201010000', '02010a'])
    expect([
      hex,
      codeOf(await ask(client, { op: 'extended', oid: '1.3.6.1.1.8', value: hex === '' ? undefined : Buffer.from(hex, 'hex') })),
    ]).toEqual([hex, 2]);
});
