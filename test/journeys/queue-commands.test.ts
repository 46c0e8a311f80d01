/** The queue of a running server, looked at and worked: by commands, by JSON from the network, by LDAP. */

import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { control, ldapAdministrator, newest, subjects } from '../support/mail-clients.ts';
import {
  adminDn,
  adminPassword,
  command,
  eventually,
  password,
  prepareServer,
  type RunningServer,
  runServer,
  type ServerFiles,
} from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
const far = 'cn=messages,cn=SMTPC,cn=queues,cn=monitor';

beforeAll(async () => {
  // Nothing answers at this DNS server's port: mail to other hosts is put off.
  files = await prepareServer({ extra: 'dns: [127.0.0.1:1]' });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  process.env['MAILTREE_PASSWORD'] = adminPassword;
});
afterAll(async () => {
  delete process.env['MAILTREE_PASSWORD'];
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await files.remove();
});

const queue = (...args: string[]) => command('mailtree', ['queue', ...args], files);

interface Shown {
  readonly id: string;
  readonly sender: string;
  readonly recipients: readonly { readonly address: string; readonly state: string; readonly attempts: number; readonly queue: string }[];
}

async function listed(filter: Readonly<Record<string, string>> = {}): Promise<readonly Shown[]> {
  const query = new URLSearchParams({ queue: 'SMTPC', ...filter });
  return (await control<{ messages: Shown[] }>(files, `/queue/messages?${query}`)).messages;
}

/** Hands in a message and waits until it is put off. */
async function putOff(sender: string, recipients: string[], subject: string): Promise<string> {
  expect(await command('sendmail', ['-f', sender, ...recipients], files, `Subject: ${subject}\n\nx\n`)).toMatchObject({ code: 0, err: '' });
  let id = '';
  await eventually(async () => {
    const found = (await listed({ sender, states: 'deferred' })).filter(({ recipients: all }) => all.length === recipients.length);
    id = found.at(-1)?.id ?? '';
    return id !== '';
  });
  return id;
}

test('summary, destinations, list, show and headers say what waits and why', async () => {
  const id = await putOff('user1@example.test', ['a@far.test', 'b@far.test', 'c@far.test', 'd@far.test'], 'first');
  expect((await queue('summary')).out).toMatch(/^SMTPC +0 +4 +0$[\s\S]*^disk of the queue: total \d+ MB, free \d+ MB \(\d+ %\)$/m);
  expect((await queue('destinations')).out).toMatch(
    /^far\.test +1 +4 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(in .*\) +no name server answered for far\.test$/m,
  );
  expect((await queue('domain', 'FAR.test')).out).toMatch(
    /^profile +of the peer [\s\S]*^ {2}retry period +\d+ hours$[\s\S]*^deferred messages +1\ndeferred recipients +4\n {2}reason +no name server[\s\S]*a@far\.test/m,
  );
  expect((await queue('domain', 'nowhere.test')).out).toMatch(/^deferred recipients +0\n\nno message matches\n$/m);
  expect((await queue('senders')).out).toMatch(/^example\.test +1 +4$/m);
  expect((await queue('list')).out).toMatch(
    new RegExp(
      `^id +weight +sender +deferred +size +state +recipients\\n${id} +0 +user1@example\\.test +\\d+s +\\d+ +deferred +a@far\\.test b@far\\.test c@far\\.test and 1 more$`,
      'm',
    ),
  );
  const { out } = await queue('show', id);
  expect(out).toMatch(/^sender +user1@example\.test$/m);
  expect(out).toMatch(/^d@far\.test +SMTPC +far\.test +deferred +1 /m);
  expect(out).toMatch(/SMTPC {2}deferred a@far\.test.*, attempt 1, /);
  const named = await command('mailtree', ['--config', files.config, 'queue', 'show', id], { config: '/nowhere' });
  expect(named).toMatchObject({ code: 0, out: expect.stringMatching(/SMTPC {2}deferred a@far\.test/), err: '' });
  expect((await queue('headers', id.toUpperCase())).out).toMatch(/^Received: [\s\S]*^Subject: first$/m);
  expect(await queue('show', '0000000000000000')).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/^mailtree: there is no message/),
  });
  expect(await queue('list', '--min-size', 'huge')).toMatchObject({
    code: 1,
    err: expect.stringContaining('--min-size: huge is not a size'),
  });
  expect(await queue('list', '--state', 'lost')).toMatchObject({ code: 1, err: expect.stringContaining('there is no state lost') });
  expect(await queue('destinations', 'NOWHERE')).toMatchObject({ code: 1, err: expect.stringContaining('there is no queue NOWHERE') });
});

test('what a filter finds is worked only where that is said, and only as much as was expected', async () => {
  await putOff('user2@example.test', ['x@far.test'], 'second');
  expect(await queue('delete')).toMatchObject({ code: 1, err: expect.stringContaining('which messages?') });
  expect(await queue('delete', '--sender', 'user2@*')).toMatchObject({
    code: 1,
    out: '1 message with 1 recipient would be deleted\n',
    err: expect.stringContaining('--all-matching --count 1'),
  });
  expect(await queue('delete', '--sender', 'user2@*', '--dry-run', '--all-matching')).toMatchObject({ code: 0, err: '' });
  expect(await queue('delete', '--sender', 'user2@*', '--all-matching', '--count', '7')).toMatchObject({ code: 1, out: '' });
  expect(await queue('delete', '--everything', '--sender', 'user2@*', '--all-matching')).toMatchObject({ code: 1, out: '' });
  expect(await listed({ sender: 'user2@*' })).toHaveLength(1);
  expect(await queue('delete', '--sender', 'user2@*', '--all-matching', '--count', '1')).toEqual({
    code: 0,
    out: '1 message with 1 recipient was deleted\n',
    err: '',
  });
  expect(await listed({ sender: 'user2@*' })).toEqual([]);
  expect(await queue('delete', '--sender', 'user2@*')).toMatchObject({ code: 1, err: 'mailtree: no message matches\n' });
  expect(await queue('delete', '--sender', 'user2@*', '--all-matching')).toMatchObject({ code: 1, err: '' });
});

test('a held message is not tried, is shown as held everywhere, and goes on when released', async () => {
  const [message] = await listed({ sender: 'user1@example.test' });
  const id = message?.id ?? '';
  expect(await queue('hold', 'notanid')).toEqual({ code: 1, out: '', err: 'mailtree: there is no message notanid\n' });
  expect(await queue('hold', id, 'notthere', '--note', 'ask Bert first')).toEqual({
    code: 1,
    out: '1 message with 4 recipients was kept back\n',
    err: 'mailtree: there is no message notthere\n',
  });
  expect(await queue('hold', id, '--note', 'ask Anna first')).toMatchObject({
    code: 0,
    out: '1 message with 4 recipients was kept back\n',
  });
  expect(await queue('now', '--destination', 'far.test', '--all-matching')).toMatchObject({
    out: expect.not.stringContaining('1 message with'),
  });
  const tried = await queue('now', id);
  expect(tried.out).toMatch(/^0 messages .*\nheld, and left alone: 4 recipients; release first: mailtree queue release$/m);
  expect(tried).toMatchObject({ code: 1, out: expect.not.stringContaining('already') });
  expect((await queue('list', '--state', 'held')).out).toContain(id);
  expect((await command('mailq', ['-q', 'far.test'], files)).out).toMatch(/^ {4}\(held by system user .*: ask Anna first\)$/m);
  expect((await command('mailq', ['-v', '-q', 'far.test'], files)).out).toMatch(/, held, attempts \d+, since [\d: -]+\]$/m);
  expect((await command('mailq', ['-v', '-q', 'far.test'], files)).out).not.toMatch(/held.*next/);
  expect((await ldap.search(far, { filter: '(mtQueueState=held)' })).searchEntries).toMatchObject([
    { mtQueueId: id, mtQueueReason: 'ask Anna first' },
  ]);
  expect((await ldap.search('cn=SMTPC,cn=queues,cn=monitor', { scope: 'base' })).searchEntries[0]).toMatchObject({ mtQueueHeld: '4' });
  expect((await command('mailtree', ['trace', id], files)).out).toMatch(
    /^ {2}held: \S+@far\.test at SMTPC far\.test, .* by system user .*: ask Anna first$/m,
  );
  expect(await queue('release', id)).toMatchObject({ code: 0 });
  const told = (await command('mailtree', ['trace', id], files)).out;
  expect(told).toMatch(/held for \S+@far\.test.*, by system user .*: ask Anna first\n[\s\S]*released for .*, by system user/);
  expect(await queue('release', id)).toMatchObject({ code: 0, out: expect.stringContaining('were so already') });
  await eventually(async () => (await listed({ states: 'deferred' })).some((one) => one.id === id));
  const before = (await listed({ sender: 'user1@*' }))[0]?.recipients[0]?.attempts ?? 0;
  expect(await queue('now', id)).toMatchObject({ code: 0 });
  await eventually(async () => ((await listed({ sender: 'user1@*' }))[0]?.recipients[0]?.attempts ?? 0) > before);
});

test('bounced mail comes back with the reason, a requeued one is routed anew, and precedence is kept', async () => {
  const id = await putOff('user3@example.test', ['y@moved.test', 'z@moved.test'], 'third');
  expect(await queue('bounce', '--recipient', 'y@moved.test', '--all-matching')).toMatchObject({
    code: 1,
    err: expect.stringContaining('--reason'),
  });
  const reason = 'The host has moved; ask Größe';
  const which = ['--recipient', 'y@moved.test', '--all-matching'];
  expect(await queue('bounce', ...which, '--reason', reason, '--status', '5.1.6')).toMatchObject({ code: 0 });
  await eventually(async () => (await subjects(files, 'user3@example.test')).length > 0);
  const report = (await newest(files, 'user3@example.test')).toString();
  expect(report).toMatch(/Final-Recipient: rfc822; ?y@moved\.test\r\nAction: failed\r\nStatus: 5\.1\.6/);
  expect(await queue('priority', id, '--precedence', 'x')).toMatchObject({ code: 1, err: expect.stringContaining('--precedence: x') });
  expect(await queue('priority', id, '--precedence', '-2')).toMatchObject({
    code: 0,
    out: expect.stringContaining('mtSmtpcPrecedenceMultiplier is 0'),
  });
  expect(JSON.parse((await queue('show', id, '--json')).out)).toMatchObject({ precedence: -2 });
  expect((await queue('show', id)).out).toMatch(/^precedence +-2$/m);
  await ldap.add('dc=moved,dc=test', { objectClass: ['domain', 'mtMailDomain'], dc: 'moved' });
  const user = { objectClass: ['inetOrgPerson', 'mtMailUser'], cn: 'z', sn: 'z', mail: 'z@moved.test', userPassword: password };
  await ldap.add('mail=z@moved.test,dc=moved,dc=test', user);
  expect(await queue('requeue', id)).toMatchObject({ code: 0, out: '1 message with 1 recipient was put back into the input queue\n' });
  await eventually(async () => (await subjects(files, 'z@moved.test')).includes('third'));
});

test('mailq shows what is pending and what is deferred, in the order that is asked for', async () => {
  await putOff('user1@example.test', ['small@near.test'], 's');
  await putOff('user1@example.test', ['large@near.test', 'l@near.test'], 'l'.repeat(500));
  const order = async (...args: string[]): Promise<string[]> =>
    [...(await command('mailq', [...args, '-q', 'near.test'], files)).out.matchAll(/^ {4}(small|large)@near\.test$/gm)].map(
      ([, who = '']) => who,
    );
  expect(await order('-s', 'size')).toEqual(['small', 'large']);
  expect(await order('-s', 'size', '-r')).toEqual(['large', 'small']);
  expect(await order('-s', 'time')).toEqual(['small', 'large']);
  expect(await order()).toEqual(['small', 'large']);
  expect((await command('mailq', ['-s', 'beauty'], files)).code).toBe(1);
  expect((await command('mailq', ['-h'], files)).out).toContain('-q, --queue <channel>');
  expect(JSON.parse((await command('mailq', ['--json', '-q', 'near.test'], files)).out)).toHaveLength(2);
});

/** The JSON interface as any HTTPS client has it. */
function api(
  path: string,
  more: { user?: string; password?: string; body?: unknown; via?: string } = {},
): Promise<{ status: number; body: unknown }> {
  const { user = adminDn, password = adminPassword, body, via } = more;
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port: files.ports.https,
        path: `/api/queue/${path}`,
        method: body === undefined ? 'GET' : 'POST',
        auth: `${user}:${password}`,
        ca: readFileSync(join(files.dir, 'data', 'tls', 'cert.pem')),
        servername: 'mail.example.test',
        headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...(via ? { 'X-Forwarded-For': via } : {}) },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text.startsWith('{') ? JSON.parse(text) : text }));
      },
    );
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

test('an administrator works the queue over HTTPS; users, wrong passwords and proxies do not', async () => {
  expect(await api('summary')).toMatchObject({
    status: 200,
    body: { queues: expect.arrayContaining([{ queue: 'INPUT', pending: 0, deferred: 0, held: 0, aside: 0 }]) },
  });
  expect(await api('summary', { user: 'admin' })).toMatchObject({ status: 200 });
  expect(await api('summary', { password: 'wrong' })).toMatchObject({ status: 401 });
  expect(await api('summary', { user: 'mail=user1@example.test,dc=example,dc=test', password: 'example-password-1' })).toMatchObject({
    status: 403,
  });
  expect(await api('summary', { user: 'cn=admin,dc=example,dc=test', password: 'x' })).toMatchObject({ status: 403 });
  expect(await api('summary', { via: '192.0.2.1' })).toMatchObject({ status: 403 });
  expect(await api('messages?limit=0')).toMatchObject({ status: 400 });
  const order = { operation: { do: 'hold' }, filter: { identifier: 'near.test' }, count: 2 };
  expect(await api('operate', { body: { ...order, dryRun: true } })).toEqual({
    status: 200,
    body: { messages: 2, recipients: 3, dryRun: true },
  });
  expect(await api('operate', { body: { ...order, count: 3 } })).toMatchObject({ status: 409 });
  expect(await api('operate', { body: order })).toMatchObject({ status: 200, body: { messages: 2, recipients: 3 } });
  const [held] = await listed({ states: 'held' });
  expect((await queue('show', held?.id ?? '')).out).toContain(`held by ${adminDn}`);
  expect(await api('operate', { body: { operation: { do: 'delete' }, filter: {} } })).toMatchObject({ status: 400 });
  expect(await api('operate', { body: { operation: { do: 'delete' }, filter: { ids: 'a'.repeat(1_100_000) } } })).toMatchObject({
    status: 413,
  });
});

test('mailtree queue --server works another server, with its certificate trusted and over TLS alone', async () => {
  const remote = ['--server', `https://localhost:${files.ports.https}`, '--ca', join(files.dir, 'data', 'tls', 'cert.pem')];
  expect(await queue('list', '--state', 'held', ...remote)).toMatchObject({ code: 0, out: expect.stringContaining('small@near.test') });
  expect(await queue('release', '--destination', 'near.test', '--all-matching', ...remote)).toMatchObject({ code: 0 });
  expect(await queue('summary', '--server', `https://localhost:${files.ports.https}`)).toMatchObject({
    code: 1,
    err: expect.stringContaining('does not answer'),
  });
  expect(await queue('summary', '--server', 'http://mail.example.test:80')).toMatchObject({
    code: 1,
    err: expect.stringContaining('https:// only'),
  });
});

test('dbupdate waits for the server to be stopped, rebuilds the queue, and the mail is there afterwards', async () => {
  const before = (await listed()).map(({ id }) => id);
  expect(before.length).toBeGreaterThan(1);
  expect(await command('dbupdate', ['-r'], files)).toMatchObject({ code: 1, out: '', err: expect.stringContaining('in use by process') });
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  expect(await command('dbupdate', [], files)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^messages in the queue: \d+, .*\nnothing is wrong\n$/),
  });
  expect(await command('dbupdate', ['-r'], files)).toMatchObject({ code: 0, out: expect.stringContaining('the queue is rebuilt\n') });
  expect((await command('dbupdate', ['-h'], files)).out).toContain('-r, --rebuild');
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  expect((await listed()).map(({ id }) => id)).toEqual(before);
});

test('everything that waits is deleted when that is said twice', async () => {
  expect(await queue('delete', '--everything')).toMatchObject({ code: 1, out: expect.stringContaining('would be deleted') });
  expect(await queue('delete', '--everything', '--all-matching')).toMatchObject({ code: 0 });
  expect((await command('mailq', [], files)).out).toBe('Mail queue is empty\n');
});
