import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Change } from '../../src/directory/index.ts';
import { decodeChange } from '../../src/directory/history/change-record.ts';
import { keys } from '../../src/directory/records/keys.ts';
import { parseRdn } from '../../src/ldap-wire/index.ts';
import { attributes, dn, fill, type Opened, openTemporary, person, root } from './support.ts';

let opened: Opened;
beforeEach(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
});
afterEach(() => opened.close());

const who = dn('mail=carol@jade.net,dc=jade,dc=net');
const photo = Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 0, 1, 2, 3]);

/** A change as plain values, in the order of its attributes. */
const plain = ({ position, kind, uuid, before, after, at, actor }: Change): unknown => ({
  ...{ position, kind, uuid, at },
  actor: { ...actor, dn: actor.dn?.toString() },
  sides: [before, after].map(
    (entry) =>
      entry && [
        entry.dn.toString(),
        ...[...entry.attributes.values()].map(({ name, values }) => [
          name,
          ...values.map((value) => (typeof value === 'string' ? value : Buffer.from(value).toString('hex'))),
        ]),
      ],
  ),
});

test('who watches hears the same of a change as who reads its record later, and nothing of secrets', async () => {
  const from = await opened.directory.position();
  const heard: Change[] = [];
  const watch = await opened.directory.watch(
    from,
    (change) => heard.push(change),
    () => heard.splice(0),
  );
  const replace = (name: string, ...values: (string | Uint8Array)[]) => ({ operation: 'replace' as const, attribute: { name, values } });
  await opened.directory.add(root, who, [
    ...person('carol@jade.net'),
    ...attributes({ userPassword: ['{SSHA}MDEyMzQ1Njc4OWFiY2RlZmdoaWo='], description: ['"quoted" \\ \u2028 \u{1f333}', 'second'] }),
  ]);
  await opened.directory.modify(root, who, [replace('sn', 'Other'), replace('jpegPhoto', photo)]);
  await opened.directory.modify(root, who, [replace('userPassword', 'another-long-password-1')]);
  await opened.directory.modify(root, who, [replace('description'), { operation: 'add', attribute: { name: 'title', values: ['One'] } }]);
  await opened.directory.rename(root, who, { rdn: parseRdn('mail=caroline@jade.net'), deleteOldRdn: true });
  await opened.directory.delete(root, dn('mail=caroline@jade.net,dc=jade,dc=net'));
  while (watch.position < (await opened.directory.position())) await new Promise((resolve) => setImmediate(resolve));
  watch.stop();
  const kinds = heard.map(({ kind }) => kind);
  expect(kinds).toEqual(['add', 'modify', 'modify', 'modify', 'rename', 'delete']);
  for (const change of heard) {
    const octets = opened.keyValue.getNow(keys.log(change.position));
    const read = octets && decodeChange(change.position, octets);
    expect(read && plain(read.change)).toEqual(plain(change));
    expect(JSON.stringify(plain(change))).not.toMatch(/userPassword|SSHA|SCRAM/i);
  }
  expect(heard[1]?.after?.values('jpegPhoto')).toEqual([photo]);
  expect(heard[1]?.before?.has('jpegPhoto')).toBe(false);
});

test('a record with two whole entries, as earlier versions wrote them, is read', () => {
  const record = {
    ...{ k: 'modify', i: 7, u: 'f0a1', t: 1000 },
    a: ['cn=admin', 'bound', 'ldap', '192.0.2.1'],
    b: [
      'cn=one,dc=net',
      [
        ['cn', 'one'],
        ['photo', ['/9j/4A==']],
      ],
    ],
    n: [
      'cn=one,dc=net',
      [
        ['cn', 'one'],
        ['title', 'a', 'b'],
      ],
    ],
    s: ['userPassword'],
  };
  const read = decodeChange(9, Buffer.from(JSON.stringify(record)));
  expect(read && plain(read.change)).toEqual({
    ...{ position: 9, kind: 'modify', uuid: 'f0a1', at: 1000 },
    actor: { dn: 'cn=admin', as: 'bound', door: 'ldap', address: '192.0.2.1' },
    sides: [
      ['cn=one,dc=net', ['cn', 'one'], ['photo', 'ffd8ffe0']],
      ['cn=one,dc=net', ['cn', 'one'], ['title', 'a', 'b']],
    ],
  });
});

test('of changes at the same moment, nobody finds an older one than its own, and at last everybody the last', async () => {
  await opened.directory.add(root, who, person('carol@jade.net'));
  const title = async (): Promise<number> => Number((await opened.directory.read(root, who))?.text('title'));
  for (let round = 0; round < 5; round++) {
    const own = Array.from({ length: 20 }, (_, n) => round * 100 + n);
    const found = await Promise.all(
      own.map(async (n) => {
        await opened.directory.modify(root, who, [{ operation: 'replace', attribute: { name: 'title', values: [String(n)] } }]);
        return title();
      }),
    );
    expect(found.filter((n, place) => n < (own[place] ?? 0))).toEqual([]);
    expect(await title()).toBe(own.at(-1));
  }
});
