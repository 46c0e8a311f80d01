/** Sorted answers beside slapd's (overlay sssvlv): the same entries, the same keys, the same order. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { adminDn, adminPassword, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { createSlapd, type Slapd, serviceDn, servicePassword } from '../support/slapd.ts';
import { succeeds } from './support/tool.ts';

const base = 'dc=example,dc=test';
const folder = `ou=sorted,${base}`;
let files: ServerFiles;
let server: RunningServer;
let slapd: Slapd;

/** Values that are easily put wrong: cases, umlauts, blanks, signs, lengths, several of them, none at all. */
function people(): string {
  const surnames = ['Müller', 'muller', 'MULLER', 'Mueller', 'Zoë', 'zoe', 'Ängström', 'Angstrom', 'de la  Cruz', 'De La Cruz'];
  const numbers = ['1', '10', '2', '02', 'a', 'B', ''];
  return Array.from({ length: 50 }, (_, n) => {
    const lines = [
      `dn: uid=p${n},${folder}`,
      'objectClass: inetOrgPerson',
      `uid: p${n}`,
      `cn:: ${Buffer.from(`${surnames[(n * 7) % 10]} ${n % 5}`).toString('base64')}`,
      `sn:: ${Buffer.from(surnames[n % 10] ?? '').toString('base64')}`,
      ...(numbers[n % 7] ? [`employeeNumber: ${numbers[n % 7]}`] : []),
      ...(n % 3 === 0 ? [`title: T${n % 4}`, `title: S${n % 6}`] : []),
      ...(n % 2 === 0 ? [`mail: P${n % 9}-${n}@example.test`] : []),
    ];
    return `${lines.join('\n')}\n`;
  }).join('\n');
}

beforeAll(async () => {
  slapd = await createSlapd({
    sync: false,
    schema: false,
    global: ['moduleload sssvlv', 'sizelimit unlimited'],
    database: ['overlay sssvlv'],
  });
  await slapd.start();
  files = await prepareServer();
  server = await runServer(files);
  const organisation = `dn: ${folder}\nobjectClass: organizationalUnit\nou: sorted\n\n${people()}`;
  const domains = `dn: dc=test\nobjectClass: domain\ndc: test\n\ndn: ${base}\nobjectClass: domain\ndc: example\n\n`;
  slapd.tool('ldapadd', [], domains + organisation);
  await succeeds('ldapadd', ['-x', '-H', `ldap://127.0.0.1:${files.ports.ldap}`, '-D', adminDn, '-w', adminPassword], {
    input: organisation,
  });
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
  await slapd.stop();
  await slapd.remove();
});

async function order(url: string, dn: string, password: string, keys: string, filter: string): Promise<string[]> {
  const login = ['-x', '-LLL', '-H', url, '-D', dn, '-w', password];
  const ran = await succeeds('ldapsearch', [...login, '-E', `!sss=${keys}`, '-b', folder, '-s', 'one', filter, '1.1']);
  return [...ran.out.matchAll(/^dn: uid=(p\d+),/gm)].map(([, uid = '']) => uid);
}

test.each([
  // The last key tells all apart.
  ['uid', '(uid=*)'],
  ['-uid', '(uid=*)'],
  ['sn/uid', '(uid=*)'],
  ['-sn/uid', '(uid=*)'],
  ['sn/-uid', '(uid=*)'],
  ['cn/uid', '(uid=*)'],
  ['-cn/-uid', '(cn=*)'],
  ['employeeNumber/uid', '(employeeNumber=*)'],
  ['-employeeNumber/-uid', '(employeeNumber=*)'],
  ['employeeNumber/uid', '(uid=*)'],
  ['title/uid', '(title=*)'],
  ['title/uid', '(uid=*)'],
  ['-title/uid', '(title=*)'],
  ['-title/uid', '(uid=*)'],
  ['-employeeNumber/title/uid', '(uid=*)'],
  ['mail/uid', '(mail=*)'],
  ['-mail/uid', '(mail=*)'],
  ['title/sn/uid', '(title=*)'],
  ['title/-sn/cn/uid', '(uid=*)'],
])('by %s of %s the order is the same', async (names, filter) => {
  // slapd wants a rule for every attribute whose schema has none.
  const keys = names.replaceAll('/', ':caseIgnoreOrderingMatch/').concat(':2.5.13.3');
  const theirs = await order(slapd.url, serviceDn, servicePassword, keys, filter);
  const ours = await order(`ldap://127.0.0.1:${files.ports.ldap}`, adminDn, adminPassword, keys, filter);
  expect(theirs.length).toBeGreaterThan(0);
  expect(ours).toEqual(theirs);
});
