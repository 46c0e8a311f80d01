/** Peers whose replies are none, or come before what they reply to: nothing counts as handed over that was not. */

import { createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { startWorld, type World } from './helpers.ts';

let world: World;
const begin = async (...args: Parameters<typeof startWorld>): Promise<World> => {
  world = await startWorld(...args);
  return world;
};
afterEach(() => world.stop());

const said = (command: string, reply: string) => (verb: string) => (verb === command ? reply : undefined);

test.each([
  ['a greeting with more behind it', 'connect', '220 hi\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 taken'],
  ['a greeting with one reply behind it', 'connect', '220 hi\r\n250 ok'],
  ['two replies to MAIL', 'MAIL', '250 ok\r\n250 ok'],
  ['four replies to MAIL', 'MAIL', '250 ok\r\n250 ok\r\n250 ok\r\n250 ok'],
  ['two replies to RCPT', 'RCPT', '250 ok\r\n250 ok'],
  ['250 instead of 354', 'DATA', '250 ok'],
  ['354 with the reply to the message', 'DATA', '354 go on\r\n250 taken'],
  ['a yes without a code', '.', '2 fine'],
  ['a code of two digits', '.', '25 fine'],
  ['a code of four digits', '.', '2500 fine'],
  ['a code that there is not', '.', '999 fine'],
  ['a code below all there are', 'MAIL', '000 fine'],
  ['no code', '.', 'OK'],
  ['yes and no in one reply', '.', '250-fine\r\n550 not at all'],
  ['a reply whose second line is none', 'EHLO', '250-fine\r\nthere\r\n250 you go'],
])('%s: the message waits, and has not been taken for sent', async (_, command, reply) => {
  for (const extensions of [['SIZE'], ['SIZE', 'PIPELINING']]) {
    await begin({ extensions, reply: said(command, reply) });
    const id = await world.queued(['bob@dest.example', 'bill@dest.example']);
    await world.until(2);
    expect(world.logged.map((line) => line.split(' ')[0])).toEqual(['Deferred', 'Deferred']);
    expect((await world.queue.get(id))?.recipients.length).toBe(2);
    if (extensions.length === 1) await world.stop();
  }
});

test('what is said behind the reply to the whole message does not count against it', async () => {
  for (const reply of ['250 taken\r\n250 taken', '250 taken\r\n421 enough for today', '250 taken\r\nrubbish']) {
    await begin({ reply: said('.', reply) });
    await world.queued(['bob@dest.example']);
    await world.until(1);
    expect(world.logged).toEqual([expect.stringMatching(/^Sent .*: 250 taken$/)]);
    if (reply !== '250 taken\r\nrubbish') await world.stop();
  }
});

const large = `Subject: large\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(300_000)}`;

test('a yes before the end of the message is no yes', async () => {
  await begin({ extensions: ['SIZE'], midway: { octets: 1_000, reply: '250 taken, thanks' } });
  const id = await world.queued(['bob@dest.example'], { text: large });
  await world.until(1);
  expect(world.logged).toEqual([expect.stringMatching(/^Deferred .*answers before it has the whole message: 250 taken, thanks$/)]);
  expect((await world.queue.get(id))?.recipients.length).toBe(1);
  expect(world.sink.messages).toEqual([]);
});

test('a no before the end of the message counts, and no command is said into the message', async () => {
  await begin({ extensions: ['SIZE'], midway: { octets: 1_000, reply: '552 5.3.4 too large' } });
  await world.smtpc.stop();
  world.peers['dest.example'] = { sessions: 1 };
  await world.queued(['bob@dest.example'], { text: large });
  await world.queued(['bill@dest.example']);
  await world.smtpc.start(() => {});
  await world.until(2);
  expect(world.logged.map((line) => line.split(' ')[0])).toEqual(['Rejected', 'Sent']);
  expect(world.logged[0]).toContain('status=5.3.4');
  expect(world.sink.messages.map((one) => one.to)).toEqual([['bill@dest.example']]);
  expect(world.sink.connections).toBe(2);
});

test.each([
  ['in the first line', ['220 mx'], '250-mx SIZE 5 and DSN at your service\r\n250 HELP'],
  ['as part of other words', ['220 mx'], '250-mx\r\n250-X-SIZE 5\r\n250-X-PIPELINING\r\n250 NO-DSN'],
])('extensions %s are none', async (_, _greeting, ehlo) => {
  await begin({ reply: said('EHLO', ehlo) });
  await world.queued([{ address: 'bob@dest.example', dsn: { notify: ['success'] } }]);
  await world.until(1);
  expect(world.logged[0]).toMatch(/^Sent /);
  expect(world.sink.heard).toContain('MAIL FROM:<ann@jade.example>');
  expect(world.sink.heard).toContain('RCPT TO:<bob@dest.example>');
});

test.each([['0'], ['-5'], ['much'], ['340282366920938463463374607431768211456'], [' 5']])('a size of "%s" is no limit', async (size) => {
  await begin({ extensions: [`SIZE ${size}`] });
  await world.queued(['bob@dest.example']);
  await world.until(1);
  expect(world.logged[0]).toMatch(/^Sent /);
});

test('empty lines do not keep a session alive, nor do a few of them end it', async () => {
  await begin();
  const sockets: Socket[] = [];
  const server = createServer();
  const asked = new Promise<void>((resolve) => {
    server.on('connection', (socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        if (chunk.toString().startsWith('EHLO')) socket.write('\r\n\r\n250 mx.dest.example\r\n');
        if (chunk.toString().startsWith('MAIL')) resolve();
      });
      socket.write('220 mx.dest.example\r\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  world.settings.set({ ...world.settings.value, port: typeof address === 'object' && address ? address.port : 0 });
  await world.queued(['bob@dest.example']);
  await asked;
  for (let minute = 0; minute < 5; minute += 1) {
    sockets[0]?.write('\r\n');
    // Time for the line to be read.
    await new Promise<void>((resolve) => setTimeout(resolve, 10));
    world.clock.advance(60_000);
  }
  await world.until(1);
  expect(world.logged).toEqual([expect.stringMatching(/^Deferred .*mx\.dest\.example did not answer in time \(mail\)$/)]);
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});
