/** A connection to one of several addresses: dead, silent and good ones. */

import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import { type ConnectNeeds, connectFirst } from '../../src/smtpc/connect.ts';
import type { Target } from '../../src/smtpc/destination.ts';
import { freePort } from '../support/temp.ts';

let servers: Server[] = [];
let sockets: Socket[] = [];
afterEach(async () => {
  for (const one of sockets) one.destroy();
  await Promise.all(servers.map((one) => new Promise<void>((resolve) => one.close(() => resolve()))));
  [servers, sockets] = [[], []];
});

async function listening(host: string): Promise<{ target: Target; peers: () => (string | undefined)[] }> {
  const seen: (string | undefined)[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    seen.push(socket.remoteAddress);
    socket.on('error', () => {});
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as { port: number };
  return { target: { host: 'x.example', address: host, port }, peers: () => seen };
}
const needs = (more: Partial<ConnectNeeds> = {}): ConnectNeeds => ({
  clock: new ManualClock(),
  signal: new AbortController().signal,
  timeout: 300_000,
  source: () => undefined,
  ...more,
});

/** An address whose packets are lost: nobody has it (RFC 5737 TEST-NET-1). */
async function silent(): Promise<Target> {
  return { host: 'x.example', address: '192.0.2.1', port: 25 };
}

test('an address that refuses gives its turn to the next at once', async () => {
  const good = await listening('127.0.0.1');
  const dead = { host: 'x.example', address: '127.0.0.1', port: await freePort() };
  const { made, failed } = await connectFirst([dead, good.target], needs());
  expect(made?.target).toBe(good.target);
  expect([...failed.keys()]).toEqual([dead]);
  made?.socket.destroy();
});

test('both families', async () => {
  const six = await listening('::1');
  const dead = { host: 'x.example', address: '127.0.0.1', port: await freePort() };
  const { made } = await connectFirst([dead, six.target], needs());
  expect(made?.target.address).toBe('::1');
  made?.socket.destroy();
});

test('where none answers each has its reason', async () => {
  const [one, two] = await Promise.all([freePort(), freePort()]);
  const targets = [one, two].map((port) => ({ host: 'x.example', address: '127.0.0.1', port }));
  const { made, failed } = await connectFirst(targets, needs());
  expect(made).toBeUndefined();
  expect([...failed.values()].every((why) => /ECONNREFUSED/.test(why))).toBe(true);
  expect(failed.size).toBe(2);
});

test('a source address is used, and one that is not ours is said', async () => {
  const good = await listening('127.0.0.1');
  const { made } = await connectFirst([good.target], needs({ source: () => '127.0.0.55' }));
  expect(made?.socket.localAddress).toBe('127.0.0.55');
  made?.socket.destroy();
  const { failed } = await connectFirst([good.target], needs({ source: () => '192.0.2.99' }));
  expect(failed.get(good.target)).toMatch(/192\.0\.2\.99 is not an address of this host|EADDRNOTAVAIL|ENETUNREACH/);
});

test('stopping ends the wait', async () => {
  const abort = new AbortController();
  const waiting = connectFirst([await silent()], needs({ signal: abort.signal }));
  abort.abort();
  expect((await waiting).made).toBeUndefined();
  expect((await connectFirst([await silent()], needs({ signal: abort.signal }))).made).toBeUndefined();
});
