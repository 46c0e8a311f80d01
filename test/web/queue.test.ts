/** Who gets to the queue from the network: mask, TLS, log-in, and what is said to the others. */

import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { Hono } from 'hono';
import { Fault, type Log, silentLog } from '../../src/base/index.ts';
import { createWeb, type QueueDoor } from '../../src/web/index.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

interface Open {
  readonly port: number;
  readonly lines: string[];
  now: number;
  ask(path: string, more?: RequestInit): Promise<{ status: number; text: string; headers: Headers }>;
}

async function open(over: Partial<QueueDoor> = {}): Promise<Open> {
  const lines: string[] = [];
  const log: Log = { ...silentLog, warning: (line) => void lines.push(line), error: (line) => void lines.push(line) };
  const routes: QueueDoor['routes'] = (by) => {
    const app = new Hono();
    app.get('/who', (c) => c.text(by(c)));
    app.get('/broken', () => {
      throw new Error('a secret');
    });
    return app;
  };
  const door: QueueDoor = {
    admits: () => true,
    logIn: async (name, password) => {
      if (password !== 'gehe:im') throw new Fault('bad-credentials', 'name or password is wrong');
      return name;
    },
    routes,
    log,
    now: () => made.now,
    ...over,
  };
  const web = createWeb({
    where: { host: '127.0.0.1', port: 0 },
    host: () => 'mail.a.example',
    domain: () => 'a.example',
    services: () => [],
    monitor: { admits: () => false, failing: async () => [], metrics: async () => '' },
    queue: door,
    log: silentLog,
  });
  await web.start(() => {});
  cleanups.push(() => web.stop());
  const { port } = web.address() as AddressInfo;
  const made: Open = {
    port,
    lines,
    now: 0,
    async ask(path, more) {
      const answer = await fetch(`http://127.0.0.1:${port}/api/queue${path}`, more);
      return { status: answer.status, text: await answer.text(), headers: answer.headers };
    },
  };
  return made;
}

const basic = (text: string | Uint8Array): RequestInit => ({ headers: { Authorization: `Basic ${Buffer.from(text).toString('base64')}` } });

test('without the right name and password nothing is answered, known path or not', async () => {
  const { ask } = await open();
  for (const more of [
    undefined,
    basic('admin:wrong'),
    basic('admin:'),
    basic(':gehe:im'),
    basic('admin'),
    basic(`admin:${'x'.repeat(5_000)}`),
    { headers: { Authorization: 'Basic %%%' } },
    { headers: { Authorization: 'Bearer YWRtaW46Z2VoZTppbQ==' } },
  ])
    for (const path of ['/who', '/nothing', '']) {
      const { status, headers } = await ask(path, more);
      expect([path, status, headers.get('www-authenticate')]).toEqual([
        path,
        401,
        'Basic realm="Mailtree administrators", charset="UTF-8"',
      ]);
    }
});

test('a password may have colons and any character, and who logged in is known to what is asked', async () => {
  const { ask } = await open({ logIn: async (name, password) => `${name}|${password}` });
  expect(await ask('/who', basic('cn=admin,cn=admins:gehe:im ü'))).toMatchObject({ status: 200, text: 'cn=admin,cn=admins|gehe:im ü' });
  expect((await ask('/who', basic('a:b'))).headers.get('cache-control')).toBe('no-store');
});

test('who may not is told so, and what is broken tells nothing', async () => {
  const one = await open({ logIn: async () => Promise.reject(new Fault('not-permitted', 'administrators alone may work the queue')) });
  expect(await one.ask('/who', basic('user:gehe:im'))).toMatchObject({
    status: 403,
    text: expect.stringContaining('administrators alone'),
  });
  const { ask, lines } = await open();
  const { status, text } = await ask('/broken', basic('admin:gehe:im'));
  expect([status, text]).toEqual([500, expect.not.stringContaining('secret')]);
  expect(lines).toEqual(['web']);
});

test('an address outside the mask is refused before any password is looked at; the log says it once a minute', async () => {
  let asked = 0;
  const it = await open({
    admits: () => false,
    logIn: async () => {
      asked += 1;
      return 'x';
    },
  });
  for (let n = 0; n < 3; n++)
    expect(await it.ask('/who', basic('admin:gehe:im'))).toMatchObject({ status: 403, text: '{"error":"not for you"}' });
  it.now = 60_000;
  await it.ask('/who');
  expect(asked).toBe(0);
  expect(it.lines).toEqual([
    'queue access from [127.0.0.1] refused: the message queue access mask (mtQueueAccessMask) does not have it',
    'queue access from [127.0.0.1] refused (and 2 times before): the message queue access mask (mtQueueAccessMask) does not have it',
  ]);
});

test('another web site that an administrator looks at gets nothing by the password that the browser knows', async () => {
  const { ask, port } = await open();
  const from = (origin: string): RequestInit => ({ headers: { ...basic('admin:gehe:im').headers, Origin: origin } });
  for (const origin of ['https://evil.example', 'null', `http://evil.example:${port}`, `ftp://127.0.0.1:${port}`])
    expect(await ask('/who', from(origin))).toMatchObject({ status: 403, text: '{"error":"not for other web sites"}' });
  expect(await ask('/who', from(`http://127.0.0.1:${port}`))).toMatchObject({ status: 200, text: 'admin' });
});

test('what came through a proxy is refused, whoever the proxy is', async () => {
  const { ask, lines } = await open();
  const { headers } = basic('admin:gehe:im');
  for (const name of [
    'X-Forwarded-For',
    'x-FORWARDED-proto',
    'X-Forwarded-Host',
    'Forwarded',
    'Via',
    'X-Real-IP',
    'X-Client-IP',
    'CF-Connecting-IP',
  ])
    expect((await ask('/who', { headers: { ...(headers as object), [name]: '192.0.2.1' } })).status).toBe(403);
  expect(lines[0]).toMatch(/through a proxy/);
});
