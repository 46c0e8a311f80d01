/** The command line against a running server, and without one. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'ldapts';
import { change, Dialog, doorsOpenFor, greetedSmtp, imap, ldapAdministrator, newest, rcpt, subjects } from '../support/mail-clients.ts';
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

let files: ServerFiles;
let server: RunningServer;

beforeAll(async () => {
  files = await prepareServer({ extra: `dns: [127.0.0.1:${await freePort()}]` });
  server = await runServer(files);
});

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

const mailtree = (...args: string[]) => command('mailtree', args, files);

/** A command that must fail with one line. */
async function failing(...args: string[]): Promise<string> {
  const { code, out, err } = await mailtree(...args);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err.trimEnd().split('\n')).toHaveLength(1);
  return err.trimEnd();
}

test('a component stops and starts alone: its port refuses, the others serve on', async () => {
  expect((await mailtree('component', 'stop', 'imapd')).out).toMatch(/^IMAPD +stopped/m);
  await expect(imap(files, 'user1@example.test')).rejects.toThrow();
  await expect(Dialog.open(files.ports.imap)).rejects.toThrow(/ECONNREFUSED/);
  expect(await rcpt(files, 'user1@example.test')).toMatch(/^250 /);
  expect(await doorsOpenFor(files, 'user1@example.test', password)).toEqual(['pop3', 'submission']);
  expect((await mailtree('component', 'start', 'IMAPD')).out).toMatch(/^IMAPD +running/m);
  await (await imap(files, 'user1@example.test')).logout();
  expect((await mailtree('component', 'restart', 'PREPROCESSOR')).out).toMatch(/^PREPROCESSOR +running/m);
  expect(await failing('component', 'stop', 'NOSUCH')).toMatch(/^mailtree: there is no component NOSUCH; there are .*IMAPD/);
});

test('mail taken while the preprocessor is stopped waits, and is delivered once it runs again', async () => {
  await mailtree('component', 'stop', 'PREPROCESSOR');
  expect((await command('sendmail', ['user3@example.test'], files, 'Subject: waits\n\nHello.\n')).code).toBe(0);
  const { queues } = JSON.parse((await mailtree('status', '--json')).out) as { queues: { queue: string }[] };
  expect(queues.find(({ queue }) => queue === 'INPUT')).toMatchObject({ pending: 1, deferred: 0 });
  await mailtree('component', 'start', 'PREPROCESSOR');
  await eventually(async () => (await subjects(files, 'user3@example.test')).includes('waits'));
});

test('status says what runs, as a table and as JSON', async () => {
  const json = JSON.parse((await mailtree('status', '--json')).out) as Record<string, unknown> & {
    components: { name: string; state: string }[];
  };
  expect(json).toMatchObject({ pid: server.pid, host: 'mail.example.test', writable: true });
  expect(json.components.map(({ name, state }) => `${name} ${state}`).sort()).toEqual(
    ['DIRECTORY', 'IMAPD', 'LMDA', 'POP3D', 'PREPROCESSOR', 'SMTPC', 'SMTPD', 'WEB'].map((name) => `${name} running`),
  );
  expect((await mailtree('status')).out).toMatch(/^Mailtree .* on mail\.example\.test, pid \d+/);
});

test('explain tells every step: alias, forwarding, circle, unknown, remote, nonsense', async () => {
  const ldap = await ldapAdministrator(files);
  const dn = (n: number): string => `mail=user${n}@jade.net,dc=jade,dc=net`;
  await ldap.modify(dn(1), change('add', 'mailLocalAddress', 'one@jade.net'));
  await ldap.modify(dn(2), change('add', 'mailRoutingAddress', 'user3@jade.net'));
  await ldap.modify(dn(3), change('add', 'mailRoutingAddress', 'user2@jade.net'));
  await ldap.unbind();
  const explain = async (address: string): Promise<string> => (await mailtree('explain', address)).out;
  expect(await explain('one@jade.net')).toMatch(/treated as user1@jade\.net\n +by mail=user1@jade\.net,dc=jade,dc=net\n[\s\S]*-> LOCAL /);
  expect(await explain('sales@example.test')).toMatch(/2 targets\n[\s\S]*\(as user1@example\.test\)\n[\s\S]*\(as user2@example\.test\)\n/);
  expect(await explain('user2@jade.net')).toMatch(/leads back[\s\S]*refused, 5\.4\.6 /);
  expect(await explain('nobody@jade.net')).toMatch(/refused, 5\.1\.1 no such user here\n/);
  expect(await explain('friend@remote.test')).toMatch(/-> SMTPC remote\.test \(as friend@remote\.test\)/);
  expect(await explain('not an address@@')).toMatch(/refused, 5\.1\.3 /);
  const json = JSON.parse((await mailtree('explain', '--json', 'one@jade.net')).out) as { local: boolean; routes: object[] };
  expect(json).toMatchObject({ local: true, routes: [{ queue: 'LOCAL', address: 'user1@jade.net' }] });
});

test('users are added, listed and deleted; what cannot be is said in one line', async () => {
  const added = await mailtree('user', 'add', 'New.Person@example.test', '--name', 'New Person', '--quota', '5');
  expect(added).toMatchObject({ code: 0, err: '' });
  const secret = /^password: (\S{20})$/m.exec(added.out)?.[1] ?? '';
  expect(await doorsOpenFor(files, 'new.person@example.test', secret)).toEqual(['imap', 'pop3', 'submission']);
  expect((await mailtree('user', 'list', 'new*')).out).toMatch(/^New\.Person@example\.test +New Person +active$/im);
  expect(await failing('user', 'add', 'new.person@example.test')).toMatch(/exist|already/);
  expect(await failing('user', 'add', 'x@nowhere.test')).toMatch(/nowhere/);
  expect(await failing('user', 'add', 'no address')).toContain('no address is not an address');
  expect(await failing('user', 'add', 'short@example.test', '--password', 'abc')).toMatch(/password|6/i);
  expect(await failing('user', 'add', 'q@example.test', '--quota', 'much')).toContain('--quota');
  expect(await mailtree('user', 'delete', 'new.person@example.test')).toMatchObject({ code: 0 });
  expect(await failing('user', 'delete', 'new.person@example.test')).toContain('nobody has the address');
  expect(await failing('user', 'delete', 'sales@example.test')).toContain('not a user');
  expect(await rcpt(files, 'new.person@example.test')).toMatch(/^550 5\.1\.1 /);
});

test('without the LDAP socket commands log in as the administrator: with the password of the file while it holds, else with MAILTREE_PASSWORD', async () => {
  const config = join(files.dir, 'without-socket.yaml');
  const text = readFileSync(files.config, 'utf8').replace(/^ {2}ldapi: .*\n/m, '');
  writeFileSync(config, text);
  expect((await command('mailtree', ['domain', 'list'], { config })).out).toContain('jade.net');
  writeFileSync(config, text.replace(/^admin: .*\n/m, 'admin: { password: changed-since-then }\n'));
  // Nobody is there to type: the prompt gets an end of file for an answer.
  expect((await command('mailtree', ['domain', 'list'], { config })).code).toBe(1);
  process.env['MAILTREE_PASSWORD'] = adminPassword;
  try {
    expect((await command('mailtree', ['domain', 'list'], { config })).out).toContain('jade.net');
  } finally {
    delete process.env['MAILTREE_PASSWORD'];
  }
});

test('aliases are added, listed and deleted', async () => {
  expect(await mailtree('alias', 'add', 'helpdesk@example.test', 'user1@example.test')).toMatchObject({ code: 0 });
  expect(await rcpt(files, 'HelpDesk@example.test')).toMatch(/^250 /);
  expect((await mailtree('alias', 'list', 'help*')).out).toMatch(/^helpdesk@example\.test +user1@example\.test$/m);
  expect(await failing('alias', 'add', 'helpdesk@example.test', 'user2@example.test')).toMatch(/helpdesk@example\.test/);
  expect(await failing('alias', 'add', 'user2@example.test', 'user1@example.test')).toMatch(/user2@example\.test/);
  expect(await failing('alias', 'add', 'x@example.test', 'nobody@example.test')).toContain('nobody has the address nobody@example.test');
  expect(await failing('alias', 'delete', 'user1@example.test')).toContain('primary address');
  expect(await mailtree('alias', 'delete', 'helpdesk@example.test')).toMatchObject({ code: 0 });
  expect(await rcpt(files, 'helpdesk@example.test')).toMatch(/^550 5\.1\.1 /);
});

test('domains are added, listed and deleted', async () => {
  expect(await mailtree('domain', 'add', 'sub.new.test')).toMatchObject({ code: 0, err: '' });
  expect(await mailtree('domain', 'add', 'alias.test', '--alias-of', 'example.test', '--subdomains')).toMatchObject({ code: 0, err: '' });
  expect((await mailtree('domain', 'list')).out).toMatch(/^alias\.test .* example\.test +yes$/m);
  expect(await rcpt(files, 'user1@alias.test')).toMatch(/^250 /);
  expect(await mailtree('user', 'add', 'x@sub.new.test', '--password', 'new-secret-1')).toMatchObject({ code: 0, err: '' });
  expect(await failing('domain', 'add', 'alias.test')).toContain('alias.test is a local domain already');
  expect(await failing('domain', 'add', 'bad_name!')).toContain('not a domain name');
  expect(await failing('domain', 'delete', 'sub.new.test')).toMatch(/sub.*new|leaf|below|subordinate/i);
  expect(await failing('domain', 'delete', 'missing.test')).toMatch(/missing/);
  expect(await mailtree('user', 'delete', 'x@sub.new.test')).toMatchObject({ code: 0 });
  expect(await mailtree('domain', 'delete', 'sub.new.test')).toMatchObject({ code: 0, err: '' });
  expect((await mailtree('domain', 'list')).out).not.toContain('sub.new.test');
});

test('sendmail takes recipients from the header, hides Bcc, and sets sender and dots as its flags say', async () => {
  const sendmail = (args: string[], input: string) => command('sendmail', args, files, input);
  const text = 'To: user1@example.test\nBcc: User Two <user2@example.test>\nSubject: -t\n\nHello.\n.\nbehind the dot\n';
  expect(await sendmail(['-t', '-f', 'user3@example.test'], text)).toEqual({ code: 0, out: '', err: '' });
  await eventually(async () => (await subjects(files, 'user2@example.test')).includes('-t'));
  const got = (await newest(files, 'user2@example.test')).toString();
  expect(got).toMatch(/^Return-Path: <user3@example\.test>\r\n/);
  expect(got).toMatch(/^From: .*user3@example\.test/m);
  expect(got).toMatch(/^(Date|Message-ID): /m);
  expect(got).not.toMatch(/^Bcc:/im);
  expect(got.endsWith('\r\n\r\nHello.\r\n')).toBe(true);
  expect((await sendmail(['-i', '-f', '<>', 'user2@example.test'], 'Subject: -i\n\n.\nbehind the dot\n')).code).toBe(0);
  await eventually(async () => (await subjects(files, 'user2@example.test')).includes('-i'));
  const whole = (await newest(files, 'user2@example.test')).toString();
  expect(whole).toMatch(/^Return-Path: <>\r\n/);
  expect(whole.endsWith('\r\n\r\n.\r\nbehind the dot\r\n')).toBe(true);
});

test('a text without a header stays a text, and a thousand recipients with long names are no more trouble than one', async () => {
  const sendmail = (args: string[], input: string) => command('sendmail', args, files, input);
  expect((await sendmail(['-f', 'user3@example.test', 'User Two <user2@example.test>'], 'Backup: done\nall is well\n')).code).toBe(0);
  expect((await sendmail(['user2@example.test'], 'just a line\n')).code).toBe(0);
  await eventually(async () => /\r\n\r\njust a line\r\n$/.test((await newest(files, 'user2@example.test')).toString()));
  const many = Array.from({ length: 1_500 }, (_, n) => `somebody-with-a-rather-long-name-${n}@example.test`);
  expect(await sendmail(['-it', '-f', ''], `To: user1@example.test\nBcc: ${many.join(',\n ')}\nSubject: many\n\n.\nx\n`)).toMatchObject({
    code: 0,
    err: '',
  });
  await eventually(async () => (await subjects(files, 'user1@example.test')).includes('many'));
});

test('sendmail -bs talks SMTP, -bv says where mail would go, -q… tries what is named', async () => {
  const sendmail = (args: string[], input = '') => command('sendmail', args, files, input);
  const spoken = [
    'EHLO me',
    'MAIL FROM:<user3@example.test>',
    'RCPT TO:<user1@example.test>',
    'DATA',
    'Subject: -bs',
    '',
    '..',
    '.',
    'QUIT',
    '',
  ];
  const { code, out } = await sendmail(['-bs'], spoken.join('\r\n'));
  expect([code, out.replace(/^(\d{3}[ -]).*\r\n/gm, '$1')]).toEqual([0, '220 250-250-250-250-250-250 250 250 354 250 221 ']);
  await eventually(async () => (await subjects(files, 'user1@example.test')).includes('-bs'));
  expect((await newest(files, 'user1@example.test')).toString()).toMatch(/^Return-Path: <user3@example\.test>\r\n[\s\S]*\r\n\r\n\.\r\n$/);
  expect(await sendmail(['-bv', 'user1', 'friend@chosen.test'])).toMatchObject({
    code: 0,
    out: expect.stringMatching(
      /^user1\.\.\. deliverable: mailer LOCAL, user user1@example\.test\nfriend@chosen\.test\.\.\. deliverable: mailer SMTPC, user friend@chosen\.test\n$/,
    ),
  });
  expect(await sendmail(['-bv', 'nobody.there@example.test'])).toMatchObject({ code: 67, out: expect.stringContaining('... 5.1.1 ') });
  expect((await sendmail(['-f', 'user1@example.test', 'friend@chosen.test'], 'Subject: waits\n\nx\n')).code).toBe(0);
  await eventually(async () => (await command('mailq', ['-q', 'chosen.test'], files)).out.includes('friend@chosen.test'));
  expect(await sendmail(['-qRfriend@'])).toMatchObject({ code: 0, out: '1 message with 1 recipient tried again now\n' });
  expect(await sendmail(['-qSuser2'])).toMatchObject({ code: 0, out: '0 messages with 0 recipients tried again now\n' });
  expect((await mailtree('queue', 'delete', '--recipient', 'friend@chosen.test', '--all-matching')).code).toBe(0);
  for (const [program, flags] of [
    ['mailq', '-hv'],
    ['dbupdate', '-hru'],
  ] as const)
    expect(await command(program, [flags], files)).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^Usage: /) });
});

test('sendmail ends with the codes of sysexits', async () => {
  const code = async (args: string[], input = 'Subject: x\n\nx\n'): Promise<number | null> =>
    (await command('sendmail', args, files, input)).code;
  expect(await code([])).toBe(64);
  expect(await code(['-bt'])).toBe(64);
  expect(await code(['a b@@c'])).toBe(65);
  expect(await code(['--config', `${files.dir}/missing.yaml`, 'user1@example.test'])).toBe(78);
  expect(await code(['-N', 'never,delay', 'user1@example.test'])).toBe(64);
  expect(await code(['-bi'])).toBe(0);
  expect(await command('sendmail', ['--help'], files)).toMatchObject({ code: 0, out: expect.stringContaining('sysexits.h'), err: '' });
  expect((await command('sendmail', ['-bp'], files)).out).toBe((await command('mailq', [], files)).out);
  expect(await command('sendmail', ['-q'], files)).toMatchObject({ code: 0, err: '' });
  const down = await prepareServer();
  expect(await command('sendmail', ['user1@example.test'], down, 'x\n')).toMatchObject({
    code: 75,
    err: expect.stringMatching(/^sendmail: no server answers at .*\n$/),
  });
  expect(await command('mailq', [], down)).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/^\w+: no server answers at .*\n$/),
  });
  expect(await command('mailtree', ['status'], down)).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/^mailtree: no server answers at .*\n$/),
  });
  expect(await command('mailtree', ['user', 'list'], down)).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/^mailtree: .*\n$/),
  });
  await down.remove();
});

test('mailq shows a message that is put off, with its reason', async () => {
  const dialog = await greetedSmtp(files.ports.smtp);
  dialog.end();
  // Nothing answers at the DNS server's port.
  expect((await command('sendmail', ['-f', 'user1@example.test', 'friend@remote.test'], files, 'Subject: put off\n\nx\n')).code).toBe(0);
  await eventually(async () => /remote\.test/.test((await command('mailq', ['-q', 'remote.test'], files)).out), 50_000);
  const { out } = await command('mailq', ['-v'], files);
  expect(out).toMatch(
    /^\S+ +\d+ +0 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d user1@example\.test\n {4}\(.+\)\n {4}friend@remote\.test {2}\[SMTPC remote\.test, deferred, attempts 1, next /,
  );
  expect((await command('mailq', ['-q', ''], files)).out).toBe('nothing is pending\n');
});

test('what an administrator cannot have meant is refused by its name, and what is so is shown', async () => {
  expect(await failing('domain', 'add', 'lost.test', '--alias-of', 'gone.test')).toContain('gone.test is not a local domain');
  expect(await mailtree('domain', 'add', 'lost.test')).toMatchObject({ code: 0 });
  expect(await failing('domain', 'edit', 'lost.test', '--alias-of', 'gone.test')).toContain('gone.test is not a local domain');
  expect(await failing('domain', 'edit', 'lost.test', '--alias-of', 'lost.test')).toContain(
    'attribute mtDomainAlias: lost.test is this domain itself',
  );
  expect(await failing('domain', 'add', '*.wild.test', '--alias-of', 'example.test')).toContain(
    'attribute mtDomainAlias: is for the domain itself, and this entry stands for its sub-domains alone',
  );
  expect(await mailtree('domain', 'delete', 'lost.test')).toMatchObject({ code: 0 });
  const client = await ldapAdministrator(files);
  try {
    const quoted = '"a b"@example.test';
    const name = 'cn=quoted,dc=example,dc=test';
    await client.add(name, { objectClass: ['inetOrgPerson', 'mtMailUser'], cn: 'quoted', sn: 'Q', mail: quoted });
    await client.modify(name, change('replace', 'pwdAccountLockedTime', '000001010000Z'));
    const shown = (await mailtree('user', 'show', quoted)).out;
    expect(shown).toContain(quoted);
    expect(shown).toMatch(/^locked +for good/m);
    await client.del(name);
    await expect(client.del('cn=smtpd,cn=mailtree')).rejects.toThrow('is needed by the server');
  } finally {
    await client.unbind();
  }
});

test('a port that another program has is the last error of its component until it is taken back', async () => {
  const client = await ldapAdministrator(files);
  try {
    const before = `127.0.0.1:${files.ports.imap}`;
    const { searchEntries } = await client.search('cn=responder,cn=mailtree', { filter: '(mtImapListen=*)' });
    const name = searchEntries[0]?.dn ?? '';
    await client.modify(name, change('replace', 'mtImapListen', `127.0.0.1:${files.ports.ldap}`));
    await eventually(async () => /^IMAPD +running .*is kept$/m.test((await mailtree('status')).out));
    await client.modify(name, change('replace', 'mtImapListen', before));
    await eventually(async () => !(await mailtree('status')).out.includes('is kept'));
  } finally {
    await client.unbind();
  }
});

test('a value that is larger than a message may be is refused in words', async () => {
  const file = join(files.dir, 'large.ldif');
  writeFileSync(
    file,
    `dn: mail=user1@example.test,dc=example,dc=test\nchangetype: modify\nreplace: description\ndescription: ${'x'.repeat(9_000_000)}\n-\n`,
  );
  expect(await failing('directory', 'import', file)).toContain('mtLdapdMaxMessage');
});

test('a stranger who may read nothing is told of no tree', async () => {
  const client = await ldapAdministrator(files);
  const stranger = new Client({ url: `ldap://127.0.0.1:${files.ports.ldap}` });
  const contexts = async (by: Client): Promise<string[]> => {
    const { searchEntries } = await by.search('', { scope: 'base', attributes: ['namingContexts'] });
    return [searchEntries[0]?.['namingContexts'] ?? []].flat().map(String);
  };
  try {
    expect(await contexts(stranger)).toContain('dc=test');
    await client.modify('cn=directory,cn=mailtree', change('replace', 'mtDirectoryAnonymousRead', 'FALSE'));
    await eventually(async () => (await contexts(stranger)).length === 0);
    expect(await contexts(client)).toEqual(expect.arrayContaining(['cn=mailtree', 'dc=test']));
    await client.modify('cn=directory,cn=mailtree', change('replace', 'mtDirectoryAnonymousRead'));
  } finally {
    await client.unbind();
    await stranger.unbind();
  }
});
