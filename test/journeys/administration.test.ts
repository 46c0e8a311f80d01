/** Users, connectors, aliases and domains by the command line: what the manual's administrator could do, and what is refused. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bad, good } from '../support/commands.ts';
import { change, Dialog, doorsOpenFor, ldapAdministrator, rcpt, subjects } from '../support/mail-clients.ts';
import { command, eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
});

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

const mailtree = (...args: string[]) => command('mailtree', args, files);
const iemsuser = (...args: string[]) => command('iemsuser', args, files);

const asJson = async (...args: string[]): Promise<unknown> => JSON.parse(await good(mailtree(...args, '--json')));

test('a user has names, telephone and address, is found by any of them with wildcards, and is changed', async () => {
  await good(
    mailtree(
      ...['user', 'add', 'jo.mueller@jade.net', '--first', 'Jo', '--last', 'Müller', '--telephone', '+49 30 1234'],
      ...['--postal-address', 'Allee 1$10115 Berlin', '--city', 'Berlin', '--postal-code', '10115', '--password', 'secret-enough'],
    ),
  );
  const found = [expect.objectContaining({ address: 'jo.mueller@jade.net', first: 'Jo', last: 'Müller', kind: 'user' })];
  expect(await asJson('user', 'list', '--last', 'mül*')).toEqual(found);
  expect(await asJson('user', 'find', 'jo*', '--first', 'J*', '--last', '*er')).toEqual(found);
  expect(await asJson('user', 'list', '--first', 'nobody*')).toEqual([]);
  expect(await good(mailtree('user', 'edit', 'jo.mueller@jade.net', '--last', 'Weiß', '--telephone', '', '--title', 'Head'))).toMatch(
    /^changed/,
  );
  expect(await asJson('user', 'show', 'jo.mueller@jade.net')).toMatchObject({
    name: 'Jo Weiß',
    last: 'Weiß',
    title: 'Head',
    address: 'jo.mueller@jade.net',
    quota: 'unlimited',
    aliases: [],
  });
  expect(await good(mailtree('user', 'show', 'jo.mueller@jade.net'))).not.toMatch(/telephone|1234|secret/);
  expect(await bad(mailtree('user', 'edit', 'jo.mueller@jade.net'))).toMatch(/nothing to change/);
  expect(await bad(mailtree('user', 'edit', 'jo.mueller@jade.net', '--last', ''))).toMatch(/--last/);
  expect(await bad(mailtree('user', 'edit', 'jo.mueller@jade.net', '--telephone', '!!'))).toMatch(/telephoneNumber/);
  expect(await bad(mailtree('user', 'edit', 'jo.mueller@jade.net', '--status', 'asleep'))).toMatch(/--status/);
  expect(await bad(mailtree('user', 'edit', 'sales@example.test', '--title', 'x'))).toMatch(/not a user/);
});

test('lists and aliases are listed where they are asked for', async () => {
  const kinds = async (...more: string[]): Promise<string[]> =>
    ((await asJson('user', 'list', 'sales*', ...more)) as { kind: string }[]).map(({ kind }) => kind);
  expect(await kinds()).toEqual([]);
  expect(await kinds('--lists')).toEqual(['alias']);
});

test('a user who gets another address keeps mailbox, password and connectors; the old address stays where that is wished', async () => {
  await good(mailtree('user', 'add', 'old@jade.net', '--password', 'secret-enough'));
  await good(mailtree('connector', 'add', 'old@jade.net', 'LOCAL', 'old@jade.net'));
  await good(command('sendmail', ['old@jade.net'], files, 'Subject: before\n\nx\n'));
  await eventually(async () => (await subjects(files, 'old@jade.net', 'secret-enough')).includes('before'));
  await good(mailtree('user', 'edit', 'old@jade.net', '--mail', 'new@example.test', '--keep-alias'));
  await good(command('sendmail', ['old@jade.net', 'new@example.test'], files, 'Subject: after\n\nx\n'));
  await eventually(async () => (await subjects(files, 'new@example.test', 'secret-enough')).includes('after'));
  expect(await subjects(files, 'new@example.test', 'secret-enough')).toContain('before');
  await good(mailtree('user', 'edit', 'new@example.test', '--mail', 'newer@example.test'));
  expect(await rcpt(files, 'new@example.test')).toMatch(/^550 5\.1\.1 /);
  expect(await rcpt(files, 'newer@example.test')).toMatch(/^250 /);
  expect(await asJson('connector', 'list', 'newer@example.test')).toMatchObject([{ identifier: 'newer@example.test' }]);
  expect(await bad(mailtree('user', 'edit', 'newer@example.test', '--mail', 'user1@example.test'))).toMatch(/user1@example\.test/);
  expect(await rcpt(files, 'newer@example.test')).toMatch(/^250 /);
  expect(await bad(mailtree('user', 'edit', 'newer@example.test', '--mail', 'x@nowhere.test'))).toMatch(/nowhere\.test/);
});

test('an account that only receives cannot submit; one that only sends gets no mail', async () => {
  await good(mailtree('user', 'add', 'perm@jade.net', '--password', 'secret-enough', '--permission', 'receive'));
  const submit = async (): Promise<string> => {
    const dialog = await Dialog.open(files.ports.submission);
    await dialog.reply();
    await dialog.say('EHLO client.test');
    await dialog.say(`AUTH PLAIN ${Buffer.from('\0perm@jade.net\0secret-enough').toString('base64')}`);
    const answer = await dialog.say('MAIL FROM:<perm@jade.net>');
    dialog.end();
    return answer;
  };
  expect(await submit()).toMatch(/^(550 5\.7\.1 .*not send|5\d\d 5\.7)/);
  expect(await rcpt(files, 'perm@jade.net')).toMatch(/^250 /);
  await good(mailtree('user', 'edit', 'perm@jade.net', '--permission', 'send'));
  expect(await rcpt(files, 'perm@jade.net')).toMatch(/^550 5\.\d\.1 /);
  await good(mailtree('user', 'edit', 'perm@jade.net', '--permission', 'send-receive'));
  expect(await rcpt(files, 'perm@jade.net')).toMatch(/^250 /);
});

test('connectors are added with the channels and permissions the manual knows, listed by channel and identifier, changed and deleted', async () => {
  await good(mailtree('user', 'add', 'conn@jade.net', '--password', 'secret-enough', '--name', 'Conn Ector'));
  expect(await good(mailtree('connector', 'add', 'conn@jade.net', 'local', '--permission', 'receive'))).toBe(
    'added connector LOCAL of conn@jade.net\n',
  );
  await good(mailtree('connector', 'add', 'conn@jade.net', 'NOTES', 'Conn Ector/Jade', '--permission', 'send+receive', '--name', 'notes'));
  await good(mailtree('connector', 'add', 'conn@jade.net', 'SMTPC', 'remote.test'));
  expect(await asJson('connector', 'list', '--channel', 'notes', '--identifier', '*/jade')).toEqual([
    {
      address: 'conn@jade.net',
      user: 'Conn Ector',
      connector: 'notes',
      channel: 'NOTESIN',
      identifier: 'Conn Ector/Jade',
      permission: 'send-receive',
    },
  ]);
  expect(((await asJson('connector', 'list', 'conn@jade.net')) as object[]).length).toBe(3);
  expect(((await asJson('connector', 'list', 'co*@jade.net', '--channel', 'smtpc')) as object[]).length).toBe(1);
  expect((await good(mailtree('explain', 'conn@jade.net'))).match(/-> (LOCAL|NOTESIN|SMTPC) /g)).toHaveLength(3);
  await good(mailtree('connector', 'edit', 'conn@jade.net', 'LOCAL', '--permission', 'none'));
  expect(await good(mailtree('explain', 'conn@jade.net'))).toMatch(/LOCAL passed over/);
  await good(mailtree('connector', 'delete', 'conn@jade.net', 'NOTES'));
  expect(await bad(mailtree('connector', 'delete', 'conn@jade.net', 'notes'))).toMatch(/no connector notes; it has .*LOCAL/);
  expect(await bad(mailtree('connector', 'add', 'conn@jade.net', 'PIGEON'))).toMatch(/PIGEON is not a channel/);
  expect(await bad(mailtree('connector', 'add', 'conn@jade.net', 'LOCAL', '--permission', 'send'))).toMatch(/none, receive/);
  expect(await bad(mailtree('connector', 'add', 'conn@jade.net', 'SMTPC', '--permission', 'none'))).toMatch(/no permission/);
  expect(await bad(mailtree('connector', 'add', 'conn@jade.net', 'BSMTPOUT'))).toMatch(/identifier/);
  expect(await bad(mailtree('connector', 'list', 'nobody@jade.net'))).toMatch(/nobody has the address/);
});

test('an alias is renamed, and the aliases of one user are listed', async () => {
  await good(mailtree('alias', 'add', 'info@jade.net', 'user1@jade.net'));
  await good(mailtree('alias', 'rename', 'info@jade.net', 'inform@jade.net'));
  expect(await asJson('alias', 'list', '--of', 'user1@jade.net')).toEqual([{ alias: 'inform@jade.net', address: 'user1@jade.net' }]);
  expect(await rcpt(files, 'info@jade.net')).toMatch(/^550 /);
  expect(await bad(mailtree('alias', 'add', 'z@nolocal.test', 'user1@jade.net'))).toMatch(/nolocal\.test is not a local domain/);
  expect(await bad(mailtree('alias', 'rename', 'inform@jade.net', 'z@nolocal.test'))).toMatch(/nolocal\.test is not a local domain/);
  expect(await bad(mailtree('alias', 'add', 'USER1@jade.net', 'user1@jade.net'))).toMatch(/own address/);
  expect(await bad(mailtree('alias', 'rename', 'inform@jade.net', 'user2@jade.net'))).toMatch(/user2@jade\.net/);
  expect(await rcpt(files, 'inform@jade.net')).toMatch(/^250 /);
  expect(await bad(mailtree('alias', 'rename', 'user2@jade.net', 'x@jade.net'))).toMatch(/primary address/);
  expect(await good(mailtree('alias', 'rebuild'))).toMatch(/read afresh/);
  expect(await rcpt(files, 'inform@jade.net')).toMatch(/^250 /);
});

test('domains are browsed level by level, shown, changed and deleted', async () => {
  await good(mailtree('domain', 'add', 'music.jade.net', '--description', 'Musicians'));
  const browsed = (await asJson('domain', 'browse')) as { domain: string }[];
  expect(browsed.map(({ domain }) => domain)).toEqual(['net', 'test']);
  expect(await asJson('domain', 'browse', 'net')).toMatchObject([{ domain: 'jade.net', local: true, subdomains: 1 }]);
  expect(await asJson('domain', 'list', '*.jade.*')).toEqual([
    expect.objectContaining({ domain: 'music.jade.net', aliasOf: '', subdomains: false, description: 'Musicians' }),
  ]);
  await good(mailtree('domain', 'edit', 'music.jade.net', '--subdomains', '--alias-of', 'jade.net'));
  expect(await rcpt(files, 'user1@music.jade.net')).toMatch(/^250 /);
  await good(mailtree('domain', 'edit', 'music.jade.net', '--no-subdomains', '--alias-of', ''));
  expect(await rcpt(files, 'user1@music.jade.net')).toMatch(/^550 /);
  expect(await asJson('domain', 'show', 'jade.net')).toMatchObject({ domain: 'jade.net', 'sub-domains below': ['music.jade.net'] });
  expect(await bad(mailtree('domain', 'delete', 'jade.net'))).toMatch(/jade\.net has \d+ entries below it/);
  expect(await bad(mailtree('domain', 'show', 'net'))).toMatch(/net is not a local domain/);
  await good(mailtree('domain', 'delete', 'music.jade.net'));
  expect(await bad(mailtree('domain', 'edit', 'music.jade.net', '--subdomains'))).toMatch(/not a local domain/);
});

test('a domain has limits, and everybody who adds to it is told of them', async () => {
  await good(mailtree('domain', 'add', 'small.jade.net', '--max-users', '1', '--store-quota', '10', '--max-lists', '0'));
  await good(mailtree('user', 'add', 'first@small.jade.net', '--password', 'secret-enough', '--quota', '6'));
  expect(await bad(mailtree('user', 'add', 'second@small.jade.net', '--password', 'secret-enough', '--quota', '1'))).toMatch(
    /attribute mtDomainMaxUsers: the domain small\.jade\.net may have 1 users and has 1; 1 more cannot be added/,
  );
  expect(await good(mailtree('domain', 'list', 'small.*'))).toMatch(/^small\.jade\.net +1\/1 +6\/10 +0 +off +0/m);
  expect(await good(mailtree('domain', 'show', 'small.jade.net'))).toMatch(/^store MB +6\/10$/m);
  expect(await bad(mailtree('domain', 'edit', 'small.jade.net', '--max-users', 'many'))).toMatch(/--max-users: "many" is neither/);
  await good(mailtree('domain', 'edit', 'small.jade.net', '--max-users', 'unlimited'));
  expect(await bad(mailtree('user', 'add', 'second@small.jade.net', '--password', 'secret-enough', '--quota', '5'))).toMatch(
    /may have 10485760 octets of mailboxes and has 6291456/,
  );
  await good(mailtree('user', 'delete', 'first@small.jade.net'));
  await good(mailtree('domain', 'delete', 'small.jade.net'));
});

test('several users are deleted at once, connectors and all; a closed account keeps its entry and can be opened again', async () => {
  for (const name of ['one', 'two', 'three']) await good(mailtree('user', 'add', `${name}@jade.net`, '--password', 'secret-enough'));
  await good(mailtree('connector', 'add', 'one@jade.net', 'LOCAL'));
  expect(await good(mailtree('user', 'delete', 'one@jade.net', 'two@jade.net'))).toBe('deleted one@jade.net\ndeleted two@jade.net\n');
  expect(await bad(mailtree('user', 'show', 'one@jade.net'))).toMatch(/nobody has the address/);
  await good(mailtree('user', 'delete', '--account-only', 'three@jade.net'));
  expect(await rcpt(files, 'three@jade.net')).toMatch(/^550 5\.[12]\.1 /);
  expect(await doorsOpenFor(files, 'three@jade.net', 'secret-enough')).toEqual([]);
  expect(await asJson('user', 'list', 'three*')).toMatchObject([{ status: 'deleted' }]);
  expect(await bad(mailtree('user', 'delete', '--account-only', 'three@jade.net'))).toMatch(/no mailbox/);
  await good(mailtree('user', 'add', 'three@jade.net', '--password', 'another-secret'));
  expect(await doorsOpenFor(files, 'three@jade.net', 'another-secret')).toEqual(['imap', 'pop3', 'submission']);
});

test('a password is set from standard input or made up, and is never on the command line or in an answer', async () => {
  const set = await command('mailtree', ['user', 'password', 'user3@jade.net', '--password-stdin'], files, 'from-standard-input\n');
  expect(set).toMatchObject({ code: 0, out: 'changed the password of user3@jade.net\n' });
  expect(await doorsOpenFor(files, 'user3@jade.net', 'from-standard-input')).toEqual(['imap', 'pop3', 'submission']);
  expect(await doorsOpenFor(files, 'user3@jade.net', password)).toEqual([]);
  const made = /^password: (\S{20})$/m.exec(await good(mailtree('user', 'password', 'user3@jade.net')))?.[1] ?? '';
  expect(await doorsOpenFor(files, 'user3@jade.net', made)).toEqual(['imap', 'pop3', 'submission']);
  expect(await bad(mailtree('user', 'password', 'user3@jade.net', '--password', 'abc'))).toMatch(/at least 6 characters/);
});

test("iemsuser takes the manual's example and options, and says what is missing or does not fit", async () => {
  const created = await iemsuser(...'-C -a bart@jade.net -p password -f Bart -l Simpson -q 100 -t 50 -m enable'.split(' '));
  expect(created).toEqual({ code: 0, out: 'created bart@jade.net\n', err: '' });
  expect(await doorsOpenFor(files, 'bart@jade.net', 'password')).toEqual(['imap', 'pop3', 'submission']);
  expect(await good(iemsuser('-L'))).toMatch(/^bart@jade\.net +Bart +Simpson +send\+receive +100 +enabled +50$/m);
  expect((await good(iemsuser('-L', '-a', 'b*'))).trimEnd().split('\n')).toHaveLength(2);
  const elsewhere = await iemsuser(...'-C -a lisa@jade.net -p password -l Simpson -h /var/spool/lisa -r send'.split(' '));
  expect(elsewhere).toMatchObject({ code: 0, out: 'created lisa@jade.net\n', err: expect.stringMatching(/^-h: noted .*mailMessageStore/) });
  expect(await rcpt(files, 'lisa@jade.net')).toMatch(/^550 /);
  const slips = [
    ['-C -a bart@jade.net -p password -l Simpson', /bart@jade\.net exists already/],
    ['-C -a maggie@jade.net -l Simpson', /-C needs -p: the password/],
    ['-C -a maggie@jade.net -p password', /-C needs -l: the last name/],
    ['-C -p password -l Simpson', /-C needs -a: the address/],
    ['-C -a maggie@jade.net -p short -l Simpson', /at least 6 characters/],
    ['-C -a maggie -p password -l Simpson', /maggie is not an address/],
    ['-C -a maggie@nowhere.test -p password -l Simpson', /nowhere\.test is not a local domain/],
    ['-C -a maggie@jade.net -p password -l Simpson -q lots', /-q must be a whole number of megabytes/],
    ['-C -a maggie@jade.net -p password -l Simpson -r all', /-r must be one of send, receive/],
    ['-C -a maggie@jade.net -p password -l Simpson -m maybe', /-m must be enable or disable/],
    ['-D -a maggie@jade.net', /nobody has the address maggie@jade\.net/],
    ['-D', /-D needs -a/],
    ['-D -a bart@jade.net -q 5', /-q does not go with -D/],
    ['-C -D -a bart@jade.net', /give one of -C/],
    ['-a bart@jade.net', /give one of -C/],
  ] as const;
  await Promise.all(slips.map(async ([line, wrong]) => expect(await bad(iemsuser(...line.split(' ')))).toMatch(wrong)));
  expect(await good(iemsuser('-D', '-a', 'bart@jade.net'))).toBe('deleted bart@jade.net\n');
  expect(await good(iemsuser('-L'))).not.toContain('bart@jade.net');
  const ldap = await ldapAdministrator(files);
  const { searchEntries } = await ldap.search('mail=bart@jade.net,dc=jade,dc=net', { scope: 'base', attributes: ['cn', 'userPassword'] });
  await ldap.unbind();
  expect(searchEntries).toEqual([{ dn: 'mail=bart@jade.net,dc=jade,dc=net', cn: 'Bart Simpson', userPassword: [] }]);
  expect(await rcpt(files, 'bart@jade.net')).toMatch(/^550 5\.[12]\.1 /);
});

test("iemsdomacct takes the manual's example: limits hold, the administrator manages the domain and nothing else", async () => {
  const iemsdomacct = (line: string) => command('iemsdomacct', line.split(' '), files);
  expect(await good(iemsdomacct('-C -d topaz.test -p password -u 1 -q 1000 -t 500 -l 5 -s 0 -k Gems'))).toMatch(/^created topaz\.test/);
  expect(await good(iemsdomacct('-L'))).toMatch(/^topaz\.test +0\/1 +0\/1000 +0\/500 +0\/5 +off +Gems$/m);
  expect(await good(iemsdomacct('-L -d *.net'))).not.toContain('topaz');
  await good(mailtree('user', 'add', 'a@topaz.test', '--password', 'secret-enough', '--quota', '5'));
  expect(await bad(mailtree('user', 'add', 'b@topaz.test', '--password', 'secret-enough', '--quota', '5'))).toMatch(/mtDomainMaxUsers/);
  await good(mailtree('user', 'delete', '--account-only', 'a@topaz.test'));
  await good(mailtree('user', 'add', 'b@topaz.test', '--password', 'secret-enough', '--quota', '5'));
  const ldap = await ldapAdministrator(files);
  await ldap.bind('cn=admin,dc=topaz,dc=test', 'password');
  await ldap.modify('mail=b@topaz.test,dc=topaz,dc=test', change('replace', 'title', 'Cutter'));
  await expect(ldap.modify('mail=user1@jade.net,dc=jade,dc=net', change('replace', 'title', 'x'))).rejects.toThrow();
  await ldap.unbind();
  expect(await good(mailtree('domain', 'administrator', 'topaz.test', '--password', 'another-one'))).toMatch(/^changed the password/);
  const again = await ldapAdministrator(files);
  await expect(again.bind('cn=admin,dc=topaz,dc=test', 'password')).rejects.toThrow();
  await again.bind('cn=admin,dc=topaz,dc=test', 'another-one');
  await again.unbind();
  const slips = [
    ['-C -d topaz.test -p password', /topaz\.test has an administrator already/],
    ['-C -d opal.test', /-C needs -p/],
    ['-C -d opal.test -p short', /at least 6 characters/],
    ['-C -d opal.test -p password -u many', /-u: "many" is neither a whole number nor "unlimited"/],
    ['-C -d bad_name! -p password', /not a domain name/],
    ['-C -p password', /-C needs -d/],
    ['-D -d topaz.test', /topaz\.test has 2 entries below it/],
    ['-D -d beryl.test', /beryl\.test is not a local domain/],
    ['-L -u 5', /-u does not go with -L/],
  ] as const;
  await Promise.all(slips.map(async ([line, wrong]) => expect(await bad(iemsdomacct(line))).toMatch(wrong)));
  expect(await good(mailtree('domain', 'list', 'opal.test'))).not.toContain('opal');
  expect(await good(mailtree('user', 'delete', 'a@topaz.test', 'b@topaz.test'))).toMatch(/deleted b@topaz\.test/);
  await good(mailtree('domain', 'add', 'sub.topaz.test'));
  expect(await good(iemsdomacct('-D -d topaz.test'))).toBe('deleted topaz.test\n');
  expect(await bad(mailtree('domain', 'show', 'topaz.test'))).toMatch(/not a local domain/);
});
