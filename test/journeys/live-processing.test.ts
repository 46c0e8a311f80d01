/** Settings of the preprocessor, and delays and rates of SMTPD, changed by LDAP on a server whose clock the test turns on. */

import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { askSmtp, change, greetedSmtp, ldapAdministrator, newest, plain, subjects, submitAs, waiting } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type ServerFiles } from '../support/server.ts';
import { runTurnedServer, type TurnedServer } from '../support/turned-clock.ts';

let files: ServerFiles;
let server: TurnedServer;
let ldap: Client;
const user = 'user1@example.test';
const stranger = '127.0.0.77';

beforeAll(async () => {
  files = await prepareServer();
  server = await runTurnedServer(files);
  ldap = await ldapAdministrator(files);
  await ldap.modify('cn=ldapd,cn=mailtree', change('replace', 'mtLdapdIdleTime', '604800'));
});

afterAll(async () => {
  letGo();
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await files.remove();
});

const set = (entry: string, attribute: string, ...values: string[]): Promise<void> =>
  ldap.modify(`${entry},cn=mailtree`, change('replace', attribute, ...values));
const mailtree = async (...args: string[]): Promise<string> => {
  const { code, out, err } = await command('mailtree', args, files);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return out;
};
const send = (subject: string, size = 1): Promise<void> =>
  submitAs(files, user, 'user2@example.test', subject, `\n${`${'x'.repeat(70)}\n`.repeat(size)}`);
const arrives = (subject: string): Promise<number> =>
  eventually(async () => (await subjects(files, 'user2@example.test')).includes(subject));
const logFile = (): string => join(files.dir, 'data', 'log', 'iemta.log');
const log = (): string => (existsSync(logFile()) ? readFileSync(logFile(), 'utf8') : '');

/** Messages of some size are files of their own. */
function storedFiles(): string[] {
  const folder = join(files.dir, 'data', 'blobs');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\/[0-9a-f]{8}x[0-9a-f]{15}$/.test(name))
    .map((name) => join(folder, name));
}

/** The file that whoever reads it waits at. */
let gate: string | undefined;
function letGo(): void {
  if (gate === undefined) return;
  try {
    closeSync(openSync(gate, constants.O_WRONLY | constants.O_NONBLOCK));
  } catch {
    // Nobody waits.
  }
  rmSync(gate);
  gate = undefined;
}

test('a module that comes to no end: how long it may take, what goes on beside it, how often it is tried again and when', async () => {
  const preprocessor = 'cn=preprocessor';
  await ldap.modify(`${preprocessor},cn=mailtree`, [
    change('replace', 'mtPreprocessorProcessors', '1'),
    change('replace', 'mtPreprocessorModuleTime', '300'),
    change('replace', 'mtPreprocessorRetryDelay', '600'),
    change('replace', 'mtPreprocessorTries', '2'),
  ]);
  await mailtree('component', 'stop', 'PREPROCESSOR');
  await send('slow', 10_000);
  const [file = ''] = storedFiles();
  rmSync(file);
  // Who opens it waits for a writer.
  execFileSync('mkfifo', [file]);
  gate = file;
  await mailtree('component', 'start', 'PREPROCESSOR');
  await send('beside');
  const input = async () => (await waiting(files)).flatMap(({ recipients }) => recipients).filter(({ queue }) => queue === 'INPUT');
  await eventually(async () => (await input()).length === 2);
  await set(preprocessor, 'mtPreprocessorProcessors', '2');
  await arrives('beside');
  await server.turn({ seconds: 240 });
  expect((await input()).map(({ reason }) => reason)).toEqual([undefined]);
  await server.turn({ seconds: 90 });
  await eventually(async () => log().includes('module LoopDetection did not come to an end within 300 seconds'));
  await eventually(async () => (await input()).some(({ reason, attempts }) => reason === 'a module failed' && attempts === 1));
  letGo();
  // From eight to twelve minutes.
  await server.turn({ seconds: 420 });
  expect((await input()).map(({ attempts }) => attempts)).toEqual([1]);
  await server.turn({ seconds: 330 });
  await eventually(async () => (await input()).some(({ reason }) => reason === 'held: a module failed'));
  await eventually(async () => /cannot be processed and is held/.test((await newest(files, user).catch(() => '')).toString()));
  await mailtree('queue', 'delete', '--recipient', 'user2@example.test', '--all-matching');
  expect(await waiting(files)).toEqual([]);
  await ldap.modify(`${preprocessor},cn=mailtree`, [
    change('replace', 'mtPreprocessorProcessors'),
    change('replace', 'mtPreprocessorModuleTime'),
    change('replace', 'mtPreprocessorRetryDelay'),
    change('replace', 'mtPreprocessorTries'),
  ]);
});

test('the reply to a failed log-in waits as long as is set, and twice as long the next time', async () => {
  await set('cn=smtpd', 'mtSmtpdLoginFailureDelay', '20');
  await set('cn=smtpd', 'mtSmtpdMaxLoginFailures', '5');
  const dialog = await greetedSmtp(files.ports.submission);
  for (const delay of [20, 40]) {
    let answered = false;
    const begun = await server.turn({});
    const reply = dialog.say(plain('nobody@example.test', 'wrong')).finally(() => {
      answered = true;
    });
    await eventually(async () => (await server.turn({ seconds: 1 })) > 0 && answered);
    expect(await reply).toMatch(/^535 /);
    expect((await server.turn({})) - begun).toBeGreaterThanOrEqual(delay * 1_000);
  }
  dialog.end();
  await set('cn=smtpd', 'mtSmtpdLoginFailureDelay');
  await set('cn=smtpd', 'mtSmtpdMaxLoginFailures');
});

test('a rate is one a minute: after that the next is taken', async () => {
  const ask = (lines: readonly string[]): Promise<string> => askSmtp(lines, files.ports.smtp, stranger);
  for (const [attribute, lines, refused] of [
    ['mtSmtpdConnectionsPerMinute', [], /^421 /],
    ['mtSmtpdMessagesPerMinute', ['EHLO x.test', 'MAIL FROM:<a@b.test>'], /^450 /],
    ['mtSmtpdRecipientsPerMinute', ['EHLO x.test', 'MAIL FROM:<a@b.test>', `RCPT TO:<${user}>`], /^450 /],
    ['mtSmtpdEtrnPerMinute', ['EHLO x.test', 'ETRN idle.test'], /^458 /],
  ] as const) {
    await set('cn=smtpd', attribute, '1');
    await eventually(async () => refused.test(await ask(lines)));
    await server.turn({ minutes: 2, seconds: 1 });
    expect(await ask(lines)).toMatch(/^2/);
    expect(await ask(lines)).toMatch(refused);
    await set('cn=smtpd', attribute);
  }
});
