/** A real relay host: Postfix, with Dovecot's SASL behind it, which offers one way of logging in after the other. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { type Postfix, reachable, startPostfix } from '../bench/peers/postfix.ts';
import { change, control, ldapAdministrator, waiting } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { freePort, tempDir } from '../support/temp.ts';
import { makeCertificate } from './support/neighbours/neighbour.ts';
import { run, type Started } from './support/process.ts';

const user = 'relay-user';
const password = 'sécret, pass=word';
const smtpc = 'cn=smtpc,cn=mailtree';
let dir: Awaited<ReturnType<typeof tempDir>>;
let postfix: Postfix;
let dovecot: Started | undefined;
let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
let port: number;

/** Dovecot's SASL alone, with these ways of logging in. */
async function offer(mechanisms: string): Promise<void> {
  await stopDovecot();
  const base = join(dir.path, 'dovecot');
  mkdirSync(base, { recursive: true });
  await reachable(base);
  writeFileSync(join(base, 'users'), `${user}:{PLAIN}${password}::::::\n`);
  writeFileSync(
    join(base, 'dovecot.conf'),
    `base_dir = ${base}/run
log_path = /dev/stderr
protocols =
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = ${mechanisms}
auth_failure_delay = 0 secs
passdb {
  driver = passwd-file
  args = ${base}/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}
service auth {
  unix_listener ${base}/sasl {
    mode = 0666
  }
}
`,
  );
  dovecot = run([], ['dovecot', '-F', '-c', join(base, 'dovecot.conf')]);
  const { said } = dovecot;
  await eventually(async () => /starting up/.test(said()));
}

async function stopDovecot(): Promise<void> {
  dovecot?.child.kill('SIGTERM');
  await dovecot?.gone;
  dovecot = undefined;
}

beforeAll(async () => {
  dir = await tempDir();
  port = await freePort();
  await offer('plain');
  const { cert, key } = makeCertificate(dir.path, 'relay.test');
  postfix = await startPostfix({
    dir: dir.path,
    listen: `127.0.0.1:${port}`,
    main: [
      'myhostname = relay.test',
      'inet_interfaces = 127.0.0.1',
      'inet_protocols = ipv4',
      'mynetworks =',
      'mydestination =',
      'default_transport = discard',
      'smtpd_relay_restrictions = permit_sasl_authenticated, reject',
      'smtpd_sasl_auth_enable = yes',
      'smtpd_sasl_type = dovecot',
      `smtpd_sasl_path = ${join(dir.path, 'dovecot', 'sasl')}`,
      'smtpd_tls_security_level = may',
      'smtpd_tls_auth_only = yes',
      `smtpd_tls_cert_file = ${cert}`,
      `smtpd_tls_key_file = ${key}`,
      'smtpd_error_sleep_time = 0',
      // One process a connection, which asks Dovecot anew.
      'max_use = 1',
    ],
  });
  files = await prepareServer();
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  await ldap.modify(smtpc, [
    change('replace', 'mtSmtpcNameResolution', 'MailRelayHost'),
    change('replace', 'mtSmtpcRelayHost', `[127.0.0.1]:${port}`),
    change('replace', 'mtSmtpcRelayUser', user),
    change('replace', 'mtSmtpcRelayPassword', password),
  ]);
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await postfix.stop();
  await stopDovecot();
  await Promise.all([files.remove(), dir.remove()]);
});

const log = (): string => readFileSync(postfix.log, 'utf8');
async function send(to: string): Promise<void> {
  const message = `From: user1@example.test\nTo: ${to}\nSubject: relayed\n\nHello.\n`;
  expect(await command('sendmail', ['-f', 'user1@example.test', to], files, message)).toMatchObject({ code: 0, err: '' });
}

test.each([
  ['scram-sha-256 cram-md5 plain login', 'SCRAM-SHA-256'],
  ['cram-md5 plain login', 'CRAM-MD5'],
  ['plain login', 'PLAIN'],
  ['login', 'LOGIN'],
])('of %s the way used is %s, over TLS', async (mechanisms, used) => {
  await offer(mechanisms);
  await send(`${used.toLowerCase()}@remote.test`);
  await eventually(async () => log().includes(`to=<${used.toLowerCase()}@remote.test>`));
  expect(log()).toMatch(new RegExp(`sasl_method=${used}, sasl_username=${user}`));
});

test('a wrong password, and none, keep the mail waiting', async () => {
  await offer('scram-sha-256');
  const waits = (to: string, why: RegExp): Promise<number> =>
    eventually(async () =>
      (await waiting(files)).some(({ recipients }) => recipients.some((one) => one.address === to && why.test(one.reason ?? ''))),
    );
  await ldap.modify(smtpc, change('replace', 'mtSmtpcRelayPassword', 'wrong'));
  await send('wrong@wrong.test');
  await waits('wrong@wrong.test', /log-in \(SCRAM-SHA-256\): 535 /);
  await ldap.modify(smtpc, change('replace', 'mtSmtpcRelayPassword', password));
  await control(files, '/queue/SMTPC/retry', 'POST');
  await eventually(async () => log().includes('to=<wrong@wrong.test>'));
  await ldap.modify(smtpc, change('replace', 'mtSmtpcRelayTls', 'off'));
  await send('clear@clear.test');
  await waits('clear@clear.test', /log-in is not offered/);
  await ldap.modify(smtpc, change('replace', 'mtSmtpcRelayTls'));
  await control(files, '/queue/SMTPC/retry', 'POST');
  await eventually(async () => log().includes('to=<clear@clear.test>'));
});
