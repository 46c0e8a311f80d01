/** SCRAM-SHA-256 on a running server: a user who sets a password over LDAP logs in without sending it. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { change, type Dialog, greetedSmtp, ldapAdministrator } from '../support/mail-clients.ts';
import { eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { ScramClient } from '../support/scram-client.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdLoginFailureDelay', '0'));
});
afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await files.remove();
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const challenge = (reply: string): string => Buffer.from(/^334 (.*)$/.exec(reply)?.[1] ?? '', 'base64').toString();

/** The reply that decides. */
async function login(name: string, secret: string, late = false): Promise<[Dialog, string]> {
  const dialog = await greetedSmtp(files.ports.submission);
  const client = new ScramClient(name, secret);
  let reply: string;
  if (late) {
    expect(await dialog.say('AUTH SCRAM-SHA-256')).toMatch(/^334 ?$/);
    reply = await dialog.say(base64(client.first));
  } else reply = await dialog.say(`AUTH SCRAM-SHA-256 ${base64(client.first)}`);
  if (!reply.startsWith('334')) return [dialog, reply];
  reply = await dialog.say(base64(client.final(challenge(reply))));
  if (!reply.startsWith('334')) return [dialog, reply];
  expect(client.believes(challenge(reply))).toBe(true);
  return [dialog, await dialog.say('')];
}

test('a user logs in, with the first message at once or when asked, and may send', async () => {
  for (const late of [false, true]) {
    const [dialog, reply] = await login('user1@example.test', password, late);
    expect(reply).toMatch(/^235 2\.7\.0 /);
    expect(await dialog.say('MAIL FROM:<user1@example.test>')).toMatch(/^250 /);
    expect(await dialog.say('RCPT TO:<friend@elsewhere.test>')).toMatch(/^250 /);
    dialog.end();
  }
});

test('a wrong password and a name that nobody has are refused alike', async () => {
  for (const [name, secret] of [
    ['user1@example.test', 'wrong'],
    ['nobody@example.test', password],
  ] as const) {
    const [dialog, reply] = await login(name, secret);
    expect(reply).toBe('535 5.7.8 authentication failed');
    expect(await dialog.say('MAIL FROM:<user1@example.test>')).toMatch(/^530 /);
    dialog.end();
  }
});

test('what is no SCRAM is refused, and the exchange can be given up', async () => {
  const dialog = await greetedSmtp(files.ports.submission);
  const begin = (text: string): Promise<string> => dialog.say(`AUTH SCRAM-SHA-256 ${base64(text)}`);
  expect(await dialog.say('AUTH SCRAM-SHA-256 !!!')).toMatch(/^501 /);
  for (const wrong of ['p=tls-unique,,n=a,r=b', 'n,a=user2,n=user1@example.test,r=b', 'rubbish'])
    expect(await begin(wrong)).toMatch(/^501 /);
  const client = new ScramClient('user1@example.test', password);
  expect(await begin(client.first)).toMatch(/^334 /);
  expect(await dialog.say('*')).toMatch(/^501 /);
  expect(await begin(client.first)).toMatch(/^334 /);
  expect(await dialog.say(base64('c=biws,r=othernonce,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='))).toMatch(/^501 /);
  expect(await dialog.say('MAIL FROM:<user1@example.test>')).toMatch(/^530 /);
  // Without the client's last word nobody is logged in.
  const again = new ScramClient('user1@example.test', password);
  const told = challenge(await begin(again.first));
  expect(await dialog.say(base64(again.final(told)))).toMatch(/^334 /);
  expect(await dialog.say('*')).toMatch(/^501 /);
  expect(await dialog.say('MAIL FROM:<user1@example.test>')).toMatch(/^530 /);
  dialog.end();
});

test('it is offered as long as the setting says', async () => {
  const offered = async (): Promise<boolean> => {
    const dialog = await greetedSmtp(files.ports.submission);
    dialog.end();
    return /AUTH .*SCRAM-SHA-256/.test(dialog.heard);
  };
  expect(await offered()).toBe(true);
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdAuthScram', 'FALSE'));
  await eventually(async () => !(await offered()));
  const [dialog, reply] = await login('user1@example.test', password);
  expect(reply).toMatch(/^504 /);
  dialog.end();
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdAuthScram'));
});
