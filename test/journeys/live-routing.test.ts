/** Where mail goes, changed by an independent LDAP client, counts for the next message. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { change, ldapAdministrator, newest, rcpt, sendAs, subjects, waiting } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
const user = (n: number): string => `mail=user${n}@example.test,dc=example,dc=test`;
const mta = 'cn=mta,cn=mailtree';

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await files.remove();
});

/** Until `explain` says this; its whole text. */
async function explained(address: string, pattern: RegExp): Promise<void> {
  let last = '';
  await eventually(async () => {
    last = (await command('mailtree', ['explain', address], files)).out;
    return pattern.test(last);
  }).catch(() => expect(last).toMatch(pattern));
}

test('a connector below an address sends its mail to another mailbox from then on, and is forgotten with the entry', async () => {
  await sendAs(files, ['user1@example.test'], 'before');
  await eventually(async () => (await subjects(files, 'user1@example.test')).includes('before'));
  const dn = `cn=elsewhere,${user(1)}`;
  await ldap.add(dn, {
    objectClass: 'mtConnector',
    cn: 'elsewhere',
    mtChannel: 'LOCAL',
    mtIdentifier: 'user2@example.test',
    mtPermission: 'receive',
  });
  await sendAs(files, ['user1@example.test'], 'by the connector');
  await eventually(async () => (await subjects(files, 'user2@example.test')).includes('by the connector'));
  expect(await subjects(files, 'user1@example.test')).toEqual(['before']);
  expect((await newest(files, 'user2@example.test')).toString()).toMatch(/^Delivered-To: user1@example\.test/m);
  await ldap.modify(dn, change('replace', 'mtPermission', 'none'));
  expect(await rcpt(files, 'user1@example.test')).toMatch(/^550 5\./);
  await ldap.del(dn);
  await sendAs(files, ['user1@example.test'], 'after');
  await eventually(async () => (await subjects(files, 'user1@example.test')).includes('after'));
});

test('forwarding of a person keeps a copy and sends one on; a routing address sends all of it on', async () => {
  await ldap.modify(user(3), change('add', 'mailForwardingAddress', 'user2@jade.net'));
  await sendAs(files, ['user3@example.test'], 'forwarded');
  for (const one of ['user3@example.test', 'user2@jade.net'])
    await eventually(async () => (await subjects(files, one)).includes('forwarded'));
  await ldap.modify(user(3), [change('delete', 'mailForwardingAddress'), change('add', 'mailRoutingAddress', 'user3@jade.net')]);
  await sendAs(files, ['user3@example.test'], 'rerouted');
  await eventually(async () => (await subjects(files, 'user3@jade.net')).includes('rerouted'));
  expect(await subjects(files, 'user3@example.test')).toEqual(['forwarded']);
  await ldap.modify(user(3), change('delete', 'mailRoutingAddress'));
});

test('two people who forward to each other get one copy each', async () => {
  await ldap.modify('mail=user1@jade.net,dc=jade,dc=net', change('add', 'mailForwardingAddress', 'user3@jade.net'));
  await ldap.modify('mail=user3@jade.net,dc=jade,dc=net', change('add', 'mailForwardingAddress', 'user1@jade.net'));
  await sendAs(files, ['user1@jade.net'], 'round');
  for (const one of ['user1@jade.net', 'user3@jade.net'])
    await eventually(async () => (await subjects(files, one)).filter((subject) => subject === 'round').length === 1);
  await eventually(async () => /Mail queue is empty/.test((await command('mailq', [], files)).out));
  for (const one of ['user1@jade.net', 'user3@jade.net'])
    expect((await subjects(files, one)).filter((subject) => subject === 'round')).toHaveLength(1);
});

test('a domain that becomes an alias of another takes its accounts, and its own accounts win', async () => {
  expect(await rcpt(files, 'user2@other.test')).toMatch(/^550 5\.7\.1 /);
  await ldap.add('dc=other,dc=test', { objectClass: ['domain', 'mtMailDomain'], dc: 'other', mtDomainAlias: 'example.test' });
  expect(await rcpt(files, 'user2@other.test')).toMatch(/^250 /);
  expect(await rcpt(files, 'nobody@other.test')).toMatch(/^550 5\.1\.1 /);
  await sendAs(files, ['user2@other.test'], 'by the alias');
  await eventually(async () => (await subjects(files, 'user2@example.test')).includes('by the alias'));
  await ldap.add('cn=own,dc=other,dc=test', {
    objectClass: 'inetOrgPerson',
    cn: 'own',
    sn: 'Own',
    mail: 'user2@other.test',
    userPassword: 'new-secret-1',
  });
  await sendAs(files, ['user2@other.test'], 'to the own account');
  await eventually(async () => (await subjects(files, 'user2@other.test', 'new-secret-1')).includes('to the own account'));
  expect(await subjects(files, 'user2@example.test')).not.toContain('to the own account');
  await ldap.modify('dc=other,dc=test', change('delete', 'mtDomainAlias'));
  expect(await rcpt(files, 'user1@other.test')).toMatch(/^550 5\.1\.1 /);
});

test('sub-domains become local with their domain, and no longer are when that is switched off', async () => {
  expect(await rcpt(files, 'x@deep.sub.jade.net')).toMatch(/^550 5\.7\.1 /);
  await ldap.modify('dc=jade,dc=net', change('add', 'mtSubdomains', 'TRUE'));
  expect(await rcpt(files, 'x@deep.sub.jade.net')).toMatch(/^550 5\.1\.1 /);
  await ldap.modify('dc=jade,dc=net', change('delete', 'mtSubdomains'));
  expect(await rcpt(files, 'x@deep.sub.jade.net')).toMatch(/^550 5\.7\.1 /);
});

test('domain forwarding, the channel for unknown recipients and the default channel are live', async () => {
  const forwarding = 'cn=far.test,cn=forwarding,cn=mta,cn=mailtree';
  await explained('x@far.test', /-> SMTPC far\.test/);
  await ldap.add(forwarding, { objectClass: 'mtForwarding', cn: 'far.test', mtChannel: 'BSMTPOUT', mtIdentifier: 'decoder@tunnel.test' });
  await explained('x@far.test', /-> BSMTPOUT decoder@tunnel\.test/);
  // For strangers a forwarded domain is only open once it is local.
  expect(await rcpt(files, 'anybody@far.test')).toMatch(/^550 5\.7\.1 /);
  await ldap.modify(forwarding, [change('replace', 'mtChannel', 'LOCAL'), change('replace', 'mtIdentifier', 'user1@example.test')]);
  await ldap.add('dc=far,dc=test', { objectClass: ['domain', 'mtMailDomain'], dc: 'far' });
  expect(await sendAs(files, ['anybody@far.test'], 'for a whole domain')).toMatch(/^250 /);
  await eventually(async () => (await subjects(files, 'user1@example.test')).includes('for a whole domain'));
  await ldap.del('dc=far,dc=test');
  await ldap.del(forwarding);
  await explained('x@far.test', /-> SMTPC far\.test/);

  await explained('nobody@example.test', /refused, 5\.1\.1/);
  await ldap.modify(mta, change('replace', 'mtUnknownLocalChannel', 'SMTPC'));
  await explained('nobody@example.test', /-> SMTPC example\.test/);
  await ldap.modify(mta, change('replace', 'mtUnknownLocalChannel', 'bounce'));
  await explained('nobody@example.test', /refused, 5\.1\.1/);

  await ldap.modify(mta, change('replace', 'mtDefaultLocalChannel', 'SMTPC'));
  await explained('user1@example.test', /-> SMTPC example\.test/);
  await ldap.modify(mta, change('replace', 'mtDefaultLocalChannel', 'LOCAL'));
  await explained('user1@example.test', /-> LOCAL /);
});

test('mail for an address of this host is its own, behind whatever port the door stands', async () => {
  expect(await rcpt(files, 'user1@[127.0.0.1]')).toMatch(/^250 /);
  expect(await rcpt(files, 'postmaster@[127.0.0.1]')).toMatch(/^250 /);
  expect(await rcpt(files, 'nobody@[127.0.0.1]')).toMatch(/^550 5\.1\.1 /);
  expect(await rcpt(files, 'user1@[192.0.2.1]')).toMatch(/^550 5\.7\.1 /);
  // Who sends to another port than the standard one means what listens there.
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', '26'));
  await explained('user1@[127.0.0.1]', /-> SMTPC \[127\.0\.0\.1\]/);
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', '25'));
  await explained('user1@[127.0.0.1]', /-> LOCAL /);

  await explained('x@far.test', /-> SMTPC far\.test/);
  await ldap.modify(mta, change('replace', 'mtInternetChannel', 'BSMTPOUT'));
  await explained('x@far.test', /-> BSMTPOUT far\.test/);
  const sent = await command('sendmail', ['-f', 'user1@example.test', 'x@far.test'], files, 'Subject: by batch\n\nx\n');
  expect(sent).toMatchObject({ code: 0, err: '' });
  const queued = async () =>
    (await waiting(files)).flatMap(({ recipients }) => recipients.map(({ address, queue }) => `${address} ${queue}`));
  await eventually(async () => (await queued()).includes('x@far.test BSMTPOUT'));
  await ldap.modify(mta, change('replace', 'mtInternetChannel', 'SMTPC'));
  await explained('x@far.test', /-> SMTPC far\.test/);
});
