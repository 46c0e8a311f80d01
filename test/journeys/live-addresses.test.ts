/** Changes of addresses and people by an independent LDAP client count at once. */

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { change, Dialog, doorsOpenFor, greetedSmtp, ldapAdministrator, plain, rcpt, sendAs, subjects } from '../support/mail-clients.ts';
import { eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
const user1 = 'mail=user1@example.test,dc=example,dc=test';
const delays: Record<string, number> = {};

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
});

afterAll(async () => {
  console.info(
    `milliseconds from the LDAP answer until it counts: ${Object.entries(delays)
      .map(([what, ms]) => `${what} ${ms.toFixed(1)}`)
      .join(', ')}`,
  );
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await files.remove();
});

/** Measures how long it takes from now until `check` holds. */
async function within1s(what: string, check: () => Promise<boolean>): Promise<void> {
  delays[what] = await eventually(check);
  expect(delays[what]).toBeLessThan(1000);
}

async function arrives(user: string, subject: string, secret = password): Promise<void> {
  await eventually(async () => (await subjects(files, user, secret)).includes(subject));
}

test('a new mailLocalAddress is accepted and delivered within a second, and refused within a second once it is taken away', async () => {
  const address = 'ventes@example.test';
  expect(await rcpt(files, address)).toMatch(/^550 5\.1\.1 /);
  await ldap.modify(user1, change('add', 'mailLocalAddress', address));
  await within1s('alias added', async () => (await rcpt(files, address)).startsWith('250 2.1.5'));
  await sendAs(files, [address], 'to the alias');
  await arrives('user1@example.test', 'to the alias');
  await ldap.modify(user1, change('delete', 'mailLocalAddress', address));
  await within1s('alias removed', async () => /^550 5\.1\.1 /.test(await rcpt(files, address)));
});

test('an address beyond ASCII is an alias like any other', async () => {
  await ldap.modify(user1, change('add', 'mtMailAddress', 'müller@example.test'));
  const check = async (address: string): Promise<string> => {
    const dialog = await greetedSmtp(files.ports.smtp);
    await dialog.say('MAIL FROM:<somebody@elsewhere.test> SMTPUTF8');
    const answer = await dialog.say(`RCPT TO:<${address}>`);
    dialog.end();
    return answer;
  };
  await within1s('UTF-8 alias added', async () => (await check('MÜLLER@example.test')).startsWith('250'));
});

for (const [kind, userPassword] of [
  ['a clear-text', 'new-secret-1'],
  ['an {SSHA}', `{SSHA}${Buffer.concat([createHash('sha1').update('new-secret-1salt').digest(), Buffer.from('salt')]).toString('base64')}`],
] as const) {
  test(`a person added with ${kind} password logs in everywhere and receives mail at once`, async () => {
    const mail = `${kind.replace(/\W/g, '').toLowerCase()}@example.test`;
    expect(await rcpt(files, mail)).toMatch(/^550 5\.1\.1 /);
    expect(await doorsOpenFor(files, mail, 'new-secret-1')).toEqual([]);
    await ldap.add(`cn=${kind},dc=example,dc=test`, { objectClass: 'inetOrgPerson', cn: kind, sn: 'Example', mail, userPassword });
    expect(await doorsOpenFor(files, mail, 'new-secret-1')).toEqual(['imap', 'pop3', 'submission']);
    await within1s(`person with ${kind} password`, async () => (await sendAs(files, [mail], 'welcome')).startsWith('250'));
    await arrives(mail, 'welcome', 'new-secret-1');
  });
}

test('a changed password counts at once, and the old one no longer', async () => {
  const user = 'user2@example.test';
  expect(await doorsOpenFor(files, user, password)).toEqual(['imap', 'pop3', 'submission']);
  await ldap.modify(`mail=${user},dc=example,dc=test`, change('replace', 'userPassword', 'another-secret-1'));
  expect(await doorsOpenFor(files, user, password)).toEqual([]);
  expect(await doorsOpenFor(files, user, 'another-secret-1')).toEqual(['imap', 'pop3', 'submission']);
});

test('accountStatus decides at once who logs in and who receives', async () => {
  const user = 'user3@example.test';
  const dn = `mail=${user},dc=example,dc=test`;
  await ldap.modify(dn, change('replace', 'accountStatus', 'noaccess'));
  expect(await doorsOpenFor(files, user, password)).toEqual([]);
  expect(await rcpt(files, user)).toMatch(/^250 /);
  await ldap.modify(dn, change('replace', 'accountStatus', 'disabled'));
  await within1s('account disabled', async () => (await rcpt(files, user)).startsWith('550'));
  await ldap.modify(dn, change('replace', 'accountStatus', 'active'));
  await within1s('account active again', async () => (await rcpt(files, user)).startsWith('250'));
  expect(await doorsOpenFor(files, user, password)).toEqual(['imap', 'pop3', 'submission']);
});

test('an account that is disabled loses its open sessions, and others keep theirs', async () => {
  const user = 'user2@jade.net';
  const dn = `mail=${user},dc=jade,dc=net`;
  const idle = await Dialog.open(files.ports.imap);
  const other = await Dialog.open(files.ports.imap);
  for (const [session, who] of [
    [idle, user],
    [other, 'user3@jade.net'],
  ] as const) {
    session.socket.write(`a LOGIN ${who} ${password}\r\nb SELECT INBOX\r\nc IDLE\r\n`);
    expect(await session.until(/^\+ idling/m)).toMatch(/^a OK/m);
  }
  const pop = await Dialog.open(files.ports.pop3);
  pop.socket.write(`USER ${user}\r\nPASS ${password}\r\nSTAT\r\n`);
  await pop.until(/^\+OK \d+ \d+/m);
  const smtp = await greetedSmtp(files.ports.smtp);
  expect(await smtp.say(plain(user, password))).toMatch(/^235 /);
  expect(await smtp.say(`MAIL FROM:<${user}>`)).toMatch(/^250 /);
  expect(await smtp.say('RSET')).toMatch(/^250 /);

  await ldap.modify(dn, change('replace', 'accountStatus', 'disabled'));
  await Promise.all([idle.closed, pop.closed]);
  expect(idle.heard).toMatch(/^\* BYE this account may no longer be used/m);
  expect(await smtp.say(`MAIL FROM:<${user}>`)).toMatch(/^550 5\.7\.1 /);
  expect(await other.ask('DONE\r\nd NOOP', /^d /m)).toMatch(/^c OK/m);
  for (const session of [other, smtp]) session.end();
  await ldap.modify(dn, change('replace', 'accountStatus', 'active'));
});

test('a person who is deleted is unknown at once', async () => {
  const dn = 'cn=gone,dc=example,dc=test';
  await ldap.add(dn, { objectClass: 'inetOrgPerson', cn: 'gone', sn: 'Gone', mail: 'gone@example.test', userPassword: 'new-secret-1' });
  expect(await rcpt(files, 'gone@example.test')).toMatch(/^250 /);
  await ldap.del(dn);
  await within1s('person deleted', async () => /^550 5\.1\.1 /.test(await rcpt(files, 'gone@example.test')));
  expect(await doorsOpenFor(files, 'gone@example.test', 'new-secret-1')).toEqual([]);
});
