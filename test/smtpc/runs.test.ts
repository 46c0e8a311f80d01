/** Runs of domain channels: who goes with them, and who is not forgotten. */

import { afterEach, expect, test } from '@jest/globals';
import { startWorld, type World } from './helpers.ts';

let world: World;
afterEach(async () => {
  await world.sink.stop();
  await world.stop();
});
const dest = 'dest.example';
const minute = 60_000;

test('new mail that takes the only session between two of a run does not leave the rest asleep', async () => {
  let down = true;
  world = await startWorld({ reply: (verb) => (verb === 'connect' && down ? '421 not now' : undefined) });
  world.peers[dest] = { sessions: 1, messagesPerSession: 2 };
  for (let n = 0; n < 8; n += 1) {
    await world.queued([`u${n}@${dest}`]);
    await world.until(1, new RegExp(`^Deferred .* to u${n}@`));
  }
  down = false;
  const { reply } = world.sink.script;
  let fresh = 0;
  let filed: Promise<unknown> = Promise.resolve();
  world.sink.script.reply = (verb, line, connection) => {
    // While each session of the run works, something new comes in.
    if ((verb === 'QUIT' || verb === '.') && fresh < 3) {
      fresh += 1;
      filed = filed.then(() => world.queued([`fresh@${dest}`]));
    }
    return reply?.(verb, line, connection);
  };
  // The run begins at its time.
  world.clock.advance(20 * minute);
  await world.until(1, /^Sent/);
  await filed;
  await world.until(11, /^Sent/);
  expect(world.sink.messages).toHaveLength(11);
});
