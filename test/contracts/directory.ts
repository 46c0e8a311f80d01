/** What every Directory must do. Called by the tests of each implementation with a way to open an empty one. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Change, type Directory, type DirectoryFault, type Entry, system } from '../../src/directory/index.ts';
import { type Dn, parseDn, parseFilter, parseRdn } from '../../src/ldap-wire/index.ts';
import { eventually } from '../support/server.ts';

export interface DirectoryUnderTest {
  readonly directory: Directory;
  close(): Promise<void>;
}

const me = system('test');
const base = 'dc=contract,dc=test';
const dn = (text: string): Dn => parseDn(text);
const list = async (found: AsyncIterable<Entry>): Promise<string[]> => {
  const names: string[] = [];
  for await (const entry of found) names.push(entry.dn.toString());
  return names.sort();
};
const resultOf = async (call: Promise<unknown>): Promise<string> => {
  try {
    await call;
    return 'success';
  } catch (thrown) {
    return (thrown as DirectoryFault).result;
  }
};
const person = (mail: string): { name: string; values: string[] }[] => [
  { name: 'objectClass', values: ['inetOrgPerson'] },
  { name: 'cn', values: [`Ünïcode ${mail}`] },
  { name: 'sn', values: ['Contract'] },
  { name: 'mail', values: [mail] },
];

export function directoryContract(name: string, open: () => Promise<DirectoryUnderTest>): void {
  describe(`the Directory contract: ${name}`, () => {
    let under: DirectoryUnderTest;
    let directory: Directory;
    beforeAll(async () => {
      under = await open();
      directory = under.directory;
      await directory.add(me, dn(base), [
        { name: 'objectClass', values: ['domain'] },
        { name: 'dc', values: ['contract'] },
      ]);
      for (const user of ['a', 'b', 'c'])
        await directory.add(me, dn(`mail=${user}@contract.test,${base}`), person(`${user}@contract.test`));
    });
    afterAll(() => under.close());

    const find = (filter: string, scope: 'base' | 'one' | 'sub' = 'sub'): Promise<string[]> =>
      list(directory.search(me, { base: dn(base), scope, filter: parseFilter(filter) }));

    test('an entry is found by value, without regard to case', async () => {
      expect(await find('(mail=A@Contract.TEST)')).toEqual([`mail=a@contract.test,${base}`]);
      expect(await find('(cn=ünÏcode a@contract.test)')).toEqual([`mail=a@contract.test,${base}`]);
    });

    test('scopes are base, one and sub', async () => {
      expect(await find('(objectClass=*)', 'base')).toEqual([base]);
      expect(await find('(objectClass=*)', 'one')).toHaveLength(3);
      expect(await find('(objectClass=*)', 'sub')).toHaveLength(4);
    });

    test('a size limit ends the search with sizeLimitExceeded after that many entries', async () => {
      const seen: Entry[] = [];
      const run = async (): Promise<void> => {
        for await (const entry of directory.search(me, {
          base: dn(base),
          scope: 'one',
          filter: parseFilter('(objectClass=*)'),
          sizeLimit: 2,
        }))
          seen.push(entry);
      };
      expect(await resultOf(run())).toBe('sizeLimitExceeded');
      expect(seen).toHaveLength(2);
    });

    test('reading what does not exist gives undefined, searching below it noSuchObject', async () => {
      expect(await directory.read(me, dn(`mail=nobody@contract.test,${base}`))).toBeUndefined();
      const missing = dn(`mail=x@contract.test,ou=none,${base}`);
      expect(await resultOf(list(directory.search(me, { base: missing, scope: 'sub', filter: parseFilter('(cn=*)') })))).toBe(
        'noSuchObject',
      );
    });

    test('operational attributes come when they are asked for', async () => {
      const plain = await directory.read(me, dn(base));
      expect(plain?.has('entryUUID')).toBe(false);
      const full = await directory.read(me, dn(base), ['*', '+']);
      expect(full?.text('entryUUID')).toMatch(/^[0-9a-f-]{36}$/);
      expect(full?.has('createTimestamp')).toBe(true);
    });

    test('compare says yes, no, or that there is nothing to compare', async () => {
      const a = dn(`mail=a@contract.test,${base}`);
      expect(await directory.compare(me, a, 'sn', 'CONTRACT')).toBe(true);
      expect(await directory.compare(me, a, 'sn', 'other')).toBe(false);
      expect(await resultOf(directory.compare(me, a, 'title', 'x'))).toBe('noSuchAttribute');
    });

    test('a change is seen by reads and by whoever watches, in order', async () => {
      const seen: Change[] = [];
      const from = await directory.position();
      const watch = await directory.watch(
        from,
        (change) => seen.push(change),
        () => {},
      );
      const name = dn(`mail=w@contract.test,${base}`);
      await directory.add(me, name, person('w@contract.test'));
      await directory.modify(me, name, [{ operation: 'add', attribute: { name: 'title', values: ['Dr'] } }]);
      expect((await directory.read(me, name))?.text('title')).toBe('Dr');
      await directory.rename(me, name, { rdn: parseRdn('mail=v@contract.test'), deleteOldRdn: true });
      await directory.delete(me, dn(`mail=v@contract.test,${base}`));
      await eventually(async () => seen.length >= 4);
      watch.stop();
      expect(seen.map((change) => change.kind)).toEqual(['add', 'modify', 'rename', 'delete']);
      expect(seen.map((change) => change.position)).toEqual([...seen.map((change) => change.position)].sort((x, y) => x - y));
      expect(new Set(seen.map((change) => change.uuid)).size).toBe(1);
      expect(seen[2]?.after?.text('mail')).toBe('v@contract.test');
    });

    test('what breaks the schema is refused with the right result', async () => {
      const bad = dn(`mail=bad@contract.test,${base}`);
      expect(await resultOf(directory.add(me, bad, [...person('bad@contract.test'), { name: 'nonsense', values: ['x'] }]))).toBe(
        'undefinedAttributeType',
      );
      expect(await resultOf(directory.add(me, dn(`mail=a@contract.test,${base}`), person('a@contract.test')))).toBe('entryAlreadyExists');
      expect(await resultOf(directory.delete(me, dn(base)))).toBe('notAllowedOnNonLeaf');
      expect(
        await resultOf(
          directory.modify(me, dn(`mail=a@contract.test,${base}`), [{ operation: 'replace', attribute: { name: 'sn', values: [] } }]),
        ),
      ).toBe('objectClassViolation');
    });

    test('a write is done where its assertion holds, and gives back the entry before and after', async () => {
      const name = dn(`mail=asserted@contract.test,${base}`);
      const is = (filter: string) => ({ assertion: parseFilter(filter) });
      const replace = (value: string) => [{ operation: 'replace', attribute: { name: 'title', values: [value] } }] as const;
      expect(await resultOf(directory.add(me, name, person('asserted@contract.test'), is('(sn=other)')))).toBe('assertionFailed');
      expect(await directory.read(me, name)).toBeUndefined();
      const added = await directory.add(me, name, person('asserted@contract.test'), {
        ...is('(sn=contract)'),
        postRead: ['entryUUID', 'sn'],
      });
      expect(added.after?.texts('sn')).toEqual(['Contract']);
      expect(added.after?.text('entryUUID')).toMatch(/^[0-9a-f-]{36}$/);
      await directory.modify(me, name, replace('first'));
      const modified = await directory.modify(me, name, replace('second'), {
        ...is('(title=first)'),
        preRead: ['title'],
        postRead: ['title'],
      });
      expect([modified.before?.texts('title'), modified.after?.texts('title')]).toEqual([['first'], ['second']]);
      expect(await resultOf(directory.modify(me, name, replace('third'), is('(title=first)')))).toBe('assertionFailed');
      expect(await resultOf(directory.compare(me, name, 'title', 'second', is('(title=first)')))).toBe('assertionFailed');
      expect(await directory.compare(me, name, 'title', 'second', is('(title=second)'))).toBe(true);
      const request = { base: name, scope: 'base', filter: parseFilter('(objectClass=*)') } as const;
      expect(await resultOf(list(directory.search(me, { ...request, ...is('(title=first)') })))).toBe('assertionFailed');
      expect(await list(directory.search(me, { ...request, ...is('(title=second)') }))).toHaveLength(1);
      const to = { rdn: parseRdn('mail=renamed@contract.test'), deleteOldRdn: true };
      expect(await resultOf(directory.rename(me, name, to, is('(title=first)')))).toBe('assertionFailed');
      const renamed = await directory.rename(me, name, to, { preRead: ['mail'], postRead: ['mail'] });
      expect([renamed.before?.texts('mail'), renamed.after?.texts('mail')]).toEqual([
        ['asserted@contract.test'],
        ['renamed@contract.test'],
      ]);
      const moved = dn(`mail=renamed@contract.test,${base}`);
      expect(renamed.after?.dn.key).toBe(moved.key);
      expect(await resultOf(directory.delete(me, moved, is('(title=first)')))).toBe('assertionFailed');
      const deleted = await directory.delete(me, moved, { ...is('(title=second)'), preRead: ['title', 'mail'] });
      expect(deleted.before?.texts('title')).toEqual(['second']);
      expect(await directory.read(me, moved)).toBeUndefined();
    });

    test('an entry goes with everything below it where that is asked for', async () => {
      const names = ['cn=top', 'cn=middle,cn=top', 'cn=low,cn=middle,cn=top', 'cn=other,cn=top'].map((rdns) => dn(`${rdns},${base}`));
      for (const name of names)
        await directory.add(me, name, [
          { name: 'objectClass', values: ['applicationProcess'] },
          { name: 'cn', values: [name.rdns[0]?.[0]?.value ?? ''] },
        ]);
      const [top] = names as [Dn, ...Dn[]];
      expect(await resultOf(directory.delete(me, top))).toBe('notAllowedOnNonLeaf');
      await directory.delete(me, top, { subtree: true });
      expect(await find('(objectClass=applicationProcess)')).toEqual([]);
    });

    test('name and password let in, anything else is invalidCredentials', async () => {
      const name = dn(`mail=a@contract.test,${base}`);
      await directory.modify(me, name, [{ operation: 'replace', attribute: { name: 'userPassword', values: ['right password'] } }]);
      expect((await directory.authenticate(name, 'right password', { door: 'test' })).dn?.key).toBe(name.key);
      expect(await resultOf(directory.authenticate(name, 'wrong password', { door: 'test' }))).toBe('invalidCredentials');
      expect(await resultOf(directory.authenticate(dn(`mail=no@contract.test,${base}`), 'right password', { door: 'test' }))).toBe(
        'invalidCredentials',
      );
    });
  });
}
