/** The command line when somebody slips: what is refused in time, what a failure in the middle leaves behind, what neighbours may see. */

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bad, good } from '../support/commands.ts';
import { change, ldapAdministrator } from '../support/mail-clients.ts';
import { command, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

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

async function userAt(address: string): Promise<Record<string, unknown>> {
  return JSON.parse(await good(mailtree('user', 'show', address, '--json')));
}

test('nobody is deleted or closed by an alias, nor when one of several is wrong', async () => {
  await good(mailtree('alias', 'add', 'info@jade.net', 'user1@jade.net'));
  const wrong = /info@jade\.net is an alias of user1@jade\.net: give the primary address/;
  const slips = await Promise.all([
    bad(mailtree('user', 'delete', 'info@jade.net')),
    bad(mailtree('user', 'delete', 'user2@jade.net', 'info@jade.net')),
    bad(mailtree('user', 'delete', '--account-only', 'info@jade.net')),
    bad(command('iemsuser', ['-D', '-a', 'info@jade.net'], files)),
  ]);
  for (const said of slips) expect(said).toMatch(wrong);
  expect(await userAt('user2@jade.net')).toMatchObject({ status: 'active' });
  expect(await userAt('INFO@jade.net')).toMatchObject({ address: 'user1@jade.net', status: 'active', aliases: ['info@jade.net'] });
});

test('a user who cannot be moved is not changed at all', async () => {
  const before = await userAt('user3@jade.net');
  const edit = (to: string) => bad(mailtree('user', 'edit', 'user3@jade.net', '--title', 'Head', '--last', 'Other', '--mail', to));
  expect(await edit('user2@jade.net')).toMatch(/user2@jade\.net/);
  expect(await edit('user3@nowhere.test')).toMatch(/nowhere\.test/);
  const { changed: _then, ...was } = before;
  const { changed: _now, ...is } = await userAt('user3@jade.net');
  expect(is).toEqual(was);
});

test('a closed account that is opened again keeps the names that are not given', async () => {
  await good(mailtree('user', 'add', 'eva@jade.net', '--first', 'Eva', '--last', 'Maria Weiß', '--password', 'secret-enough'));
  const names = { name: 'Eva Maria Weiß', first: 'Eva', last: 'Maria Weiß' };
  await good(mailtree('user', 'delete', '--account-only', 'eva@jade.net'));
  await good(mailtree('user', 'add', 'eva@jade.net', '--password', 'secret-enough', '--status', 'nologin'));
  expect(await userAt('eva@jade.net')).toMatchObject({ ...names, status: 'nologin' });
  await good(command('iemsuser', ['-D', '-a', 'eva@jade.net'], files));
  await good(command('iemsuser', ['-C', '-a', 'eva@jade.net', '-p', 'password', '-l', 'Schwarz'], files));
  expect(await userAt('eva@jade.net')).toMatchObject({ name: 'Eva Schwarz', first: 'Eva', status: 'active' });
});

test('a domain that is there gets its account as a whole or not at all', async () => {
  const account = (directory: string) => command('iemsdomacct', ['-C', '-d', 'jade.net', '-p', 'password', '-h', directory], files);
  expect(await bad(account('/var/ü'))).toMatch(/mailMessageStore/);
  expect(await good(mailtree('domain', 'show', 'jade.net'))).toMatch(/^administrator$/m);
  expect(await bad(mailtree('domain', 'administrator', 'jade.net', '--delete'))).toMatch(/no administrator cn=admin,dc=jade,dc=net/);
  expect(await account('/var/u')).toMatchObject({ code: 0 });
  expect(await good(command('iemsdomacct', ['-L'], files))).toMatch(/^jade\.net /m);
});

test('what users write into their entries reaches no terminal as control characters', async () => {
  const ldap = await ldapAdministrator(files);
  await ldap.modify('mail=user2@jade.net,dc=jade,dc=net', change('replace', 'cn', 'A\u001b[2JB\u009b2JC'));
  await ldap.unbind();
  const shown = await Promise.all(
    [
      ['user', 'list', 'user2@jade.net'],
      ['user', 'show', 'user2@jade.net'],
      ['directory', 'history', '--limit', '1'],
    ].map((line) => good(mailtree(...line))),
  );
  for (const text of shown) {
    expect(text).toContain('A\\x1b[2JB\\x9b2JC');
    expect(text).not.toMatch(/[\u001b\u009b]/);
  }
});

test('`directory can` says what is wrong with a right that is none', async () => {
  const said = await bad(mailtree('directory', 'can', 'user1@jade.net', 'fly', 'dc=jade,dc=net'));
  expect(said).toMatch(/"fly" is neither a right \(search, .*rename\) nor the name of an entry/);
});

test('a password on the command line is gone from the process list before the server is asked', async () => {
  const path = join(files.dir, 'silent');
  const config = join(files.dir, 'silent.yaml');
  writeFileSync(config, readFileSync(files.config, 'utf8').replace(files.ldapi, path));
  const env = { ...process.env, NODE_OPTIONS: '', MAILTREE_CONFIG: config };
  for (const line of [
    ['mailtree', 'user', 'password', 'user1@jade.net', '--password', 'very-secret'],
    ['iemsuser', '-C', '-a', 'new@jade.net', '-l', 'New', '-p', 'very-secret'],
    ['iemsdomacct', '-C', '-d', 'new.test', '-p', 'very-secret'],
  ]) {
    const silent = createServer();
    const asked = new Promise<Socket>((done) => silent.once('connection', done));
    await new Promise<void>((done) => silent.listen(path, done));
    const child = spawn(process.execPath, [resolve(`dist/cli/${line[0]}.js`), ...line.slice(1)], { env, stdio: 'ignore' });
    const gone = new Promise((done) => child.once('close', done));
    const socket = await asked;
    expect(readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')).not.toContain('very-secret');
    child.kill();
    await gone;
    socket.destroy();
    await new Promise((done) => silent.close(done));
  }
});

test('output that finds no room is a failure that is told', async () => {
  const full = openSync('/dev/full', 'w');
  const env = { ...process.env, NODE_OPTIONS: '', MAILTREE_CONFIG: files.config };
  const ends = [
    ['user', 'list'],
    ['directory', 'history', '--json'],
    ['directory', 'export'],
  ].map((line) => {
    const child = spawn(process.execPath, [resolve('dist/cli/mailtree.js'), ...line], { env, stdio: ['ignore', full, 'pipe'] });
    let err = '';
    child.stderr?.on('data', (chunk) => {
      err += chunk;
    });
    return new Promise<string>((done) => child.once('close', (code) => done(`${code} ${err}`)));
  });
  for (const end of await Promise.all(ends)) expect(end).toMatch(/^1 mailtree: standard output cannot be written: .*\n$/);
  closeSync(full);
});
