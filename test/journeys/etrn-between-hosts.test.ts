/** Two Mailtree hosts: mail waits at one until the other asks for it by ETRN. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, ldapAdministrator, subjects, waiting } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let dns: FakeDns;
let provider: ServerFiles;
let branch: ServerFiles;
let running: RunningServer[];
let ldap: Client;
let branchLdap: Client;

beforeAll(async () => {
  dns = await startFakeDns({ 'branch.test': { mx: [[10, 'mx.branch.test']] }, 'mx.branch.test': { a: ['127.0.0.1'] } });
  const extra = `dns: [127.0.0.1:${dns.port}]`;
  provider = await prepareServer({ extra });
  branch = await prepareServer({ extra, domain: 'branch.test', host: 'mx.branch.test' });
  running = await Promise.all([runServer(provider), runServer(branch)]);
  [ldap, branchLdap] = await Promise.all([ldapAdministrator(provider), ldapAdministrator(branch)]);
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', String(branch.ports.smtp)));
  // The branch is not always there: its mail waits until it is asked for.
  await ldap.add('cn=branch.test,cn=peers,cn=mailtree', {
    objectClass: 'mtPeer',
    cn: 'branch.test',
    mtPeerQueueFirst: 'TRUE',
    mtPeerQueueInterval: '1440',
  });
});

afterAll(async () => {
  await Promise.all([ldap.unbind(), branchLdap.unbind()]);
  for (const server of running) expect(await server.stop()).toBe(0);
  await Promise.all([dns.stop(), provider.remove(), branch.remove()]);
});

async function parked(subject: string): Promise<void> {
  const message = `From: user1@example.test\nTo: user1@branch.test\nSubject: ${subject}\n\nHello.\n`;
  expect(await command('sendmail', ['-f', 'user1@example.test', 'user1@branch.test'], provider, message)).toMatchObject({ code: 0 });
  await eventually(async () => (await waiting(provider)).some(({ recipients }) => /queue run/.test(recipients[0]?.reason ?? '')));
}
const arrives = (subject: string): Promise<number> =>
  eventually(async () => (await subjects(branch, 'user1@branch.test')).includes(subject));

test('by hand, for a domain: what waits is sent', async () => {
  await parked('by hand');
  const { out, code } = await command('mailtree', ['etrn', `[127.0.0.1]:${provider.ports.smtp}`, 'branch.test'], branch);
  expect(out).toMatch(/^branch\.test: 25[0-3] /);
  expect(code).toBe(0);
  await arrives('by hand');
});

test('by the settings: when the host is added, and whenever SMTPC starts', async () => {
  await parked('by setting');
  await branchLdap.modify('cn=smtpc,cn=mailtree', [
    change('replace', 'mtSmtpcEtrnName', 'branch.test'),
    change('replace', 'mtSmtpcEtrnHost', `[127.0.0.1]:${provider.ports.smtp}`),
  ]);
  await arrives('by setting');
  await parked('at the start');
  await command('mailtree', ['component', 'restart', 'SMTPC'], branch);
  await arrives('at the start');
});
