/** Beginning and ending: what refuses to start says why in one line; what ends loses nothing; secrets stay secret. */

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { Client } from 'ldapts';
import { change, Dialog, doorsOpenFor, greetedSmtp, imap, ldapAdministrator, rcpt, subjects } from '../support/mail-clients.ts';
import {
  adminPassword,
  command,
  eventually,
  password,
  prepareServer,
  type RunningServer,
  runServer,
  type ServerFiles,
} from '../support/server.ts';
import { freePort } from '../support/temp.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function prepared(options: Parameters<typeof prepareServer>[0] = {}): Promise<ServerFiles> {
  const files = await prepareServer(options);
  ends.push(() => files.remove());
  return files;
}

async function running(files: ServerFiles): Promise<RunningServer> {
  const server = await runServer(files);
  ends.push(() => server.stop());
  return server;
}

/** The lines a refused start leaves on standard error. */
async function refusedStart(files: Pick<ServerFiles, 'config'>): Promise<string[]> {
  const { code, out, err } = await command('mailtree', ['start', '--config', files.config], files);
  expect(code).toBeGreaterThan(0);
  expect(out).not.toContain('mailtree ready');
  return err.trimEnd().split('\n');
}

function edited(files: ServerFiles, edit: (text: string) => string): void {
  writeFileSync(files.config, edit(readFileSync(files.config, 'utf8')));
}

function everyFile(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name));
}

test('a second start on the same data directory is refused in one line that names the process; the first serves on', async () => {
  const files = await prepared();
  const server = await running(files);
  expect(await refusedStart(files)).toEqual([
    expect.stringMatching(new RegExp(`^mailtree: the data directory .*in use by process ${server.pid}\\b`)),
  ]);
  expect(await rcpt(files, 'user1@example.test')).toMatch(/^250 /);
});

test('a taken port ends the start in one line that names it, and the next start works', async () => {
  const [files, other] = [await prepared(), await prepared()];
  const server = await running(other);
  edited(files, (text) => text.replace(`imap: 127.0.0.1:${files.ports.imap}`, `imap: 127.0.0.1:${other.ports.imap}`));
  const lines = await refusedStart(files);
  expect(lines.filter((line) => line.startsWith('mailtree: '))).toEqual([expect.stringContaining(String(other.ports.imap))]);
  expect(await server.stop()).toBe(0);
  await running(files);
});

test.each([
  ['an unknown key', (text: string) => text.replace('listen:', 'listne:'), /:7: unknown key "listne"/],
  ['a port that is none', (text: string) => text.replace(/smtp: .*/, 'smtp: 127.0.0.1:99999'), /:\d+: smtp must be/],
  ['broken YAML', (text: string) => `${text}\n  - [`, /:\d+: /],
  [
    'a password that is too short',
    (text: string) => text.replace(/password: admin.*\}/, 'password: abc }'),
    /:4: password must have at least/,
  ],
])('%s in the configuration ends the start with file and line', async (_name, edit, expected) => {
  const files = await prepared();
  writeFileSync(files.config, edit(readFileSync(files.config, 'utf8')));
  const lines = await refusedStart(files);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(`mailtree: ${files.config}:`);
  expect(lines[0]).toMatch(expected);
});

test('a configuration file that is not there, and a data directory that cannot be made, are said in one line', async () => {
  const files = await prepared();
  expect(await refusedStart({ config: join(files.dir, 'missing.yaml') })).toEqual([expect.stringContaining('missing.yaml')]);
  edited(files, (text) => text.replace(/^data: .*/m, `data: ${files.config}/data`));
  const lines = await refusedStart(files);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(`${files.config}/data`);
});

test('SIGTERM ends a server with idle and busy connections at once, with code 0, and loses nothing', async () => {
  const files = await prepared();
  const server = await runServer(files);
  const idle = await imap(files, 'user1@example.test');
  await idle.mailboxOpen('INBOX');
  const idling = idle.idle().catch(() => {});
  const ldap = await ldapAdministrator(files);
  const pop3 = await Dialog.open(files.ports.pop3);
  const smtp = await greetedSmtp(files.ports.smtp);
  const inData = await greetedSmtp(files.ports.smtp);
  await inData.say('MAIL FROM:<a@elsewhere.test>');
  await inData.say('RCPT TO:<user2@example.test>');
  await inData.say('DATA');
  inData.socket.write('Subject: never ended\r\n\r\nhalf');
  const sender = await greetedSmtp(files.ports.smtp);
  let taken = 0;
  const sending = (async () => {
    for (;;) {
      if (!(await sender.say('MAIL FROM:<a@elsewhere.test>')).startsWith('250')) return;
      if (!(await sender.say('RCPT TO:<user1@example.test>')).startsWith('250')) return;
      if (!(await sender.say('DATA')).startsWith('354')) return;
      if (!(await sender.say('Subject: in flight\r\n\r\nHello.\r\n.')).startsWith('250')) return;
      taken++;
    }
  })();
  await eventually(async () => taken >= 20);
  const begun = performance.now();
  expect(await server.stop()).toBe(0);
  console.info(`stopped after ${Math.round(performance.now() - begun)} ms, ${taken} messages taken`);
  expect(performance.now() - begun).toBeLessThan(10_000);
  await Promise.all([sending, idling, pop3.closed, smtp.closed, inData.closed]);
  await ldap.unbind().catch(() => {});
  const again = await running(files);
  expect(again.output()).not.toMatch(/without closing/);
  await eventually(async () => (await subjects(files, 'user1@example.test')).length >= taken);
  expect(await subjects(files, 'user1@example.test')).toHaveLength(taken);
  expect(await subjects(files, 'user2@example.test')).toEqual([]);
});

test('a start after a kill says that it recovered, and serves', async () => {
  const files = await prepared();
  const server = await runServer(files);
  await server.kill();
  const again = await running(files);
  expect(again.output()).toMatch(new RegExp(`^previous run \\(pid ${server.pid}\\) ended without closing`, 'm'));
  expect(await rcpt(files, 'user1@example.test')).toMatch(/^250 /);
});

test('generated passwords are printed at the first start only, work, and stand nowhere in the data directory', async () => {
  const files = await prepared();
  edited(files, (text) => text.replace(/^(admin|examplePassword): .*\n/gm, ''));
  const server = await runServer(files);
  const [admin, example] = [...server.output().matchAll(/password +(\S+)/g)].map((match) => match[1] ?? '');
  expect(admin).toMatch(/^[A-Za-z0-9]{10,}-[A-Za-z0-9]{9,}$/);
  expect(example).toMatch(/^[A-Za-z0-9]{10,}-[A-Za-z0-9]{9,}$/);
  expect(await doorsOpenFor(files, 'user1@example.test', example ?? '')).toEqual(['imap', 'pop3', 'submission']);
  const client = new Client({ url: `ldap://127.0.0.1:${files.ports.ldap}` });
  await client.bind('cn=admin,cn=admins,cn=mailtree', admin ?? '');
  await client.unbind();
  expect(await server.stop()).toBe(0);
  const again = await running(files);
  expect(again.output()).not.toContain('password');
  for (const file of everyFile(join(files.dir, 'data')))
    for (const secret of [admin, example]) expect({ file, has: readFileSync(file).includes(secret ?? '?') }).toEqual({ file, has: false });
});

test('nobody else can read the data directory, and no clear-text password is in its files, the logs or an LDAP answer', async () => {
  const files = await prepared();
  const server = await runServer(files);
  const ldap = await ldapAdministrator(files);
  // Whole conversations are logged from here on.
  await ldap.modify('cn=server,cn=mailtree', change('replace', 'mtLogLevel', 'diagnostic'));
  const dn = 'mail=user1@example.test,dc=example,dc=test';
  await ldap.modify(dn, change('replace', 'userPassword', 'changed-secret-9'));
  await doorsOpenFor(files, 'user1@example.test', 'changed-secret-9');
  await doorsOpenFor(files, 'user1@example.test', 'mistyped-secret-9');
  await ldap.add('cn=p,dc=example,dc=test', {
    objectClass: 'inetOrgPerson',
    cn: 'p',
    sn: 'p',
    mail: 'p@example.test',
    userPassword: 'added-secret-9',
  });
  expect(everyFile(join(files.dir, 'data', 'log')).some((file) => readFileSync(file).includes('AUTH PLAIN'))).toBe(true);
  await command('mailtree', ['user', 'add', 'q@example.test', '--password', 'command-secret-9'], files);
  const answers = JSON.stringify([
    await ldap.search('dc=example,dc=test', { scope: 'sub', attributes: ['*', '+', 'userPassword'] }),
    await ldap.search('cn=mailtree', { scope: 'sub', attributes: ['*', '+', 'userPassword'] }),
  ]);
  // ldapts gives what is not there as an empty list; the access rules name the attribute.
  expect(answers.match(/"userPassword":(?!\[\])|\{[A-Z0-9-]+\}/)).toBeNull();
  await ldap.unbind();
  const secrets = [password, adminPassword, 'changed-secret-9', 'mistyped-secret-9', 'added-secret-9', 'command-secret-9'];
  const look = (): void => {
    const data = join(files.dir, 'data');
    expect(statSync(data).mode & 0o777).toBe(0o700);
    for (const file of everyFile(data)) {
      const bytes = readFileSync(file);
      for (const secret of secrets) {
        expect({ file, secret, has: bytes.includes(secret) }).toEqual({ file, secret, has: false });
        // As AUTH PLAIN and AUTH LOGIN carry it.
        for (const text of [secret, `\0user1@example.test\0${secret}`]) {
          const base64 = Buffer.from(text).toString('base64').replace(/=+$/, '').slice(0, -1);
          expect({ file, base64, has: bytes.includes(base64) }).toEqual({ file, base64, has: false });
        }
      }
    }
    for (const folder of readdirSync(data, { withFileTypes: true }).filter((item) => item.isDirectory()))
      expect({ folder: folder.name, mode: (statSync(join(data, folder.name)).mode & 0o077).toString(8) }).toEqual({
        folder: folder.name,
        mode: '0',
      });
  };
  look();
  expect(answers + server.output()).not.toMatch(new RegExp(secrets.join('|')));
  expect(await server.stop()).toBe(0);
  look();
});

test('the configuration seeds the first start only: afterwards the directory says where this host listens and what it is called', async () => {
  const files = await prepared();
  const server = await runServer(files);
  expect(await server.stop()).toBe(0);
  const moved = await freePort();
  edited(files, (text) =>
    text
      .replace('host: mail.example.test', 'host: mx.renamed.test')
      .replace('domain: example.test', 'domain: renamed.test')
      .replace(`smtp: 127.0.0.1:${files.ports.smtp}`, `smtp: 127.0.0.1:${moved}`),
  );
  const again = await running(files);
  const dialog = await Dialog.open(files.ports.smtp);
  expect(await dialog.reply()).toMatch(/^220 mail\.example\.test /);
  dialog.end();
  expect(await rcpt(files, 'user1@example.test')).toMatch(/^250 /);
  // What counts is told.
  expect(again.output()).toMatch(/host.*mx\.renamed\.test.*mail\.example\.test/);
  expect(again.output()).toMatch(new RegExp(`smtp.*127\\.0\\.0\\.1:${moved}.*127\\.0\\.0\\.1:${files.ports.smtp}`));
});
