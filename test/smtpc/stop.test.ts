/** SMTPC ends at once, whatever other hosts keep it waiting for, and what it had in hand waits. */

import { createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { startWorld, type World } from './helpers.ts';

let world: World;
afterEach(() => world.stop());

const heard = async (word: string): Promise<void> => {
  while (!world.sink.heard.some((line) => line.startsWith(word))) await new Promise((resolve) => setTimeout(resolve, 2));
};

/** Past the time that transactions are given to come to their end. */
async function stop(): Promise<void> {
  let over = false;
  const stopped = world.smtpc.stop().then(() => {
    over = true;
  });
  while (!over) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    world.clock.advance(1_000);
  }
  await stopped;
}

test.each(['EHLO', 'STARTTLS', 'MAIL', 'RCPT', 'DATA'])('a host that is silent at %s', async (verb) => {
  world = await startWorld({
    extensions: verb === 'STARTTLS' ? ['STARTTLS'] : ['SIZE'],
    reply: (said) => (said === verb ? 'mute' : undefined),
  });
  const id = await world.queued(['bob@dest.example', 'bill@dest.example']);
  await heard(verb);
  await stop();
  expect((await world.queue.get(id))?.recipients.length).toBe(2);
});

/** Another server that is no good: what it says to each command; it reads no more after `deaf`. */
async function another(replies: Readonly<Record<string, string>>, deaf: string) {
  const sockets: Socket[] = [];
  const server = createServer();
  const reached = new Promise<void>((resolve) => {
    server.on('connection', (socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        const verb = chunk.toString('latin1').split(/[ \r]/, 1)[0] ?? '';
        socket.write(`${replies[verb] ?? '250 ok'}\r\n`);
        if (verb !== deaf) return;
        socket.pause();
        setTimeout(resolve, 50);
      });
      socket.write('220 mx.dest.example\r\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  world.settings.set({ ...world.settings.value, port: typeof address === 'object' && address ? address.port : 0 });
  const end = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { reached, end };
}

test.each([
  ['begins a handshake and says no more', { EHLO: '250-mx\r\n250 STARTTLS', STARTTLS: '220 go on' }, 'STARTTLS'],
  ['does not read the message', { DATA: '354 go on' }, 'DATA'],
])('a host that %s', async (_, replies, deaf) => {
  world = await startWorld();
  const { reached, end } = await another(replies as Record<string, string>, deaf);
  const text = `Subject: large\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(300_000)}`;
  const id = await world.queued(['bob@dest.example'], { text });
  await reached;
  await stop();
  expect((await world.queue.get(id))?.recipients.length).toBe(1);
  await end();
});
