/** Copies that are kept by synchronisation are equal to what a search finds, whatever happens to the tree. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Actor, DirectoryFault } from '../../src/directory/index.ts';
import { type Dn, parseFilter, parseRdn } from '../../src/ldap-wire/index.ts';
import { attributes, dn, fill, type Opened, openTemporary, person, root } from './support.ts';
import { Copy, contentOf, quiet, type Search } from './sync-support.ts';

let opened: Opened;
beforeEach(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
});
afterEach(() => opened.close());

/** The same numbers every time. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * sides);
  };
}

const admin: Actor = { dn: dn('cn=admin,cn=admins,cn=mailtree'), as: 'bound', door: 'test' };
const user: Actor = { dn: dn('mail=user1@jade.net,dc=jade,dc=net'), as: 'bound', door: 'test' };
const keeper: Actor = { dn: dn('cn=admin,dc=jade,dc=net'), as: 'bound', door: 'test' };
const stranger: Actor = { dn: undefined, as: 'bound', door: 'test' };

const search = (base: string, filter = '(objectClass=*)', more: Partial<Search> = {}): Search => ({
  base: dn(base),
  scope: 'sub',
  filter: parseFilter(filter),
  attributes: ['*', 'entryUUID', 'modifyTimestamp', 'entryCSN'],
  ...more,
});

const followers: readonly (readonly [Actor, Search])[] = [
  [root, search('dc=net', '(objectClass=*)', { attributes: ['*'] })],
  [admin, search('dc=net')],
  [admin, search('ou=a,dc=jade,dc=net')],
  [admin, search('dc=jade,dc=net', '(title=in)')],
  [admin, search('dc=jade,dc=net', '(objectClass=*)', { scope: 'one' })],
  [admin, search('dc=net', '(!(title=in))', { attributes: ['cn'] })],
  [keeper, search('dc=net')],
  [user, search('dc=net')],
  [stranger, search('dc=net', '(objectClass=*)', { attributes: [] })],
  [user, search('mail=user1@jade.net,dc=jade,dc=net', '(objectClass=*)', { scope: 'base' })],
];

const above = ['dc=jade,dc=net', 'ou=a,dc=jade,dc=net', 'ou=b,dc=jade,dc=net', 'ou=x,ou=a,dc=jade,dc=net', 'dc=onyx,dc=net'];

/** One random write; refusals are part of the game. */
async function write(random: (sides: number) => number, names: Dn[]): Promise<void> {
  const { directory } = opened;
  const place = dn(above[random(above.length)] ?? '');
  const at = random(names.length || 1);
  const name = names[at];
  try {
    switch (random(10)) {
      case 0:
      case 1:
      case 2: {
        const mail = `n${random(40)}@jade.net`;
        const made = place.child(parseRdn(`mail=${mail}`));
        await directory.add(root, made, person(mail, random(2) ? { title: 'in' } : {}));
        names.push(made);
        break;
      }
      case 3: {
        const made = place.child(parseRdn(`ou=t${random(6)}`));
        await directory.add(root, made, attributes({ objectClass: 'organizationalUnit', ou: made.rdns[0]?.[0]?.value ?? '' }));
        names.push(made);
        break;
      }
      case 4:
      case 5:
      case 6:
        if (!name) break;
        await directory.modify(root, name, [
          { operation: 'replace', attribute: { name: 'title', values: random(2) ? ['in'] : [`out ${random(5)}`] } },
        ]);
        break;
      case 7:
        if (!name) break;
        await directory.delete(root, name);
        names.splice(at, 1);
        break;
      default: {
        if (!name) break;
        const rdn = parseRdn(name.key.startsWith('ou=') ? `ou=t${random(6)}` : `mail=n${random(40)}@jade.net`);
        const under = random(3) ? place : (names[random(names.length)] ?? place);
        await directory.rename(root, name, { rdn, deleteOldRdn: true, newSuperior: under });
        // Names below have changed too; those that are wrong now are refused.
        names.splice(at, 1, under.child(rdn));
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof DirectoryFault)) throw thrown;
  }
}

async function grow(): Promise<Dn[]> {
  for (const ou of ['a', 'b']) {
    await opened.directory.add(root, dn(`ou=${ou},dc=jade,dc=net`), attributes({ objectClass: 'organizationalUnit', ou }));
  }
  await opened.directory.add(root, dn('ou=x,ou=a,dc=jade,dc=net'), attributes({ objectClass: 'organizationalUnit', ou: 'x' }));
  return [];
}

test.each([1, 2, 3])('random writes, followed live and by polls now and then (%i)', async (seed) => {
  const random = dice(seed);
  const names = await grow();
  const live = followers.map(() => new Copy());
  const polled = followers.map(() => new Copy());
  const running = followers.map(([actor, what], n) => (live[n] ?? new Copy()).persist(opened.directory, actor, what));
  for (let round = 0; round < 12; round++) {
    // Some at the same time, so that followers are behind; some one by one.
    if (round % 2) for (let n = 0; n < 25; n++) await write(random, names);
    else await Promise.all(Array.from({ length: 25 }, () => write(random, names)));
    opened.clock.advance(1_000);
    for (const [n, [actor, what]] of followers.entries()) {
      if (random(3)) await polled[n]?.poll(opened.directory, actor, what, { reloadHint: true });
    }
  }
  for (const [n, [actor, what]] of followers.entries()) await polled[n]?.poll(opened.directory, actor, what, { reloadHint: true });
  await quiet(live);
  for (const [n, [actor, what]] of followers.entries()) {
    const wanted = await contentOf(opened.directory, actor, what);
    expect([n, 'polled', polled[n]?.entries]).toEqual([n, 'polled', wanted]);
    expect([n, 'live', live[n]?.entries]).toEqual([n, 'live', wanted]);
  }
  for (const one of running) await one.stop();
});

test('polls across restarts, trimmed history and an import', async () => {
  const random = dice(7);
  const names = await grow();
  const copies = followers.map(() => new Copy());
  for (let round = 0; round < 8; round++) {
    for (let n = 0; n < 30; n++) await write(random, names);
    if (round === 2 || round === 5) opened = await opened.reopen();
    if (round === 3) {
      await opened.directory.addBatch(root, [{ dn: dn('mail=imported@jade.net,dc=jade,dc=net'), attributes: person('imported@jade.net') }]);
    }
    if (round === 4 || round === 6) {
      opened.clock.advance(31 * 86_400_000);
      await write(random, names);
      opened.clock.advance(3_700_000);
      for (let n = 0; n < 200; n++) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const [n, [actor, what]] of followers.entries()) {
      if (!random(3)) continue;
      await copies[n]?.poll(opened.directory, actor, what, { reloadHint: true });
      expect([round, n, copies[n]?.entries]).toEqual([round, n, await contentOf(opened.directory, actor, what)]);
    }
  }
});
