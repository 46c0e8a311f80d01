/**
 * Nothing gives away what may not be seen: two directories that differ in hidden things alone answer every question alike, whichever way it
 * is asked: by filters, sort keys, assertions, counts, names that were matched, and the texts of refusals.
 */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Actor, anonymous, type Entry, type SearchRequest } from '../../src/directory/index.ts';
import { parseFilter, parseRdn } from '../../src/ldap-wire/index.ts';
import { attributes, dn, fill, type Opened, openTemporary, person, root } from './support.ts';

const jade = 'dc=jade,dc=net';
const user = (n: number): string => `mail=user${n}@jade.net,${jade}`;
const hidden = `cn=hidden,${jade}`;
const below = `cn=below,${user(2)}`;

interface World {
  readonly opened: Opened;
  readonly actors: Readonly<Record<string, Actor>>;
}
let worlds: [World, World];

/** A directory with one set of hidden things or another. */
async function world(secret: boolean): Promise<World> {
  const opened = await openTemporary();
  const { directory } = opened;
  await fill(directory);
  const rule = (cn: string, values: Readonly<Record<string, string | readonly string[]>>) =>
    directory.add(
      root,
      dn(`cn=${cn},cn=access,cn=mailtree`),
      attributes({ objectClass: 'mtAccess', cn, mtAccessOrder: '10', mtAccessWho: 'all', mtAccessEffect: 'deny', ...values }),
    );
  const reading = ['search', 'read', 'compare'];
  await rule('hidden entries', { mtAccessTarget: [`subtree:${hidden}`, `subtree:${below}`], mtAccessRight: reading });
  await rule('hidden children', { mtAccessTarget: `entry:${user(2)}`, mtAccessRight: reading, mtAccessAttribute: 'hasSubordinates' });
  const set = (name: string, attribute: string, ...values: string[]) =>
    directory.modify(root, dn(name), [{ operation: 'replace', attribute: { name: attribute, values } }]);
  await set(user(2), 'employeeNumber', secret ? '11' : '99');
  await set(user(2), 'userPassword', secret ? 'one secret' : 'another secret');
  await set(user(2), 'mtTestSecret', secret ? 'aaa' : 'zzz');
  // The same number of entries and changes, in other places.
  const odd = secret ? dn(hidden) : dn('cn=elsewhere,cn=mailtree');
  const child = secret ? dn(below) : dn('cn=other,cn=mailtree');
  for (const name of [odd, child])
    await directory.add(
      root,
      name,
      attributes({ objectClass: 'person', cn: name.rdns[0]?.[0]?.value ?? '', sn: 'Hidden', description: 'Hidden' }),
    );
  for (let n = 0; n < 300; n++) {
    const mail = `crowd${n}@jade.net`;
    await directory.add(root, dn(`mail=${mail},${jade}`), person(mail, { employeeNumber: secret ? '500' : '600', title: 'Crowd' }));
  }
  const login = (name: string, password: string) => directory.authenticate(dn(name), password, { door: 'test' });
  return { opened, actors: { anonymous: anonymous('test'), user: await login(user(1), 'secret of user1') } };
}

beforeAll(async () => {
  worlds = [await world(true), await world(false)];
}, 60_000);
afterAll(async () => {
  for (const { opened } of worlds) await opened.close();
});

const shown = (entry: Entry): unknown => [entry.dn.toString(), [...entry.attributes.values()].map(({ name, values }) => [name, values])];

/** Everything an asker learns: the answer in its order, totals, or the refusal with all that comes with it. */
async function learn(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return { answer: await run() };
  } catch (thrown) {
    const { result, say, matched, message } = thrown as { result?: string; say?: string; matched?: { key: string }; message: string };
    return { result, say, matched: matched?.key, message };
  }
}

type Probe = (world: World, actor: Actor) => Promise<unknown>;
const search =
  (filter: string, more: Partial<SearchRequest> = {}): Probe =>
  async ({ opened }, actor) => {
    const found: unknown[] = [];
    const totals: number[] = [];
    const request: SearchRequest = {
      base: dn(''),
      scope: 'sub',
      filter: parseFilter(filter),
      attributes: ['*', 'entryDN', 'hasSubordinates', 'userPassword', 'employeeNumber'],
      onTotal: (about) => totals.push(about),
      ...more,
    };
    for await (const entry of opened.directory.search(actor, request)) found.push(shown(entry));
    return { found, totals };
  };
const filters = [
  '(employeeNumber=11)',
  '(employeeNumber=*)',
  '(!(employeeNumber=11))',
  '(employeeNumber>=50)',
  '(employeeNumber=1*)',
  '(employeeNumber~=11)',
  '(employeeNumber:caseIgnoreMatch:=11)',
  '(:caseIgnoreMatch:=11)',
  '(|(mail=user1@jade.net)(employeeNumber=11))',
  '(|(title=Crowd)(employeeNumber=500))',
  '(&(mail=user2@jade.net)(employeeNumber=11))',
  '(&(mail=user2@jade.net)(!(employeeNumber=99)))',
  '(!(|(employeeNumber=11)(mail=nobody)))',
  '(userPassword=*)',
  '(userPassword=one secret)',
  '(!(userPassword=x))',
  '(mtTestSecret=aaa)',
  '(mtTestSecret>=m)',
  '(description=Hidden)',
  '(sn=Hidden)',
  '(cn=hidden)',
  '(cn:dn:=hidden)',
  '(:dn:caseIgnoreMatch:=hidden)',
  `(entryDN=${hidden})`,
  '(entryDN:distinguishedNameMatch:=cn=elsewhere,cn=mailtree)',
  '(hasSubordinates=TRUE)',
  '(&(mail=user2@jade.net)(hasSubordinates=FALSE))',
  '(objectClass=person)',
  '(structuralObjectClass=person)',
];
const probes: [what: string, probe: Probe][] = [
  ...filters.map((filter): [string, Probe] => [filter, search(filter)]),
  ...filters.map((filter): [string, Probe] => [`${filter}, five of them`, search(filter, { sizeLimit: 5 })]),
  ['sorted by what is hidden', search('(mail=*)', { sort: [{ attribute: 'employeeNumber' }, { attribute: 'mail' }] })],
  ['sorted by a password', search('(mail=*)', { sort: [{ attribute: 'userPassword' }] })],
  ['sorted by a secret', search('(mail=*)', { sort: [{ attribute: 'mtTestSecret', reverse: true }] })],
  [
    'an assertion about what is hidden',
    search('(mail=user2@jade.net)', { base: dn(user(2)), assertion: parseFilter('(employeeNumber=11)') }),
  ],
  ['an assertion that denies it', search('(mail=user2@jade.net)', { base: dn(user(2)), assertion: parseFilter('(!(employeeNumber=11))') })],
  ['a hidden base', search('(objectClass=*)', { base: dn(hidden), scope: 'base' })],
  ['below a hidden base', search('(objectClass=*)', { base: dn(`cn=x,${hidden}`) })],
  ['below a name with a hidden child', search('(objectClass=*)', { base: dn(`cn=x,${below}`), scope: 'base' })],
  ['one level with hidden ones', search('(objectClass=*)', { base: dn(user(2)), scope: 'one' })],
  ['in the system tree', search('(objectClass=*)', { base: dn('cn=elsewhere,cn=mailtree'), scope: 'base' })],
  ['reading by name', ({ opened }, actor) => opened.directory.read(actor, dn(hidden))],
  [
    'reading what is hidden of an entry',
    async ({ opened }, actor) => {
      const entry = await opened.directory.read(actor, dn(user(2)), ['*', 'hasSubordinates', 'employeeNumber', 'mtTestSecret']);
      return entry && shown(entry);
    },
  ],
  ...['employeeNumber', 'userPassword', 'mtTestSecret', 'hasSubordinates', 'mail'].flatMap((attribute): [string, Probe][] =>
    [user(2), hidden, below].map((name) => [
      `comparing ${attribute} of ${name}`,
      ({ opened }, actor) => opened.directory.compare(actor, dn(name), attribute, attribute === 'userPassword' ? 'one secret' : '11'),
    ]),
  ),
  ...[hidden, below, 'cn=elsewhere,cn=mailtree', user(2)].flatMap((name): [string, Probe][] => [
    [
      `adding ${name}`,
      ({ opened }, actor) => opened.directory.add(actor, dn(name), attributes({ objectClass: 'person', cn: 'x', sn: 'x' })),
    ],
    [
      `adding below ${name}`,
      ({ opened }, actor) => opened.directory.add(actor, dn(`cn=x,${name}`), attributes({ objectClass: 'person', cn: 'x', sn: 'x' })),
    ],
    [`deleting ${name}`, ({ opened }, actor) => opened.directory.delete(actor, dn(name))],
    [`deleting ${name} with what is below`, ({ opened }, actor) => opened.directory.delete(actor, dn(name), { subtree: true })],
    [`renaming ${name}`, ({ opened }, actor) => opened.directory.rename(actor, dn(name), { rdn: parseRdn('cn=new'), deleteOldRdn: true })],
    [
      `moving to ${name}`,
      ({ opened }, actor) =>
        opened.directory.rename(actor, dn(user(1)), { rdn: parseRdn('mail=user1@jade.net'), deleteOldRdn: false, newSuperior: dn(name) }),
    ],
    [
      `renaming onto ${name}`,
      ({ opened }, actor) => {
        const [rdn = []] = dn(name).rdns;
        return opened.directory.rename(actor, dn(user(1)), { rdn, deleteOldRdn: false, newSuperior: dn(name).parent! });
      },
    ],
    ...['sn', 'employeeNumber', 'userPassword'].flatMap((attribute): [string, Probe][] =>
      (['delete', 'replace'] as const).map((operation) => [
        `${operation} of ${attribute} of ${name}`,
        ({ opened }, actor) =>
          opened.directory.modify(actor, dn(name), [{ operation, attribute: { name: attribute, values: ['11'] } }], {
            assertion: parseFilter('(employeeNumber=11)'),
            preRead: ['employeeNumber'],
          }),
      ]),
    ),
  ]),
];

test.each(['anonymous', 'user'])('%s learns nothing of what is hidden, whatever is asked', async (who) => {
  for (const [what, probe] of probes) {
    const answers = await Promise.all(worlds.map((one) => learn(() => probe(one, one.actors[who]!))));
    expect([what, answers[0]]).toEqual([what, answers[1]]);
    expect(JSON.stringify(answers)).not.toMatch(/"Hidden"|SCRAM|one secret|another secret/);
  }
});

test('the same questions tell an administrator the worlds apart', async () => {
  let different = 0;
  for (const [, probe] of probes.filter(([what]) => what.startsWith('(') || what.startsWith('comparing'))) {
    const answers = await Promise.all(
      worlds.map(async (one) =>
        learn(async () =>
          probe(one, await one.opened.directory.authenticate(dn('cn=admin,cn=admins,cn=mailtree'), 'admin secret', { door: 'test' })),
        ),
      ),
    );
    if (JSON.stringify(answers[0]) !== JSON.stringify(answers[1])) different += 1;
  }
  expect(different).toBeGreaterThan(20);
});

test('who follows the directory learns nothing of what is hidden either', async () => {
  const seen: unknown[][] = [];
  for (const { opened, actors } of worlds) {
    const { directory } = opened;
    const events: unknown[] = [];
    const stop = new AbortController();
    const request = { base: dn(''), scope: 'sub', filter: parseFilter('(objectClass=*)'), signal: stop.signal } as const;
    const kinds = new Set(['add', 'modify', 'rename', 'delete'] as const);
    const change = (name: string, attribute: string, value: string) =>
      directory.modify(root, dn(name), [{ operation: 'replace', attribute: { name: attribute, values: [value] } }]);
    const following = (async () => {
      for await (const { change: about, entry } of directory.notify(actors['user']!, { ...request, kinds, changesOnly: false })) {
        if (!about) continue;
        events.push([about.kind, shown(entry)]);
        // The change that may be seen comes last.
        if (entry.text('title') === 'Last') break;
      }
    })();
    for (const name of [hidden, below, 'cn=elsewhere,cn=mailtree', 'cn=other,cn=mailtree'])
      if (await directory.readAll(dn(name))) await change(name, 'description', 'Hidden again');
    await change(user(2), 'employeeNumber', '12');
    await change(user(1), 'title', 'Last');
    await following;
    stop.abort();
    seen.push(events);
  }
  expect(JSON.stringify(seen)).toContain('Last');
  expect(JSON.stringify(seen)).not.toMatch(/hidden|below|elsewhere|"12"/i);
});

test('an item that names no attribute passes over those that are hidden: in every entry alike, there or not', async () => {
  for (const { opened, actors } of worlds)
    for (const [who, actor] of Object.entries(actors)) {
      const found: string[] = [];
      const filter = parseFilter('(&(mail=user1@jade.net)(!(:caseExactMatch:=nobody has this)))');
      const search = { base: dn(jade), scope: 'sub', filter, attributes: ['1.1'] } as unknown as SearchRequest;
      for await (const entry of opened.directory.search(actor, search)) found.push(entry.dn.toString());
      expect([who, found]).toEqual([who, [user(1)]]);
    }
});
