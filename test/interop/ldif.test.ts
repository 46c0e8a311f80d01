/** LDIF with others: Perl's Net::LDAP::LDIF reads what we read; OpenLDAP's slapadd takes our export, and we take slapcat's. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { formatLdifRecord, type LdifRecord, parseLdif } from '../../src/ldap-wire/index.ts';
import { command, prepareServer, runServer } from '../support/server.ts';
import { createSlapd } from '../support/slapd.ts';
import { tempDir } from '../support/temp.ts';
import { succeeds } from './support/tool.ts';

const data = process.env['MAILTREE_TEST_DATA'] ?? '../shared/data';
const files = [
  ...['00-in', '10-in', '40-in', '41-in', '42-in', '42-mod'].map((name) => `ldap-perl/${name}.ldif`),
  // Not test-modify.ldif: Net::LDAP knows no increment.
  ...['nis_sample', 'passwd', 'referrals', 'test', 'test-dn', 'test-lang', 'test-ordered'].map((name) => `ldap-openldap/${name}.ldif`),
];

interface Record {
  readonly dn: string;
  readonly type: string;
  readonly attributes: { readonly [name: string]: readonly string[] };
}

const base64 = (value: string | Uint8Array): string => Buffer.from(value).toString('base64');
const changetypes = { content: 'add', add: 'add', modify: 'modify', delete: 'delete', rename: 'modrdn' } as const;

function plain(record: LdifRecord): Record {
  const attributes = record.kind === 'content' || record.kind === 'add' ? record.attributes : [];
  return {
    dn: base64(record.dn.toString()),
    type: changetypes[record.kind],
    attributes: Object.fromEntries(attributes.map(({ name, values }) => [name.toLowerCase(), values.map(base64)])),
  };
}

async function byPerl(path: string): Promise<Record[]> {
  const { out } = await succeeds('perl', [resolve('test/interop/clients/ldif_records.pl'), path]);
  const records = JSON.parse(out) as Record[];
  // Names are compared in our spelling.
  return records.map((record) => {
    const type = record.type === 'moddn' ? 'modrdn' : record.type;
    return { ...record, type, dn: base64(parseLdif(`dn:: ${record.dn}\nchangetype: delete\n`)[0]?.dn.toString() ?? '') };
  });
}

test.each(files)('%s is read as Net::LDAP::LDIF reads it, and read by it as we write it', async (name) => {
  const path = join(data, name);
  const records = parseLdif(readFileSync(path));
  expect(records.length).toBeGreaterThan(0);
  expect(records.map(plain)).toEqual(await byPerl(path));
  const { path: dir, remove } = await tempDir();
  const written = join(dir, 'written.ldif');
  writeFileSync(written, records.map(formatLdifRecord).join(''));
  expect(await byPerl(written)).toEqual(records.map(plain));
  await remove();
});

/** Every entry by the comparable form of its name, with its attributes in an order of their own. */
function entries(ldif: string, without: readonly string[] = []): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const record of parseLdif(ldif)) {
    if (record.kind !== 'content') throw new Error(record.kind);
    const lines = record.attributes
      .filter(({ name }) => !without.includes(name.toLowerCase()))
      .flatMap(({ name, values }) => values.map((value) => `${name.toLowerCase()}: ${base64(value)}`));
    found.set(record.dn.key, lines.sort());
  }
  return found;
}

test('slapadd takes our export, with our schema, and slapcat gives it back entry by entry', async () => {
  const server = await prepareServer();
  const running = await runServer(server);
  expect(await running.stop()).toBe(0);
  const odd = `dn: cn=a\\,b \\+ c+sn=Größe,dc=jade,dc=net\nobjectClass: person\ndescription:: IGxlYWQ=\ncn;lang-de: Name\ntelephoneNumber: +49 89 1\n`;
  expect((await command('mailtree', ['directory', 'import', '-'], server, odd)).code).toBe(0);
  const ours = (await command('ldbmcat', ['--stdout'], server)).out;
  // The module brings pwdChangedTime and its like.
  const slapd = await createSlapd({ global: ['moduleload ppolicy'] });
  slapd.slapadd(ours);
  const theirs = slapd.slapcat();
  // The state of slapd itself, and what its configuration does not know.
  const own = ['contextcsn'];
  expect(entries(theirs, own)).toEqual(entries(ours, own));
  // And back: what it writes is what we had.
  const back = join(server.dir, 'slapcat.ldif');
  writeFileSync(back, theirs);
  const loaded = await command('ldif2ldbm', ['-y', back], server);
  expect([loaded.code, loaded.err.replace(/^note: attribute contextCSN .*\n/, '')]).toEqual([0, '']);
  expect(entries((await command('ldbmcat', ['--stdout'], server)).out)).toEqual(entries(ours));
  await slapd.remove();
  await server.remove();
});
