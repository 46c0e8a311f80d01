/** A host that takes up the connection and then no mail gives its turn to the next one. RFC 5321 §5.1 */

import { afterEach, expect, test } from '@jest/globals';
import { type Sink, type SinkScript, startSink } from '../support/smtp-sink.ts';
import { startWorld, type World } from './helpers.ts';

let world: World;
let other: Sink | undefined;
afterEach(async () => {
  await other?.stop();
  other = undefined;
  await world.stop();
});

/** Mail for dest.example: by the sink, then by another one, and at last by a host that nobody listens at. */
async function begin(script: SinkScript, second: SinkScript | undefined): Promise<void> {
  world = await startWorld(script);
  if (second) other = await startSink(second, { host: '127.0.0.2', port: world.sink.port });
  const exchange = (name: string, preference: number) => ({ preference, exchange: name });
  Object.assign(world.zones, {
    'dest.example': { mx: [exchange('mx.dest.example', 10), exchange('mx2.dest.example', 20), exchange('mx3.dest.example', 30)] },
    'mx2.dest.example': { a: ['127.0.0.2'] },
    'mx3.dest.example': { a: ['127.0.0.3'] },
  });
}

const at =
  (verb: string, reply: string): NonNullable<SinkScript['reply']> =>
  (said) =>
    said === verb ? reply : undefined;

test.each([
  ['MAIL', 'drop'],
  ['MAIL', '421 4.7.0 too many connections'],
  ['RCPT', 'drop'],
  ['RCPT', '421 4.3.2 closing'],
  ['DATA', '421 4.3.2 closing'],
])('at %s "%s": the next host gets the mail at once', async (verb, reply) => {
  await begin({ reply: at(verb, reply) }, {});
  await world.queued(['bob@dest.example', 'bill@dest.example']);
  await world.until(2);
  expect(world.logged).toEqual(Array(2).fill(expect.stringMatching(/^Sent .* host=mx2\.dest\.example .*attempts=1/)));
  expect([other?.messages.map(({ to }) => to), world.sink.connections]).toEqual([[['bob@dest.example', 'bill@dest.example']], 1]);
});

test.each([
  ['MAIL', '451 4.3.0 not this one'],
  ['RCPT', '450 4.7.1 greylisted'],
  ['.', 'drop'],
  ['.', '421 4.3.2 closing'],
])('at %s "%s": the mail waits, for the next host would say the same or might deliver it twice', async (verb, reply) => {
  await begin({ reply: at(verb, reply) }, {});
  await world.queued(['bob@dest.example']);
  await world.until(1);
  expect(world.logged).toEqual([expect.stringMatching(/^Deferred .* host=mx\.dest\.example status=4\.[1-7]\.\d /)]);
  expect(other?.connections).toBe(0);
});

test.each([
  ['every host hangs up', { reply: at('MAIL', '421 4.7.0 nor here') }, /host=mx2\.dest\.example .*attempts=1 .*: 421 4\.7\.0 nor here$/],
  ['no other can be had', undefined, /host=mx\.dest\.example .*attempts=1 .*: 421 4\.7\.0 too many connections$/],
] as const)('where %s the mail waits, with what was said last', async (_, second, line) => {
  await begin({ reply: at('MAIL', '421 4.7.0 too many connections') }, second as SinkScript | undefined);
  await world.queued(['bob@dest.example']);
  await world.until(1);
  expect(world.logged).toEqual([expect.stringMatching(/^Deferred /)]);
  expect(world.logged[0]).toMatch(line);
});

test('this host itself is no other one, and where it stands among the exchangers the mail waits all the same', async () => {
  world = await startWorld({ reply: at('MAIL', 'drop') }, {}, { isOwn: (address) => address === '127.0.0.2' });
  Object.assign(world.zones, {
    'dest.example': { mx: [10, 20].map((preference) => ({ preference, exchange: `mx${preference === 10 ? '' : 2}.dest.example` })) },
    'mx2.dest.example': { a: ['127.0.0.2'] },
  });
  await world.queued(['bob@dest.example']);
  await world.until(1);
  expect(world.logged).toEqual([expect.stringMatching(/^Deferred .* host=mx\.dest\.example /)]);
});
