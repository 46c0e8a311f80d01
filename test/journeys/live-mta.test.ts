/** Settings of the transfer agent and of its preprocessor, and what SMTPD asks of users, changed by LDAP on a running server. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { askSmtp, change, Dialog, ldapAdministrator, newest, plain, subjects } from '../support/mail-clients.ts';
import { command, eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
const user1 = 'user1@example.test';
/** With the examples postmaster is an alias of this account. */
const postmaster = user1;

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

const set = (entry: string, attribute: string, ...values: string[]): Promise<void> =>
  ldap.modify(`${entry},cn=mailtree`, change('replace', attribute, ...values));
const smtpd = 'cn=smtpd';

const open = (address = '127.0.0.1', port = files.ports.smtp): Promise<Dialog> => Dialog.open(port, address);
const ask = (lines: readonly string[], address = '127.0.0.1', port = files.ports.smtp): Promise<string> => askSmtp(lines, port, address);

const submit = (sender: string, author: string): Promise<string> =>
  ask(
    [
      'EHLO x.test',
      plain(user1, password),
      `MAIL FROM:<${sender}>`,
      `RCPT TO:<${user1}>`,
      'DATA',
      `From: ${author}\r\nSubject: x\r\n\r\nx\r\n.`,
    ],
    '127.0.0.1',
    files.ports.submission,
  );

test('a user sends as one of the addresses of the account: envelope and author', async () => {
  expect(await submit('user2@example.test', user1)).toMatch(/^553 5\.7\.1 /);
  expect(await submit(user1, 'user2@example.test')).toMatch(/^550 5\.7\.1 you may not send as user2@example\.test/);
  expect(await submit(user1, user1)).toMatch(/^250 /);
  const logFile = join(files.dir, 'data/log/iemta.log');
  await eventually(
    async () => existsSync(logFile) && /\(rule: mtSmtpdAuthorCheck of cn=smtpd,cn=mailtree\)/.test(readFileSync(logFile, 'utf8')),
  );
  await set(smtpd, 'mtSmtpdSenderCheck', 'never');
  await eventually(async () => /^250 /.test(await submit('user2@example.test', user1)));
  await set(smtpd, 'mtSmtpdAuthorCheck', 'never');
  await eventually(async () => /^250 /.test(await submit(user1, 'user2@example.test')));
  await set(smtpd, 'mtSmtpdSenderCheck');
  await set(smtpd, 'mtSmtpdAuthorCheck');
  await eventually(async () => /^550 /.test(await submit(user1, 'user2@example.test')));
});

test('the name of this host, and the domain of addresses without one', async () => {
  await set('cn=server', 'mtHostName', 'renamed.example.test');
  await eventually(async () => /^220 renamed\.example\.test /.test(await ask([])));
  expect(await ask(['EHLO x.test'])).toMatch(/^250-renamed\.example\.test/);
  await set('cn=server', 'mtHostName', 'mail.example.test');
  await eventually(async () => /^220 mail\.example\.test /.test(await ask([])));
  await set(smtpd, 'mtSmtpdRejectUnqualified', 'never');
  // Nobody has it at jade.net.
  const bare = (): Promise<string> => ask(['EHLO x.test', 'MAIL FROM:<a@elsewhere.test>', 'RCPT TO:<sales>']);
  await eventually(async () => /^250 /.test(await bare()));
  await set('cn=server', 'mtLocalDomain', 'jade.net');
  await eventually(async () => /^550 5\.1\.1 /.test(await bare()));
  await set('cn=server', 'mtLocalDomain', 'example.test');
  await eventually(async () => /^250 /.test(await bare()));
  await set(smtpd, 'mtSmtpdRejectUnqualified');
});

test('connections of one address', async () => {
  await set(smtpd, 'mtSmtpdMaxSessionsPerAddress', '2');
  const held: Dialog[] = [];
  await eventually(async () => {
    const dialog = await open('127.0.0.21');
    held.push(dialog);
    return /^421 /.test(await dialog.reply());
  });
  expect(await ask([], '127.0.0.22')).toMatch(/^220 /);
  for (const dialog of held) dialog.end();
  await set(smtpd, 'mtSmtpdMaxSessionsPerAddress');
});

test('errors and failed log-ins in one session', async () => {
  await set(smtpd, 'mtSmtpdMaxErrors', '3');
  await set(smtpd, 'mtSmtpdMaxLoginFailures', '1');
  const rubbish = async (): Promise<number> => {
    const dialog = await open('127.0.0.23');
    await dialog.reply();
    let n = 0;
    for (; n < 10 && dialog.open; n += 1) if (/^421|^$/.test(await dialog.say('RUBBISH'))) break;
    dialog.end();
    return n;
  };
  await eventually(async () => (await rubbish()) < 5);
  const dialog = await open('127.0.0.1', files.ports.submission);
  await dialog.reply();
  await dialog.say('EHLO x.test');
  expect(await dialog.say(plain(user1, 'wrong'))).toMatch(/^(535|421) /);
  await dialog.closed;
  await set(smtpd, 'mtSmtpdMaxErrors');
  await set(smtpd, 'mtSmtpdMaxLoginFailures');
  await eventually(async () => (await rubbish()) >= 6);
});

test('loop detection: how many trips, which ways, and who hears of it', async () => {
  const loops = 'cn=LoopDetection,cn=modules,cn=mta';
  const trips = (count: number, subject: string): string =>
    `${'Received: from x by mail.example.test with SMTP; Tue, 1 Jan 2030 00:00:00 +0000\r\n'.repeat(count)}Subject: ${subject}\r\n\r\nx\r\n.`;
  const send = (count: number, subject: string): Promise<string> =>
    ask(['EHLO x.test', 'MAIL FROM:<user2@example.test>', `RCPT TO:<${user1}>`, 'DATA', trips(count, subject)]);
  const arrives = (subject: string): Promise<number> => eventually(async () => (await subjects(files, user1)).includes(subject));
  const bounced = async (account: string, subject: string): Promise<boolean> =>
    (await newest(files, account).catch(() => '')).toString().search(new RegExp(`report-type=[^]*Subject: ${subject}\\b`)) > 0;
  await set(loops, 'mtLoopMaximumTrips', '2');
  expect(await send(2, 'two trips')).toMatch(/^250 /);
  await arrives('two trips');
  let n = 0;
  await eventually(async () => {
    await send(3, `three trips ${++n}`);
    await eventually(
      async () => (await bounced('user2@example.test', `three trips ${n}`)) || (await subjects(files, user1)).includes(`three trips ${n}`),
    );
    return await bounced('user2@example.test', `three trips ${n}`);
  });
  await set(loops, 'mtLoopToPostmaster', 'TRUE');
  await eventually(async () => {
    await send(3, `to postmaster ${++n}`);
    await eventually(
      async () => (await bounced(postmaster, `to postmaster ${n}`)) || (await bounced('user2@example.test', `to postmaster ${n}`)),
    );
    return await bounced(postmaster, `to postmaster ${n}`);
  });
  await set(loops, 'mtLoopMatrix', 'none');
  await eventually(async () => {
    await send(3, `unmarked ${++n}`);
    await eventually(async () => (await subjects(files, user1)).includes(`unmarked ${n}`) || (await bounced(postmaster, `unmarked ${n}`)));
    return (await subjects(files, user1)).includes(`unmarked ${n}`);
  });
  for (const attribute of ['mtLoopMaximumTrips', 'mtLoopToPostmaster', 'mtLoopMatrix']) await set(loops, attribute);
  await expect(set(loops, 'mtLoopMatrix', 'SMTPD NOWHERE')).rejects.toThrow(/an input channel, a space and an output channel/);
});

test('the local character set labels what users hand in without any', async () => {
  await set('cn=server', 'mtLocalCharset', 'iso-8859-7');
  const labelled = async (): Promise<boolean> => {
    expect(await submit(user1, user1)).toMatch(/^250 /);
    const text = async (): Promise<string> => (await newest(files, user1)).toString();
    await eventually(async () => (await text()).includes('Subject: x'));
    return /^Content-Type: text\/plain; charset=iso-8859-7\r$/m.test(await text());
  };
  await eventually(labelled);
  await set('cn=server', 'mtLocalCharset');
});

test('bounces that have nobody to go to: to the postmaster on request', async () => {
  await set('cn=smtpd', 'mtSmtpdRejectUnknownRecipients', 'FALSE');
  await set('cn=preprocessor', 'mtCopyBounces', 'TRUE');
  let n = 0;
  await eventually(async () => {
    const subject = `nobody hears ${++n}`;
    const null_ = ['EHLO x.test', 'MAIL FROM:<>', 'RCPT TO:<nobody@example.test>', 'DATA', `Subject: ${subject}\r\n\r\nx\r\n.`];
    if (!/^250 /.test(await ask(null_))) return false;
    await eventually(async () => (await newest(files, postmaster).catch(() => '')).toString().includes(subject));
    return true;
  });
  await set('cn=preprocessor', 'mtCopyBounces');
  await set('cn=smtpd', 'mtSmtpdRejectUnknownRecipients');
});

test('the modules are listed, and their matrices are shown and changed from the command line', async () => {
  const mailtree = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await command('mailtree', ['modules', ...args], files);
    return code === 0 ? out : `${code} ${err}`;
  };
  expect(await mailtree()).toMatch(/^LoopDetection +\d\S* +all mail +Stops messages .* \/.*loop-detection\.js$/m);
  expect(await mailtree('show', 'loopdetection')).toMatch(/^SMTPD +x +x +x +x +x +x$/m);
  expect(await mailtree('unmark', 'LoopDetection', 'smtpd', 'local')).toBe('LoopDetection runs for 41 of 42 ways\n');
  await eventually(async () => /^SMTPD +\. +x +x +x +x +x$/m.test(await mailtree('show', 'LoopDetection')));
  expect(await mailtree('unmark', 'LoopDetection', '*', '*')).toBe('LoopDetection runs for no mail\n');
  await eventually(
    async () => (JSON.parse(await mailtree('show', 'LoopDetection', '--json')) as { matrix: string[] }).matrix.join() === 'none',
  );
  expect(await mailtree('mark', 'LoopDetection', '*', '*')).toBe('LoopDetection runs for all mail\n');
  expect(await mailtree('mark', 'LoopDetection', 'NOWHERE', 'LOCAL')).toMatch(/^[1-9].*NOWHERE is no input channel; there are .*SMTPD/);
  expect(await mailtree('show', 'Nothing')).toMatch(/^[1-9].*there is no module Nothing; there are LoopDetection/);
});
