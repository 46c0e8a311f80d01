/**
 * Thousands of connections to the directory that are of no use: ordinary clients of every door, and the administrator, go on; memory
 * is bounded; afterwards everything is as before; the log says what was in a few lines.
 *
 * FLOOD_SIZE (default 2,000) connections at a time, FLOOD_SECONDS (default 2) for each form. More than some 9,000 need `ulimit -n`.
 */

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LdapClient } from '../../src/directory-remote/index.ts';
import { parseDn, parseFilter } from '../../src/ldap-wire/index.ts';
import { type FloodForm, floodForms } from '../fuzz/ldap-flood.ts';
import { complaints, startWitness } from '../fuzz/server-attack.ts';
import { exchanges, reader } from '../support/exchanges.ts';
import {
  administrator,
  eventually,
  memoryOf,
  password,
  prepareServer,
  type RunningServer,
  runServer,
  type ServerFiles,
} from '../support/server.ts';

const size = Number(process.env['FLOOD_SIZE'] ?? 2_000);
// Of little use, but no work: what asks for much has the whole flood for itself.
const silentForms = floodForms.filter((form) => form !== 'searches whose answers nobody takes');
const seconds = Number(process.env['FLOOD_SECONDS'] ?? 2);

let files: ServerFiles;
let server: RunningServer;

beforeAll(async () => {
  files = await prepareServer({ extra: 'dns: [127.0.0.1:9]' });
  server = await runServer(files);
  for (const exchange of Object.values(exchanges)) await exchange(files);
}, 120_000);

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

const openFiles = (): number => readdirSync(`/proc/${server.pid}/fd`).length;
const search = { base: parseDn('dc=jade,dc=net'), scope: 'sub', filter: parseFilter(`(mail=${reader})`) } as const;
const logLines = (): string[] => readFileSync(join(files.dir, 'data/log/iemta.log'), 'utf8').split('\n');

function begin(forms: readonly FloodForm[]): { readonly state: { made: number; open: number }; stop(): Promise<void> } {
  const { ldap, ldaps } = files.ports;
  const job = JSON.stringify({ ports: { ldap, ldaps }, forms, size, seed: 1 });
  const child = spawn(process.execPath, ['--import', 'tsx', resolve('test/fuzz/ldap-flood-process.ts'), job], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const state = { made: 0, open: 0 };
  child.on('message', (now) => Object.assign(state, now));
  const gone = new Promise<void>((done) => child.once('close', () => done()));
  return {
    state,
    async stop() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

test.each([...floodForms.map((form) => [form] as const), ['all of it at once'] as const])(
  'a flood of %s: others are served, memory stays, and it passes without a trace',
  async (form) => {
    const [before, filesBefore, linesBefore] = [memoryOf(server.pid), openFiles(), logLines().length];
    const kept = await LdapClient.connect({ host: '127.0.0.1', port: files.ports.ldap });
    await kept.bind(`mail=${reader},dc=jade,dc=net`, password);
    const running = begin(form === 'all of it at once' ? silentForms : [form as FloodForm]);
    await eventually(async () => running.state.made >= size, 60_000);
    const witness = startWitness(files, exchanges, 30_000);
    let [most, slowest] = [before, 0];
    for (const until = performance.now() + seconds * 1_000; performance.now() < until; ) {
      const begun = performance.now();
      expect(await kept.search(search)).toHaveLength(1);
      const admin = await administrator(files);
      expect(await admin.search(search)).toHaveLength(1);
      admin.close();
      slowest = Math.max(slowest, performance.now() - begun);
      most = Math.max(most, memoryOf(server.pid));
      await new Promise((done) => setTimeout(done, 100));
    }
    const others = await witness.stop();
    const { made, open } = running.state;
    await running.stop();
    kept.close();
    await eventually(async () => openFiles() <= filesBefore + 2, 60_000);
    const lines = logLines()
      .slice(linesBefore - 1)
      .filter((line) => / (LDAPD|DIRECTORY)\b/.test(line));
    console.log(
      [
        `${form}: ${made} connections made, ${open} open at the end`,
        `memory ${Math.round(before)} MB before, ${Math.round(most)} at most, ${Math.round(memoryOf(server.pid))} after`,
        `slowest of others: ${Math.round(slowest)} ms for a search and an administrator's log-in, ${[...others].map(([name, ms]) => `${name} ${Math.round(ms)} ms`).join(', ')}`,
        ...lines,
      ].join('\n'),
    );
    expect(complaints(server)).toEqual([]);
    expect(Math.max(most, memoryOf(server.pid)) - before).toBeLessThan(250);
    expect(lines.length).toBeLessThan(12);
  },
  120_000 + seconds * 1_000,
);
