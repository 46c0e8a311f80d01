/**
 * A slice of the long run against the directory (docs/performance.md, "Under attack"): every form of request, mutated, in the name of a
 * stranger, a user, a domain administrator and a super administrator.
 *
 * FUZZ_REQUESTS (default 40,000) and FUZZ_SEED make it longer and repeat it.
 */

import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { printed, siege } from '../fuzz/ldap-siege.ts';
import { exchanges } from '../support/exchanges.ts';
import { prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';

const requests = Number(process.env['FUZZ_REQUESTS'] ?? 40_000);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);

let files: ServerFiles;
let server: RunningServer;

beforeAll(async () => {
  // No name server, so that nothing a mutated address names is asked for.
  files = await prepareServer({ extra: 'dns: [127.0.0.1:9]' });
  server = await runServer(files, { command: ['env', `NODE_OPTIONS=--import=${resolve('test/fuzz/loop-watch.mjs')}`] });
  for (const exchange of Object.values(exchanges)) await exchange(files);
}, 120_000);

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

test('mutated requests of every form end, stall and bloat nothing, and the directory is sound afterwards', async () => {
  const report = await siege(files, server, { requests, seed, connections: 2 });
  console.log(`seed ${seed}\n${printed(report)}`);
  expect(report.complaints).toEqual([]);
  expect(server.process.exitCode).toBeNull();
  expect(report.check).toMatchObject({ code: 0, out: expect.stringContaining('0 faults, 0 warnings') });
  expect(report.memory.most).toBeLessThan(700);
  expect(report.descriptors.after).toBeLessThanOrEqual(report.descriptors.before + 4);
  expect(report.count.requests).toBeGreaterThanOrEqual(requests);
}, 600_000);
