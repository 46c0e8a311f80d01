/** Directories of others, as they come: imported below further suffixes with the classes they use dropped in as schema files, and given out again. */

import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { prepareServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Ran, tool } from './support/tool.ts';

const data = process.env.MAILTREE_TEST_DATA ?? '../shared/data';
let files: ServerFiles;

beforeAll(async () => {
  files = await prepareServer({ example: false });
  const folder = join(files.dir, 'data', 'schema');
  mkdirSync(folder, { recursive: true });
  copyFileSync('/etc/ldap/schema/openldap.schema', join(folder, '10-openldap.schema'));
  for (const name of ['sample', 'quipu']) copyFileSync(resolve(`test/interop/schema/${name}.schema`), join(folder, `20-${name}.schema`));
  expect(await (await runServer(files)).stop()).toBe(0);
});
afterAll(() => files.remove());

/** A copy of the fresh directory with other suffixes; nobody runs on it. */
function fresh(name: string, suffixes: readonly string[]): (...args: string[]) => Promise<Ran> {
  const dir = join(files.dir, name);
  cpSync(join(files.dir, 'data'), join(dir, 'data'), { recursive: true });
  const config = readFileSync(files.config, 'utf8').replace(/^data: .*$/m, `data: ${join(dir, 'data')}`);
  writeFileSync(join(dir, 'mailtree.yaml'), `${config}suffixes: ${JSON.stringify(suffixes)}\n`);
  return (...args) =>
    tool(process.execPath, [resolve('dist/cli/mailtree.js'), 'directory', ...args, '--config', join(dir, 'mailtree.yaml')]);
}

const michigan = 'o=University of Michigan,c=US';
const samples: [name: string, suffix: string, files: string[], entries: number, holds: RegExp][] = [
  ['Michigan by OpenLDAP', 'dc=example,dc=com', ['ldap-openldap/test.ldif'], 19, /^objectClass: pilotPerson$/m],
  [
    'Michigan in order, and changed',
    'dc=example,dc=com',
    ['ldap-openldap/test-ordered.ldif', 'ldap-openldap/test-modify.ldif'],
    19,
    /^testTime: 20050304001801\.234Z$/m,
  ],
  [
    'language tags',
    'dc=example,dc=com',
    ['ldap-openldap/test-lang.ldif'],
    1,
    /^o;lang-x;lang-xx;lang-y;lang-yy;lang-z;lang-zz: Example, Inc\.$/m,
  ],
  ['stored passwords', 'dc=example,dc=com', ['ldap-openldap/passwd.ldif'], 6, /^cn: argon2$/m],
  ['referrals, as entries', 'c=US', ['ldap-openldap/referrals.ldif'], 5, /^ref: ldap:\/\/hostA\/o=abc,c=us HostA$/m],
  ['Net::LDAP 00', michigan, ['ldap-perl/00-in.ldif'], 6, /^lastModifiedTime: 930106182800Z$/m],
  ['Net::LDAP 40', michigan, ['ldap-perl/40-in.ldif'], 19, /^cn: Babs Jensen$/m],
  ['Net::LDAP 41', michigan, ['ldap-perl/41-in.ldif'], 19, /^uid: babs$/m],
  ['Net::LDAP 42, and changed', michigan, ['ldap-perl/42-in.ldif', 'ldap-perl/42-mod.ldif'], 19, /^drink: Mad Dog 20\/20$/m],
];

test.each(samples)('%s below %s loads and is given out whole', async (name, suffix, list, entries, holds) => {
  const directory = fresh(name, [suffix]);
  for (const file of list) {
    const ran = await directory('import', join(data, file));
    expect([file, ran.code, ran.err]).toEqual([file, 0, '']);
  }
  const { out } = await directory('export');
  const below = out
    .split(/\n\n/)
    .filter((record) => new RegExp(`^dn: (?:.*,)?${suffix.replaceAll(',', ', ?')}$`, 'im').test(record.replaceAll('\n ', '')));
  expect(below).toHaveLength(entries);
  expect(below.join('\n\n')).toMatch(holds);
  expect((await directory('check')).code).toBe(0);
});

test('records with a critical control that is not known are refused, not done without it', async () => {
  const ran = await fresh('controls', [michigan])('import', join(data, 'ldap-perl/10-in.ldif'));
  expect([ran.code === 0, ran.all]).toEqual([
    false,
    expect.stringMatching(/10-in\.ldif:2: .*the control 2\.16\.840\.1\.113730\.3\.4\.18 is critical/),
  ]);
});

test('below a suffix that is not configured nothing is loaded, and the message says so', async () => {
  const ran = await fresh('none', [])('import', join(data, 'ldap-perl/42-in.ldif'));
  expect([ran.code === 0, ran.all]).toEqual([false, expect.stringMatching(/42-in\.ldif:1: o=University of Michigan,c=US: .*parent/)]);
});
