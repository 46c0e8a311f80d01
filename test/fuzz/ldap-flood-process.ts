/** A flood as a process of its own: ports, forms, size and seed are the argument; how much it is, is told to the parent. */

import { randomFrom } from '../support/load.ts';
import { type FloodForm, flood } from './ldap-flood.ts';

const job = JSON.parse(process.argv[2] ?? '') as {
  readonly ports: { readonly ldap: number; readonly ldaps: number };
  readonly forms: readonly FloodForm[];
  readonly size: number;
  readonly seed: number;
};
const running = flood(job.ports, job.forms, job.size, randomFrom(job.seed));
setInterval(() => process.send?.({ made: running.made, open: running.open }), 200);
process.once('disconnect', () => process.exit());
