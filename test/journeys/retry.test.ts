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
  const none = await command('mailtree', ['retry', 'other.example'], files);
  expect(none).toMatchObject({ code: 1, out: '', err: expect.stringContaining('nothing waits for other.example') });
  expect((await command('mailtree', ['retry', 'w@other.example'], files)).err).toContain('queue now --recipient w@other.example');
  expect((await command('mailtree', ['retry', ''], files)).err).toContain('which destination?');
  expect((await command('mailq', ['-q', 'other.example'], files)).out).toBe('nothing waits for other.example\n');
  expect((await command('mailtree', ['retry', 'FAR.example'], files)).out).toBe('1 recipient is tried again now\n');
  await eventually(() => tried(2));
});
