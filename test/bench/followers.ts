/**
 * Following the directory: microseconds of CPU that one change costs for each follower, from the log to the octets of its message, and
 * whether everybody got every change: thousands of changes, a hundred writers, one follower that takes its time.
 *
 * Run: npx tsx test/bench/followers.ts [changes]
 */

import { setMaxListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Actor, type SyncEvent, system } from '../../src/directory/index.ts';
import { parseFilter, wrapOperation } from '../../src/ldap-wire/index.ts';
import { syncState, uuidOctets } from '../../src/ldapd/controls/sync.ts';
import { entryOperation } from '../../src/ldapd/encode-entry.ts';
import { dn, fill, openTemporary, person, root } from '../directory/support.ts';

const admin: Actor = { dn: dn('cn=admin,cn=admins,cn=mailtree'), as: 'bound', door: 'bench' };
const user: Actor = { dn: dn('mail=user1@jade.net,dc=jade,dc=net'), as: 'bound', door: 'bench' };

async function round(name: string, changes: number, actors: readonly Actor[], filter: string, slow = false): Promise<number> {
  const opened = await openTemporary();
  await fill(opened.directory);
  const users = Array.from({ length: 100 }, (_, n) => dn(`mail=p${n}@jade.net,dc=jade,dc=net`));
  for (const [n, user] of users.entries()) await opened.directory.add(root, user, person(`p${n}@jade.net`));
  const abort = new AbortController();
  setMaxListeners(0, abort.signal);
  const counts = actors.map(() => 0);
  const lasts = actors.map(() => '');
  let octets = 0;
  const encode = (event: SyncEvent): void => {
    if (event.kind !== 'entry') return;
    const uuid = uuidOctets(event.uuid);
    if (uuid) octets += wrapOperation(5, entryOperation(event.entry, false), [syncState(event.state, uuid, event.cookie)]).length;
  };
  const followers = actors.map(async (actor, n) => {
    const search = { base: dn('dc=net'), scope: 'sub', filter: parseFilter(filter), attributes: ['*', 'entryCSN'] } as const;
    const request = { ...search, cookie: undefined, reloadHint: false, persist: true, signal: abort.signal };
    for await (const event of opened.directory.synchronise(actor, request)) {
      encode(event);
      if (event.kind === 'entry') {
        counts[n] = (counts[n] ?? 0) + 1;
        lasts[n] = event.entry.text('entryCSN') ?? '';
      }
      // The first one stops for a while at every event.
      if (slow && n === 0) for (let turn = 0; turn < 20; turn++) await nextTurn();
    }
  });
  for (let n = 0; n < 20; n++) await nextTurn();
  const cpu = process.cpuUsage();
  const begun = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      for (let n = next++; n < changes; n = next++)
        await opened.directory.modify(system('bench'), users[n % 100]!, [
          { operation: 'replace', attribute: { name: 'description', values: [`number ${n}`] } },
        ]);
    }),
  );
  const wall = performance.now() - begun;
  // Everybody has caught up when nobody is told anything any more.
  for (let still = 0, before = -1; still < 300; ) {
    await nextTurn();
    const now = counts.reduce((sum, count) => sum + count, 0);
    still = now === before ? still + 1 : 0;
    before = now;
  }
  const used = process.cpuUsage(cpu);
  abort.abort();
  await Promise.all(followers);
  await opened.close();
  const each = (used.user + used.system) / changes;
  const rate = Math.round((changes / wall) * 1000).toLocaleString('en');
  const behind = lasts.filter((csn) => csn !== '' && csn < ([...lasts].sort().at(-1) ?? '')).length;
  if (behind > 0) throw new Error(`${behind} followers did not get the last change`);
  console.log(
    `${name.padEnd(44)} ${each.toFixed(1).padStart(8)} µs CPU a change  ${rate.padStart(8)} changes/s  ${Math.round(octets / 1024)} KiB told`,
  );
  return each;
}

async function main(): Promise<void> {
  const changes = Number(process.argv[2] ?? 5_000);
  const many = (count: number, actor: Actor): Actor[] => Array.from({ length: count }, () => actor);
  await round('warm up', changes, [], '(objectClass=*)');
  const none = await round('nobody follows', changes, [], '(objectClass=*)');
  for (const [name, actors, filter, slow] of [
    ['20 administrators, everything', many(20, admin), '(objectClass=*)', false],
    ['20 administrators, one of them slow', many(20, admin), '(objectClass=*)', true],
    ['20 users, by their rights', many(20, user), '(objectClass=*)', false],
    ['20 administrators, nothing that changes', many(20, admin), '(cn=nobody)', false],
  ] as const) {
    const each = await round(name, changes, actors, filter, slow);
    console.log(`${''.padEnd(44)} ${((each - none) / actors.length).toFixed(1).padStart(8)} µs CPU a change and follower`);
  }
}

await main();
