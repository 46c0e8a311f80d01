import { type AddressInfo, connect } from 'node:net';
import { expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import { createWeb } from '../../src/web/index.ts';

/** What comes back for so many requests sent in one piece. */
async function answersTo(requests: number): Promise<number> {
  const web = createWeb({
    where: { host: '127.0.0.1', port: 0 },
    host: () => 'mail.example.test',
    domain: () => 'example.test',
    services: () => [],
    monitor: { admits: () => false, failing: async () => [], metrics: async () => '' },
    log: silentLog,
  });
  await web.start(() => {});
  const socket = connect((web.address() as AddressInfo).port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n';
  socket.end(`${`${get}\r\n`.repeat(requests - 1)}${get}Connection: close\r\n\r\n`);
  await new Promise((done) => socket.once('close', done));
  await web.stop();
  return text.match(/^HTTP\/1\.1 200 /gm)?.length ?? 0;
}

test('a few requests sent ahead are all answered', async () => {
  expect(await answersTo(8)).toBe(8);
});

test('who sends hundreds of requests at once is hung up on', async () => {
  expect(await answersTo(2_000)).toBeLessThanOrEqual(8);
});
