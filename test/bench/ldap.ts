/**
 * The directory beside OpenLDAP's slapd (mdb): same entries, same indexes, every write flushed on both sides, same client, taking turns.
 *
 *     npm run --silent build && npx tsx test/bench/ldap.ts [entries …]
 *
 * ROUNDS (3), CONNECTIONS (1,10,50), KINDS (all), OPERATIONS (20000 searches; fewer of what costs more). Prints rates, processor time of
 * the server for each operation, and both as ratios. Needs Debian's slapd.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adminDn, adminPassword, memoryOf, prepareServer, runServer } from '../support/server.ts';
import { freePort } from '../support/temp.ts';
import { type LdapJob, type LdapResult, ldapLoad } from './load/ldap.ts';
import { hashedPassword, type Kind, type People, withPassword } from './load/ldap-requests.ts';
import { startSlapd } from './peers/slapd.ts';

const list = (name: string, otherwise: string): string[] => (process.env[name] ?? otherwise).split(',');
const rounds = Number(process.env['ROUNDS'] ?? 3);
const operations = Number(process.env['OPERATIONS'] ?? 20_000);
const connections = list('CONNECTIONS', '1,10,50').map(Number);
const kinds = list('KINDS', 'equality,base,page,bind,modify,mixed,add') as Kind[];
/** So many of the measured number are made of each kind, by what they cost. */
const share: Readonly<Record<Kind, number>> = { equality: 1, base: 1, page: 0.05, bind: 0.5, modify: 0.2, mixed: 0.5, add: 0.1 };

/** Connections of a round of each kind that nobody measures. */
const warmConnections = 20;

const password = 'bench-password-1';
const people: People = { base: 'dc=example,dc=test', domain: 'example.test', hashed: hashedPassword(password) };

interface Side {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly bind: { readonly dn: string; readonly password: string };
  /** People that are there. */
  count: number;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function round(side: Side, kind: Kind, width: number, entries: number): Promise<LdapResult> {
  const count = Math.max(width, Math.round(operations * share[kind] * (width === 1 ? 0.3 : 1)));
  const warm = kind === 'bind' ? withPassword : Math.round(count / 4);
  const first = kind === 'add' ? side.count : Math.round(Math.random() * entries);
  const job: LdapJob = {
    ...people,
    ...side,
    host: '127.0.0.1',
    kind,
    connections: width,
    count,
    warm,
    first,
    people: entries,
    password,
  };
  const result = await ldapLoad(job);
  if (kind === 'add') side.count += warm + count;
  return result;
}

async function compare(sides: readonly Side[], kind: Kind, width: number, entries: number): Promise<void> {
  const results = new Map<Side, LdapResult[]>(sides.map((side) => [side, []]));
  for (let n = 0; n < rounds; n++) for (const side of sides) results.get(side)?.push(await round(side, kind, width, entries));
  const middle = (side: Side | undefined, value: (result: LdapResult) => number): number =>
    median((side ? (results.get(side) ?? []) : []).map(value));
  const rate = (result: LdapResult): number => result.count / result.seconds;
  const cpu = (result: LdapResult): number => (result.server * 1e6) / result.count;
  const shown = sides.map((side) => {
    const p99 = middle(side, ({ latencies }) => latencies[Math.floor(latencies.length * 0.99)] ?? 0);
    return `${side.name} ${middle(side, rate).toFixed(0).padStart(6)}/s ${middle(side, cpu).toFixed(1).padStart(7)} µs CPU  p99 ${p99.toFixed(2).padStart(6)} ms`;
  });
  const [ours, theirs] = sides;
  const ratio = middle(ours, rate) / middle(theirs, rate);
  const efficiency = middle(theirs, cpu) / middle(ours, cpu);
  const client = middle(ours, (result) => (result.client * 1e6) / result.count).toFixed(1);
  console.log(
    `${kind.padEnd(9)} ${String(width).padStart(2)}   ${shown.join('   ')}   rate ×${ratio.toFixed(2)}  per CPU second ×${efficiency.toFixed(2)}  (client ${client} µs)`,
  );
}

async function main(entries: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'mailtree-bench-'));
  const files = await prepareServer({ example: false });
  const server = await runServer(files);
  const port = await freePort();
  const slapd = await startSlapd({ dir, port, people, count: entries });
  try {
    const ours: Side = {
      name: 'Mailtree',
      port: files.ports.ldap,
      pid: server.pid,
      bind: { dn: adminDn, password: adminPassword },
      count: 0,
    };
    const load = await ldapLoad({
      ...people,
      ...ours,
      host: '127.0.0.1',
      kind: 'add',
      connections: 50,
      count: entries,
      warm: 0,
      first: 0,
      people: entries,
      password,
    });
    ours.count = entries;
    console.log(
      `\n${entries} entries: Mailtree took ${load.seconds.toFixed(1)} s over LDAP, ${((load.server * 1e6) / entries).toFixed(0)} µs CPU each; ${memoryOf(server.pid).toFixed(0)} MB resident`,
    );
    const theirs: Side = { name: 'slapd', port, pid: slapd.pid, bind: slapd.bind, count: entries };
    for (const kind of kinds) {
      // Both sides alike: code compiled, caches as full as they get.
      for (const side of [ours, theirs]) await round(side, kind, warmConnections, entries);
      for (const width of connections) await compare([ours, theirs], kind, width, entries);
    }
    console.log(`resident: Mailtree ${memoryOf(server.pid).toFixed(0)} MB, slapd ${memoryOf(slapd.pid).toFixed(0)} MB`);
  } finally {
    await slapd.stop();
    await server.stop();
    await files.remove();
    await rm(dir, { recursive: true, force: true });
  }
}

const sizes = process.argv.slice(2).map(Number);
for (const entries of sizes.length > 0 ? sizes : [10_000, 100_000]) await main(entries);
