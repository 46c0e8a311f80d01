/** OpenLDAP as a peer: slapd with mdb, the same entries, the same attributes indexed in the same ways, every write flushed. */

import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { formatLdifEntry, parseDn } from '../../../src/ldap-wire/index.ts';
import { nameOf, type People, person } from '../load/ldap-requests.ts';
import { answering, ended, type Peer, run, start } from './process.ts';

export interface SlapdPeer extends Peer {
  readonly pid: number;
  readonly bind: { readonly dn: string; readonly password: string };
}

/** The entries as LDIF, the base first. */
export function* ldif(people: People, count: number): Generator<string> {
  const base = parseDn(people.base);
  const [ava] = base.rdns[0] ?? [];
  yield formatLdifEntry(base, [
    { name: 'objectClass', values: ['top', 'domain'] },
    { name: 'dc', values: [ava?.value ?? ''] },
  ]);
  for (let n = 0; n < count; n++) yield formatLdifEntry(parseDn(nameOf(n, people)), person(n, people));
}

export async function startSlapd(options: {
  readonly dir: string;
  readonly port: number;
  readonly people: People;
  readonly count: number;
}): Promise<SlapdPeer> {
  const { dir, port, people, count } = options;
  const base = join(dir, `slapd-${count}`);
  mkdirSync(join(base, 'db'), { recursive: true });
  const conf = join(base, 'slapd.conf');
  const bind = { dn: `cn=root,${people.base}`, password: 'bench-root-password' };
  writeFileSync(
    conf,
    `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${base}/pid
loglevel none
database mdb
maxsize 17179869184
suffix "${people.base}"
rootdn "${bind.dn}"
rootpw ${bind.password}
directory ${base}/db
index objectClass,entryUUID,uid,telephoneNumber eq
index cn,sn,givenName,mail eq,sub
`,
  );
  await pipeline(Readable.from(ldif(people, count)), createWriteStream(join(base, 'data.ldif')));
  await run('slapadd', ['-q', '-f', conf, '-l', join(base, 'data.ldif')]);
  const child = start('slapd', ['-d', '0', '-f', conf, '-h', `ldap://127.0.0.1:${port}/`]);
  await answering(port);
  return {
    name: 'OpenLDAP slapd (mdb)',
    pid: child.pid ?? 0,
    bind,
    async stop() {
      child.kill('SIGTERM');
      await ended(child);
    },
  };
}
