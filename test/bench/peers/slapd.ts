/** OpenLDAP as a peer: slapd with mdb, the same entries, equality index on mail. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answering, ended, type Peer, run, start } from './process.ts';

export async function startSlapd(options: { dir: string; port: number; users: readonly string[] }): Promise<Peer> {
  const base = join(options.dir, 'slapd');
  mkdirSync(join(base, 'db'), { recursive: true });
  const [, domain = ''] = (options.users[0] ?? '').split('@');
  const suffix = domain
    .split('.')
    .map((label) => `dc=${label}`)
    .join(',');
  const conf = join(base, 'slapd.conf');
  writeFileSync(
    conf,
    `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${base}/pid
database mdb
maxsize 1073741824
suffix "${suffix}"
rootdn "cn=root,${suffix}"
directory ${base}/db
index objectClass,mail eq
`,
  );
  const entries = options.users.map(
    (user) => `dn: mail=${user},${suffix}\nobjectClass: inetOrgPerson\nmail: ${user}\ncn: ${user}\nsn: ${user}\n`,
  );
  writeFileSync(join(base, 'data.ldif'), [`dn: ${suffix}\nobjectClass: domain\ndc: ${domain.split('.')[0]}\n`, ...entries].join('\n'));
  await run('slapadd', ['-q', '-f', conf, '-l', join(base, 'data.ldif')]);
  const child = start('slapd', ['-d', '0', '-f', conf, '-h', `ldap://127.0.0.1:${options.port}/`]);
  await answering(options.port);
  return {
    name: 'OpenLDAP slapd (mdb)',
    async stop() {
      child.kill('SIGTERM');
      await ended(child);
    },
  };
}
