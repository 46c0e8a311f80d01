/** What must be refused, with the right code, and leaves nothing behind: no queued message, no delivery. */

import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import {
  change,
  control,
  Dialog,
  doorsOpenFor,
  greetedSmtp,
  ldapAdministrator,
  plain,
  rcpt,
  sendAs,
  subjects,
  waiting,
} from '../support/mail-clients.ts';
import { adminDn, command, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpd,cn=mailtree', [
    change('replace', 'mtSmtpdMaxMessageSize', '20000'),
    change('replace', 'mtSmtpdMaxRecipients', '100'),
    change('replace', 'mtSmtpdLoginFailureDelay', '0'),
  ]);
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await files.remove();
});

afterEach(async () => {
  const { queues } = await control<{ queues: { pending: number; deferred: number }[] }>(files, '/status');
  for (const queue of queues) expect(queue).toMatchObject({ pending: 0, deferred: 0 });
  expect(await waiting(files)).toEqual([]);
  for (const user of ['user1@example.test', 'user2@example.test', 'user1@jade.net']) expect(await subjects(files, user)).toEqual([]);
});

test.each([
  ['nobody@example.test', /^550 5\.1\.1 /],
  ['nobody@jade.net', /^550 5\.1\.1 /],
  ['nobody', /^553 5\.1\.3 /],
  ['größe@example.test', /^55\d 5\.[16]\.\d /],
])('the unknown local recipient %s is refused', async (address, answer) => {
  expect(await rcpt(files, address)).toMatch(answer);
});

test('an unqualified recipient is refused until the directory says otherwise; the bare postmaster never is', async () => {
  const explained = async (address: string) => (await command('mailtree', ['explain', address, '--client', '192.0.2.9'], files)).out;
  expect(await rcpt(files, 'user1')).toMatch(/^553 5\.1\.3 /);
  expect(await explained('user1')).toMatch(/recipient: no, 553 5\.1\.3 .*\n\s+by mtSmtpdRejectUnqualified of cn=smtpd/);
  expect(await explained('user1@example.test.')).toMatch(/recipient: no, 553 5\.1\.3 recipient: malformed domain/);
  expect(await rcpt(files, 'postmaster')).toMatch(/^250 /);
  expect(await explained('postmaster')).toMatch(/recipient: yes/);
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdRejectUnqualified', 'never'));
  expect(await rcpt(files, 'user1')).toMatch(/^250 /);
  expect(await explained('user1')).toMatch(/recipient: yes/);
});

test.each([
  ['RCPT TO:<stranger@remote.test>'],
  ['RCPT TO:<@example.test:stranger@remote.test>'],
  ['RCPT TO:<@remote.test,@example.test:stranger@remote.test>'],
  ['RCPT TO:<stranger%remote.test@example.test>'],
  ['RCPT TO:<"stranger@remote.test"@example.test>'],
  ['RCPT TO:<"stranger@remote.test">'],
  ['RCPT TO:<"stranger%remote.test"@example.test>'],
  ['RCPT TO:<remote.test!stranger@example.test>'],
  ['RCPT TO:<"remote.test!stranger"@example.test>'],
  ['RCPT TO:<stranger@remote.test@example.test>'],
  ['RCPT TO:<stranger@[127.0.0.1]>'],
  ['RCPT TO:<stranger@[IPv6:::1]>'],
  ['RCPT TO:<stranger@localhost>'],
  ['RCPT TO:<user1@example.test.remote.test>'],
])('a stranger does not relay by %s', async (line) => {
  const dialog = await greetedSmtp(files.ports.smtp);
  await dialog.say('MAIL FROM:<user1@example.test>');
  expect(await dialog.say(line)).toMatch(/^5(01 5\.(1\.3|5\.2|5\.4)|50 5\.(1\.1|7\.1)|53 5\.1\.3) /);
  expect(await dialog.say('DATA')).toMatch(/^554 5\.5\.1 /);
  dialog.end();
});

test('a message that is too large is refused, whether it says so or not, and its connection goes on', async () => {
  const dialog = await greetedSmtp(files.ports.smtp);
  expect(await dialog.say('MAIL FROM:<a@elsewhere.test> SIZE=20001')).toMatch(/^552 5\.3\.4 /);
  expect(await dialog.say('MAIL FROM:<a@elsewhere.test> SIZE=100')).toMatch(/^250 /);
  await dialog.say('RCPT TO:<user1@example.test>');
  await dialog.say('DATA');
  expect(await dialog.say(`Subject: large\r\n\r\n${'0123456789abcdef\r\n'.repeat(100_000)}.`)).toMatch(/^552 5\.3\.4 /);
  expect(await dialog.say('MAIL FROM:<a@elsewhere.test>')).toMatch(/^250 /);
  dialog.end();
});

test('one recipient more than allowed is put off, and a connection cut within the data leaves nothing', async () => {
  const dialog = await greetedSmtp(files.ports.smtp);
  await dialog.say('MAIL FROM:<a@elsewhere.test>');
  for (let n = 0; n < 100; n++) expect(await dialog.say(`RCPT TO:<user1+${n}@example.test>`)).toMatch(/^250 /);
  expect(await dialog.say('RCPT TO:<user3@example.test>')).toMatch(/^452 4\.5\.3 /);
  await dialog.say('DATA');
  dialog.socket.write('Subject: cut off\r\n\r\nhalf a li');
  dialog.end();
  await dialog.closed;
});

test('a wrong password is refused on every door, in the words of its protocol, and tells no more than an unknown name', async () => {
  for (const [user, secret] of [
    ['user1@example.test', 'wrong'],
    ['nobody@example.test', password],
    ['user1@example.test', ''],
    [adminDn, 'admin-password-1'],
  ] as const) {
    expect(await doorsOpenFor(files, user, secret)).toEqual([]);
  }
  const answers = async (user: string): Promise<string[]> => {
    const smtp = await greetedSmtp(files.ports.submission);
    const imap = await Dialog.open(files.ports.imap);
    const pop3 = await Dialog.open(files.ports.pop3);
    await imap.until(/\n/);
    await pop3.until(/\n/);
    await pop3.ask(`USER ${user}`, /\n/);
    const said = [
      await smtp.say(plain(user, 'wrong')),
      await imap.ask(`a LOGIN ${user} wrong`, /^a [^\n]*\n/m),
      await pop3.ask('PASS wrong', /\n/),
      await ldap.compare(`mail=${user},dc=example,dc=test`, 'userPassword', 'wrong').then(String, (thrown: Error) => thrown.name),
    ];
    for (const one of [smtp, imap, pop3]) one.end();
    return said;
  };
  const said = await answers('user3@example.test');
  expect(said.slice(0, 3)).toEqual([
    expect.stringMatching(/^535 5\.7\.8 /),
    expect.stringMatching(/^a NO \[AUTHENTICATIONFAILED\] /),
    expect.stringMatching(/^-ERR \[AUTH\] /),
  ]);
  expect((await answers('nobody3@example.test')).slice(0, 3)).toEqual(said.slice(0, 3));
});

test('guessing on is put off with a temporary reply, and is no error of ours', async () => {
  const said: string[] = [];
  for (let n = 0; n < 7; n++) {
    const dialog = await greetedSmtp(files.ports.submission);
    said.push(await dialog.say(plain('user2@jade.net', `guess ${n}`)));
    dialog.end();
  }
  expect(said[0]).toMatch(/^535 5\.7\.8 /);
  expect(said.at(-1)).toMatch(/^454 4\.7\.0 too many failed log-ins/);
  expect(server.output()).not.toContain('[Error]');
});

test('the submission port takes nothing from somebody who has not logged in, nor from one who pretends to be another', async () => {
  expect(await sendAs(files, ['user1@example.test'], 'no', { port: files.ports.submission, from: 'user1@example.test' })).toMatch(
    /^530 5\.7\.0 /,
  );
  const dialog = await greetedSmtp(files.ports.submission);
  expect(await dialog.say(plain('user1@example.test', password))).toMatch(/^235 2\.7\.0 /);
  expect(await dialog.say('MAIL FROM:<user2@example.test>')).toMatch(/^553 5\.7\.1 /);
  dialog.end();
});
