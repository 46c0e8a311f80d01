/** The door in front of the bundled directory: rights, schema and searches as a client sees them. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Client } from 'ldapts';
import { fill, type Opened, openTemporary, settings } from '../directory/support.ts';
import { type Door, openDoor, RawLdap, searchFor, simpleBind } from '../support/ldap-door.ts';

let opened: Opened;
let it: Door;
beforeEach(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
  it = await openDoor({ directory: opened.directory });
});
afterEach(async () => {
  await it.end();
  await opened.close();
});

const admin = 'cn=admin,cn=admins,cn=mailtree';
const user1 = 'mail=user1@jade.net,dc=jade,dc=net';

test('a wrong password is refused, and a stranger sees no password and changes nothing', async () => {
  const client = new Client({ url: `ldap://127.0.0.1:${it.port}` });
  await expect(client.bind(user1, 'wrong')).rejects.toMatchObject({ code: 49 });
  const { searchEntries } = await client.search('dc=jade,dc=net', {
    filter: '(mail=user1@jade.net)',
    attributes: ['*', '+', 'userPassword'],
  });
  expect(searchEntries).toMatchObject([{ dn: user1, mail: 'user1@jade.net' }]);
  // ldapts gives an empty list for what was asked for and did not come.
  expect(searchEntries[0]?.userPassword).toEqual([]);
  await expect(client.del(user1)).rejects.toMatchObject({ code: 50 });
  await client.unbind();
});

test('an administrator adds, changes, renames and deletes; the schema is held', async () => {
  const client = new Client({ url: `ldap://127.0.0.1:${it.port}` });
  await client.bind(admin, 'admin secret');
  const name = 'mail=new@jade.net,dc=jade,dc=net';
  await expect(client.add(name, { objectClass: ['inetOrgPerson'], mail: 'new@jade.net', cn: 'n' })).rejects.toMatchObject({ code: 65 });
  await client.add(name, { objectClass: ['inetOrgPerson'], mail: 'new@jade.net', cn: 'Größe', sn: 'n' });
  expect(await client.compare(name, 'cn', 'GRÖSSE')).toBe(true);
  await client.modifyDN(name, 'mail=newer@jade.net');
  const { searchEntries } = await client.search('dc=jade,dc=net', { filter: '(mail=newer*)' });
  expect(searchEntries).toMatchObject([{ cn: 'Größe' }]);
  await client.del('mail=newer@jade.net,dc=jade,dc=net');
  await expect(client.search('mail=newer@jade.net,dc=jade,dc=net', { scope: 'base' })).rejects.toMatchObject({ code: 32 });
  await client.unbind();
});

test('ten connections search at the same time and get every answer', async () => {
  const clients = await Promise.all(Array.from({ length: 10 }, () => RawLdap.connect(it.port)));
  await Promise.all(
    clients.map(async (client) => {
      for (let n = 1; n <= 50; n++) client.send(n, searchFor(`(mail=user${(n % 2) + 1}@jade.net)`));
      const done = new Set<number>();
      while (done.size < 50) {
        const message = await client.next();
        if (message?.body.op === 'search') {
          expect(message.body.result.code).toBe(0);
          done.add(message.id);
        }
      }
    }),
  );
  for (const client of clients) client.socket.destroy();
});

test('a user changes the own password over the wire and logs in with it', async () => {
  const client = await it.client();
  expect(await client.ask(1, simpleBind(user1, 'secret of user1'))).toMatchObject({ body: { result: { code: 0 } } });
  const header = Buffer.from([0x30, 0]);
  const [old, fresh] = [Buffer.from('secret of user1'), Buffer.from('another secret')];
  const body = Buffer.concat([Buffer.from([0x81, old.length]), old, Buffer.from([0x82, fresh.length]), fresh]);
  header[1] = body.length;
  const request = { op: 'extended', oid: '1.3.6.1.4.1.4203.1.11.1', value: Buffer.concat([header, body]) } as const;
  expect(await client.ask(2, request)).toMatchObject({ body: { result: { code: 0 } } });
  expect(await client.ask(3, simpleBind(user1, 'another secret'))).toMatchObject({ body: { result: { code: 0 } } });
});

test("the directory's size limit holds at the door for everybody but super administrators", async () => {
  await it.end();
  await opened.close();
  opened = await openTemporary({ settings: settings({ sizeLimit: 1 }) });
  await fill(opened.directory);
  it = await openDoor({ directory: opened.directory });
  const client = new Client({ url: `ldap://127.0.0.1:${it.port}` });
  await expect(client.search('dc=jade,dc=net', { filter: '(mail=*)' })).rejects.toMatchObject({ code: 4 });
  await client.bind(admin, 'admin secret');
  expect((await client.search('dc=jade,dc=net', { filter: '(mail=*)' })).searchEntries).toHaveLength(2);
  await client.unbind();
});
