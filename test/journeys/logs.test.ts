/** The log, `mailtree trace`, metrics and health of a whole server, with settings changed by LDAP while it runs. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import type { Trace } from '../../src/main/index.ts';
import { change, Dialog, greetedSmtp, imap, ldapAdministrator } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
const settings = 'cn=server,cn=mailtree';

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
});

afterAll(async () => {
  await files.remove();
});

const logFolder = (): string => join(files.dir, 'data', 'log');
const log = (name = 'iemta.log'): string => (existsSync(join(logFolder(), name)) ? readFileSync(join(logFolder(), name), 'utf8') : '');
const trace = async (about: string): Promise<Trace> =>
  JSON.parse((await command('mailtree', ['trace', about, '--json'], files)).out) as Trace;
const steps = (found: Trace): unknown[] => found.messages.map((message) => message.steps.map(({ step }) => step));
const web = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${files.ports.http}${path}`);

/** Hands in a message; returns its queue id. */
async function send(to: string, header: string): Promise<string> {
  const dialog = await greetedSmtp(files.ports.smtp);
  await dialog.say('MAIL FROM:<ann@elsewhere.test>');
  await dialog.say(`RCPT TO:<${to}>`);
  await dialog.say('DATA');
  const said = await dialog.say(`${header}\r\n\r\nbody\r\n.`);
  dialog.end();
  return /queued as (\w+)/.exec(said)?.[1] ?? '';
}

test('a message is traced by its id, its Message-ID and its address; a refusal at the door by its address', async () => {
  const id = await send('user1@example.test', 'Message-ID: <m.1@elsewhere.test>\r\nSubject: a');
  await eventually(async () => log().includes(`Delivered ${id} `));
  for (const about of [id, 'm.1@elsewhere.test', '<m.1@elsewhere.test>', 'USER1@example.test'])
    expect(steps(await trace(about))).toEqual([['Received', 'Routed', 'Delivered']]);
  await send('nobody@example.test', 'Subject: b');
  await eventually(async () => log().includes('Rejected '));
  const { messages, refused } = await trace('nobody@example.test');
  expect([messages, refused.map(({ step, words }) => [step, words?.['client']])]).toEqual([[], [['Rejected', '[127.0.0.1]']]]);
  const nothing = await command('mailtree', ['trace', 'never@example.test'], files);
  expect([nothing.code, nothing.out]).toEqual([1, expect.stringContaining('nothing is known')]);
});

test('the level changes live, and JSON stands beside the text when asked for', async () => {
  await ldap.modify(settings, change('replace', 'mtLogLevel', 'smtp'));
  await ldap.modify(settings, change('replace', 'mtLogFormat', 'both'));
  await eventually(async () => {
    const id = await send('user2@example.test', 'Message-ID: <m.2@elsewhere.test>');
    await eventually(async () => log().includes(`Delivered ${id} `));
    return /SMTPD: \[SMTP\] .*RCPT TO:<user2@/.test(log()) && readdirSync(logFolder()).includes('iemta.json');
  });
  const events = log('iemta.json').trimEnd().split('\n');
  const delivered = events.map((line) => JSON.parse(line) as Record<string, unknown>).find(({ step }) => step === 'Delivered');
  expect(delivered).toMatchObject({
    component: 'LMDA',
    level: 'message',
    recipients: ['user2@example.test'],
    channel: 'LOCAL',
    msgid: '<m.2@elsewhere.test>',
  });
  expect(steps(await trace(String(delivered?.['id'])))).toEqual([['Received', 'Routed', 'Delivered']]);
  await ldap.modify(settings, change('replace', 'mtLogFormat', 'text'));
  await ldap.modify(settings, change('replace', 'mtLogLevel', 'message'));
});

test('the times of a trace are the same in a shell of any time zone, and --since goes by the server', async () => {
  const id = await send('user1@example.test', 'Message-ID: <zone@elsewhere.test>');
  await eventually(async () => log().includes(`Delivered ${id} `));
  const before = process.env['TZ'];
  const seen = async (zone: string, ...more: string[]): Promise<string> => {
    process.env['TZ'] = zone;
    return (await command('mailtree', ['trace', 'zone@elsewhere.test', ...more], files)).out;
  };
  try {
    const plain = await seen('UTC');
    expect(plain).toMatch(/^ {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ {2}SMTPD/m);
    expect(await seen('Pacific/Kiritimati')).toBe(plain);
    expect(await seen('Pacific/Pago_Pago', '--since', '1h')).toBe(plain);
  } finally {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  }
});

test('a full log file is put aside, mailed to the notification address and deleted where it is not kept', async () => {
  await ldap.modify('cn=mta,cn=mailtree', change('replace', 'mtPostmaster', 'user3@example.test'));
  await ldap.modify(settings, change('replace', 'mtSendOldLog', 'TRUE'));
  await ldap.modify(settings, change('replace', 'mtKeepOldLogs', 'FALSE'));
  await ldap.modify(settings, change('replace', 'mtLogFileSize', '10240'));
  await eventually(async () => {
    await send('user1@example.test', `Message-ID: <${'x'.repeat(200)}@elsewhere.test>`);
    return /to user3@example\.test channel=LOCAL/.test(log());
  });
  expect((await trace('user3@example.test')).messages.length).toBeGreaterThan(0);
  await eventually(async () => !readdirSync(logFolder()).some((name) => /^\d\d[a-z]{3}\d{3}---\d+$/.test(name)));
  expect(log('sequence')).toMatch(/^[1-9]\d*\n$/);
  await ldap.modify(settings, change('replace', 'mtSendOldLog', 'FALSE'));
  await ldap.modify(settings, change('replace', 'mtLogFileSize', '500000'));
});

test('of the old log files so many are kept as is set', async () => {
  await ldap.modify(settings, change('replace', 'mtKeepOldLogs', 'TRUE'));
  const old = (): number[] =>
    readdirSync(logFolder())
      .flatMap((name) => /^\d\d[a-z]{3}(\d{3})---\d+$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  for (const most of [2, 1]) {
    await ldap.modify(settings, [change('replace', 'mtLogFilesKept', String(most)), change('replace', 'mtLogFileSize', '10240')]);
    const before = Number(log('sequence'));
    await eventually(async () => {
      await send('user1@example.test', `Message-ID: <${'x'.repeat(200)}@elsewhere.test>`);
      return Number(log('sequence')) > before + 2;
    });
    await ldap.modify(settings, change('replace', 'mtLogFileSize', '500000'));
    await eventually(async () => old().length === most);
  }
  await ldap.modify(settings, change('replace', 'mtLogFilesKept'));
});

test('what a client says and nobody understands is a warning, once a session; log-ins, log-offs and mailboxes made are information', async () => {
  const since = log().length;
  const fresh = (): string => log().slice(since);
  await ldap.modify(settings, change('replace', 'mtLogLevel', 'error'));
  const nonsense = async (): Promise<void> => {
    for (const port of [files.ports.smtp, files.ports.imap, files.ports.pop3]) {
      const dialog = await Dialog.open(port);
      for (const line of ['', 'WHAT IS IT\r\n', 'SECRET words\r\n']) {
        dialog.socket.write(line);
        await dialog.until(/\r\n/);
      }
      dialog.end();
    }
  };
  await nonsense();
  await ldap.modify(settings, change('replace', 'mtLogLevel', 'warning'));
  await nonsense();
  await eventually(async () => (fresh().match(/\[Warning\] .*says what is no command$/gm) ?? []).length >= 3);
  const client = await imap(files, 'user1@example.test');
  await client.mailboxCreate('one');
  await client.logout();
  await ldap.modify(settings, change('replace', 'mtLogLevel', 'informational'));
  const again = await imap(files, 'user1@example.test');
  await again.mailboxRename('one', 'two');
  await again.mailboxDelete('two');
  await again.mailboxCreate('three');
  await again.logout();
  await eventually(async () => / logged off$/m.test(fresh()));
  await ldap.modify(settings, change('replace', 'mtLogLevel', 'message'));
  const lines = fresh()
    .split('\n')
    .flatMap((line) => /(?:\w+ Server|SMTPD): \[(?:Warning|Informational)\] .*/.exec(line)?.[0] ?? []);
  const who = 'IMAP4 Server: [Informational] user1@example.test from 127.0.0.1';
  expect(lines).toEqual([
    expect.stringMatching(/^SMTPD: \[Warning\] \w+: \[127\.0\.0\.1\] says what is no command$/),
    'IMAP4 Server: [Warning] 127.0.0.1 says what is no command',
    'POP3 Server: [Warning] 127.0.0.1 says what is no command',
    `${who} logged in over TLS`,
    `${who}: mailbox one renamed to two`,
    `${who}: mailbox two deleted`,
    `${who}: mailbox three created`,
    `${who} logged off`,
  ]);
  expect(fresh()).not.toMatch(/SECRET/);
});

test('metrics say what happened, health what runs; a stopped component makes the server not ready', async () => {
  const metrics = await web('/metrics');
  const text = await metrics.text();
  expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(Number(/^mailtree_recipients_total\{channel="LOCAL",result="delivered"\} (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(2);
  expect(text).toMatch(/^mailtree_rejected_total\{rule="[^"]+"\} [1-9]/m);
  expect(text).toMatch(/^mailtree_component_running\{component="SMTPD"\} 1$/m);
  // Every metric is documented, and has its HELP and TYPE before its values.
  const documented = readFileSync('docs/monitoring.md', 'utf8');
  for (const name of new Set([...text.matchAll(/^([a-z_]+)(?:\{| )/gm)].map((found) => found[1] ?? ''))) {
    expect([name, documented.includes(`\`${name}\``)]).toEqual([name, true]);
    expect(text.indexOf(`# TYPE ${name} `)).toBeGreaterThanOrEqual(0);
    expect(text.split(`# HELP ${name} `)).toHaveLength(2);
  }
  expect((await web('/health/live')).status).toBe(200);
  expect((await web('/health/ready')).status).toBe(200);
  expect((await command('mailtree', ['component', 'stop', 'POP3D'], files)).code).toBe(0);
  const ready = await web('/health/ready');
  expect([ready.status, await ready.json()]).toMatchObject([503, { failing: ['POP3D'] }]);
});

test('without a server the files tell the same', async () => {
  const id = await send('user2@example.test', 'Message-ID: <m.3@elsewhere.test>');
  await eventually(async () => log().includes(`Delivered ${id} `));
  const running = await trace('m.3@elsewhere.test');
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  expect(await trace('m.3@elsewhere.test')).toEqual(running);
  expect(steps(running)).toEqual([['Received', 'Routed', 'Delivered']]);
});
