/** The Directory contract over the network, with OpenLDAP's slapd as the server: with content synchronisation, and without. */

import { expect, test } from '@jest/globals';
import type { Change } from '../../src/directory/index.ts';
import { openRemoteDirectory } from '../../src/directory-remote/index.ts';
import { directoryContract } from '../contracts/directory.ts';
import { eventually } from '../support/server.ts';
import { createSlapd, remoteOptions, type SlapdOptions } from '../support/slapd.ts';

const open = (options: SlapdOptions) => async () => {
  const slapd = await createSlapd(options);
  await slapd.start();
  const { directory, ready } = openRemoteDirectory(remoteOptions([slapd.url]));
  await ready;
  return {
    directory,
    async close() {
      await directory.close();
      await slapd.remove();
    },
  };
};

directoryContract('OpenLDAP with syncprov, one database for everything', open({}));
directoryContract('OpenLDAP with syncprov, a database of its own for the domain', open({ suffixes: ['cn=mailtree', 'dc=test'] }));

test('without syncprov changes are looked for: added, changed, renamed, gone', async () => {
  const slapd = await createSlapd({ sync: false });
  await slapd.start();
  slapd.tool('ldapadd', [], 'dn: dc=test\nobjectClass: domain\ndc: test\n\ndn: cn=kept,dc=test\nobjectClass: mtContainer\ncn: kept\n');
  const { directory, ready } = openRemoteDirectory(remoteOptions([slapd.url]));
  await ready;
  expect(directory.status.feed).toBe('polling');
  const seen: Change[] = [];
  await directory.watch(
    undefined,
    (change) => seen.push(change),
    () => seen.splice(0),
  );
  const next = async (): Promise<string> => {
    await eventually(async () => seen.length > 0);
    return seen
      .splice(0)
      .map(({ kind, after }) => `${kind} ${after?.dn.toString()} ${after?.text('description')}`)
      .join();
  };
  slapd.tool('ldapadd', [], 'dn: cn=one,dc=test\nobjectClass: mtContainer\ncn: one\n');
  expect(await next()).toBe('add cn=one,dc=test undefined');
  slapd.tool('ldapmodify', [], 'dn: cn=one,dc=test\nchangetype: modify\nadd: description\ndescription: x\n');
  expect(await next()).toBe('modify cn=one,dc=test x');
  slapd.tool('ldapmodrdn', ['-r', 'cn=one,dc=test', 'cn=two']);
  expect(await next()).toBe('rename cn=two,dc=test x');
  slapd.tool('ldapdelete', ['cn=two,dc=test']);
  expect(await next()).toBe('delete undefined undefined');
  await directory.close();
  await slapd.remove();
});
