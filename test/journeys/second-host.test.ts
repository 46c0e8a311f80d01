/** A second host that uses the first one's directory: each has its own queue and mailboxes, both act on one tree. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { change, imap, ldapAdministrator, rcpt, sendAs, subjects } from '../support/mail-clients.ts';
import {
  adminDn,
  adminPassword,
  command,
  eventually,
  prepareServer,
  type RunningServer,
  runServer,
  type ServerFiles,
} from '../support/server.ts';

let [one, two]: (ServerFiles | undefined)[] = [];
let files: ServerFiles;
let second: ServerFiles;
const running: RunningServer[] = [];
let ldap: Client;

beforeAll(async () => {
  files = one = await prepareServer();
  running.push(await runServer(files));
  const directory = { urls: [`ldap://127.0.0.1:${files.ports.ldap}`], bindDn: adminDn, password: adminPassword };
  second = two = await prepareServer({ host: 'second.example.test', directory });
  running.push(await runServer(second));
  ldap = await ldapAdministrator(files);
});

afterAll(async () => {
  await ldap.unbind();
  for (const server of running.reverse()) expect(await server.stop()).toBe(0);
  await one?.remove();
  await two?.remove();
});

test('the second host has component entries of its own and hears changes by content synchronisation', async () => {
  const status = (await command('mailtree', ['status'], second)).out;
  expect(status).toMatch(/^directory ldap:\/\/127\.0\.0\.1:\d+, connected for \S+$/m);
  expect((await ldap.search('cn=second.example.test,cn=responder,cn=mailtree', { scope: 'one' })).searchEntries.length).toBeGreaterThan(5);
});

test('mail is taken and read on the second host with accounts of the first', async () => {
  await sendAs(second, ['user1@example.test'], 'on the second host');
  await eventually(async () => (await subjects(second, 'user1@example.test')).includes('on the second host'));
});

test('a change on the first counts on the second at once, commands on the second write to the first', async () => {
  await ldap.modify('mail=user2@example.test,dc=example,dc=test', change('add', 'mailLocalAddress', 'both@example.test'));
  await eventually(async () => /^250/.test(await rcpt(second, 'both@example.test')));
  expect((await command('mailtree', ['user', 'add', 'fresh@example.test', '--password', 'fresh-password'], second)).err).toBe('');
  await eventually(async () => /^250/.test(await rcpt(files, 'fresh@example.test')));
  await (await imap(second, 'fresh@example.test', 'fresh-password')).logout();
  await (await imap(files, 'fresh@example.test', 'fresh-password')).logout();
  expect((await command('mailtree', ['user', 'delete', 'fresh@example.test'], second)).err).toBe('');
  await eventually(async () => /^550/.test(await rcpt(second, 'fresh@example.test')));
});

test('the first host restarts: the second serves what it knows, and catches up', async () => {
  expect(await rcpt(second, 'user3@example.test')).toMatch(/^250/);
  await ldap.unbind();
  expect(await running.shift()?.stop()).toBe(0);
  await eventually(async () => /AWAY/.test((await command('mailtree', ['status'], second)).out));
  expect(await rcpt(second, 'user3@example.test')).toMatch(/^250/);
  expect(await rcpt(second, 'never-asked@example.test')).toMatch(/^451/);
  running.unshift(await runServer(files));
  ldap = await ldapAdministrator(files);
  await ldap.del('mail=user3@example.test,dc=example,dc=test');
  await eventually(async () => /^550/.test(await rcpt(second, 'user3@example.test')));
});
