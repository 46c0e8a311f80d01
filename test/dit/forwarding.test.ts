import { expect, test } from '@jest/globals';
import { silentLog } from '../../src/base/index.ts';
import { type Change, type Directory, Entry } from '../../src/directory/index.ts';
import { openDit } from '../../src/dit/index.ts';
import { parseDn } from '../../src/ldap-wire/index.ts';
import { FakeDirectory } from '../support/fake-directory.ts';

const base = 'cn=forwarding,cn=mta,cn=mailtree';
const entry = (domain: string, decoder: string): Entry =>
  new Entry(parseDn(`cn=${domain},${base}`), [
    { name: 'objectClass', values: ['mtForwarding'] },
    { name: 'cn', values: [domain] },
    { name: 'mtChannel', values: ['BSMTPOUT'] },
    { name: 'mtIdentifier', values: [decoder] },
  ]);

test('a domain forwarding is found by name in any case, and follows the directory', async () => {
  const directory = new FakeDirectory();
  for (const one of [entry('one.example', 'a@hub.example'), entry('two.example', 'b@hub.example')]) directory.entries.set(one.dn.key, one);
  directory.put('cn=mailtree', { objectClass: ['mtContainer'] });
  let tell: (change: Change) => void = () => {};
  const watched: Directory = Object.assign(Object.create(directory) as Directory, {
    search: directory.search.bind(directory),
    watch: async (_from: unknown, listener: (change: Change) => void) => {
      tell = listener;
      return { position: 0, stop() {} };
    },
  });
  const dit = await openDit({
    directory: watched,
    systemBase: parseDn('cn=mailtree'),
    domainBase: parseDn(''),
    host: 'mx.example',
    log: silentLog,
  });
  expect(await dit.forwarding('ONE.example')).toMatchObject({ domain: 'one.example', channel: 'BSMTPOUT', identifier: 'a@hub.example' });
  expect(await dit.forwarding('three.example')).toBeUndefined();
  const three = entry('three.example', 'c@hub.example');
  tell({ kind: 'add', uuid: 'one', position: 1, after: three } as unknown as Change);
  expect(await dit.forwarding('three.example')).toMatchObject({ identifier: 'c@hub.example' });
  tell({ kind: 'delete', uuid: 'one', position: 2, before: three } as unknown as Change);
  expect(await dit.forwarding('three.example')).toBeUndefined();
  dit.close();
});
