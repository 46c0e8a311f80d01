/**
 * The same directories in OpenLDAP's slapd and in this server, asked the same: answers must agree entry by entry, attribute by attribute, in result
 * code and matched name. Where slapd departs from the standard, the standard counts: those searches are named below with the section.
 */

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadSchema, type Schema, schemaFrom } from '../../src/directory/index.ts';
import { adminDn, adminPassword, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { createSlapd, type Slapd, serviceDn, servicePassword } from '../support/slapd.ts';
import { type Answer, Asker, differences } from './support/answers.ts';
import { type Query, queriesFor } from './support/filters.ts';
import { succeeds, tool } from './support/tool.ts';

const data = process.env.MAILTREE_TEST_DATA ?? '../shared/data';
const debian = (name: string): string => `/etc/ldap/schema/${name}.schema`;
const sample = resolve('test/interop/schema/sample.schema');
const michigan = 'o=University of Michigan,c=US';
const suffixes = ['dc=example,dc=com', michigan, 'o=SGI,c=US'];

let files: ServerFiles;
let server: RunningServer;
let slapd: Slapd;
let schema: Schema;
let ours: Asker;
let theirs: Asker;

beforeAll(async () => {
  files = await prepareServer({ example: false, extra: `suffixes:\n${suffixes.map((dn) => `  - ${dn}`).join('\n')}` });
  const folder = join(files.dir, 'data', 'schema');
  mkdirSync(folder, { recursive: true });
  // One file as Debian ships it, one of an administrator's own.
  copyFileSync(debian('openldap'), join(folder, '10-openldap.schema'));
  for (const name of ['sample', 'quipu']) copyFileSync(resolve(`test/interop/schema/${name}.schema`), join(folder, `20-${name}.schema`));
  schema = await loadSchema(['schema', folder]);
  // The first start makes the directory; what stands in it is imported while nobody runs, for short passwords of samples are taken then only.
  await (await runServer(files)).stop();
  slapd = await createSlapd({
    suffixes,
    sync: false,
    schema: false,
    global: [...[...['nis', 'openldap'].map(debian), sample].map((file) => `include ${file}`), 'moduleload refint'],
    // Names of what is deleted go from groups, as they do here.
    database: ['overlay refint', 'refint_attributes member uniqueMember owner manager secretary seeAlso roleOccupant'],
  });
  await slapd.start();
  await load(join(data, 'ldap-openldap/test-ordered.ldif'));
  await load(join(data, 'ldap-openldap/test-modify.ldif'), 'ldapmodify');
  await load(resolve('test/interop/ldif/oddities.ldif'));
  await load(join(data, 'ldap-perl/42-in.ldif'));
  await load(join(data, 'ldap-perl/42-mod.ldif'), 'ldapmodify');
  // 146 of its 1,252 entries have a value twice or lack a required attribute: both servers must refuse the same.
  await load(join(data, 'ldap-openldap/nis_sample.ldif'), 'ldapadd', 'what is right');
  server = await runServer(files);
  ours = await Asker.connect(files.ports.ldap, adminDn, adminPassword, schema);
  theirs = await Asker.connect(slapd.port, serviceDn, servicePassword, schema);
}, 300_000);

afterAll(async () => {
  ours?.close();
  theirs?.close();
  await slapd?.remove();
  expect(await server?.stop()).toBe(0);
  await files?.remove();
});

async function load(path: string, program = 'ldapadd', how: 'whole' | 'what is right' = 'whole'): Promise<void> {
  const goOn = how === 'whole' ? [] : ['--continue', '--rejects', join(files.dir, 'rejects')];
  const imported = await tool(process.execPath, [
    resolve('dist/cli/mailtree.js'),
    'directory',
    'import',
    '--config',
    files.config,
    ...goOn,
    path,
  ]);
  const added = await tool(program, [
    ...(how === 'whole' ? [] : ['-c']),
    '-x',
    '-H',
    slapd.url,
    '-D',
    serviceDn,
    '-w',
    servicePassword,
    '-f',
    path,
  ]);
  if (how === 'whole' && imported.code !== 0) throw new Error(`${path}: ${imported.all.slice(-3000)}`);
  if (how === 'whole' && added.code !== 0) throw new Error(`${path}: ${added.all.slice(-3000)}`);
}

/** Where the standard says otherwise than slapd does: which filters, and one of them with what it is of `cn=Björn Müller` here. Slapd says the opposite. */
const departures: readonly { readonly why: string; readonly filters: RegExp; readonly example: string; readonly here: boolean }[] = [
  {
    why: 'RFC 4518 §2.6.1: a value has spaces at its ends and two inside, so those at the end of a part find one',
    filters: /=(?:[^()]*(?: \*|\* )|[^()]*\*[^()*]* \))/,
    example: '(description=*spaces *  three)',
    here: true,
  },
  {
    why: 'RFC 4518 §2.6.3: a part of spaces and hyphens alone is prepared to nothing, which is everywhere',
    filters: /telephoneNumber=\*[ -]\*/,
    example: '(telephoneNumber=*-*)',
    here: true,
  },
  {
    why: 'RFC 4517 §4.2.10: the lines of an address are compared without the signs between them',
    filters: /ostalAddress=[^()]*\*[^()]*\$|ostalAddress=[^()]*\$[^()]*\*/i,
    example: '(postalAddress=*n$Deutschland)',
    here: false,
  },
  {
    why: 'RFC 4512 §4.2: subschemaSubentry is an attribute of every entry, and can be searched for',
    filters: /subschemaSubentry=/,
    example: '(subschemaSubentry=cn=subschema)',
    here: true,
  },
  {
    why: 'RFC 4511 §4.5.1.7.7: without a rule the equality rule of the attribute counts, for UUIDs as well',
    filters: /testUUID:=/,
    example: '(testUUID:=597ae2f6-16a6-1027-98f4-abcdefabcdef)',
    here: true,
  },
  {
    why: 'RFC 4512 §2.5.2.1: every option is known here, so an attribute without it is absent, not unknown',
    filters: /;x-none/,
    example: '(!(cn;x-none=*))',
    here: true,
  },
  {
    why: 'RFC 4517 §4.2.15: a name with an odd value in it is another name, not Undefined',
    filters: /c=USx/,
    example: '(!(seeAlso=cn=Somebody,c=USx))',
    here: true,
  },
  { why: 'RFC 4511 §4.5.1.7.6: what is approximately equal is a local matter', filters: /~=/, example: '(sn~=Miller)', here: false },
  {
    why: 'RFC 4517 §4.2.26: a name nobody knows is Undefined, a number is just another object',
    filters: /objectClass=9/,
    example: '(!(objectClass=1.9.9))',
    here: true,
  },
  {
    why: 'RFC 4518 §2.2: folding case makes ß and ss the same',
    filters: /STRASSE/,
    example: '(postalAddress=strasse 1$80331 münchen$deutschland)',
    here: true,
  },
];

test.each(departures)('$why', async ({ example, here }) => {
  const query = {
    base: 'cn=Björn Müller,ou=Odd,dc=example,dc=com',
    scope: 'base',
    filter: example,
    attributes: ['1.1'],
    typesOnly: false,
    sizeLimit: 0,
  } as const;
  const found = async (asker: Asker) => Object.keys((await asker.answer(query)).entries).length === 1;
  expect([await found(ours), await found(theirs)]).toEqual([here, !here]);
});

/** With a size limit, which entries come first is each server's own business. */
function reduced(answer: Answer, query: Query): Answer {
  if (answer.code !== 4) return answer;
  return { ...answer, entries: { [`${Object.keys(answer.entries).length} of limit ${query.sizeLimit}`]: {} } };
}

test.each(suffixes.map((suffix, n) => [suffix, n] as const))(
  'searches below %s are answered alike',
  async (suffix, n) => {
    const entries = await theirs.entries(suffix);
    const queries = queriesFor(entries.slice(0, 200), 4711 + n);
    expect(queries.length).toBeGreaterThan(300);
    let [matched, excused] = [0, 0];
    const found: string[] = [];
    for (const query of queries) {
      const [mine, others] = [reduced(await ours.answer(query), query), reduced(await theirs.answer(query), query)];
      if (Object.keys(others.entries).length > 0) matched += 1;
      const here = differences(mine, others);
      if (here.length === 0) continue;
      if (departures.some(({ filters }) => filters.test(query.filter))) excused += 1;
      else
        found.push(
          `${query.filter} ${query.scope} of ${query.base}, ${query.attributes.join()}: ${here.slice(0, 3).join('; ')}${here.length > 3 ? ` and ${here.length - 3} more` : ''}`,
        );
    }
    expect(found).toEqual([]);
    expect(excused).toBeLessThan(queries.length / 20);
    expect(matched).toBeGreaterThan(90);
  },
  300_000,
);

test('what an entry may hold is judged alike: names, and what must fail', async () => {
  const path = join(data, 'ldap-openldap/test-dn.ldif');
  await Promise.all([
    tool('ldapadd', ['-x', '-c', '-H', `ldap://127.0.0.1:${files.ports.ldap}`, '-D', adminDn, '-w', adminPassword, '-f', path]),
    tool('ldapadd', ['-x', '-c', '-H', slapd.url, '-D', serviceDn, '-w', servicePassword, '-f', path]),
  ]);
  const query = {
    base: 'dc=example,dc=com',
    scope: 'sub',
    filter: '(objectClass=*)',
    attributes: ['*'],
    typesOnly: false,
    sizeLimit: 0,
  } as const;
  expect(differences(await ours.answer(query), await theirs.answer(query))).toEqual([
    // RFC 4514 §3: numbers for types, values in hexadecimal digits and empty values are right …
    'only we have cn=should succeed,ou=ldapv3,dc=example,dc=com',
    // … options of types are not, and what RFC 1779 wrote otherwise need not be taken.
    'only slapd has cn=may succeed 4,ou=ldapv2,dc=example,dc=com',
    'only slapd has cn=may succeed 6,ou=ldapv2,dc=example,dc=com',
    'only slapd has cn=must fail 1,ou=groups,dc=example,dc=com',
  ]);
});

test('every schema file of Debian is taken as it is, in both forms, and ours load into slapd', async () => {
  const own = Object.fromEntries(
    ['system', 'core', 'cosine', 'inetorgperson', 'nis', 'mail', 'mailtree'].map((name) => [
      `${name}.schema`,
      readFileSync(`schema/${name}.schema`, 'utf8'),
    ]),
  );
  // dsee.schema has a misspelt keyword, at which slapd stops as well.
  for (const name of [
    'collective',
    'corba',
    'core',
    'cosine',
    'duaconf',
    'dyngroup',
    'inetorgperson',
    'java',
    'misc',
    'msuser',
    'namedobject',
    'nis',
    'openldap',
    'pmi',
  ])
    for (const form of ['schema', 'ldif'])
      expect(() => schemaFrom({ ...own, [`debian.${form}`]: readFileSync(`/etc/ldap/schema/${name}.${form}`, 'utf8') })).not.toThrow();
  // What another server publishes can be dropped in as it is.
  const published = await succeeds('ldapsearch', ['-x', '-LLL', '-H', slapd.url, '-b', 'cn=Subschema', '-s', 'base', '*', '+']);
  expect(schemaFrom({ ...own, 'published.ldif': published.out }).objectClass('testPerson')?.kind).toBe('structural');
  const conf = join(files.dir, 'slaptest.conf');
  writeFileSync(
    conf,
    [
      ...['core', 'cosine', 'inetorgperson'].map(debian),
      ...['nis', 'mail', 'openldap/mailtree'].map((name) => resolve('schema', `${name}.schema`)),
    ]
      .map((file) => `include ${file}\n`)
      .join(''),
  );
  await succeeds('/usr/sbin/slaptest', ['-u', '-f', conf]);
});
