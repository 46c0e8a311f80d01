/**
 * A whole server under mutated LDAP requests in the name of everybody: a stranger, a user, a domain administrator and a super
 * administrator; and ordinary clients beside them.
 *
 * The attackers are a process of their own, so that what they compute does not count as the server's slowness.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { LdapClient } from '../../src/directory-remote/index.ts';
import { parseDn, parseFilter } from '../../src/ldap-wire/index.ts';
import { exchanges, reader } from '../support/exchanges.ts';
import {
  adminDn,
  administrator,
  adminPassword,
  command,
  cpuOf,
  memoryOf,
  password,
  type RunningServer,
  type ServerFiles,
} from '../support/server.ts';
import { ground, groundAdmin, groundPassword, groundUser } from './ldap-corpus.ts';
import type { StormCount, StormJob } from './ldap-storm.ts';
import { complaints, startWitness } from './server-attack.ts';

const logins: StormJob['logins'] = {
  user: [groundUser(1), groundPassword],
  domain: [groundAdmin, groundPassword],
  super: [adminDn, adminPassword],
};

/** Makes what the fuzzer works on, where it is not there (any more). */
export async function layGround(files: Pick<ServerFiles, 'ldapi'>): Promise<void> {
  const client = await administrator(files);
  const put = async (dn: string, of: Record<string, readonly string[]>, secret?: string): Promise<void> => {
    const attributes = Object.entries({ ...of, ...(secret === undefined ? {} : { userPassword: [secret] }) });
    await client
      .add(
        parseDn(dn),
        attributes.map(([name, values]) => ({ name, values })),
      )
      .catch(() => {});
    if (secret !== undefined) {
      await client.modify(parseDn(dn), [{ operation: 'replace', attribute: { name: 'userPassword', values: [secret] } }]).catch(() => {});
    }
  };
  await put(ground, { objectClass: ['domain', 'mtMailDomain'], dc: ['ground'] });
  await put(groundAdmin, { objectClass: ['mtAdministrator'], cn: ['admin'] }, groundPassword);
  for (const n of [1, 2, 3]) {
    const mail = `user${n}@ground.test`;
    const classes = ['inetOrgPerson', 'mtMailUser', 'inetLocalMailRecipient'];
    await put(groundUser(n), { objectClass: classes, mail: [mail], cn: [`user${n}`], sn: ['Ground'] }, groundPassword);
  }
  await put(adminDn, { objectClass: ['mtAdministrator'], cn: ['admin'] }, adminPassword);
  client.close();
}

export interface SiegeReport {
  readonly count: StormCount;
  readonly seconds: number;
  /** Megabytes. */
  readonly memory: { readonly before: number; readonly most: number; readonly after: number };
  readonly descriptors: { readonly before: number; readonly after: number };
  /** Seconds of processor time the server used. */
  readonly cpu: number;
  /** Milliseconds of the slowest ordinary exchange of each name. */
  readonly slowest: ReadonlyMap<string, number>;
  /** Errors in the log, traces, turns of the loop that were too long. */
  readonly complaints: readonly string[];
  /** What `mailtree directory check` says. */
  readonly check: { readonly code: number | null; readonly out: string };
}

const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** An ordinary client of the directory that stays: a search every tenth of a second. */
async function bystander(files: ServerFiles, going: () => boolean): Promise<number> {
  const client = await LdapClient.connect({ host: '127.0.0.1', port: files.ports.ldap });
  await client.bind(`mail=${reader},dc=jade,dc=net`, password);
  let slowest = 0;
  while (going()) {
    const begun = performance.now();
    const found = await client.search({ base: parseDn('dc=jade,dc=net'), scope: 'sub', filter: parseFilter(`(mail=${reader})`) });
    if (found.length !== 1) throw new Error('the bystander is not found');
    slowest = Math.max(slowest, performance.now() - begun);
    await pause(100);
  }
  client.close();
  return slowest;
}

function attackers(job: StormJob, told: (count: StormCount) => void): { readonly child: ChildProcess; readonly done: Promise<StormCount> } {
  const program = resolve('test/fuzz/ldap-storm-process.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(job)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let last: StormCount | undefined;
  child.on('message', (count) => {
    last = count as StormCount;
    told(last);
  });
  const done = new Promise<StormCount>((settle, fail) => {
    child.once('error', fail);
    child.once('close', (code) => {
      if (code === 0 && last) settle(last);
      else fail(new Error(`the attackers ended with code ${code}`));
    });
  });
  return { child, done };
}

export async function siege(
  files: ServerFiles,
  server: RunningServer,
  job: Pick<StormJob, 'requests' | 'seed' | 'connections' | 'seconds'>,
  told: (count: StormCount, memory: number) => void = () => {},
): Promise<SiegeReport> {
  await layGround(files);
  const said = server.output().length;
  const before = memoryOf(server.pid);
  const filesBefore = openFiles(server.pid);
  const cpuBefore = cpuOf(server.pid);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, memoryOf(server.pid));
  }, 250);
  let [going, refused, laying] = [true, 0, Promise.resolve()];
  const staying = bystander(files, () => going);
  staying.catch(() => {});
  const witness = startWitness(files, exchanges, 60_000);
  const begun = performance.now();
  const { child, done } = attackers({ ...job, port: files.ports.ldap, tlsPort: files.ports.ldaps, logins }, (count) => {
    const now = Object.values(count.refused).reduce((a, b) => a + b, 0);
    // A mutated write has got at an account, or at the whole ground.
    if (now > refused) laying = laying.then(() => layGround(files));
    refused = now;
    told(count, memoryOf(server.pid));
  });
  let count: StormCount;
  try {
    count = await done;
  } finally {
    child.kill();
    clearInterval(watch);
    going = false;
  }
  const seconds = (performance.now() - begun) / 1_000;
  const cpu = cpuOf(server.pid) - cpuBefore;
  await laying;
  const slowest = new Map([...(await witness.stop()), ['directory, connection kept', await staying] as const]);
  for (let n = 0; n < 100 && openFiles(server.pid) > filesBefore; n++) await pause(100);
  const check = await command('mailtree', ['directory', 'check'], files);
  const traces =
    server
      .output()
      .slice(said)
      .match(/^(?:one turn of the loop|\s+at \S+ \().*$/gm) ?? [];
  return {
    count,
    seconds,
    cpu,
    memory: { before, most, after: memoryOf(server.pid) },
    descriptors: { before: filesBefore, after: openFiles(server.pid) },
    slowest,
    complaints: [...complaints(server), ...traces, ...count.unanswered.map((batch) => `never answered: ${batch}`)],
    check: { code: check.code, out: check.out + check.err },
  };
}

export function printed(report: SiegeReport): string {
  const { count, seconds, memory, descriptors, slowest } = report;
  const whole = (n: number): string => Math.round(n).toLocaleString('en');
  return [
    `${whole(count.requests)} mutated requests read (${whole(count.unknown)} more cut off with their connection), ${whole(count.connections)} connections, ${whole(count.octets / 1e6)} MB, in ${whole(seconds)} s: ${whole(count.requests / seconds)}/s, ${((report.cpu * 1e6) / count.requests).toFixed(0)} µs of processor time each`,
    `answers: ${Object.entries(count.results)
      .map(([code, n]) => `${code}: ${whole(n)}`)
      .join(', ')}`,
    `log-ins refused: ${JSON.stringify(count.refused)}`,
    `memory ${whole(memory.before)} MB before, ${whole(memory.most)} at most, ${whole(memory.after)} after; descriptors ${descriptors.before} before, ${descriptors.after} after`,
    `slowest ordinary exchange: ${[...slowest].map(([name, ms]) => `${name} ${whole(ms)} ms`).join(', ')}`,
    `complaints: ${report.complaints.length}`,
    ...report.complaints.slice(0, 20),
    `mailtree directory check: ${report.check.code} ${report.check.out.trim()}`,
  ].join('\n');
}
