/** Access rules and passwords of a whole server: explained on the command line, live at every door, and written down nowhere. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'ldapts';
import { change, doorsOpenFor, imap, ldapAdministrator } from '../support/mail-clients.ts';
import { command, eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { freePort } from '../support/temp.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;

beforeAll(async () => {
  files = await prepareServer({ extra: `dns: [127.0.0.1:${await freePort()}]` });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await files.remove();
});

const mailtree = (...args: string[]) => command('mailtree', args, files);
const user = (n: number, domain = 'jade.net'): string =>
  `mail=user${n}@${domain},${domain.replace(/^|\./g, (dot) => (dot ? ',dc=' : 'dc='))}`;
const settings = 'cn=directory,cn=mailtree';
const all = ['imap', 'pop3', 'submission'];

/** A client bound as somebody. */
async function as(name: string, secret: string): Promise<Client> {
  const client = new Client({ url: `ldap://127.0.0.1:${files.ports.ldap}` });
  await client.bind(name, secret);
  return client;
}

test('mailtree directory can tells what may be done, and which rule says so', async () => {
  const yes = await mailtree('directory', 'can', 'user1@jade.net', 'write', user(1), 'userPassword');
  expect(yes.code).toBe(0);
  expect(yes.out).toMatch(/^mail=user1@jade\.net,dc=jade,dc=net \(user\)$/m);
  expect(yes.out).toMatch(/^write userPassword: yes, cn=own preferences allows it$/m);
  expect(yes.out).toMatch(/^100 +cn=domain limits +is about others \(mtAccessWho\)$/m);
  const no = await mailtree('directory', 'can', 'anonymous', 'read', user(1), 'userPassword');
  expect({ code: no.code, says: /read userPassword: no, the attribute is secret/.test(no.out) }).toEqual({ code: 1, says: true });
  expect((await mailtree('directory', 'can', 'anonymous', user(1))).out).toMatch(/^mail +yes +yes +yes +- +-$/m);
  const json = JSON.parse((await mailtree('directory', 'can', 'user2@jade.net', 'delete', user(1), '--json')).out) as object;
  expect(json).toMatchObject({
    who: user(2),
    dn: user(1),
    decisions: [{ right: 'delete', allowed: false, why: 'no rule fits, so the answer is no' }],
  });
  const bad = await mailtree('directory', 'can', 'nobody@jade.net', user(1));
  expect({ code: bad.code, err: bad.err }).toEqual({
    code: 1,
    err: 'mailtree: there is nobody called nobody@jade.net: give a name, an address, or anonymous\n',
  });
});

test('a rule written over LDAP holds at once, and one that says nothing is refused', async () => {
  const rule = 'cn=no numbers,cn=access,cn=mailtree';
  const values = {
    objectClass: 'mtAccess',
    cn: 'no numbers',
    mtAccessOrder: '50',
    mtAccessWho: 'anonymous',
    mtAccessRight: 'read',
    mtAccessEffect: 'deny',
  };
  await expect(ldap.add(rule, { ...values, mtAccessAttribute: 'pizza' })).rejects.toMatchObject({
    code: 19,
    message: expect.stringContaining('attribute mtAccessAttribute: "pizza" is neither'),
  });
  await ldap.add(rule, { ...values, mtAccessAttribute: 'cn' });
  expect((await mailtree('directory', 'can', 'anonymous', 'read', user(1), 'cn')).out).toContain('no, cn=no numbers denies it');
  const stranger = new Client({ url: `ldap://127.0.0.1:${files.ports.ldap}` });
  const { searchEntries } = await stranger.search(user(1), { scope: 'base', attributes: ['cn', 'mail'] });
  expect(searchEntries).toEqual([{ dn: user(1), mail: 'user1@jade.net', cn: [] }]);
  await stranger.unbind();
  await ldap.del(rule);
});

test('an account that too many failures have locked is closed at every door, until it is unlocked', async () => {
  await ldap.modify(settings, [
    change('replace', 'mtDirectoryLockoutFailures', '3'),
    change('replace', 'mtDirectoryLockoutTime', '0'),
    // This test comes from one address alone.
    change('replace', 'mtDirectoryFailureDelay', '0'),
  ]);
  await eventually(async () => {
    await expect(as(user(2), 'a wrong guess')).rejects.toMatchObject({ code: 49 });
    const { searchEntries } = await ldap.search(user(2), { scope: 'base', attributes: ['pwdAccountLockedTime'] });
    return typeof searchEntries[0]?.['pwdAccountLockedTime'] === 'string';
  });
  expect(await doorsOpenFor(files, 'user2@jade.net', password)).toEqual([]);
  await expect(as(user(2), password)).rejects.toMatchObject({ code: 49 });
  await ldap.modify(user(2), change('delete', 'pwdAccountLockedTime'));
  expect(await doorsOpenFor(files, 'user2@jade.net', password)).toEqual(all);
  await ldap.modify(settings, change('replace', 'mtDirectoryLockoutFailures', '0'));
});

test('a password that must be changed opens no mailbox, and over LDAP itself alone', async () => {
  await ldap.modify(user(3), change('replace', 'pwdReset', 'TRUE'));
  expect(await doorsOpenFor(files, 'user3@jade.net', password)).toEqual([]);
  const me = await as(user(3), password);
  await expect(me.search(user(1), { scope: 'base' })).rejects.toMatchObject({ code: 32 });
  await me.modify(user(3), change('replace', 'userPassword', 'chosen by myself'));
  await me.unbind();
  expect(await doorsOpenFor(files, 'user3@jade.net', 'chosen by myself')).toEqual(all);
});

function everything(dir: string): Buffer[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((item) => {
    const path = join(dir, item.name);
    return item.isDirectory() ? everything(path) : item.isFile() ? [readFileSync(path)] : [];
  });
}

test('no password in clear is on the disk, in the log at its most talkative, or in what a client is told', async () => {
  await ldap.modify('cn=server,cn=mailtree', change('replace', 'mtLogLevel', 'diagnostic'));
  const said: string[] = [];
  const refused = async (run: Promise<unknown>): Promise<void> => {
    said.push(
      String(
        await run.then(
          () => '',
          (thrown: unknown) => (thrown as Error).message,
        ),
      ),
    );
  };
  const needle = (n: number): string => `needle-Nadel-${n}-7f3a`;
  const fresh = `mail=fresh@jade.net,dc=jade,dc=net`;
  await ldap.add(fresh, {
    objectClass: ['inetOrgPerson', 'mtMailUser'],
    cn: 'Fresh',
    sn: 'Fresh',
    mail: 'fresh@jade.net',
    userPassword: needle(1),
  });
  await ldap.modify(fresh, change('replace', 'userPassword', needle(2)));
  await (await as(fresh, needle(2))).unbind();
  await refused(as(fresh, needle(3)));
  await refused(imap(files, 'fresh@jade.net', needle(4)));
  await (await imap(files, 'fresh@jade.net', needle(2))).logout();
  await doorsOpenFor(files, 'fresh@jade.net', needle(5));
  await doorsOpenFor(files, 'fresh@jade.net', needle(2));
  const stranger = new Client({ url: `ldap://127.0.0.1:${files.ports.ldap}` });
  await refused(stranger.modify(fresh, change('replace', 'userPassword', needle(6))));
  await refused(ldap.modify(fresh, [change('add', 'userPassword', needle(7)), change('add', 'sn', 'Fresh')]));
  await refused(ldap.modify(fresh, change('delete', 'userPassword', needle(8))));
  expect(await ldap.compare(fresh, 'userPassword', needle(9))).toBe(false);
  await refused(stranger.search('dc=net', { filter: `(userPassword=${needle(10)})` }));
  expect((await mailtree('user', 'show', 'fresh@jade.net')).out).not.toMatch(/needle|SCRAM/);
  await stranger.unbind();
  await ldap.modify('cn=server,cn=mailtree', change('replace', 'mtLogLevel', 'message'));
  said.push(server.output(), (await mailtree('status', '--json')).out);
  const kept = Buffer.concat([...everything(join(files.dir, 'data')), Buffer.from(said.join('\n'))]).toString('latin1');
  expect(kept).toContain('fresh@jade.net');
  for (let n = 1; n <= 10; n++) {
    expect(kept).not.toContain(needle(n));
    // As AUTH PLAIN carries it; the beginning depends on the name before it.
    expect(kept).not.toContain(Buffer.from(needle(n)).toString('base64').slice(0, 16));
    expect(kept).not.toContain(
      Buffer.from(`\0fresh@jade.net\0${needle(n)}`)
        .toString('base64')
        .slice(24),
    );
  }
});
