/** The bundled directory behind its own door as somebody else's external directory: the contract, and storms while the door shuts and opens. */

import { join } from 'node:path';
import { constant, type Place, silentLog, systemClock } from '../../src/base/index.ts';
import { Entry, loadSchema, system } from '../../src/directory/index.ts';
import { openRemoteDirectory } from '../../src/directory-remote/index.ts';
import { rootDn } from '../../src/ldap-wire/index.ts';
import { createLdapd, ldapdSettings, supportedControls, supportedExtensions } from '../../src/ldapd/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { directoryContract } from '../contracts/directory.ts';
import { liveViewContract } from '../contracts/live-view.ts';
import { openTemporary } from '../directory/support.ts';
import { remoteOptions } from '../support/slapd.ts';
import { tempDir } from '../support/temp.ts';

const rootDse = new Entry(rootDn, [
  { name: 'objectClass', values: ['top'] },
  { name: 'subschemaSubentry', values: ['cn=subschema'] },
  { name: 'supportedControl', values: supportedControls },
  { name: 'supportedExtension', values: supportedExtensions },
]);

async function open() {
  const opened = await openTemporary({ schema: await loadSchema(['schema']) });
  const { path: dir, remove } = await tempDir();
  const path = join(dir, 'ldapi');
  const door = () =>
    createLdapd({
      directory: opened.directory,
      followed: opened.directory,
      virtual: { read: (dn) => (dn.rdns.length === 0 ? rootDse : undefined) },
      settings: constant(defaultsOf(ldapdSettings)),
      listen: { ldapi: constant<Place>({ path }) },
      external: system('ldapi'),
      log: silentLog,
      clock: systemClock,
    });
  let now = door();
  await now.start(() => {});
  const url = `ldapi://${encodeURIComponent(path)}`;
  const { directory, ready } = openRemoteDirectory(remoteOptions([url], { bindDn: undefined }));
  await ready;
  return {
    directory,
    trusted: false,
    async disturb() {
      await now.stop();
      now = door();
      await now.start(() => {});
    },
    async close() {
      await directory.close();
      await now.stop();
      await opened.close();
      await remove();
    },
  };
}

directoryContract('another Mailtree host', open);
liveViewContract('another Mailtree host', open, { rounds: 4, writes: 200 });
