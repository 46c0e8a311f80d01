import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import { createWeb, type WebComponentOptions } from '../../src/web/index.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function start(over: Partial<WebComponentOptions> = {}): Promise<number> {
  const web = createWeb({
    where: { host: '127.0.0.1', port: 0 },
    host: () => 'mail.a.example',
    domain: () => '<a>.example',
    services: () => [{ name: 'IMAP', address: '127.0.0.1:143', security: 'STARTTLS' }],
    monitor: {
      admits: (address) => address === '127.0.0.1',
      failing: async () => [{ name: 'LMDA', why: 'LMDA is stopped' }],
      metrics: async () => '# HELP a b\n',
    },
    log: silentLog,
    ...over,
  });
  await web.start(() => {});
  cleanups.push(() => web.stop());
  return (web.address() as AddressInfo).port;
}

const closed = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let seen = '';
    socket.on('data', (data) => {
      seen += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(seen));
  });

test('a request that never ends is ended', async () => {
  const port = await start({ timeouts: { header: 20, request: 20, look: 10 } });
  const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '));
  expect(await closed(socket)).toMatch(/^(HTTP\/1\.1 408 |$)/);
});

test('the page shows what a mail client needs, with nothing in it that a browser would run', async () => {
  const answer = await fetch(`http://127.0.0.1:${await start()}/`);
  const text = await answer.text();
  expect(text).toContain('127.0.0.1:143');
  expect(text).toContain('&lt;a&gt;.example');
  expect(text).not.toContain('<a>');
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('alive and ready are two things', async () => {
  const port = await start();
  expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
  const ready = await fetch(`http://127.0.0.1:${port}/ready`);
  expect([ready.status, await ready.json()]).toEqual([503, { status: 'not ready', failing: ['LMDA'], why: ['LMDA is stopped'] }]);
});

test('metrics and health are for this host and the clients listed, not for what a proxy passes on', async () => {
  const port = await start();
  const metrics = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect([metrics.status, metrics.headers.get('content-type'), await metrics.text()]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
    '# HELP a b\n',
  ]);
  const closed = await start({ monitor: { admits: () => false, failing: async () => [], metrics: async () => 'secret' } });
  for (const path of ['/metrics', '/health', '/health/live', '/health/ready', '/ready']) {
    expect((await fetch(`http://127.0.0.1:${port}${path}`, { headers: { 'X-Forwarded-For': '127.0.0.1' } })).status).toBe(403);
    expect((await fetch(`http://127.0.0.1:${closed}${path}`)).status).toBe(403);
  }
});
