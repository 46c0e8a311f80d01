/** What the pages and the first start tell a newcomer to do works as it is written there. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Attribute, type Change, type Client } from 'ldapts';
import { parseLdif } from '../../src/ldap-wire/index.ts';
import { change, doorsOpenFor, imap, ldapAdministrator, newest, rcpt, subjects } from '../support/mail-clients.ts';
import { eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
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
