/**
 * The external directory goes away and comes back, in every way a network and a server have of doing so: the last view is served, what is
 * not known gets a temporary reply, nothing is lost or bounced, and afterwards the view catches up with all that changed meanwhile.
 */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { imap, rcpt, sendAs, subjects } from '../support/mail-clients.ts';
import { command, eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { createSlapd, type Slapd, serviceDn, servicePassword } from '../support/slapd.ts';
import { openProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { freePort } from '../support/temp.ts';

let slapd: Slapd;
let proxy: TcpProxy;
let files: ServerFiles;
let server: RunningServer;
let count = 0;
const base = 'dc=example,dc=test';

beforeAll(async () => {
  slapd = await createSlapd({ sessionLog: 0 });
  await slapd.start();
  proxy = await openProxy(await freePort(), slapd.port);
  files = await prepareServer({ directory: { urls: [`ldap://127.0.0.1:${proxy.port}`], bindDn: serviceDn, password: servicePassword } });
  server = await runServer(files);
});

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await proxy.close();
  await slapd.remove();
  await files.remove();
});

const person = (name: string, more = ''): string =>
  `dn: mail=${name}@example.test,${base}\nobjectClass: inetOrgPerson\nobjectClass: mtMailUser\nmail: ${name}@example.test\ncn: ${name}\nsn: ${name}\nuserPassword: ${password}\n${more}\n`;
const answered = (address: string, pattern: RegExp, ms = 20_000): Promise<number> =>
  eventually(async () => pattern.test(await rcpt(files, address).catch(() => '')), ms);
const away = (): Promise<number> => eventually(async () => /AWAY/.test((await command('mailtree', ['status'], files)).out), 20_000);
const back = (): Promise<number> =>
  eventually(async () => /connected for/.test((await command('mailtree', ['status'], files)).out), 20_000);

/** What must hold while the directory is away. */
async function holds(known: string): Promise<void> {
  await away();
  expect(await rcpt(files, known)).toMatch(/^250/);
  expect(await rcpt(files, `stranger${++count}@example.test`)).toMatch(/^4/);
  // Which domains are ours is unknown too where nobody asked before: no permanent refusal of relaying either.
  expect(await rcpt(files, `somebody@unheard${count}.test`)).toMatch(/^4/);
  await expect(imap(files, known)).rejects.toMatchObject({ serverResponseCode: 'UNAVAILABLE' });
  expect(await sendAs(files, [known], `while away ${++count}`)).toMatch(/^250/);
}

test.each([
  ['is cut off', () => proxy.cut(), () => proxy.heal()],
  ['is half open', async () => proxy.silence(), () => proxy.heal()],
] as const)('the network %s: what changes meanwhile, deletions included, counts once it is whole', async (_name, breaks, heals) => {
  const [gone, fresh] = [`gone${++count}`, `fresh${++count}`];
  slapd.tool('ldapadd', [], person(gone));
  await answered('user1@example.test', /^250/);
  await answered(`${gone}@example.test`, /^250/);
  await answered(`${fresh}@example.test`, /^550/);
  const session = await imap(files, `${gone}@example.test`);
  const closed = new Promise((done) => session.once('close', done));
  const before = server.output().length;
  await breaks();
  await holds('user1@example.test');
  slapd.tool('ldapdelete', [`mail=${gone}@example.test,${base}`]);
  slapd.tool('ldapadd', [], person(fresh));
  slapd.tool('ldapmodify', [], 'dn: cn=server,cn=mailtree\nchangetype: modify\nreplace: mtHostName\nmtHostName: renamed.example.test\n');
  // Still as it was when it was heard last.
  expect(await rcpt(files, `${gone}@example.test`)).toMatch(/^250/);
  await heals();
  await back();
  await answered(`${gone}@example.test`, /^550/);
  await answered(`${fresh}@example.test`, /^250/);
  await closed;
  await eventually(async () => (await subjects(files, 'user1@example.test')).includes(`while away ${count}`));
  const said = server.output().slice(before);
  // One line each way, and nothing about the many who were told to come again.
  expect(said.trim().split('\n')).toHaveLength(2);
  expect(said.match(/the directory is away/g)).toHaveLength(1);
  expect(said.match(/the directory is back/g)).toHaveLength(1);
  slapd.tool('ldapmodify', [], 'dn: cn=server,cn=mailtree\nchangetype: modify\nreplace: mtHostName\nmtHostName: mail.example.test\n');
});

test('a server that stands still counts as away, and goes on where it was', async () => {
  await answered('user2@example.test', /^250/);
  slapd.signal('SIGSTOP');
  await holds('user2@example.test');
  slapd.signal('SIGCONT');
  await back();
  await answered(`stranger${count}@example.test`, /^550/);
  await eventually(async () => (await subjects(files, 'user2@example.test')).some((subject) => subject.startsWith('while away')));
});

test('a server that is killed and started again is taken up again', async () => {
  await answered('user3@example.test', /^250/);
  await slapd.kill();
  await holds('user3@example.test');
  await slapd.start();
  await back();
  slapd.tool('ldapadd', [], person('reborn'));
  await answered('reborn@example.test', /^250/);
  await eventually(async () => (await subjects(files, 'user3@example.test')).some((subject) => subject.startsWith('while away')));
});
