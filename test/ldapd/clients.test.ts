/** Independent clients against the door: ldapjs, ldapts, and TLS by StartTLS, LDAPS and the Unix socket. */

import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import ldapjs from 'ldapjs';
import { Attribute, Change, Client } from 'ldapts';
import { constant } from '../../src/base/index.ts';
import { encodeRequest } from '../../src/ldap-wire/index.ts';
import { type Door, openDoor, RawLdap, searchFor, selfSigned, simpleBind } from '../support/ldap-door.ts';
import { tempDir } from '../support/temp.ts';

const user1 = 'mail=user1@jade.net,dc=jade,dc=net';
const startTls = (id: number) => encodeRequest(id, { op: 'extended', oid: '1.3.6.1.4.1.1466.20037', value: undefined });
const whoAmI = { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.3', value: undefined } as const;
const material = selfSigned();

let it: Door;
let temp: { path: string; remove: () => Promise<void> };
beforeEach(async () => {
  temp = await tempDir();
  it = await openDoor({
    tls: constant(material),
    listen: {
      ldap: constant({ host: '127.0.0.1', port: 0 }),
      ldaps: constant({ host: '127.0.0.1', port: 0 }),
      ldapi: constant({ path: join(temp.path, 'ldapi') }),
    },
  });
});
afterEach(async () => {
  await it.end();
  await temp.remove();
});

test('plaintext pipelined behind StartTLS ends the connection', async () => {
  const client = await it.client();
  client.write(Buffer.concat([startTls(1), encodeRequest(2, searchFor('(mail=none)'))]));
  const answers = [await client.next(), await client.next(), await client.next()];
  expect(answers.at(-1)).toBeUndefined();
  expect(answers[1]).toMatchObject({ id: 0, body: { result: { code: 2 } } });
});

test('StartTLS is refused while a search is in work', async () => {
  const release = it.directory.hold();
  const client = await it.client();
  client.send(1, searchFor('(mail=none)'));
  client.write(startTls(2));
  expect(await client.next()).toMatchObject({ id: 2, body: { result: { code: 1 } } });
  release();
  expect(await client.next()).toMatchObject({ id: 1, body: { result: { code: 0 } } });
});

test('rubbish instead of a handshake ends that connection alone', async () => {
  const client = await it.client();
  client.write(startTls(1));
  expect(await client.next()).toMatchObject({ id: 1, body: { result: { code: 0 } } });
  client.write('00 01 02 03 04 05 06 07 08 09 0a');
  await client.closed;
  const other = await it.client();
  expect(await other.ask(1, searchFor('(mail=none)'))).toMatchObject({ body: { result: { code: 0 } } });
});

test('ldapts does everything over StartTLS', async () => {
  const client = new Client({ url: `ldap://127.0.0.1:${it.port}` });
  await client.startTLS({ rejectUnauthorized: false });
  await expect(client.bind(user1, 'wrong')).rejects.toThrow();
  await client.bind(user1, 'secret1');
  const { searchEntries } = await client.search('dc=jade,dc=net', { filter: '(mail=user2@jade.net)', attributes: ['cn', 'mail'] });
  expect(searchEntries).toEqual([{ dn: 'mail=user2@jade.net,dc=jade,dc=net', cn: 'Üser 2', mail: 'user2@jade.net' }]);
  await client.add('cn=x,dc=jade,dc=net', { cn: 'x', objectClass: ['top'] });
  await client.modify('cn=x,dc=jade,dc=net', new Change({ operation: 'add', modification: new Attribute({ type: 'sn', values: ['ß'] }) }));
  expect(await client.compare('cn=x,dc=jade,dc=net', 'sn', 'ß')).toBe(true);
  await client.modifyDN('cn=x,dc=jade,dc=net', 'cn=y');
  await client.del('cn=y,dc=jade,dc=net');
  const { searchEntries: paged } = await client.search('dc=jade,dc=net', { filter: '(mail=*)', paged: { pageSize: 2 } });
  expect(paged.length).toBe(3);
  expect((await client.exop('1.3.6.1.4.1.4203.1.11.3')).value).toBe(`dn:${user1}`);
  await client.unbind();
});

test('ldapts speaks LDAPS', async () => {
  const { port } = it.door.addresses().ldaps as AddressInfo;
  const client = new Client({ url: `ldaps://127.0.0.1:${port}`, tlsOptions: { rejectUnauthorized: false } });
  await client.bind(user1, 'secret1');
  expect((await client.search(user1, { scope: 'base' })).searchEntries.length).toBe(1);
  await client.unbind();
});

test('ldapjs searches, pages and is refused in LDAP terms', async () => {
  const client = ldapjs.createClient({ url: `ldap://127.0.0.1:${it.port}` });
  const bound = (name: string, password: string): Promise<unknown> =>
    new Promise((resolve) => client.bind(name, password, (error: unknown) => resolve(error)));
  expect(await bound(user1, 'wrong')).toMatchObject({ code: 49 });
  expect(await bound(user1, 'secret1')).toBeNull();
  const found = await new Promise<string[]>((resolve, reject) => {
    const names: string[] = [];
    // biome-ignore lint/suspicious/noExplicitAny: ldapjs has no types
    client.search('dc=jade,dc=net', { scope: 'sub', filter: '(mail=*)', paged: { pageSize: 1 } }, (error: unknown, result: any) => {
      if (error) return reject(error);
      // biome-ignore lint/suspicious/noExplicitAny: ldapjs has no types
      result.on('searchEntry', (entry: any) => names.push(String(entry.objectName)));
      result.on('error', reject);
      result.on('end', () => resolve(names));
    });
  });
  expect(found.length).toBe(3);
  expect(await new Promise((resolve) => client.del('cn=none', (error: unknown) => resolve(error)))).toMatchObject({ code: 32 });
  await new Promise<void>((resolve) => client.unbind(() => resolve()));
});

test('what was negotiated in the clear does not count behind StartTLS', async () => {
  const plain = await it.client();
  await plain.ask(1, simpleBind(user1, 'secret1'));
  plain.write(startTls(2));
  await plain.next();
  plain.socket.removeAllListeners('data');
  const secure = new RawLdap(connectTls({ socket: plain.socket, rejectUnauthorized: false }));
  expect(await secure.ask(3, whoAmI)).toMatchObject({ body: { value: new Uint8Array(0) } });
  expect(await secure.ask(4, { op: 'extended', oid: '1.3.6.1.4.1.1466.20037', value: undefined })).toMatchObject({
    body: { result: { code: 1 } },
  });
  secure.socket.destroy();
});

test('the owner of the Unix socket is who EXTERNAL says', async () => {
  const path = String(it.door.addresses().ldapi);
  const client = new RawLdap(connect(path));
  const external = (credentials?: string) =>
    ({
      op: 'bind',
      version: 3,
      name: '',
      method: { type: 'sasl', mechanism: 'EXTERNAL', credentials: credentials ? Buffer.from(credentials) : undefined },
    }) as const;
  expect(await client.ask(1, external('dn:cn=admin'))).toMatchObject({ body: { result: { code: 49 } } });
  expect(await client.ask(2, external())).toMatchObject({ body: { result: { code: 0 } } });
  expect(await client.ask(3, whoAmI)).toMatchObject({ body: { value: Uint8Array.from(Buffer.from('u:system')) } });
  client.socket.destroy();
});
