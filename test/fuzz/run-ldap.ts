/**
 * The long run against the directory: `npm run --silent build && npx tsx test/fuzz/run-ldap.ts [requests] [seed] [minutes]`.
 *
 * Ten million mutated requests unless told otherwise, or as many as go into so many minutes; prints how far it is every half minute, and the figures at the end. Ends with 1
 * where something is not as it should be.
 */

import { resolve } from 'node:path';
import { exchanges } from '../support/exchanges.ts';
import { prepareServer, runServer } from '../support/server.ts';
import { printed, siege } from './ldap-siege.ts';

const requests = Number(process.argv[2] ?? 10_000_000);
const seed = Number(process.argv[3] ?? 1);
const minutes = Number(process.argv[4] ?? Number.POSITIVE_INFINITY);
const files = await prepareServer({ extra: 'dns: [127.0.0.1:9]' });
const server = await runServer(files, { command: ['env', `NODE_OPTIONS=--import=${resolve('test/fuzz/loop-watch.mjs')}`] });
try {
  for (const exchange of Object.values(exchanges)) await exchange(files);
  let next = Date.now();
  const report = await siege(files, server, { requests, seed, connections: 3, seconds: minutes * 60 }, (count, memory) => {
    if (Date.now() < next) return;
    next = Date.now() + 30_000;
    console.log(`${new Date().toISOString()} ${count.requests.toLocaleString('en')} requests, ${Math.round(memory)} MB`);
  });
  console.log(printed(report));
  console.log(`the batch that took longest: ${Math.round(report.count.slowest.ms)} ms, ${report.count.slowest.batch}`);
  process.exitCode = report.complaints.length > 0 || report.check.code !== 0 || server.process.exitCode !== null ? 1 : 0;
} finally {
  await server.stop();
  console.log(server.output().split('\n').slice(-40).join('\n'));
  await files.remove();
}
