import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkDirectory } from '../../src/directory/index.ts';
import { parseRdn } from '../../src/ldap-wire/index.ts';
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
