/** Clients that say nothing, say an octet a second, or never read: they may wait, nobody else does, and memory does not grow with them. */

import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { encodeRequest, parseFilter } from '../../src/ldap-wire/index.ts';
import { complaints, somewhere, startWitness } from '../fuzz/server-attack.ts';
import { exchanges } from '../support/exchanges.ts';
import { randomFrom } from '../support/load.ts';
import { type Door, memoryOf, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { Wire } from '../support/wire.ts';

const random = randomFrom(1);
const user = 'user1@example.test';
const megabyte = 1_048_576;

let files: ServerFiles;
let server: RunningServer;

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  for (const exchange of Object.values(exchanges)) await exchange(files);
  const wire = await Wire.open(files.ports.imap);
  await wire.until(/^\* OK [^\n]*\n/);
  await wire.imap('a', `LOGIN ${user} ${password}`);
  const text = `Subject: large\r\n\r\n${'a line of a large message, again and again\r\n'.repeat(24_000)}`;
  for (let n = 0; n < 10; n++) expect(await wire.imap(`b${n}`, `APPEND INBOX {${text.length}+}\r\n${text}`)).toMatch(/ OK /);
  wire.end();
}, 60_000);

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

const seconds = (n: number): Promise<void> => new Promise((done) => setTimeout(done, n * 1_000));

function stranger(door: Door): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: files.ports[door], localAddress: somewhere(random) });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
    socket.on('error', () => {});
  });
}

test('500 connections that say nothing or an octet a second hold up nobody', async () => {
  const before = memoryOf(server.pid);
  const doors: readonly Door[] = ['ldap', 'ldaps', 'smtp', 'submission', 'smtps', 'imap', 'imaps', 'pop3', 'pop3s', 'http'];
  const strangers = await Promise.all(Array.from({ length: 500 }, (_, n) => stranger(doors[n % doors.length] as Door)));
  for (const socket of strangers) socket.resume();
  const slow = strangers.filter((_, n) => n % 20 >= 10);
  const text = 'EHLO client.test\r\n';
  let said = 0;
  const timer = setInterval(() => {
    for (const socket of slow) if (!socket.destroyed) socket.write(text[said % text.length] as string);
    said += 1;
  }, 1_000);
  const witness = startWitness(files, exchanges);
  await seconds(8);
  const slowest = await witness.stop();
  clearInterval(timer);
  const after = memoryOf(server.pid);
  for (const socket of strangers) socket.destroy();
  console.log(
    `memory ${Math.round(before)} MB before, ${Math.round(after)} MB with 500 slow clients; slowest ordinary exchange: ${[...slowest].map(([name, ms]) => `${name} ${Math.round(ms)} ms`).join(', ')}`,
  );
  expect(after - before).toBeLessThan(150);
  expect(complaints(server)).toEqual([]);
}, 60_000);

const ldapSearch = Buffer.from(
  encodeRequest(1, {
    op: 'search',
    base: 'dc=example,dc=test',
    scope: 'sub',
    derefAliases: 0,
    sizeLimit: 0,
    timeLimit: 0,
    typesOnly: false,
    filter: parseFilter('(objectClass=*)'),
    attributes: ['*', '+'],
  }),
);
const bind = Buffer.from(
  encodeRequest(1, {
    op: 'bind',
    version: 3,
    name: `mail=${user},dc=example,dc=test`,
    method: { type: 'simple', password: Buffer.from(password) },
  }),
);

/** What a client says first, and then for ever without reading an answer. */
const neverReading: readonly (readonly [name: string, door: Door, first: string | Buffer, then: string | Buffer])[] = [
  ['searches', 'ldap', bind, ldapSearch],
  ['NOOP', 'smtp', 'EHLO client.test\r\n', 'NOOP\r\n'],
  ['unknown commands', 'smtp', 'EHLO client.test\r\n', 'HELP\r\n'],
  ['NOOP', 'imap', '', 'a NOOP\r\n'],
  ['FETCH of everything', 'imap', `a LOGIN ${user} ${password}\r\nb SELECT INBOX\r\n`, 'c FETCH 1:* BODY.PEEK[]\r\n'],
  ['SEARCH', 'imap', `a LOGIN ${user} ${password}\r\nb SELECT INBOX\r\n`, 'c UID SEARCH ALL\r\n'],
  ['NOOP', 'pop3', '', 'NOOP\r\n'],
  ['RETR', 'pop3', `USER ${user}\r\nPASS ${password}\r\n`, 'RETR 1\r\n'],
  ['GET', 'http', '', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
];

test.each(neverReading)(
  'clients that send %s to %s and never read do not fill the memory',
  async (name, door, first, then) => {
    const before = memoryOf(server.pid);
    const sockets = await Promise.all(Array.from({ length: 5 }, () => stranger(door)));
    for (const socket of sockets) {
      socket.pause();
      socket.write(first);
    }
    await seconds(1);
    const flood = Buffer.concat(Array.from({ length: Math.ceil(65_536 / then.length) }, () => Buffer.from(then)));
    let [octets, peak] = [0, before];
    let going = true;
    const pour = async (socket: Socket): Promise<void> => {
      while (going && !socket.destroyed && octets < 200 * megabyte) {
        octets += flood.length;
        const full = !socket.write(flood);
        await new Promise<void>((done) => {
          if (!full) return void setImmediate(done);
          socket.once('drain', done);
          socket.once('close', done);
          setTimeout(done, 500);
        });
      }
    };
    const pouring = Promise.all(sockets.map(pour));
    const witness = startWitness(files, exchanges);
    for (let n = 0; n < 16; n++) {
      await seconds(0.25);
      peak = Math.max(peak, memoryOf(server.pid));
    }
    going = false;
    const slowest = await witness.stop();
    await pouring;
    for (const socket of sockets) socket.destroy();
    console.log(
      `${name} at ${door}: ${Math.round(octets / megabyte)} MB offered; memory ${Math.round(before)} MB before, ${Math.round(peak)} MB at most; slowest ordinary exchange: ${[...slowest].map(([who, ms]) => `${who} ${Math.round(ms)} ms`).join(', ')}`,
    );
    expect(peak - before).toBeLessThan(100);
    expect(complaints(server)).toEqual([]);
  },
  60_000,
);
