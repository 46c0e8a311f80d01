/**
 * Strangers send anything at all to every door of a whole server, while ordinary clients go on working.
 *
 * FUZZ_SECONDS (default 5) for each protocol; FUZZ_SEED repeats a run.
 */

import { readdirSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { attack, complaints, startWitness } from '../fuzz/server-attack.ts';
import type { Protocol } from '../fuzz/server-corpus.ts';
import { exchanges } from '../support/exchanges.ts';
import { mailboxContents, randomFrom } from '../support/load.ts';
import {
  type Door,
  eventually,
  memoryOf,
  password,
  prepareServer,
  type RunningServer,
  runServer,
  type ServerFiles,
} from '../support/server.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 5);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);

/** Doors that are attacked together. */
const groups: readonly (readonly [Protocol, readonly Door[]])[] = [
  ['ldap', ['ldap', 'ldaps']],
  ['smtp', ['smtp', 'smtps']],
  ['submission', ['submission', 'smtps']],
  ['imap', ['imap', 'imaps']],
  ['pop3', ['pop3', 'pop3s']],
  ['http', ['http']],
];

let files: ServerFiles;
let server: RunningServer;

beforeAll(async () => {
  // No name server, so that nothing a mutated recipient names is asked for.
  files = await prepareServer({ extra: 'dns: [127.0.0.1:9]' });
  server = await runServer(files);
  for (const exchange of Object.values(exchanges)) await exchange(files);
});

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

function descriptors(): { readonly sockets: number; readonly all: number } {
  const folder = `/proc/${server.pid}/fd`;
  const names = readdirSync(folder).map((name) => {
    try {
      return readlinkSync(`${folder}/${name}`);
    } catch {
      return '';
    }
  });
  return { sockets: names.filter((name) => name.startsWith('socket:')).length, all: names.length };
}

let socketsAtRest = 0;

test('at rest the number of open sockets is steady', async () => {
  // Connections of the exchanges before may still be going away.
  for (let last = -1; last !== socketsAtRest; ) {
    last = socketsAtRest;
    await new Promise((done) => setTimeout(done, 500));
    socketsAtRest = descriptors().sockets;
  }
  expect(socketsAtRest).toBeGreaterThan(0);
});

test.each(groups)(
  'random and mutated bytes at %s: nothing ends, nobody else waits',
  async (protocol, doors) => {
    const random = randomFrom(seed);
    const before = memoryOf(server.pid);
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, memoryOf(server.pid));
    }, 200);
    const witness = startWitness(files, exchanges);
    const done = await Promise.all(
      doors.map((door) =>
        attack({
          protocol,
          port: files.ports[door],
          tls: door.endsWith('s'),
          password,
          ms: seconds * 1_000,
          clients: Math.ceil(8 / doors.length),
          random,
        }),
      ),
    );
    const slowest = await witness.stop();
    clearInterval(watch);
    const sum = (of: 'connections' | 'octets'): number => done.reduce((total, one) => total + one[of], 0);
    await eventually(async () => descriptors().sockets <= socketsAtRest, 30_000);
    console.log(
      [
        `${protocol}, seed ${seed}: ${sum('connections')} connections, ${sum('octets')} octets in ${seconds} s`,
        `memory ${Math.round(before)} MB before, ${Math.round(peak)} MB at most, ${Math.round(memoryOf(server.pid))} MB after; ${descriptors().all} descriptors`,
        `slowest ordinary exchange: ${[...slowest].map(([name, ms]) => `${name} ${Math.round(ms)} ms`).join(', ')}`,
      ].join('\n'),
    );
    expect(server.process.exitCode).toBeNull();
    expect(complaints(server)).toEqual([]);
    expect(peak).toBeLessThan(600);
  },
  seconds * 1_000 + 120_000,
);

test('afterwards mail is delivered', async () => {
  const count = async (): Promise<number> => (await mailboxContents(files, 'user3@jade.net')).length;
  const before = await count();
  await exchanges['smtp']?.(files);
  await eventually(async () => (await count()) > before);
});
