/** What the pages and the first start tell a newcomer to do works as it is written there. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Attribute, type Change, type Client } from 'ldapts';
import { parseLdif } from '../../src/ldap-wire/index.ts';
import { change, control, doorsOpenFor, imap, ldapAdministrator, newest, rcpt, subjects } from '../support/mail-clients.ts';
import { eventually, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { freePort } from '../support/temp.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;

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

/** The LDIF a page shows, in code fences or as the input of `ldapmodify`. */
function shown(page: string): string[] {
  const text = readFileSync(page, 'utf8');
  return [...text.matchAll(/(?:```ldif|<<LDIF)\n([\s\S]*?)(?:```|^LDIF$)/gm)].map((match) => match[1] ?? '');
}

async function apply(ldif: string): Promise<void> {
  for (const record of parseLdif(ldif)) {
    const name = record.dn.toString();
    const texts = (values: readonly (string | Uint8Array)[]): string[] => values.map((value) => Buffer.from(value).toString());
    if (record.kind === 'add' || record.kind === 'content')
      await ldap.add(
        name,
        record.attributes.map((one) => new Attribute({ type: one.name, values: texts(one.values) })),
      );
    else if (record.kind === 'modify') {
      const changes: Change[] = record.modifications.map((one) =>
        change(one.operation as 'add' | 'delete' | 'replace', one.attribute.name, ...texts(one.attribute.values)),
      );
      await ldap.modify(name, changes);
    } else throw new Error(`${record.kind} ${name}`);
  }
}

test('the LDIF of docs/administration.md makes a user who logs in, and moves a listener', async () => {
  const [user, listener] = shown('docs/administration.md');
  await apply(user ?? '');
  expect(await doorsOpenFor(files, 'new@example.test', 'at-least-6-characters')).toEqual(['imap', 'pop3', 'submission']);
  const port = await freePort();
  await apply((listener ?? '').replace('0.0.0.0:143', `127.0.0.1:${port}`));
  await eventually(async () => (await imap({ ports: { ...files.ports, imap: port } }, 'user1@example.test')).logout().then(() => true));
  await apply((listener ?? '').replace('0.0.0.0:143', `127.0.0.1:${files.ports.imap}`));
});

test('the LDIF of docs/administration.md lets programs of this host send elsewhere', async () => {
  const relay = shown('docs/administration.md').find((ldif) => ldif.includes('mtSmtpdRelayAllow'));
  expect(await rcpt(files, 'friend@remote.test')).toMatch(/^550 /);
  await apply(relay ?? '');
  await eventually(async () => /^250 /.test(await rcpt(files, 'friend@remote.test')));
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdRelayAllow'));
});

test('the LDIF of README.md adds an address', async () => {
  for (const ldif of shown('README.md')) await apply(ldif);
  expect(await rcpt(files, 'info@example.test')).toMatch(/^250 /);
});

test('the first message that the first start suggests is sent and read', async () => {
  const line = /^ +(printf .*)$/m.exec(server.output())?.[1] ?? '';
  const sendmail = `${process.execPath} ${resolve('dist/cli/sendmail.js')}`;
  const run = spawnSync('sh', ['-c', line.replace('npx sendmail', sendmail)], {
    env: { ...process.env, NODE_OPTIONS: '', MAILTREE_CONFIG: files.config },
    encoding: 'utf8',
  });
  expect(run).toMatchObject({ status: 0, stdout: '', stderr: '' });
  const reader = /--user (\S+)/.exec(server.output())?.[1] ?? '';
  await eventually(async () => (await subjects(files, reader)).includes('first'));
  expect((await newest(files, reader)).toString()).toMatch(/\r\n\r\nHello\.\r\n$/);
});

test('the recipes of docs/access-control.md do what they say', async () => {
  const can = async (who: string, right: string, dn: string, attribute: string): Promise<boolean> =>
    (
      await control<{ decisions: { allowed: boolean }[] }>(files, `/directory/can?${new URLSearchParams({ who, right, dn, attribute })}`)
    ).decisions.every(({ allowed }) => allowed);
  const example = 'dc=example,dc=test';
  const user = (n: number): string => `mail=user${n}@example.test,${example}`;
  const seller = `mail=seller@example.test,ou=sales,${example}`;
  await ldap.add(`ou=sales,${example}`, { objectClass: 'organizationalUnit', ou: 'sales' });
  await ldap.add(seller, { objectClass: ['inetOrgPerson', 'mtMailUser'], cn: 'S', sn: 'S', mail: 'seller@example.test', manager: user(3) });
  await ldap.add(`cn=club,${example}`, { objectClass: 'groupOfNames', cn: 'club', member: seller, businessCategory: 'open' });
  const recipes = shown('docs/access-control.md');
  expect(recipes).toHaveLength(7);
  const [delegate, helpDesk, managers, groups, numbers, authenticated, separate] = recipes.map((ldif) => () => apply(ldif));
  const flips = async (recipe: (() => Promise<void>) | undefined, questions: Parameters<typeof can>[], after: boolean): Promise<void> => {
    for (const question of questions) expect([question, await can(...question)]).toEqual([question, !after]);
    await recipe?.();
    for (const question of questions) expect([question, await can(...question)]).toEqual([question, after]);
  };
  await flips(delegate, [['user1@example.test', 'write', seller, 'telephoneNumber']], true);
  expect(await can('user1@example.test', 'write', seller, 'sn')).toBe(false);
  expect(await can('user1@example.test', 'write', user(2), 'telephoneNumber')).toBe(false);
  await flips(helpDesk, [['user2@example.test', 'write', user(1), 'userPassword']], true);
  expect(await can('user2@example.test', 'write', user(1), 'cn')).toBe(false);
  await flips(managers, [['user3@example.test', 'write', seller, 'title']], true);
  await flips(groups, [['user3@example.test', 'selfwrite', `cn=club,${example}`, 'member']], true);
  await flips(
    numbers,
    [
      ['anonymous', 'read', user(1), 'telephoneNumber'],
      ['anonymous', 'search', user(1), 'mobile'],
    ],
    false,
  );
  expect(await can('user3@example.test', 'read', user(1), 'telephoneNumber')).toBe(true);
  await flips(authenticated, [['anonymous', 'read', user(1), 'cn']], false);
  await flips(separate, [['user1@jade.net', 'read', user(1), 'cn']], false);
  expect(await can('user2@example.test', 'read', user(1), 'cn')).toBe(true);
});

test('the LDIF of docs/passwords.md closes the mailbox until the password is changed', async () => {
  expect(await doorsOpenFor(files, 'user3@example.test', password)).toEqual(['imap', 'pop3', 'submission']);
  for (const ldif of shown('docs/passwords.md')) await apply(ldif);
  expect(await doorsOpenFor(files, 'user3@example.test', password)).toEqual([]);
});

test.each([
  ['docs/receiving.md', 6],
  ['docs/sending-routes.md', 5],
  ['docs/tls.md', 3],
])('the LDIF of %s is taken, each piece of it', async (page, least) => {
  const pieces = shown(page);
  expect(pieces.length).toBeGreaterThanOrEqual(least);
  for (const ldif of pieces) await apply(ldif);
});

test('the LDIF of docs/where-is-my-message.md is taken', async () => {
  const pieces = shown('docs/where-is-my-message.md');
  expect(pieces.length).toBeGreaterThan(0);
  for (const ldif of pieces) await apply(ldif);
});
