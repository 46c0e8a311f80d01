/** A connection to one of several addresses: dead, silent and good ones. */

import { connect, createServer, type Server, Socket } from 'node:net';
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

/** Its packets are lost. */
const silent: Target = { host: 'x.example', address: '2001:db8::1', port: 25 };
const begun: string[] = [];
const lossy: ConnectNeeds['open'] = (options) => {
  begun.push(options.host);
  return options.host === silent.address ? new Socket() : connect(options);
};

test('a silent address holds up the next one for two seconds, and only one connection stays', async () => {
  const good = await listening('127.0.0.1');
  const clock = new ManualClock();
  begun.length = 0;
  const waiting = connectFirst([silent, good.target], needs({ clock, open: lossy }));
  clock.advance(1_999);
  expect(begun).toEqual([silent.address]);
  clock.advance(1);
  const { made, failed } = await waiting;
  expect(made?.target).toBe(good.target);
  expect(failed.size).toBe(0);
  made?.socket.destroy();
});

test('silent addresses alone cost the time-out once, not once each', async () => {
  const clock = new ManualClock();
  const waiting = connectFirst([silent, { ...silent }, { ...silent }], needs({ clock, open: lossy }));
  clock.advance(300_000 + 4_000);
  const { made, failed } = await waiting;
  expect(made).toBeUndefined();
  expect([...failed.values()]).toEqual(Array(3).fill('no connection in time'));
});

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
  const waiting = connectFirst([silent], needs({ signal: abort.signal, open: lossy }));
  abort.abort();
  expect((await waiting).made).toBeUndefined();
  expect((await connectFirst([silent], needs({ signal: abort.signal, open: lossy }))).made).toBeUndefined();
});

test('a port that is none is a failure of that address, and the next one is connected', async () => {
  const good = await listening('127.0.0.1');
  const wrong: Target = { host: 'x.example', address: '127.0.0.1', port: 99_999 };
  const { made, failed } = await connectFirst([wrong, good.target], needs());
  expect(made?.target).toBe(good.target);
  expect(failed.get(wrong)).toMatch(/99999/);
  made?.socket.destroy();
  expect((await connectFirst([wrong], needs())).made).toBeUndefined();
});
