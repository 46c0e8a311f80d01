/** Settings changed by an independent LDAP client: the next connection has them, open connections live on. */

import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { change, Dialog, greetedSmtp, ldapAdministrator } from '../support/mail-clients.ts';
import { eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { freePort } from '../support/temp.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
const smtpd = 'cn=smtpd,cn=mailtree';
const component = (name: string): string => `cn=${name},cn=mail.example.test,cn=responder,cn=mailtree`;
const delays: Record<string, number> = {};

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
});

afterAll(async () => {
  const said = Object.entries(delays).map(([what, ms]) => `${what} ${ms.toFixed(1)}`);
  console.info(`milliseconds from the LDAP answer until it counts: ${said.join(', ')}`);
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await files.remove();
});

async function within1s(what: string, check: () => Promise<boolean>): Promise<void> {
  delays[what] = await eventually(check);
  expect(delays[what]).toBeLessThan(1000);
}

async function connected(port: number, tls = false): Promise<Dialog> {
  if (!tls) return Dialog.open(port);
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  return new Dialog(socket);
}

async function greeting(port: number, tls = false): Promise<string> {
  const dialog = await connected(port, tls);
  const said = await dialog.until(/\n/);
  dialog.end();
  return said;
}

/** Whether a connection is refused by the operating system: nobody listens. */
async function refused(port: number): Promise<boolean> {
  try {
    (await Dialog.open(port)).end();
    return false;
  } catch {
    return true;
  }
}

test('a new greeting is said to the next connection, and one that is open goes on', async () => {
  const open = await greetedSmtp(files.ports.smtp);
  await ldap.modify(smtpd, change('replace', 'mtSmtpdGreeting', 'Bonjour'));
  await within1s('greeting', async () => /^220 mail\.example\.test .*Bonjour/.test(await greeting(files.ports.smtp)));
  expect(await open.say('MAIL FROM:<somebody@elsewhere.test>')).toMatch(/^250 /);
  open.end();
});

test('a new size limit is offered by EHLO and enforced, declared or not', async () => {
  const open = await greetedSmtp(files.ports.smtp);
  await ldap.modify(smtpd, change('replace', 'mtSmtpdMaxMessageSize', '20000'));
  await within1s('size limit', async () => {
    const dialog = await greetedSmtp(files.ports.smtp);
    dialog.end();
    return /SIZE 20000\b/.test(dialog.heard);
  });
  const dialog = await greetedSmtp(files.ports.smtp);
  expect(await dialog.say('MAIL FROM:<somebody@elsewhere.test> SIZE=20001')).toMatch(/^552 5\.3\.4 /);
  expect(await dialog.say('MAIL FROM:<somebody@elsewhere.test>')).toMatch(/^250 /);
  await dialog.say('RCPT TO:<user1@example.test>');
  await dialog.say('DATA');
  expect(await dialog.say(`Subject: too large\r\n\r\n${'0123456789abcdef\r\n'.repeat(2000)}.`)).toMatch(/^552 5\.3\.4 /);
  expect(await dialog.say('NOOP')).toMatch(/^250 /);
  dialog.end();
  expect(await open.say('NOOP')).toMatch(/^250 /);
  open.end();
  await ldap.modify(smtpd, change('delete', 'mtSmtpdMaxMessageSize'));
  await within1s('size limit back to its default', async () => {
    const again = await greetedSmtp(files.ports.smtp);
    again.end();
    return /SIZE 52428800\b/.test(again.heard);
  });
});

test('a new session maximum holds for the next connection; those over it that are open live on', async () => {
  const [one, two] = [await greetedSmtp(files.ports.smtp), await greetedSmtp(files.ports.smtp)];
  await ldap.modify(smtpd, change('replace', 'mtSmtpdMaxSessions', '1'));
  await within1s('session maximum', async () => /^421 /.test(await greeting(files.ports.smtp)));
  expect(await one.say('NOOP')).toMatch(/^250 /);
  expect(await two.say('NOOP')).toMatch(/^250 /);
  await ldap.modify(smtpd, change('replace', 'mtSmtpdMaxSessions', '500'));
  await within1s('session maximum raised', async () => /^220 /.test(await greeting(files.ports.smtp)));
  one.end();
  two.end();
});

test('a value that makes no sense is refused by the directory and changes nothing', async () => {
  await expect(ldap.modify(smtpd, change('replace', 'mtSmtpdMaxSessions', 'many'))).rejects.toThrow(/mtSmtpdMaxSessions/);
  await expect(ldap.modify(smtpd, change('replace', 'mtSmtpdMaxSessions', '-1'))).rejects.toThrow(/mtSmtpdMaxSessions/);
  await expect(ldap.modify(component('IMAPD'), change('replace', 'mtImapListen', 'somewhere'))).rejects.toThrow(/mtImapListen/);
  expect(await greeting(files.ports.smtp)).toMatch(/^220 /);
  expect(await greeting(files.ports.imap)).toMatch(/^\* OK /);
});

for (const [name, attribute, port, hello, alive] of [
  ['IMAPD', 'mtImapListen', 'imap', /^\* OK /, ['a NOOP', /^a OK [^\n]*\n/m]],
  ['POP3D', 'mtPop3Listen', 'pop3', /^\+OK /, ['CAPA', /\n\.\r\n/]],
  ['SMTPD', 'mtSmtpListen', 'smtp', /^220 /, ['NOOP', /^250 [^\n]*\n/m]],
  ['SMTPD', 'mtSubmissionListen', 'submission', /^220 /, ['NOOP', /^250 [^\n]*\n/m]],
  ['SMTPD', 'mtSmtpsListen', 'smtps', /^220 /, ['NOOP', /^250 [^\n]*\n/m]],
] as const) {
  test(`a listener of ${name} (${attribute}) that moves serves at its new port, closes the old one, and keeps its sessions`, async () => {
    const open = await connected(files.ports[port], port === 'smtps');
    await open.until(/\n/);
    const to = await freePort();
    await ldap.modify(component(name), change('replace', attribute, `127.0.0.1:${to}`));
    await within1s(`${attribute} opened`, async () => !(await refused(to)) && hello.test(await greeting(to, port === 'smtps')));
    await within1s(`${attribute} closed`, () => refused(files.ports[port]));
    expect(await open.ask(...(alive as unknown as [string, RegExp]))).toMatch(alive[1]);
    open.end();
    await ldap.modify(component(name), change('replace', attribute, `127.0.0.1:${files.ports[port]}`));
    await within1s(`${attribute} back`, async () => !(await refused(files.ports[port])));
  });
}

test('a listener that cannot move to a taken port stays where it is, and the trouble is told', async () => {
  await ldap.modify(component('IMAPD'), change('replace', 'mtImapListen', `127.0.0.1:${files.ports.pop3}`));
  await eventually(async () => new RegExp(`\\[(Error|Warning)\\].*${files.ports.pop3}`).test(server.output()));
  expect(await greeting(files.ports.imap)).toMatch(/^\* OK /);
  expect(await greeting(files.ports.pop3)).toMatch(/^\+OK /);
  await ldap.modify(component('IMAPD'), change('replace', 'mtImapListen', `127.0.0.1:${files.ports.imap}`));
  expect(await greeting(files.ports.imap)).toMatch(/^\* OK /);
});

test('whether passwords may be sent without TLS is decided anew for the next connection', async () => {
  await ldap.modify('cn=imapd,cn=mailtree', change('replace', 'mtImapPlaintextLogin', 'never'));
  await within1s('plaintext login forbidden', async () => /LOGINDISABLED/.test(await greeting(files.ports.imap)));
  const dialog = await Dialog.open(files.ports.imap);
  await dialog.until(/\n/);
  expect(await dialog.ask(`a LOGIN user1@example.test ${password}`, /^a [^\n]*\n/m)).toMatch(/^a NO /m);
  dialog.end();
  await ldap.modify('cn=imapd,cn=mailtree', change('replace', 'mtImapPlaintextLogin', 'loopback'));
});
