import { expect, test } from '@jest/globals';
import { type BundledDirectory, exportEntries } from '../../src/directory/index.ts';
import { checkIndexes } from '../../src/directory/records/check-indexes.ts';
import { defaultIndexes, Indexes } from '../../src/directory/records/indexes.ts';
import { rebuildIndexes } from '../../src/directory/records/rebuild.ts';
import { formatLdifEntry, parseFilter, parseLdif } from '../../src/ldap-wire/index.ts';
import { type ImportOptions, type ImportSummary, importRecords, LocalTarget } from '../../src/transfer/index.ts';
import { all, dn, fill, mails, openTemporary, root, testSchema } from './support.ts';

const user = (n: number): string =>
  `dn: mail=person${n}@jade.net,dc=jade,dc=net\nobjectClass: inetOrgPerson\ncn: Person Number ${n}\nsn: Number${n % 100}\ngivenName: Person\nmail: person${n}@jade.net\n`;

function load(directory: BundledDirectory, ldif: string, options: Partial<ImportOptions> = {}): Promise<ImportSummary> {
  return importRecords(parseLdif(ldif), { target: new LocalTarget(directory), schema: testSchema(), ...options });
}

test('ten thousand entries are imported, found every way, exported and checked', async () => {
  const opened = await openTemporary();
  const { directory } = opened;
  try {
    await fill(directory);
    const before = await directory.position();
    let lost = 0;
    const watch = await directory.watch(
      undefined,
      () => {},
      () => {
        lost += 1;
      },
    );
    const steps: number[] = [];
    const { counts } = await load(directory, Array.from({ length: 10_000 }, (_, n) => user(n)).join('\n'), {
      progress: (done) => steps.push(done),
    });
    expect(counts.add).toBe(10_000);
    expect(steps.at(-1)).toBe(10_000);
    expect(await directory.position()).toBe(before + 10_000);
    for (let n = 0; n < 100 && lost === 0; n++) await new Promise((resolve) => setImmediate(resolve));
    expect(lost).toBe(1);
    watch.stop();
    const find = (filter: string): Promise<string[]> =>
      mails(directory.search(root, { base: dn('dc=jade,dc=net'), scope: 'sub', filter: parseFilter(filter) }));
    expect(await find('(mail=person9999@jade.net)')).toEqual(['person9999@jade.net']);
    expect(await find('(sn=number42)')).toHaveLength(100);
    expect(await find('(&(sn=number42)(givenName=person)(mail=*4242*))')).toEqual(['person4242@jade.net']);
    expect(await find('(cn=*number 777)')).toEqual(['person777@jade.net']);
    expect(await find('(mail=person123*)')).toHaveLength(11);
    expect(await find('(objectClass=inetOrgPerson)')).toHaveLength(10_002);
    expect(await find('(!(objectClass=person))')).toEqual(['dc=jade,dc=net']);
    const indexes = new Indexes(testSchema(), defaultIndexes);
    let exported = 0;
    let text = '';
    for await (const entry of exportEntries(opened.keyValue)) {
      exported += 1;
      if (exported < 20) text += `${formatLdifEntry(entry.dn, entry.attributes.values())}\n`;
    }
    expect(exported).toBe(
      (await all(directory.search(root, { base: dn(''), scope: 'sub', filter: parseFilter('(objectClass=*)') }))).length,
    );
    expect(parseLdif(text)).toHaveLength(19);
    for (const n of [1, 42, 777]) await directory.delete(root, dn(`mail=person${n}@jade.net,dc=jade,dc=net`));
    expect(await checkIndexes(opened.keyValue, indexes)).toEqual([]);
    await rebuildIndexes(opened.keyValue, indexes);
    expect(await checkIndexes(opened.keyValue, indexes)).toEqual([]);
    expect(await find('(sn=number42)')).toHaveLength(99);
  } finally {
    await opened.close();
  }
}, 300_000);

test('an export loads into an empty directory as it was, passwords and UUIDs included', async () => {
  const [one, two] = [await openTemporary(), await openTemporary()];
  try {
    await fill(one.directory);
    let text = '';
    for await (const entry of exportEntries(one.keyValue)) text += `${formatLdifEntry(entry.dn, entry.attributes.values())}\n`;
    await load(two.directory, text);
    const name = dn('mail=user1@jade.net,dc=jade,dc=net');
    expect(await two.directory.readAll(name)).toEqual(await one.directory.readAll(name));
    expect((await two.directory.authenticate(name, 'secret of user1', { door: 'test' })).dn?.key).toBe(name.key);
  } finally {
    await one.close();
    await two.close();
  }
}, 300_000);

test('an import that fails says where, and keeps what came before', async () => {
  const { directory, close } = await openTemporary();
  try {
    await fill(directory);
    const text = `${user(1)}\n${user(2).replace('sn:', 'pizza:')}`;
    const { stopped, counts } = await load(directory, text);
    expect(stopped?.say).toContain('line 8: mail=person2@jade.net,dc=jade,dc=net: attribute pizza');
    expect(counts.add).toBe(1);
    expect(await directory.read(root, dn('mail=person1@jade.net,dc=jade,dc=net'))).toBeDefined();
    const changes = `dn: mail=user1@jade.net,dc=jade,dc=net\nchangetype: modify\nreplace: title\ntitle: Dr\n-\n\ndn: mail=user2@jade.net,dc=jade,dc=net\nchangetype: delete\n`;
    expect((await load(directory, changes)).counts).toMatchObject({ modify: 1, delete: 1 });
    expect((await directory.read(root, dn('mail=user1@jade.net,dc=jade,dc=net')))?.text('title')).toBe('Dr');
  } finally {
    await close();
  }
});
