/**
 * The server is killed again and again while its directory is written to: adds, changes, renames and moves, deletions of
 * subtrees, undoing, imports. What was answered is there, what was asked last is there wholly or not at all; indexes, sums and change log
 * agree with the entries; and whoever follows the changes, resuming anywhere, gets each once and from them the same tree.
 *
 * DIRECTORY_KILL_ROUNDS and KILL_SEED choose how often and what; the seed is printed.
 */

import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { constant, silentLog, systemClock } from '../../src/base/index.ts';
import {
  type Change,
  checkDirectory,
  directorySettings,
  inlineHasher,
  loadSchema,
  openDirectory,
  system,
} from '../../src/directory/index.ts';
import { LdapClient } from '../../src/directory-remote/index.ts';
import { parseFilter, rootDn } from '../../src/ldap-wire/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { openKeyValue } from '../../src/storage/index.ts';
import { ImportWorker, ModelWorker } from '../support/directory-model.ts';
import { randomFrom } from '../support/load.ts';
import { eventually, prepareServer, runServer, type ServerFiles } from '../support/server.ts';

const rounds = Number(process.env['DIRECTORY_KILL_ROUNDS'] ?? 8);
const seed = Number(process.env['KILL_SEED'] ?? Date.now() % 1_000_000);
const random = randomFrom(seed);

let files: ServerFiles;
beforeAll(async () => {
  files = await prepareServer({ example: false });
});
afterAll(() => files.remove());

async function administrator(): Promise<LdapClient> {
  const client = await LdapClient.connect({ path: files.ldapi });
  await client.bindExternal();
  return client;
}

/** Everything about the database of a server that does not run: faults, and the tree made from the changes alone. */
async function examine(from: number) {
  const schema = await loadSchema([join(process.cwd(), 'schema')]);
  const keyValue = await openKeyValue({ path: join(files.dir, 'data', 'directory'), clock: systemClock });
  try {
    const { faults, lastChange } = await checkDirectory(keyValue, schema);
    const settings = constant(defaultsOf(directorySettings));
    const directory = await openDirectory({ keyValue, schema, settings, clock: systemClock, log: silentLog, hasher: inlineHasher });
    const heard = await followed(directory, from, lastChange);
    const tree = new Map<string, string>();
    for await (const entry of directory.search(system('test'), {
      base: rootDn,
      scope: 'sub',
      filter: parseFilter('(objectClass=*)'),
      attributes: ['*', '+'],
    }))
      tree.set(entry.text('entryUUID') ?? '', `${entry.dn.toString()} ${entry.text('entryCSN')} ${entry.text('description')}`);
    await directory.close();
    return { faults, lastChange, heard, tree };
  } finally {
    await keyValue.close();
  }
}

/** Watches in pieces: each begins where the one before was stopped. */
async function followed(directory: Awaited<ReturnType<typeof openDirectory>>, from: number, to: number): Promise<Change[]> {
  const heard: Change[] = [];
  let position = from;
  while (position < to) {
    const most = 1 + Math.floor(random() * 400);
    const begun = heard.length;
    let lost = false;
    const listener = (change: Change): void => {
      if (heard.length - begun < most) heard.push(change);
    };
    const watch = await directory.watch(position, listener, () => {
      lost = true;
    });
    await eventually(async () => lost || heard.length - begun >= most || watch.position >= to);
    watch.stop();
    expect(lost).toBe(false);
    position = heard.at(-1)?.position ?? position;
  }
  return heard;
}

test('killed while its directory is written to, the server has what it answered for, and its changes tell the whole story', async () => {
  let server = await runServer(files);
  expect(await server.stop()).toBe(0);
  const start = await examine(0);
  expect(start.faults).toEqual([]);
  server = await runServer(files);
  const workers = Array.from({ length: 5 }, (_, n) => new ModelWorker(files, random, n));
  const importer = new ImportWorker(files);
  const all = [...workers, importer];
  let client = await administrator();
  for (const worker of all) await worker.prepare(client);
  client.close();
  const done = (): number => importer.answered + workers.flatMap(({ answered }) => [...answered.values()]).reduce((a, b) => a + b, 0);
  for (let round = 0; round < rounds; round++) {
    const had = done();
    const working = Promise.all(all.map((worker) => worker.run()));
    await Promise.race([working, eventually(async () => done() > had + 20, 30_000)]);
    // Somewhere in the middle of it, and not always in the same place.
    await new Promise((go) => setTimeout(go, random() * 400));
    for (const worker of all) worker.stopping();
    await server.kill();
    await working;
    if (round % 4 === 3) expect((await examine(start.lastChange)).faults).toEqual([]);
    server = await runServer(files);
    client = await administrator();
    for (const worker of all) await worker.verify(client);
    client.close();
  }
  const complaints = [...server.output().matchAll(/^.*\[Error\].*$/gm)].map(([line]) => line);
  expect(await server.stop()).toBe(0);
  expect(complaints).toEqual([]);

  const { faults, lastChange, heard, tree } = await examine(start.lastChange);
  expect(faults).toEqual([]);
  expect(heard.map(({ position }) => position)).toEqual(
    Array.from({ length: lastChange - start.lastChange }, (_, n) => start.lastChange + 1 + n),
  );
  const told = new Map(start.tree);
  for (const { kind, uuid, after } of heard) {
    if (kind === 'delete' || !after) expect(told.delete(uuid)).toBe(true);
    else told.set(uuid, `${after.dn.toString()} ${after.text('entryCSN')} ${after.text('description')}`);
  }
  expect([...told].sort()).toEqual([...tree].sort());
  const counts = new Map<string, number>([['import', importer.answered]]);
  for (const [does, n] of workers.flatMap(({ answered }) => [...answered])) counts.set(does, (counts.get(does) ?? 0) + n);
  console.log(
    `seed ${seed}, ${rounds} rounds, ${heard.length} changes; answered for: ${[...counts].map(([does, n]) => `${n} ${does}`).join(', ')}`,
  );
}, 1_200_000);
