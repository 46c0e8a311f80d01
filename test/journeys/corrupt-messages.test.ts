/** A message whose record is damaged: it keeps nobody waiting, the notification address hears of it where that is wanted, and it can be dealt with. */

import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { systemClock } from '../../src/base/index.ts';
import { below, openKeyValue } from '../../src/storage/index.ts';
import { change, ldapAdministrator, newest, subjects } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;
let ldap: Client;

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  await ldap.modify('cn=mta,cn=mailtree', change('replace', 'mtPostmaster', 'user3@example.test'));
});
afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await files.remove();
});

const hand = async (to: string, subject: string): Promise<void> => {
  const done = await command('sendmail', ['-f', 'user2@example.test', to], files, `Subject: ${subject}\n\nx\n`);
  expect(done).toMatchObject({ code: 0, err: '' });
};
const notes = async (): Promise<string[]> => (await subjects(files, 'user3@example.test')).filter((subject) => !/^after/.test(subject));

/** Takes a message in, stops, damages its record, and starts again. Its id. */
async function damaged(subject: string): Promise<string> {
  expect((await command('mailtree', ['component', 'stop', 'PREPROCESSOR'], files)).code).toBe(0);
  await hand('user1@example.test', subject);
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  const keyValue = await openKeyValue({ path: join(files.dir, 'data', 'mail'), clock: systemClock });
  let id = '';
  for await (const [key] of keyValue.scan(below('queue/m/'))) {
    const parts = key.split('/');
    if (parts.length < 4) continue;
    id = parts[2] ?? '';
    await keyValue.transact(async () => ({ puts: [[key, Buffer.from('{"v":')] as const], result: undefined }), 'durable');
  }
  await keyValue.close();
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  return id;
}

test('other mail goes on, the notification address is told once, and what lies aside is seen and deleted', async () => {
  const id = await damaged('lost');
  await hand('user1@example.test', 'after it');
  await eventually(async () => (await subjects(files, 'user1@example.test')).includes('after it'));
  await eventually(async () => (await notes()).length === 1);
  expect((await newest(files, 'user3@example.test')).toString()).toContain(id);
  expect((await command('mailtree', ['queue', 'summary'], files)).out).toMatch(/^INPUT +0 +0 +0 +1$[\s\S]*mailtree queue aside$/m);
  const entries = await ldap.search('cn=queues,cn=monitor', { filter: '(mtQueueAside>=1)' });
  expect(entries.searchEntries).toMatchObject([{ cn: 'INPUT', mtQueueAside: '1' }]);
  const [aside] = JSON.parse((await command('mailtree', ['queue', 'aside', '--json'], files)).out) as { id: string; slip: string }[];
  expect(aside).toMatchObject({ id, problem: expect.any(String) });
  expect((await command('mailtree', ['queue', 'aside'], files)).out).toMatch(new RegExp(`^${id} +${aside?.slip} +INPUT +1 `, 'm'));
  expect((await command('mailtree', ['queue', 'aside', 'delete', id, 'nothing'], files)).code).toBe(1);
  expect(await command('mailtree', ['queue', 'aside', 'delete', id, aside?.slip ?? ''], files)).toEqual({ code: 0, out: '', err: '' });
  expect((await command('mailtree', ['queue', 'aside'], files)).out).toBe('nothing was put aside\n');
});

test('nobody is told where that is not wanted', async () => {
  await ldap.modify('cn=preprocessor,cn=mailtree', change('replace', 'mtNotifyCorrupt', 'FALSE'));
  await damaged('lost as well');
  await eventually(async () => (await command('mailtree', ['queue', 'summary'], files)).out.includes('mailtree queue aside'));
  await hand('user3@example.test', 'after that');
  await eventually(async () => (await subjects(files, 'user3@example.test')).includes('after that'));
  expect(await notes()).toHaveLength(1);
});
