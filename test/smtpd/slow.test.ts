/** Clients that are there and bring nothing: how long they may stay, and who makes room for whom. */

import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import { Client, greeted, plain, startWorld, testCertificate, type World, type WorldOptions } from './helpers.ts';

let world: World;
let clients: Client[] = [];
let clock: ManualClock;

const begin = async (options: WorldOptions = {}): Promise<void> => {
  clock = new ManualClock();
  world = await startWorld({ clock, ...options });
};
const client = async (kind?: 'smtp' | 'submission' | 'smtps'): Promise<Client> => {
  const made = await greeted(world, kind);
  clients.push(made);
  return made;
};
const knock = async (kind: 'smtp' | 'submission'): Promise<{ client: Client; code: string }> => {
  const made = await Client.open(world.smtpd.port(kind));
  clients.push(made);
  return { client: made, code: (await made.reply()).slice(0, 3) };
};
afterEach(async () => {
  for (const one of clients) one.close();
  clients = [];
  await world.stop();
});

/** Octets, one every so many seconds, until the door has had enough of it; after how many seconds that was. */
async function dribble(c: Client, text: string, every: number): Promise<number> {
  for (let n = 0; n < 200 && !c.ended; n += 1) {
    c.write(Buffer.from(text[n % text.length] ?? '', 'latin1'));
    clock.advance(every * 1_000);
    // Long enough for what was said to arrive and be answered.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    if (c.ended) return n * every;
  }
  return Number.POSITIVE_INFINITY;
}

test.each<[string, string[], string]>([
  ['before EHLO', ['RSET'], 'EHLO client.example.of.a.long.name.that.goes.on'],
  ['in a command', [], 'MAIL FROM:<somebody.with.a.long.name@x.example> SIZE=1'],
  ['in a log-in', ['AUTH LOGIN'], 'YW5uYW5uYW5uYW5uYW5uYW5uYW5uYW5uYW5uYW5uYW5u'],
  ['in a message', ['MAIL FROM:<>', 'RCPT TO:<ann@jade.example>', 'DATA'], 'text and\r\n..\r\n'],
  ['in a chunk', ['MAIL FROM:<>', 'RCPT TO:<ann@jade.example>', 'NOOP', 'BDAT'], 'octets'],
])('who dribbles %s is sent away after the idle time', async (_, before, text) => {
  await begin();
  const c = await client();
  for (const line of before) {
    if (line === 'BDAT') c.write('BDAT 1000000 LAST\r\n');
    else await c.say(line);
  }
  const after = await dribble(c, text, 20);
  expect(after).toBeGreaterThan(200);
  expect(after).toBeLessThan(400);
  expect(await c.reply()).toMatch(/^421 4\.4\.2 /);
  expect(world.accepted).toEqual([]);
});

test('a message that comes along slowly, and a client that says something now and then, stay', async () => {
  await begin({ settings: { dataBuffer: 512 } });
  const c = await client();
  for (const line of ['MAIL FROM:<>', 'RCPT TO:<ann@jade.example>', 'DATA']) await c.say(line);
  const piece = `${'x'.repeat(70)}\r\n`.repeat(60);
  for (let n = 1; n <= 40; n += 1) {
    c.write(piece);
    // Some are gathered before they are written.
    while (world.blobs.written < n * piece.length - 600) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(60_000);
    expect([n, c.ended]).toEqual([n, false]);
  }
  expect(await c.say('.')).toMatch(/^250 /);
  for (let n = 0; n < 5; n += 1) {
    clock.advance(299_000);
    expect(await c.say('NOOP')).toMatch(/^250 /);
  }
});

test('where all sessions are taken, whoever is there longest without bringing anything makes room', async () => {
  await begin({ settings: { maxSessions: 10, maxSessionsPerAddress: 0 } });
  const silent = await knock('smtp');
  clock.advance(1_000);
  const useful = await client();
  const talking = await client();
  const others = [];
  for (let n = 0; n < 6; n += 1) others.push(await knock('smtp'));
  // Nine of ten are taken, and nobody has been there for long.
  expect((await knock('smtp')).code).toBe('421');
  clock.advance(9_000);
  expect((await knock('smtp')).code).toBe('220');
  expect(await silent.client.reply()).toMatch(/^421 4\.3\.2 /);
  clock.advance(25_000);
  for (const line of ['MAIL FROM:<>', 'RCPT TO:<ann@jade.example>', 'DATA', 'x\r\n.']) await useful.say(line);
  for (const line of ['NOOP', 'MAIL FROM:<>', 'RSET', 'NOOP', 'EHLO x']) await talking.say(line);
  // The six, who talks and brings nothing, and the one who came in place of the silent one.
  for (let n = 0; n < 8; n += 1) expect((await knock('smtp')).code).toBe('220');
  for (const one of others) expect(await one.client.reply()).toMatch(/^421 /);
  expect(await talking.reply()).toMatch(/^421 4\.3\.2 /);
  expect(await useful.say('NOOP')).toMatch(/^250 /);
  expect((await knock('smtp')).code).toBe('421');
});

test('strangers who fill the port of users make room for users, and users for nobody', async () => {
  await begin({ settings: { maxSessions: 3, maxSessionsPerAddress: 0 }, tls: testCertificate() });
  const ann = await client('submission');
  expect(await ann.say(`AUTH PLAIN ${plain('ann', 'secret')}`)).toMatch(/^235 /);
  const first = await knock('submission');
  const second = await knock('submission');
  expect((await knock('submission')).code).toBe('421');
  clock.advance(11_000);
  const third = await knock('submission');
  expect(third.code).toBe('220');
  expect((await knock('submission')).code).toBe('220');
  expect((await knock('submission')).code).toBe('421');
  for (const one of [first, second]) expect(await one.client.reply()).toMatch(/^421 /);
  expect(await ann.say('NOOP')).toMatch(/^250 /);
});

test('who is sent away to make room is gone, whether it reads or not', async () => {
  await begin({ settings: { maxSessions: 1, maxSessionsPerAddress: 0 } });
  const deaf = connect(world.smtpd.port('submission') ?? 0, '127.0.0.1');
  await new Promise<void>((resolve) => deaf.once('data', () => resolve()));
  deaf.pause();
  clock.advance(11_000);
  expect((await knock('submission')).code).toBe('220');
  while (world.smtpd.connections > 1) await new Promise((resolve) => setImmediate(resolve));
  deaf.destroy();
});

test('a handshake that is dribbled is no session', async () => {
  await begin({ tls: testCertificate() });
  const c = await client();
  expect(await c.say('STARTTLS')).toMatch(/^220 /);
  expect(await dribble(c, '\x16\x03\x01', 20)).toBeLessThan(400);
  const good = connectTls({ port: world.smtpd.port('smtps') ?? 0, host: '127.0.0.1', rejectUnauthorized: false });
  await new Promise<void>((resolve) => good.once('data', () => resolve()));
  good.destroy();
});

test('who sends a thousand commands ahead leaves others their turn', async () => {
  await begin({ settings: { maxRecipients: 2_000 } });
  let asked = 0;
  world.mood.judge = async () => {
    asked += 1;
    return 'yes';
  };
  const c = await client();
  await c.say('MAIL FROM:<>');
  let [before, most, over] = [0, 0, false];
  const round = (): void => {
    most = Math.max(most, asked - before);
    before = asked;
    if (!over) setImmediate(round);
  };
  round();
  c.write('RCPT TO:<ann@jade.example>\r\n'.repeat(1_000));
  for (let n = 0; n < 1_000; n += 1) expect(await c.reply()).toMatch(/^250 /);
  over = true;
  expect(asked).toBe(1_000);
  expect(most).toBeLessThanOrEqual(32);
});
