/**
 * A server whose directory is OpenLDAP's slapd: first start, mail, log-ins, commands, and changes made there that count at once.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { imap, newest, rcpt, sendAs, subjects } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { createSlapd, type Slapd, serviceDn, servicePassword } from '../support/slapd.ts';
import { freePort } from '../support/temp.ts';

let slapd: Slapd;
let files: ServerFiles;
let server: RunningServer;
const user = (n: number): string => `mail=user${n}@example.test,dc=example,dc=test`;

beforeAll(async () => {
  slapd = await createSlapd();
  await slapd.start();
  files = await prepareServer({ directory: { urls: [slapd.url], bindDn: serviceDn, password: servicePassword } });
  server = await runServer(files);
});

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await slapd.remove();
  await files.remove();
});

const modify = (dn: string, lines: string): string => slapd.tool('ldapmodify', [], `dn: ${dn}\nchangetype: modify\n${lines}\n`);

async function explained(address: string, pattern: RegExp): Promise<void> {
  let last = '';
  await eventually(async () => {
    last = (await command('mailtree', ['explain', address], files)).out;
    return pattern.test(last);
  }).catch(() => expect(last).toMatch(pattern));
}

async function does(args: readonly string[]): Promise<string> {
  const { code, out, err } = await command('mailtree', args, files);
  expect([code, err]).toEqual([0, '']);
  return out;
}

test('the first start fills the external directory; passwords are hashed by it, and its own is in no log', async () => {
  expect(slapd.tool('ldapsearch', ['-LLL', '-b', 'cn=mailtree', '-s', 'one', '1.1'])).toContain('dn: cn=smtpd,cn=mailtree');
  const found = slapd.tool('ldapsearch', [
    '-LLL',
    '-o',
    'ldif-wrap=no',
    '-b',
    'dc=example,dc=test',
    'mail=user1@example.test',
    'userPassword',
  ]);
  expect(Buffer.from(/userPassword:: (\S+)/.exec(found)?.[1] ?? '', 'base64').toString()).toMatch(/^\{SSHA\}/);
  const logs = join(files.dir, 'data', 'log');
  const text = readdirSync(logs)
    .map((name) => readFileSync(join(logs, name), 'utf8'))
    .join('');
  expect(text + server.output()).not.toContain(servicePassword);
  expect((await does(['status'])).split('\n')[1]).toMatch(/^directory ldap:\/\/127\.0\.0\.1:\d+, connected for/);
});

test('mail comes in and is read; the account is that of slapd', async () => {
  await sendAs(files, ['user1@example.test'], 'by slapd');
  await eventually(async () => (await subjects(files, 'user1@example.test')).includes('by slapd'));
  expect((await newest(files, 'user1@example.test')).toString()).toMatch(/^Delivered-To: user1@example\.test/m);
  expect(await rcpt(files, 'nobody@example.test')).toMatch(/^550 5\.1\.1/);
});

test('routing follows what ldapmodify says', async () => {
  slapd.tool(
    'ldapadd',
    [],
    `dn: cn=elsewhere,${user(1)}\nobjectClass: mtConnector\ncn: elsewhere\nmtChannel: LOCAL\nmtIdentifier: user2@example.test\n`,
  );
  await explained('user1@example.test', /by cn=elsewhere/);
  slapd.tool('ldapdelete', [`cn=elsewhere,${user(1)}`]);
  await explained('user1@example.test', /default local channel: LOCAL \S+\s+by cn=mta,cn=mailtree\s/);
  modify(user(3), 'add: mailLocalAddress\nmailLocalAddress: third@example.test');
  await eventually(async () => /^250/.test(await rcpt(files, 'third@example.test')));
  modify(user(3), 'delete: mailLocalAddress');
  await eventually(async () => /^550/.test(await rcpt(files, 'third@example.test')));
  slapd.tool('ldapmodrdn', ['-r', user(3), 'mail=renamed@example.test']);
  await eventually(async () => /^250/.test(await rcpt(files, 'renamed@example.test')));
  expect(await rcpt(files, 'user3@example.test')).toMatch(/^550/);
  slapd.tool('ldapmodrdn', ['-r', 'mail=renamed@example.test,dc=example,dc=test', 'mail=user3@example.test']);
});

test('an address that two entries claim gets a temporary reply until one gives it up', async () => {
  modify(user(3), 'add: mailLocalAddress\nmailLocalAddress: user2@example.test');
  await eventually(async () => /^4/.test(await rcpt(files, 'user2@example.test')));
  expect(server.output()).toContain('the address user2@example.test is claimed by');
  modify(user(3), 'delete: mailLocalAddress');
  await eventually(async () => /^250/.test(await rcpt(files, 'user2@example.test')));
});

test('commands write there: users, passwords, domains, aliases', async () => {
  await does(['domain', 'add', 'external.test']);
  await does(['user', 'add', 'new@external.test', '--name', 'New Person', '--password', 'first-password']);
  await does(['alias', 'add', 'other@external.test', 'new@external.test']);
  await eventually(async () => /^250/.test(await rcpt(files, 'other@external.test')));
  const client = await imap(files, 'new@external.test', 'first-password');
  await client.logout();
  slapd.tool('ldappasswd', ['-s', 'second-password', 'mail=new@external.test,dc=external,dc=test']);
  await (await imap(files, 'new@external.test', 'second-password')).logout();
  await expect(imap(files, 'new@external.test', 'first-password')).rejects.toThrow();
  expect(await does(['user', 'list', '*@external.test'])).toContain('new@external.test');
  await does(['user', 'delete', 'new@external.test']);
  await eventually(async () => /^550/.test(await rcpt(files, 'new@external.test')));
});

test('commands look who has an address before they give it away, count nothing, and say what is not theirs to do', async () => {
  const refused = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await command('mailtree', args, files);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    return err;
  };
  const taken = await Promise.all([
    refused('alias', 'add', 'user1@example.test', 'user2@example.test'),
    refused('user', 'edit', 'user2@example.test', '--mail', 'user1@example.test', '--title', 'x'),
  ]);
  for (const said of taken) expect(said).toMatch(/the address user1@example\.test belongs to mail=user1@example\.test,dc=example,dc=test/);
  expect((await command('mailtree', ['user', 'show', 'user2@example.test'], files)).out).not.toMatch(/title|user1/);
  const { out } = await command('mailtree', ['domain', 'list', 'example.test'], files);
  expect(out).toMatch(/^example\.test +\? +\? /m);
  const others = [['check'], ['reindex'], ['can', 'anonymous', 'dc=test'], ['history'], ['undo', '1'], ['export', '--with-passwords']];
  const elsewhere = await Promise.all(others.map((args) => refused('directory', ...args)));
  for (const said of elsewhere) expect(said).toMatch(/^mailtree: the directory is an external one \(directory\.urls\)/);
});

test('a listener moves when its setting changes', async () => {
  const port = await freePort();
  const dn = 'cn=SMTPD,cn=mail.example.test,cn=responder,cn=mailtree';
  modify(dn, `replace: mtSmtpListen\nmtSmtpListen: 127.0.0.1:${port}`);
  await eventually(async () =>
    /^250/.test(await rcpt({ ...files, ports: { ...files.ports, smtp: port } }, 'user1@example.test').catch(() => '')),
  );
  modify(dn, `replace: mtSmtpListen\nmtSmtpListen: 127.0.0.1:${files.ports.smtp}`);
  await eventually(async () => /^250/.test(await rcpt(files, 'user1@example.test').catch(() => '')));
});

test('an account that is disabled there loses its open session', async () => {
  const client = await imap(files, 'user2@example.test');
  const closed = new Promise((done) => client.once('close', done));
  client.on('error', () => {});
  modify(user(2), 'add: accountStatus\naccountStatus: disabled');
  await closed;
  modify(user(2), 'delete: accountStatus');
  await eventually(
    async () =>
      await imap(files, 'user2@example.test').then(
        (again) => again.logout().then(() => true),
        () => false,
      ),
  );
});
