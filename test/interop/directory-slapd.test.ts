/** The Directory contract over the network, with OpenLDAP's slapd as the server: with content synchronisation, and without. */

import { expect, test } from '@jest/globals';
import { type Change, system } from '../../src/directory/index.ts';
import { openRemoteDirectory } from '../../src/directory-remote/index.ts';
import { parseDn, parseFilter } from '../../src/ldap-wire/index.ts';
import { directoryContract } from '../contracts/directory.ts';
import { eventually } from '../support/server.ts';
import { createSlapd, remoteOptions, type SlapdOptions, serviceDn } from '../support/slapd.ts';

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

test('by the Unix socket the owner of the process is who we are: SASL EXTERNAL', async () => {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const rule = `authz-regexp "gidNumber=${gid}\\\\+uidNumber=${uid},cn=peercred,cn=external,cn=auth" "${serviceDn}"`;
  const slapd = await createSlapd({ global: [rule] });
  await slapd.start();
  const { directory, ready } = openRemoteDirectory(remoteOptions([slapd.socketUrl], { bindDn: undefined }));
  await ready;
  await directory.add(system('test'), parseDn('dc=test'), [
    { name: 'objectClass', values: ['domain'] },
    { name: 'dc', values: ['test'] },
  ]);
  expect((await directory.read(system('test'), parseDn('dc=test'), ['creatorsName']))?.text('creatorsName')).toBe(serviceDn);
  await directory.close();
  await slapd.remove();
});

test('a long answer comes page by page, and whoever stops reading leaves the connection usable', async () => {
  const slapd = await createSlapd();
  slapd.slapadd(
    [
      'dn: dc=test\nobjectClass: domain\ndc: test\n',
      ...Array.from({ length: 1_700 }, (_, n) => `dn: cn=e${n},dc=test\nobjectClass: mtContainer\ncn: e${n}\n`),
    ].join('\n'),
  );
  await slapd.start();
  const { directory, ready } = openRemoteDirectory(remoteOptions([slapd.url], { connections: 1 }));
  await ready;
  const request = { base: parseDn('dc=test'), scope: 'one', filter: parseFilter('(cn=*)') } as const;
  for (const stopAt of [1, 499, 501, 1_200, 9_999]) {
    let read = 0;
    for await (const entry of directory.search(system('test'), request)) {
      expect(entry.isA('mtContainer')).toBe(true);
      if (++read === stopAt) break;
    }
    expect(read).toBe(Math.min(stopAt, 1_700));
  }
  const limited = async (): Promise<void> => {
    let read = 0;
    try {
      for await (const _entry of directory.search(system('test'), { ...request, sizeLimit: 700 })) read++;
    } finally {
      expect(read).toBe(700);
    }
  };
  await expect(limited()).rejects.toMatchObject({ result: 'sizeLimitExceeded' });
  const abort = new AbortController();
  const aborted = async (): Promise<void> => {
    for await (const _entry of directory.search(system('test'), { ...request, signal: abort.signal })) abort.abort();
  };
  await expect(aborted()).rejects.toMatchObject({ result: 'canceled' });
  expect(await directory.read(system('test'), parseDn('cn=e5,dc=test'))).toBeDefined();
  await directory.close();
  await slapd.remove();
});
