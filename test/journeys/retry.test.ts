import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

let files: ServerFiles;
let server: RunningServer;
beforeAll(async () => {
  files = await prepareServer({ extra: 'dns: [127.0.0.1:1]' });
  server = await runServer(files);
});
afterAll(async () => {
  await server?.stop();
  await files?.remove();
});

test('deferred mail is tried again when somebody says so, for its destination and no other', async () => {
  expect((await command('sendmail', ['-f', 'user1@example.test', 'x@far.example'], files, 'Subject: a\n\nb\n')).code).toBe(0);
  const tried = async (times: number): Promise<boolean> => (await command('mailq', ['-v'], files)).out.includes(`attempts ${times},`);
  await eventually(() => tried(1));
  expect((await command('mailtree', ['retry', 'other.example'], files)).out).toBe('0 recipients are tried again now\n');
  expect((await command('mailtree', ['retry', 'far.example'], files)).out).toBe('1 recipient is tried again now\n');
  await eventually(() => tried(2));
});
