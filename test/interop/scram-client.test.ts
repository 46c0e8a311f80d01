/** SCRAM-SHA-256 spoken by Cyrus SASL: mutt sends a message with nothing else on offer. */

import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { change, ldapAdministrator, subjects } from '../support/mail-clients.ts';
import { eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  const ldap = await ldapAdministrator(files);
  // mutt encrypts where it is offered, and the certificate is our own.
  const off = ['mtSmtpdOfferStartTls', 'mtSmtpdAuthPlain', 'mtSmtpdAuthLogin'];
  await ldap.modify(
    'cn=smtpd,cn=mailtree',
    off.map((attribute) => change('replace', attribute, 'FALSE')),
  );
  await ldap.unbind();
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

function mutt(secret: string): number | null {
  const settings = [
    'set from=user1@example.test',
    'set copy=no',
    'set ssl_force_tls=no',
    'set ssl_starttls=no',
    'set smtp_authenticators="scram-sha-256"',
    `set smtp_url=smtp://user1@example.test:${secret}@127.0.0.1:${files.ports.submission}/`,
  ];
  const args = ['-n', '-F', '/dev/null', ...settings.flatMap((one) => ['-e', one]), '-s', 'by scram', 'user2@example.test'];
  return spawnSync('mutt', args, { input: 'Hello.\n', env: { ...process.env, HOME: files.dir }, timeout: 30_000 }).status;
}

test('the right password sends, a wrong one does not', async () => {
  expect(mutt(password)).toBe(0);
  await eventually(async () => (await subjects(files, 'user2@example.test')).includes('by scram'));
  expect(mutt('another-password')).not.toBe(0);
});
