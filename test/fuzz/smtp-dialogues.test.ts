/** Whole SMTP conversations, good and bad, said at once or in pieces: every command has its one reply, and what is accepted was sent. */

import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startWorld, type World } from '../smtpd/helpers.ts';
import { type Dice, dice, script } from './smtp-model.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_126);
const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 300);
let world: World;

beforeAll(async () => {
  world = await startWorld({
    settings: { maxErrors: 1_000, maxLoginFailures: 100, etrnPerMinute: 0, maxSessions: 0, maxSessionsPerAddress: 0 },
  });
});
afterAll(() => world.stop());

/** Says it all, in pieces as the dice cut them, and hears everything until the door closes. */
function converse(bytes: string, roll: Dice): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(world.smtpd.port('smtp') ?? 0, '127.0.0.1');
    let heard = '';
    socket
      .setNoDelay(true)
      .setEncoding('latin1')
      .on('data', (piece) => {
        heard += piece;
      });
    socket.once('error', reject).once('close', () => resolve(heard));
    const most = Math.max([1, 7, 80, 3_000, 1_000_000][roll(5)] ?? 1, bytes.length / 1_000);
    const say = (from: number): void => {
      if (from >= bytes.length || socket.destroyed) return;
      const to = from + 1 + roll(Math.ceil(most));
      socket.write(Buffer.from(bytes.slice(from, to), 'latin1'), () => (roll(3) === 0 ? setImmediate(say, to) : say(to)));
    };
    // Whoever talks before the greeting is sent away.
    socket.once('data', () => say(0));
  });
}

/** The codes of whole replies; anything that is none fails. */
function codesOf(heard: string): string[] {
  const lines = heard.split('\r\n');
  expect(lines.pop()).toBe('');
  for (const line of lines) expect(line).toMatch(/^\d{3}[ -][^\r\n\0]*$/);
  return lines.filter((line) => line[3] === ' ').map((line) => line.slice(0, 3));
}

test('every command has the one reply that the book asks for, and nothing is accepted but what was sent', async () => {
  const roll = dice(seed);
  for (let round = 0; round < rounds; round += 1) {
    world.accepted.length = 0;
    const { bytes, codes, said, accepted } = script(roll, 4 + roll(25));
    const heard = codesOf(await converse(bytes, roll));
    const wrong = heard.findIndex((code, n) => !new RegExp(`^${codes[n] ?? 'none'}$`).test(code));
    if (wrong >= 0 || heard.length !== codes.length)
      expect({ round, heard: heard.slice(0, wrong + 1), said: said[wrong] }).toEqual({
        round,
        heard: codes.slice(0, wrong + 1),
        said: said.slice(0, wrong + 1),
      });
    const got = world.accepted.map(({ sender, recipients, blob }) => ({
      sender,
      recipients: recipients.map(({ address }) => address).sort(),
      text: world.blobs.stored.get(blob.id)?.toString('latin1'),
    }));
    expect({ round, bytes, got }).toEqual({ round, bytes, got: accepted });
  }
  while (world.smtpd.connections > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(world.blobs.open).toBe(0);
}, 600_000);
