/** From the bundled directory to OpenLDAP: the export loads there, and the same server goes on with it: mailboxes, passwords, settings. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { rcpt, sendAs, subjects } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, runServer } from '../support/server.ts';
import { createSlapd, serviceDn, servicePassword } from '../support/slapd.ts';

test('the export loads into slapd, and the server goes on with that as its directory', async () => {
  const files = await prepareServer();
  // The time of the last password change (pwdChangedTime) is an attribute of slapd's ppolicy module.
  const slapd = await createSlapd({ modules: ['ppolicy'] });
  let server = await runServer(files);
  await sendAs(files, ['user1@example.test'], 'before the move');
  await eventually(async () => (await subjects(files, 'user1@example.test')).includes('before the move'));
  const changed = await command('mailtree', ['alias', 'add', 'other@example.test', 'user2@example.test'], files);
  expect(changed.err).toBe('');
  expect(await server.stop()).toBe(0);
  const exported = await command('mailtree', ['directory', 'export', '--operational', '--with-passwords'], files);
  expect(exported.err).toBe('');
  slapd.slapadd(exported.out);
  await slapd.start();

  const password = join(files.dir, 'directory-password');
  writeFileSync(password, servicePassword);
  const config = readFileSync(files.config, 'utf8').replace(/^ +ldap.*\n/gm, '');
  writeFileSync(files.config, `${config}directory: { urls: ["${slapd.url}"], bindDn: "${serviceDn}", passwordFile: "${password}" }\n`);
  server = await runServer(files);
  expect(server.output()).not.toContain('First start');
  // The mailbox is the one it was, and its password opens it, first by our verifier, then by a form of slapd's.
  expect(await subjects(files, 'user1@example.test')).toEqual(['before the move']);
  const stored = slapd.tool('ldapsearch', [
    '-LLL',
    '-o',
    'ldif-wrap=no',
    '-b',
    'dc=example,dc=test',
    'mail=user1@example.test',
    'userPassword',
  ]);
  expect(Buffer.from(/userPassword:: (\S+)/.exec(stored)?.[1] ?? '', 'base64').toString()).toMatch(/^\{SSHA\}/);
  expect(await subjects(files, 'user1@example.test')).toEqual(['before the move']);
  await expect(subjects(files, 'user2@example.test', 'wrong-password')).rejects.toThrow();
  await sendAs(files, ['other@example.test'], 'after the move');
  await eventually(async () => (await subjects(files, 'user2@example.test')).includes('after the move'));
  expect(await rcpt(files, 'nobody@example.test')).toMatch(/^550/);
  expect(await server.stop()).toBe(0);
  await slapd.remove();
  await files.remove();
});
