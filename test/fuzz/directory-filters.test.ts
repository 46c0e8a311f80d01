import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { DirectoryFault } from '../../src/directory/index.ts';
import type { Filter } from '../../src/ldap-wire/index.ts';
import { all, dn, fill, type Opened, openTemporary, root } from '../directory/support.ts';

let opened: Opened;
beforeAll(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
});
afterAll(() => opened.close());

/** A small generator with a seed: the same filters in every run. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const names = [
  'cn',
  'mail',
  'objectClass',
  'name',
  'pizza',
  'cn;lang-de',
  'member',
  'userPassword',
  'mtTestNumber',
  'createTimestamp',
  'entryUUID',
  'hasSubordinates',
  '',
  '*',
  ';;;',
  '2.5.4.3',
];
const values = [
  '',
  ' ',
  'user1@jade.net',
  '\u0000',
  '\ufffd',
  'ﬃ',
  '*',
  'x'.repeat(5000),
  '-1',
  'cn=a,dc=b',
  '((',
  '99999999999999999999999999',
  'TRUE',
  '20300101000000Z',
];

function build(random: () => number, depth: number): Filter {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const octets = (): Uint8Array =>
    random() < 0.2
      ? Uint8Array.from({ length: Math.floor(random() * 9) }, () => Math.floor(random() * 256))
      : new Uint8Array(Buffer.from(pick(values)));
  const kind = Math.floor(random() * (depth > 0 ? 9 : 6));
  const attribute = pick(names);
  if (kind === 0) return { type: pick(['equal', 'greaterOrEqual', 'lessOrEqual', 'approx'] as const), attribute, value: octets() };
  if (kind === 1) return { type: 'present', attribute };
  if (kind === 2)
    return {
      type: 'substring',
      attribute,
      initial: random() < 0.5 ? octets() : undefined,
      any: random() < 0.5 ? [octets(), octets()] : [],
      final: random() < 0.5 ? octets() : undefined,
    };
  if (kind === 3)
    return {
      type: 'extensible',
      rule: random() < 0.5 ? pick(['caseIgnoreMatch', '2.5.13.5', 'nothing', 'integerOrderingMatch']) : undefined,
      attribute: random() < 0.7 ? attribute : undefined,
      value: octets(),
      dnAttributes: random() < 0.5,
    };
  if (kind === 6) return { type: 'not', filter: build(random, depth - 1) };
  if (kind > 6)
    return { type: kind === 7 ? 'and' : 'or', filters: Array.from({ length: Math.floor(random() * 4) }, () => build(random, depth - 1)) };
  return { type: 'equal', attribute, value: octets() };
}

test('no filter breaks the search, and the indexes find what looking at everything finds', async () => {
  const random = dice(42);
  const everything = await all(
    opened.directory.search(root, { base: dn(''), scope: 'sub', filter: { type: 'present', attribute: 'objectClass' } }),
  );
  for (let n = 0; n < 600; n++) {
    const filter = build(random, 4);
    const planned = (await all(opened.directory.search(root, { base: dn(''), scope: 'sub', filter }))).map((entry) => entry.dn.key).sort();
    const checked: string[] = [];
    for (const entry of everything) {
      if ((await all(opened.directory.search(root, { base: entry.dn, scope: 'base', filter }))).length > 0) checked.push(entry.dn.key);
    }
    expect({ filter, found: planned }).toEqual({ filter, found: checked.sort() });
  }
});

test('a filter nested without end is refused', async () => {
  let filter: Filter = { type: 'present', attribute: 'cn' };
  for (let n = 0; n < 10_000; n++) filter = { type: 'not', filter };
  const thrown = await all(opened.directory.search(root, { base: dn(''), scope: 'sub', filter })).catch((fault: DirectoryFault) => fault);
  expect(thrown).toMatchObject({ result: 'adminLimitExceeded' });
});
