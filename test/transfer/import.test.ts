/** LDIF into a directory and out of it, on a real database. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkDirectory, exportEntries } from '../../src/directory/index.ts';
import { type LdifFault, parseFilter, readLdifTolerant } from '../../src/ldap-wire/index.ts';
import {
  type Done,
  describeDone,
  exportedEntry,
  type ImportOptions,
  type ImportSummary,
  importRecords,
  LocalTarget,
  type Target,
} from '../../src/transfer/index.ts';
import { dn, fill, type Opened, openTemporary, root, testSchema } from '../directory/support.ts';

const schema = testSchema();
let opened: Opened;

beforeEach(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
});
afterEach(() => opened.close());

interface Imported extends ImportSummary {
  readonly told: readonly string[];
}

async function load(ldif: string, options: Partial<ImportOptions> = {}, into = opened): Promise<Imported> {
  const told: string[] = [];
  const summary = await importRecords(readLdifTolerant([Buffer.from(ldif)], { file: 'x.ldif' }), {
    target: new LocalTarget(into.directory),
    schema,
    file: 'x.ldif',
    onRefused: (_, fault: LdifFault) => told.push(fault.say),
    ...options,
  });
  return { ...summary, told };
}

async function exported(from: Opened, format = { operational: true, secrets: true }): Promise<string> {
  let text = '';
  for await (const entry of exportEntries(from.keyValue)) text += exportedEntry(entry, { schema, ...format });
  return text;
}

const person = (name: string, more = ''): string =>
  `dn: mail=${name}@jade.net,dc=jade,dc=net\nobjectClass: inetOrgPerson\ncn: ${name}\nsn: Example\nmail: ${name}@jade.net\n${more}\n`;
const read = (name: string) => opened.directory.readAll(dn(`mail=${name}@jade.net,dc=jade,dc=net`));

test('entries before their parents wait for them; those whose parent never comes are refused by line', async () => {
  const device = (name: string): string => `dn: ${name}\nobjectClass: device\n\n`;
  const ldif = [
    device('cn=a,cn=b,mail=late@jade.net,dc=jade,dc=net'),
    device('cn=orphan,cn=never,dc=jade,dc=net'),
    device('cn=b,mail=late@jade.net,dc=jade,dc=net'),
    device('cn=c,cn=b,mail=late@jade.net,dc=jade,dc=net'),
    person('late'),
  ].join('');
  const { counts, told } = await load(ldif, { goOn: true });
  expect(counts.add).toBe(4);
  expect(told).toEqual(['x.ldif:4: cn=orphan,cn=never,dc=jade,dc=net: the parent entry does not exist']);
  expect((await checkDirectory(opened.keyValue, schema)).faults).toEqual([]);
});

test('what waited for one parent is written in batches like everything else', async () => {
  const batches: number[] = [];
  const local = new LocalTarget(opened.directory);
  const target: Target = {
    takesOperational: true,
    read: (name) => local.read(name),
    write: (write) => local.write(write),
    hasPasswords: (entry, given) => local.hasPasswords(entry, given),
    addAll: (additions, goOn) => {
      batches.push(additions.length);
      return local.addAll(additions, goOn);
    },
  };
  const children = Array.from({ length: 100 }, (_, n) => `dn: cn=d${n},mail=late@jade.net,dc=jade,dc=net\nobjectClass: device\n\n`);
  const { counts, told } = await load([...children, person('late')].join(''), { target, batch: 8 });
  expect([counts.add, told]).toEqual([101, []]);
  expect(Math.max(...batches)).toBe(8);
});

test('the first refusal stops the import: what is before it is done, nothing behind it', async () => {
  const ldif = `${person('one')}${person('two', 'pizza: x\n')}${person('three')}`;
  const { counts, stopped } = await load(ldif);
  expect(counts.add).toBe(1);
  expect(stopped?.say).toBe('x.ldif:7: mail=two@jade.net,dc=jade,dc=net: attribute pizza: not defined in the schema');
  expect([await read('one'), await read('three')].map((entry) => entry !== undefined)).toEqual([true, false]);
});

test('told to go on, the import says what it refuses and does the rest', async () => {
  const ldif = [
    person('one'),
    'dn: nonsense\ncn: x\n\n',
    person('user1'),
    person('two', 'mail: user2@jade.net\n'),
    `dn: mail=one@jade.net,dc=jade,dc=net\nchangetype: modify\nadd: title\ntitle: Dr\n-\n\n`,
    `dn: mail=one@jade.net,dc=jade,dc=net\ncontrol: 1.2.3 true\nchangetype: delete\n\n`,
    `dn: mail=user1@jade.net,dc=jade,dc=net\ncontrol: 1.2.3 false\nchangetype: modrdn\nnewrdn: mail=first@jade.net\ndeleteoldrdn: 1\n\n`,
    `dn: dc=jade,dc=net\nchangetype: delete\n\n`,
    person('three'),
  ].join('');
  const { counts, told, refused } = await load(ldif, { goOn: true });
  expect(counts).toEqual({ add: 2, modify: 1, rename: 1, delete: 0, unchanged: 0 });
  expect(refused).toBe(5);
  expect(told).toEqual([
    expect.stringMatching(/^x\.ldif:7: nonsense: invalid DN/),
    expect.stringContaining('x.ldif:10: mail=user1@jade.net,dc=jade,dc=net: an entry with this name exists already'),
    expect.stringMatching(/^x\.ldif:16: mail=two@.*: attribute mail: the address "user2@jade\.net" belongs to another entry/),
    'x.ldif:29: mail=one@jade.net,dc=jade,dc=net: the control 1.2.3 is critical and not known',
    expect.stringMatching(/^x\.ldif:39: dc=jade,dc=net: .*entries below it/),
  ]);
  expect((await read('one'))?.text('title')).toBe('Dr');
});

test('a delete with the tree control takes everything below', async () => {
  const control = 'control: 1.2.840.113556.1.4.805 true\n';
  expect((await load(`dn: dc=jade,dc=net\n${control}changetype: delete\n`)).counts.delete).toBe(1);
  expect(await opened.directory.read(root, dn('dc=jade,dc=net'))).toBeUndefined();
  const wrong = await load(`dn: dc=onyx,dc=net\n${control}changetype: modify\nreplace: description\n-\n`);
  expect(wrong.stopped?.say).toContain('tree delete belongs to "changetype: delete" alone');
});

test('increments, values from base64 and options reach the entry', async () => {
  await load(person('one', 'objectClass: mtTest\nmtTestNumber: 41\ncn;lang-de:: w5xuw6s=\njpegPhoto:: /9j/4A==\n'));
  const changes = 'changetype: modify\nincrement: mtTestNumber\nmtTestNumber: 1\n-\ndelete: cn;lang-de\n';
  expect((await load(`dn: mail=one@jade.net,dc=jade,dc=net\n${changes}`)).counts.modify).toBe(1);
  const entry = await read('one');
  expect([entry?.text('mtTestNumber'), entry?.has('cn;lang-de')]).toEqual(['42', false]);
  expect(Buffer.from(entry?.values('jpegPhoto')[0] as Uint8Array).toString('hex')).toBe('ffd8ffe0');
});

test('an entry takes the place of the one that is there: as given, but for its name and secrets', async () => {
  const before = await read('user1');
  const given = `dn: mail=user1@jade.net,dc=jade,dc=net\nobjectClass: inetOrgPerson\nobjectClass: mtTest\ncn: New Name\nsn: Other\n\n`;
  const { counts } = await load(given, { replace: true });
  expect(counts).toMatchObject({ add: 0, modify: 1 });
  const after = await read('user1');
  expect([after?.text('cn'), after?.text('mail'), after?.has('telephoneNumber')]).toEqual(['New Name', 'user1@jade.net', false]);
  expect(after?.values('userPassword')).toEqual(before?.values('userPassword'));
  expect(after?.text('entryUUID')).toBe(before?.text('entryUUID'));
  expect((await load(given, { replace: true })).counts).toMatchObject({ modify: 0, unchanged: 1 });
  expect((await load(person('fresh'), { replace: true })).counts.add).toBe(1);
});

test('what was done is told attribute by attribute, passwords as secrets', async () => {
  const done: Done[] = [];
  const changes = 'changetype: modify\nreplace: cn\ncn: Other\n-\nreplace: userPassword\nuserPassword: geheim-geheim\n\n';
  const rename = 'changetype: moddn\nnewrdn: mail=first@jade.net\ndeleteoldrdn: 1\nnewsuperior: dc=jade,dc=net\n\n';
  const name = 'dn: mail=user1@jade.net,dc=jade,dc=net\n';
  await load(`${name}${changes}${name}${rename}${person('one')}`, { onDone: (one) => done.push(one) });
  const lines = done.flatMap((one) => describeDone(schema, one));
  expect(lines.slice(0, 9)).toEqual([
    'modify mail=user1@jade.net,dc=jade,dc=net (line 1)',
    '  - cn: Name of user1@jade.net',
    '  + cn: Other',
    '  - userPassword: (secret)',
    '  + userPassword: (secret)',
    'rename mail=user1@jade.net,dc=jade,dc=net -> mail=first@jade.net,dc=jade,dc=net (line 9)',
    '  - mail: user1@jade.net',
    '  + mail: first@jade.net',
    'add mail=one@jade.net,dc=jade,dc=net (line 15)',
  ]);
  expect(lines.join('\n')).not.toMatch(/geheim|SCRAM/);
});

test('what a server maintains itself is left out for one that does not take it, and said', async () => {
  const uuid = 'entryUUID: 11111111-2222-3333-4444-555555555555\ncreateTimestamp: 20200101000000Z\ncontextCSN: x\n';
  const target: Target = Object.assign(Object.create(new LocalTarget(opened.directory)) as Target, { takesOperational: false });
  for (const name of ['read', 'write', 'addAll'] as const) {
    const local = new LocalTarget(opened.directory);
    Object.assign(target, { [name]: local[name].bind(local) });
  }
  const { notTaken, counts } = await load(person('one', uuid), { target });
  expect([counts.add, [...notTaken]]).toEqual([
    1,
    [
      ['entryUUID', 1],
      ['createTimestamp', 1],
      ['contextCSN', 1],
    ],
  ]);
  const kept = await load(person('two', uuid));
  expect([...kept.notTaken]).toEqual([['contextCSN', 1]]);
  expect((await read('two'))?.text('entryUUID')).toBe('11111111-2222-3333-4444-555555555555');
});

/** Names and values that are hard to write down. */
function oddEntries(): string {
  const odd = [
    ' lead',
    'trail ',
    '#hash',
    'a,b+c=d',
    'quo"te',
    'back\\slash',
    'semi;<>',
    'größe',
    '日本',
    'x'.repeat(200),
    'a  b',
    'tab\there',
    ':colon',
    '<less',
  ];
  let seed = 11;
  const roll = (most: number): number => {
    seed = (seed * 48271) % 0x7fffffff;
    return seed % most;
  };
  let text = '';
  for (let n = 0; n < 120; n++) {
    const name = `${odd[roll(odd.length)]}${n}${odd[roll(odd.length)]}`;
    const rdn = `cn=${name
      .replace(/[\\,+"<>;=]/g, '\\$&')
      .replace(/^[ #]/, '\\$&')
      .replace(/ $/, '\\ ')}`;
    const photo = Buffer.from(Array.from({ length: roll(300) }, () => roll(256)));
    const line = (attribute: string, value: string | Buffer): string => `${attribute}:: ${Buffer.from(value).toString('base64')}\n`;
    text += `${line('dn', `${n % 3 === 0 ? rdn : `${rdn}+sn=S${n}`},dc=jade,dc=net`)}objectClass: inetOrgPerson\n${line('cn', name)}sn: S${n}\n`;
    text +=
      line('description', odd[roll(odd.length)] ?? '') +
      line('cn;lang-de;lang-at', `Name ${n} ä`) +
      line('jpegPhoto', Buffer.concat([Buffer.from('ffd8ff', 'hex'), photo]));
    text += `${line('audio', photo)}\n`;
  }
  return text;
}

test('export, import and export again are the same octets: binary values, options, odd names, passwords, operational attributes', async () => {
  const { counts, told } = await load(oddEntries(), { goOn: true });
  expect(told).toEqual([]);
  expect(counts.add).toBe(120);
  await load('dn: mail=user2@jade.net,dc=jade,dc=net\nchangetype: modify\nreplace: title\ntitle: Dr\n-\n');
  const first = await exported(opened);
  const two = await openTemporary();
  try {
    expect(await load(first, {}, two)).toMatchObject({ refused: 0, notTaken: new Map() });
    expect(await exported(two)).toBe(first);
    expect((await checkDirectory(two.keyValue, schema)).faults).toEqual([]);
  } finally {
    await two.close();
  }
});

test('an export without passwords has none; a base and a filter choose; a base that is not there is said', async () => {
  expect(await exported(opened, { operational: false, secrets: false })).not.toMatch(/^(userPassword|entryUUID|hasSubordinates):/m);
  const names: string[] = [];
  const filter = { schema, filter: parseFilter('(objectClass=person)') };
  for await (const entry of exportEntries(opened.keyValue, { base: dn('dc=onyx,dc=net'), filter })) names.push(entry.dn.toString());
  expect(names.sort()).toEqual(['cn=admin,dc=onyx,dc=net', 'mail=user1@onyx.net,dc=onyx,dc=net', 'mail=user2@onyx.net,dc=onyx,dc=net']);
  await expect(exportEntries(opened.keyValue, { base: dn('dc=none') }).next()).rejects.toThrow('there is no entry dc=none');
});

test('a password in clear that is the one there already is no change; another one takes its place, or not', async () => {
  const withPassword = (name: string, password: string): string => person(name, `userPassword: ${password}\n`);
  const nightly = withPassword('night1', 'dots') + withPassword('night2', '{CLEAR}of the file');
  await load(nightly);
  const before = (await read('night1'))?.values('userPassword');
  expect((await load(nightly, { replace: true })).counts).toMatchObject({ unchanged: 2, modify: 0 });
  expect((await read('night1'))?.values('userPassword')).toEqual(before);
  // Users choose their own: the file counts, or is told not to.
  const name = dn('mail=night2@jade.net,dc=jade,dc=net');
  const values = ['chosen by the user'];
  await opened.directory.modify(root, name, [{ operation: 'replace', attribute: { name: 'userPassword', values } }]);
  const from = { door: 'test' };
  const title = nightly.replace('sn: Example', 'sn: Example\ntitle: Dr') + withPassword('night3', 'fresh one');
  expect((await load(title, { replace: true, keepPasswords: true })).counts).toMatchObject({ unchanged: 1, modify: 1, add: 1 });
  expect((await read('night1'))?.text('title')).toBe('Dr');
  expect((await opened.directory.authenticate(name, 'chosen by the user', from)).dn?.key).toBe(name.key);
  expect((await load(nightly, { replace: true })).counts).toMatchObject({ modify: 2 });
  expect((await opened.directory.authenticate(name, 'of the file', from)).dn?.key).toBe(name.key);
});

test('what the schema does not have is left out where that is wished, and told with line and entry', async () => {
  const old = person('badge', 'objectClass: exampleEmployee\nexampleBadge: 17\n');
  expect((await load(old)).stopped?.say).toContain('not defined in the schema');
  const told: string[] = [];
  expect((await load(old, { dropUnknown: (say) => told.push(say) })).counts.add).toBe(1);
  const at = 'x.ldif:1: mail=badge@jade.net,dc=jade,dc=net';
  expect(told).toEqual([
    `${at}: object class exampleEmployee is not defined in the schema and is left out`,
    `${at}: attribute exampleBadge is not defined in the schema and is left out`,
  ]);
  expect((await read('badge'))?.texts('objectClass')).not.toContain('exampleEmployee');
});
