import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkDirectory, exportEntries } from '../../src/directory/index.ts';
import { parseFilter, parseRdn } from '../../src/ldap-wire/index.ts';
import { all, attributes, dn, type Opened, openTemporary, refusal, root } from './support.ts';

let opened: Opened;
beforeEach(async () => {
  opened = await openTemporary({ suffixes: [dn('o=University of Michigan, c=US'), dn('c=DE')] });
});
afterEach(() => opened.close());

const organization = (o: string) => attributes({ objectClass: 'organization', o });
const names = async (base: string, scope: 'base' | 'one' | 'sub' = 'sub'): Promise<string[]> =>
  (await all(opened.directory.search(root, { base: dn(base), scope, filter: parseFilter('(objectClass=*)') }))).map((e) => e.dn.toString());

test('a configured suffix stands without its upper levels, and entries below it are found, renamed and deleted', async () => {
  const { directory } = opened;
  const unit = attributes({ objectClass: 'organizationalUnit', ou: 'People' });
  expect(await refusal(directory.add(root, dn('ou=People,o=University of Michigan,c=US'), unit))).toMatch(/^noSuchObject/);
  await directory.add(root, dn('o=University of Michigan, c=US'), organization('UMICH'));
  await directory.add(root, dn('ou=People, O=university of  michigan, C=us'), unit);
  expect(await names('o=university of michigan,c=us')).toEqual([
    'o=University of Michigan,c=US',
    'ou=People,o=University of Michigan,c=US',
  ]);
  expect(await names('', 'one')).toEqual(['o=University of Michigan,c=US']);
  await expect(names('c=US')).rejects.toMatchObject({ result: 'noSuchObject', matched: undefined });
  await directory.rename(root, dn('ou=People,o=University of Michigan,c=US'), { rdn: parseRdn('ou=Staff'), deleteOldRdn: true });
  expect(await names('o=University of Michigan,c=US', 'one')).toEqual(['ou=Staff,o=University of Michigan,c=US']);
  expect(directory.rootDse().namingContexts).toEqual(['o=University of Michigan,c=US']);
  opened = await opened.reopen();
  expect((await all(exportEntries(opened.keyValue))).map((entry) => entry.dn.toString())).toEqual([
    'o=University of Michigan,c=US',
    'ou=Staff,o=University of Michigan,c=US',
  ]);
  expect((await checkDirectory(opened.keyValue, opened.directory.schema)).faults).toEqual([]);
  await opened.directory.delete(root, dn('ou=Staff,o=University of Michigan,c=US'));
  await opened.directory.delete(root, dn('o=University of Michigan,c=US'));
  expect(await names('')).toEqual([]);
  expect((await checkDirectory(opened.keyValue, opened.directory.schema)).faults).toEqual([]);
});

test('what is no suffix, or would stand above one, is refused', async () => {
  const { directory } = opened;
  expect(await refusal(directory.add(root, dn('o=Other,c=US'), organization('Other')))).toMatch(
    /^noSuchObject: the parent entry does not exist/,
  );
  expect(await refusal(directory.add(root, dn('o=Other'), organization('Other')))).toMatch(/^noSuchObject: no such naming context/);
  await directory.add(root, dn('o=University of Michigan,c=US'), organization('University of Michigan'));
  expect(await refusal(directory.rename(root, dn('o=University of Michigan,c=US'), { rdn: parseRdn('o=UM'), deleteOldRdn: false }))).toBe(
    'unwillingToPerform: o=University of Michigan,c=US is a configured suffix: its name cannot change',
  );
  await directory.rename(root, dn('o=University of Michigan,c=US'), { rdn: parseRdn('o=UNIVERSITY OF MICHIGAN'), deleteOldRdn: false });
  expect(await names('', 'one')).toEqual(['o=UNIVERSITY OF MICHIGAN,c=US']);
  opened = await opened.reopen({ suffixes: [dn('c=US')] });
  expect(await refusal(opened.directory.add(root, dn('c=US'), attributes({ objectClass: 'country', c: 'US' })))).toMatch(
    /^unwillingToPerform: the naming context o=UNIVERSITY OF MICHIGAN,c=US is there already and would stand below/,
  );
});

test('dc suffixes need no setting: missing upper levels are made', async () => {
  await opened.directory.add(
    root,
    dn('dc=example,dc=com'),
    attributes({ objectClass: ['organization', 'dcObject'], o: 'Example', dc: 'example' }),
  );
  expect(await names('dc=com')).toEqual(['dc=com', 'dc=example,dc=com']);
});
