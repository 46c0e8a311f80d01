import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import { checkDirectory, Entry, inlineHasher, openDirectory } from '../../src/directory/index.ts';
import { extendedTable } from '../../src/directory/records/index-table.ts';
import { defaultIndexes, sortableInteger } from '../../src/directory/records/indexes.ts';
import { editList } from '../../src/directory/records/postings.ts';
import { parseFilter } from '../../src/ldap-wire/index.ts';
import { openKeyValue, ScratchKeyValue } from '../../src/storage/index.ts';
import { tempDir } from '../support/temp.ts';
import { attributes, dn, fill, mails, type Opened, openTemporary, person, root, settings, testSchema } from './support.ts';

let opened: Opened;
const indexed = { indexes: { mtTestNumber: { equality: true }, mtTestTime: { equality: true, presence: true } } } as const;

beforeEach(async () => {
  opened = await openTemporary(indexed);
  await fill(opened.directory);
});
afterEach(() => opened.close());

const nameOf = (n: number) => dn(`mail=p${n}@jade.net,dc=jade,dc=net`);
const find = (filter: string): Promise<string[]> =>
  mails(opened.directory.search(root, { base: dn('dc=jade,dc=net'), scope: 'sub', filter: parseFilter(`(&(mail=p*)${filter})`) }));
const sound = async (): Promise<void> => {
  expect((await checkDirectory(opened.keyValue, testSchema(), indexed)).faults).toEqual([]);
};

/** Numbers that are the same in every run. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

interface Person {
  readonly sn: string;
  readonly cn: string;
  readonly number: number;
}
const surnames = ['Adler', 'Brandt', 'Castro Núñez', 'Ødegård', 'x'.repeat(300)];
const personOf = (roll: (below: number) => number): Person => ({
  sn: surnames[roll(surnames.length)] ?? '',
  cn: `Person ${roll(40)} of ${roll(7)}`,
  number: 1 + roll(100),
});

/** What each filter must find, by looking at everybody. */
const questions: readonly (readonly [filter: string, holds: (one: Person) => boolean])[] = [
  ['(sn=adler)', ({ sn }) => sn === 'Adler'],
  ['(|(sn=brandt)(sn=ødegård))', ({ sn }) => sn === 'Brandt' || sn === 'Ødegård'],
  ['(sn=*núñ*)', ({ sn }) => sn.includes('Núñ')],
  [`(sn=*${'x'.repeat(10)}*)`, ({ sn }) => sn.startsWith('xxx')],
  ['(cn=person 1*)', ({ cn }) => cn.startsWith('Person 1')],
  ['(cn=*12 of*)', ({ cn }) => cn.includes('12 of')],
  ['(&(sn=adler)(cn=*of 3))', ({ sn, cn }) => sn === 'Adler' && cn.endsWith('of 3')],
  ['(mtTestNumber>=90)', ({ number }) => number >= 90],
  ['(mtTestNumber<=9)', ({ number }) => number <= 9],
  ['(&(mtTestNumber>=10)(mtTestNumber<=20))', ({ number }) => number >= 10 && number <= 20],
  ['(&(objectClass=person)(!(sn=adler))(mtTestNumber=5))', ({ sn, number }) => sn !== 'Adler' && number === 5],
];

async function ask(people: ReadonlyMap<number, Person>): Promise<void> {
  for (const [filter, holds] of questions) {
    const expected = [...people].filter(([, one]) => holds(one)).map(([n]) => `p${n}@jade.net`);
    expect([filter, await find(filter)]).toEqual([filter, expected.sort()]);
  }
}

test('whatever is written, listed or still noted, before and after a restart, searches find just what looking at everybody finds', async () => {
  const roll = dice(7);
  const people = new Map<number, Person>();
  const attributesOf = ({ sn, cn, number }: Person) => ({ sn, cn, mtTestNumber: String(number) });
  for (let phase = 0; phase < 5; phase++) {
    for (let n = phase * 160; n < (phase + 1) * 160; n++) {
      const one = personOf(roll);
      people.set(n, one);
      await opened.directory.add(root, nameOf(n), person(`p${n}@jade.net`, attributesOf(one)));
    }
    for (let k = 0; k < 60; k++) {
      const n = roll((phase + 1) * 160);
      if (!people.has(n)) continue;
      if (roll(4) === 0) {
        people.delete(n);
        await opened.directory.delete(root, nameOf(n));
        continue;
      }
      const one = personOf(roll);
      people.set(n, one);
      await opened.directory.modify(
        root,
        nameOf(n),
        attributes(attributesOf(one)).map((attribute) => ({ operation: 'replace', attribute })),
      );
    }
    await ask(people);
    if (phase % 2 === 0) await opened.directory.settle();
    if (phase === 3) opened = await opened.reopen();
    await ask(people);
    await sound();
  }
  await opened.directory.settle();
  await sound();
  await ask(people);
}, 120_000);

test('a value that many share is found when it was taken away and given back between two merges', async () => {
  for (let n = 0; n < 60; n++) await opened.directory.add(root, nameOf(n), person(`p${n}@jade.net`, { sn: 'Shared' }));
  await opened.directory.settle();
  const set = (n: number, sn: string): Promise<unknown> =>
    opened.directory.modify(root, nameOf(n), [{ operation: 'replace', attribute: { name: 'sn', values: [sn] } }]);
  for (const n of [3, 50]) {
    await set(n, 'Other');
    await set(n, 'Shared');
  }
  expect(await find('(sn=shared)')).toHaveLength(60);
  await opened.directory.settle();
  expect(await find('(sn=shared)')).toHaveLength(60);
  await sound();
});

test('a list and its pieces that are lost, cut or added are found by the check', async () => {
  for (let n = 0; n < 300; n++) await opened.directory.add(root, nameOf(n), person(`p${n}@jade.net`));
  await opened.directory.settle();
  await sound();
  const records: [string, Uint8Array][] = [];
  for await (const record of opened.keyValue.scan({ from: 'directory/y/', to: 'directory/y/\u{10ffff}' })) records.push(record);
  const put = (key: string, value: Uint8Array | undefined): Promise<void> =>
    opened.keyValue.transact(
      async () => (value ? { puts: [[key, value]], result: undefined } : { deletes: [key], result: undefined }),
      'durable',
    );
  const piece = records.find(([key]) => /\u0000[a-z]/.test(key));
  const list = records.find(([key]) => key.startsWith('directory/y/~') && !key.includes('\u0000'));
  for (const record of [piece, list]) {
    if (!record) throw new Error('there is no such record');
    const [key, value] = record;
    await put(key, undefined);
    expect((await checkDirectory(opened.keyValue, testSchema(), indexed)).faults.join('\n')).toMatch(/index/);
    await put(key, value);
    await sound();
  }
});

test('another table of indexes, or records of an earlier version, are made anew at the start', async () => {
  for (let n = 0; n < 40; n++) await opened.directory.add(root, nameOf(n), person(`p${n}@jade.net`, { description: `d ${n % 4}` }));
  const early = (key: string): [string, Uint8Array] => [`directory/${key}`, new Uint8Array([0])];
  const puts = [early('g/mail/jad/a1'), early('p/mailforwardingaddress/a1'), early('y/objectclass/person/a1')];
  puts.push(['directory/m', Buffer.from('["1",["mail",{"equality":true}]]')]);
  await opened.keyValue.transact(async () => ({ puts, result: undefined }), 'durable');
  const table = { ...indexed.indexes, description: { equality: true, substring: true } } as const;
  opened = await opened.reopen({ indexes: table });
  expect(await find('(description=d 3)')).toHaveLength(10);
  expect(await find('(mail=p1*)')).toHaveLength(11);
  expect((await checkDirectory(opened.keyValue, testSchema(), { indexes: table })).faults).toEqual([]);
  for await (const [key] of opened.keyValue.scan({ from: 'directory/g/', to: 'directory/g/\u{10ffff}' })) expect(key).toBe('gone');
});

test('changes made on a copy are adopted although lists were merged here meanwhile', async () => {
  for (let n = 0; n < 200; n++) await opened.directory.add(root, nameOf(n), person(`p${n}@jade.net`, { sn: `Old ${n % 3}` }));
  const { path, remove } = await tempDir();
  const top = await openKeyValue({ path: join(path, 'top'), clock: opened.clock });
  const scratch = new ScratchKeyValue(opened.keyValue.snapshot(), top);
  const options = { schema: testSchema(), settings: settings(), clock: opened.clock, log: silentLog, hasher: inlineHasher, ...indexed };
  const trial = await openDirectory({ ...options, keyValue: scratch });
  const from = await trial.position();
  const entries = Array.from({ length: 100 }, (_, n) => ({
    dn: nameOf(200 + n),
    attributes: person(`p${200 + n}@jade.net`, { sn: 'New' }),
  }));
  await trial.addBatch(root, entries);
  await trial.modify(root, nameOf(7), [{ operation: 'replace', attribute: { name: 'sn', values: ['Changed'] } }]);
  await trial.delete(root, nameOf(8));
  await trial.settle();
  await opened.directory.settle();
  const changes: (readonly [string, Uint8Array | undefined])[] = [];
  for await (const change of scratch.changes()) changes.push(change);
  expect(await opened.directory.adopt(from, changes)).toBe(true);
  await trial.close();
  await scratch.close();
  await remove();
  for (let round = 0; round < 2; round++) {
    expect(await find('(sn=new)')).toHaveLength(100);
    expect(await find('(sn=*hang*)')).toEqual(['p7@jade.net']);
    expect(await find('(sn=old 1)')).toHaveLength(66);
    expect(await find('(objectClass=person)')).toHaveLength(299);
    await sound();
    await opened.directory.settle();
  }
});

test('an administrator adds indexes, and what cannot be indexed is said', () => {
  const notes: string[] = [];
  const given = ['employeeNumber eq,pres', 'SN pres', 'title sub,ord', 'nosuch eq', 'userPassword eq', 'title everything'];
  const entry = new Entry(dn('cn=directory,cn=mailtree'), attributes({ mtDirectoryIndex: given }));
  const table = extendedTable(entry, testSchema(), (text) => notes.push(text));
  expect(table['employeeNumber']).toEqual({ equality: true, presence: true });
  expect(table['sn']).toEqual({ equality: true, substring: true, presence: true });
  expect(table['title']).toEqual({ equality: true, substring: true });
  expect(table['mail']).toEqual(defaultIndexes['mail']);
  expect(notes.join('\n')).toMatch(/nosuch.*userPassword is secret.*"title everything" is not/s);
});

test('integers are in the index in their order', () => {
  const numbers = ['-1000', '-999', '-10', '-9', '-1', '0', '1', '9', '10', '99', '100', '12345678901234567890'];
  const forms = numbers.map(sortableInteger);
  expect([...forms].sort()).toEqual(forms);
});

test('a list holds what was added and not removed, whatever the order', () => {
  const roll = dice(3);
  const kept = new Map<string, Uint8Array>();
  const records = {
    get: (key: string) => kept.get(key),
    put: (key: string, value: Uint8Array | undefined) => void (value ? kept.set(key, value) : kept.delete(key)),
  };
  const expected = new Set<number>();
  for (let round = 0; round < 300; round++) {
    const greatest = Math.max(0, ...expected);
    const add = Array.from({ length: roll(60) }, (_, n) =>
      round % 3 === 0 ? greatest + 1 + n * (1 + (round % 200)) : roll(3000) * (round % 7 === 0 ? 1_000_003 : 1),
    );
    const remove =
      round % 6 === 0 ? [] : [...expected].filter(() => roll(10) < (round % 50 === 49 ? 9 : 1)).filter((id) => !add.includes(id));
    editList(records, 'l', (id) => id.toString(36).padStart(11, '0'), add, remove);
    for (const id of remove) expected.delete(id);
    for (const id of add) expected.add(id);
    expect(idsOf(kept)).toEqual([...expected].sort((a, b) => a - b));
  }
  editList(records, 'l', (id) => id.toString(36).padStart(11, '0'), [], [...expected]);
  expect(kept.size).toBe(0);
});

/** All ids of the list `l`, read as its format says: seven bits to an octet, differences. */
function idsOf(kept: ReadonlyMap<string, Uint8Array>): number[] {
  const numbers = (octets: Uint8Array | undefined): number[] => {
    const found: number[] = [];
    let [number, scale] = [0, 1];
    for (const octet of octets ?? []) {
      number += (octet & 0x7f) * scale;
      scale *= 0x80;
      if (octet >= 0x80) continue;
      found.push(number);
      [number, scale] = [0, 1];
    }
    return found;
  };
  const sums = (differences: readonly number[]): number[] => {
    let sum = 0;
    return differences.map((difference) => {
      sum += difference;
      return sum;
    });
  };
  const [count = 0, cut = 0, , , ...rest] = numbers(kept.get('l'));
  const ids =
    cut === 0 ? sums(rest) : sums(rest).flatMap((first) => sums(numbers(kept.get(`l\u0000${first.toString(36).padStart(11, '0')}`))));
  expect(ids).toHaveLength(count);
  return ids;
}
