import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkDirectory, reindexDirectory } from '../../src/directory/index.ts';
import { decodeEntry, encodeEntry } from '../../src/directory/records/codec.ts';
import { parseRdn, useNamingRules } from '../../src/ldap-wire/index.ts';
import { attributes, dn, fill, type Opened, openTemporary, person, root, testSchema } from './support.ts';

let opened: Opened;

beforeEach(async () => {
  opened = await openTemporary();
  await fill(opened.directory);
  const { directory } = opened;
  for (const name of ['one', 'two']) await directory.add(root, dn(`mail=${name}@jade.net,dc=jade,dc=net`), person(`${name}@jade.net`));
  await directory.modify(root, dn('mail=one@jade.net,dc=jade,dc=net'), [
    { operation: 'replace', attribute: { name: 'description', values: ['another'] } },
  ]);
  await directory.add(root, dn('cn=c,mail=two@jade.net,dc=jade,dc=net'), attributes({ objectClass: 'device', cn: 'c' }));
  await directory.rename(root, dn('cn=c,mail=two@jade.net,dc=jade,dc=net'), { rdn: parseRdn('cn=d'), deleteOldRdn: true });
  await directory.delete(root, dn('mail=one@jade.net,dc=jade,dc=net'));
});

afterEach(() => opened.close());

async function check(): Promise<readonly string[]> {
  return (await checkDirectory(opened.keyValue, testSchema())).faults;
}

/** Removes the first record whose key begins so. */
async function lose(prefix: string): Promise<void> {
  for await (const [key] of opened.keyValue.scan({ from: prefix, to: `${prefix}\uffff` }, { limit: 1 }))
    await opened.keyValue.transact(async () => ({ deletes: [key], result: undefined }), 'durable');
}

test('a directory that was written to is sound', async () => {
  const report = await checkDirectory(opened.keyValue, testSchema());
  expect(report.faults).toEqual([]);
  expect(report.lastChange).toBe(await opened.directory.position());
  expect(report.entries).toBeGreaterThan(5);
});

test.each([
  ['directory/x/mail/', /index/],
  ['directory/q/', /index/],
  ['directory/n/', /its name does not lead to it/],
  ['directory/k/', /children, counted as 0/],
  ['directory/l/', /change log: .* stands where change 1 is expected/],
  ['directory/c', /change log: it ends with change \d+, the counter says 0/],
])('a lost record below %s is found', async (prefix, fault) => {
  await lose(prefix);
  expect((await check()).join('\n')).toMatch(fault);
});

/** Changes the stored form of one entry behind the directory's back. */
async function tamper(name: string, change: (attributes: Map<string, string[]>) => void): Promise<void> {
  for await (const [key, octets] of opened.keyValue.scan({ from: 'directory/e/', to: 'directory/e/~' })) {
    const record = decodeEntry(octets);
    if (!record.attributes.some((attribute) => attribute.name === 'mail' && attribute.values[0] === name)) continue;
    const map = new Map(record.attributes.map((attribute) => [attribute.name, attribute.values.map(String)]));
    change(map);
    const attributes = [...map].map(([attribute, values]) => ({ name: attribute, values }));
    await opened.keyValue.transact(async () => ({ puts: [[key, encodeEntry({ ...record, attributes })]], result: undefined }), 'durable');
  }
}

test('an entry that the schema does not allow is found, with attribute and rule', async () => {
  await tamper('two@jade.net', (attributes) => {
    attributes.delete('sn');
    attributes.set('mtTestNumber', ['1000']);
  });
  const faults = (await check()).join('\n');
  expect(faults).toContain('mail=two@jade.net,dc=jade,dc=net: attribute sn: required by object class person and missing');
  expect(faults).toContain('mail=two@jade.net,dc=jade,dc=net: attribute mtTestNumber: "1000" is not in the range 1 to 100');
});

test('an entry that is not what the change log left is found', async () => {
  await tamper('two@jade.net', (attributes) => attributes.set('entryCSN', ['20200101000000.000000Z#000001#000#000000']));
  expect((await check()).join('\n')).toMatch(
    /mail=two@jade\.net,.*: attribute entryCSN: not what change \d+, the last one of it, left there/,
  );
});

test('an address that two entries have, and a reference that leads nowhere, are warnings', async () => {
  await tamper('two@jade.net', (attributes) => {
    attributes.set('mailLocalAddress', ['USER1@jade.net']);
    attributes.set('seeAlso', ['cn=nobody,dc=net', 'dc=jade,dc=net']);
  });
  const { warnings } = await checkDirectory(opened.keyValue, testSchema());
  expect(warnings).toEqual([
    'mail=two@jade.net,dc=jade,dc=net: attribute seeAlso: there is no entry cn=nobody,dc=net',
    'mail=two@jade.net,dc=jade,dc=net: attribute mailLocalAddress: the address "USER1@jade.net" belongs to mail=user1@jade.net,dc=jade,dc=net too',
  ]);
});

test('a check sees one moment while others write', async () => {
  let writing = true;
  const writer = (async () => {
    for (let n = 0; writing; n++) await opened.directory.add(root, dn(`mail=w${n}@jade.net,dc=jade,dc=net`), person(`w${n}@jade.net`));
  })();
  for (let n = 0; n < 5; n++) expect(await check()).toEqual([]);
  writing = false;
  await writer;
});

test('names, children and indexes are made anew from the entries', async () => {
  for (const prefix of ['directory/x/mail/', 'directory/g/', 'directory/n/', 'directory/k/', 'directory/p/']) await lose(prefix);
  expect(await check()).not.toEqual([]);
  const { entries, notes } = await reindexDirectory(opened.keyValue, testSchema());
  expect([entries > 5, notes]).toEqual([true, []]);
  expect(await check()).toEqual([]);
});

test('a tool that never opens the directory makes names anew, and looks them up, as the schema compares them', async () => {
  const named = (number: string) => `telephoneNumber=${number},dc=jade,dc=net`;
  const unit = (number: string) =>
    attributes({ objectClass: ['organizationalUnit', 'extensibleObject'], ou: 'unit', telephoneNumber: number });
  await opened.directory.add(root, dn(named('089 1234')), [...unit('089 1234'), { name: 'seeAlso', values: [named('0891234')] }]);
  // Another process, which has no schema yet.
  useNamingRules(() => undefined);
  expect(await checkDirectory(opened.keyValue, testSchema())).toMatchObject({ faults: [], warnings: [] });
  useNamingRules(() => undefined);
  expect((await reindexDirectory(opened.keyValue, testSchema())).notes).toEqual([]);
  expect(await check()).toEqual([]);
  opened = await opened.reopen();
  expect(await opened.directory.read(root, dn(named('089-1234')))).toBeDefined();
});

test('a domain that is another name for one that is not there is a warning', async () => {
  const alias = (of: string): Promise<unknown> =>
    opened.directory.modify(root, dn('dc=onyx,dc=net'), [{ operation: 'replace', attribute: { name: 'mtDomainAlias', values: [of] } }]);
  for (const name of ['dc=onyx,dc=net', 'dc=jade,dc=net']) {
    const domain = await opened.directory.readAll(dn(name));
    if (!domain?.isA('mtMailDomain'))
      await opened.directory.modify(root, dn(name), [{ operation: 'add', attribute: { name: 'objectClass', values: ['mtMailDomain'] } }]);
  }
  await alias('gone.test');
  expect((await checkDirectory(opened.keyValue, testSchema())).warnings).toEqual([
    'dc=onyx,dc=net: attribute mtDomainAlias: there is no domain gone.test',
  ]);
  await alias('jade.net');
  expect((await checkDirectory(opened.keyValue, testSchema())).warnings).toEqual([]);
});
