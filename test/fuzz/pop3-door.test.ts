import { afterAll, expect, test } from '@jest/globals';
import { type Bench, openBench } from '../pop3d/support.ts';

/** A small seeded generator (mulberry32). */
function dice(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

let bench: Bench;
afterAll(() => bench.close());

const words = [
  'STAT',
  'LIST',
  'UIDL',
  'RETR',
  'TOP',
  'DELE',
  'RSET',
  'NOOP',
  'CAPA',
  'AUTH',
  'USER',
  'PASS',
  'STLS',
  'UTF8',
  'APOP',
  'constructor',
  '1',
  '2',
  '3',
  '0',
  '-1',
  '99999999999999999999',
  '1e9',
  '\0',
  'ÿ',
  '%s',
  'PLAIN',
  '=',
  '*',
  'x'.repeat(2000),
  '',
  ' ',
  '\r',
  '\t',
];

test('every line of rubbish gets an answer, in order, and the door stays open', async () => {
  bench = await openBench(['Subject: one\r\n\r\n.dots\r\n..\r\n', 'two', ''], { settings: { maxErrors: 10_000, maxLoginAttempts: 100 } });
  const random = dice(20300102);
  const word = (): string => words[Math.floor(random() * words.length)]!;
  for (let session = 0; session < 30; session++) {
    const client = session % 3 === 0 ? await bench.client() : await bench.user();
    let sent = '';
    for (let n = 0; n < 60; n++) sent += `${Array.from({ length: 1 + Math.floor(random() * 3) }, word).join(' ')}\r\n`;
    // A lone AUTH PLAIN would take the next line for its response: the last line must be read as a command.
    sent += '*\r\nNOOP\r\nQUIT\r\n';
    for (let at = 0; at < sent.length; ) {
      const size = 1 + Math.floor(random() * 400);
      client.send(sent.slice(at, at + size));
      at += size;
    }
    let last = '';
    for (let line = await client.line(); line !== 'closed'; line = await client.line()) last = line;
    expect(last).toMatch(/^(\+OK bye|-ERR)/);
  }
  const client = await bench.client();
  expect(await client.ask('CAPA')).toMatch(/^\+OK/);
});
