/** Controls and SASL with clients of others that know them: OpenLDAP's tools, python-ldap, Net::LDAP. */

import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { adminDn, adminPassword, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { python, type Ran, succeeds, tool } from './support/tool.ts';

const base = 'dc=example,dc=test';
const dnOf = (user: string) => `mail=${user}@example.test,${base}`;
const env = { LDAPTLS_REQCERT: 'never' };
let files: ServerFiles;
let server: RunningServer;
let plain: string;
let secure: string;

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  plain = `ldap://127.0.0.1:${files.ports.ldap}`;
  secure = `ldaps://127.0.0.1:${files.ports.ldaps}`;
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

const admin = (program: string, args: readonly string[], input = ''): Promise<Ran> =>
  tool(program, ['-x', '-H', plain, '-D', adminDn, '-w', adminPassword, ...args], { input, env });
const search = (...args: string[]): Promise<Ran> => admin('ldapsearch', ['-o', 'ldif-wrap=no', ...args]);
const mails = (ran: Ran): string[] => [...ran.out.matchAll(/^dn: mail=([^@]*)@/gm)].map(([, user = '']) => user);
const users = ['-b', base, '(objectClass=mtMailUser)', '1.1'];
const replace = (dn: string, attribute: string, value: string): string =>
  `dn: ${dn}\nchangetype: modify\nreplace: ${attribute}\n${attribute}: ${value}\n`;

test('ldapsearch -E sss: the answer is in order, in pages too, or is refused, or comes as it is', async () => {
  const forwards = await search('-E', '!sss=mail', ...users);
  expect([forwards.code, mails(forwards)]).toEqual([0, ['user1', 'user2', 'user3']]);
  expect(forwards.out).toContain('sortResult: (0) Success');
  expect(mails(await search('-E', '!sss=-mail', ...users))).toEqual(['user3', 'user2', 'user1']);
  expect(mails(await search('-E', '!sss=-mail:caseIgnoreOrderingMatch', ...users))).toEqual(['user3', 'user2', 'user1']);
  expect(mails(await search('-E', '!sss=objectClass/-cn', ...users))).toHaveLength(3);
  const paged = await search('-E', '!sss=-mail', '-E', '!pr=2/noprompt', ...users);
  expect([paged.code, mails(paged), paged.out.match(/sortResult: \(0\)/g)?.length]).toEqual([0, ['user3', 'user2', 'user1'], 2]);
  const refused = await search('-E', '!sss=nonsense', ...users);
  expect([refused.code, mails(refused)]).toEqual([12, []]);
  const asItIs = await search('-E', 'sss=mail:nonsenseMatch', ...users);
  expect([asItIs.code, mails(asItIs).sort()]).toEqual([0, ['user1', 'user2', 'user3']]);
  expect(asItIs.out).toContain('sortResult: (18) Inappropriate matching');
});

test('ldapsearch -E pr tells about how many entries there are', async () => {
  const ran = await search('-E', '!pr=2/noprompt', ...users);
  expect(ran.out).toContain('estimate=3');
});

test('ldapmodify and ldapsearch -e assert: done where it holds, refused where it does not', async () => {
  expect((await admin('ldapmodify', ['-e', '!assert=(sn=One)'], replace(dnOf('user1'), 'title', 'First'))).code).toBe(0);
  const refused = await admin('ldapmodify', ['-e', '!assert=(sn=Other)'], replace(dnOf('user1'), 'title', 'Second'));
  expect([refused.code, refused.all.includes('Assertion Failed')]).toEqual([122, true]);
  expect((await search('-LLL', '-b', dnOf('user1'), 'title')).out).toContain('title: First');
  expect((await search('-e', '!assert=(dc=example)', ...users)).code).toBe(0);
  expect((await search('-e', '!assert=(dc=other)', ...users)).code).toBe(122);
  expect((await admin('ldapcompare', ['-e', '!assert=(sn=Other)', dnOf('user1'), 'sn:One'])).code).toBe(122);
  expect((await admin('ldapdelete', ['-e', '!assert=(sn=Other)', dnOf('user1')])).code).toBe(122);
});

test('ldapmodify, ldapadd and ldapmodrdn -e preread and -e postread show the entry before and after', async () => {
  const modified = await admin(
    'ldapmodify',
    ['-e', '!preread=sn', '-e', '!postread=sn,modifiersName'],
    replace(dnOf('user2'), 'sn', 'Changed'),
  );
  expect(modified.out).toMatch(
    /==> preread\ndn: mail=user2@.*\nsn: Two\n[\s\S]*==> postread\n[\s\S]*modifiersName: cn=admin,.*\nsn: Changed\n/,
  );
  const entry = `dn: cn=read,${base}\nobjectClass: applicationProcess\ncn: read\n`;
  expect((await admin('ldapadd', ['-e', '!postread=entryUUID'], entry)).out).toMatch(/entryUUID: [0-9a-f-]{36}/);
  const renamed = await admin('ldapmodrdn', ['-r', '-e', 'preread=cn', '-e', 'postread=cn', `cn=read,${base}`, 'cn=written']);
  expect(renamed.out).toMatch(/cn: read[\s\S]*cn: written/);
  const critical = await admin('ldapadd', ['-e', '!preread=cn'], entry);
  expect(critical.code).toBe(12);
});

test('ldapdelete -r removes what is below, entry by entry; -M and -MM are obeyed', async () => {
  const entries = ['cn=r', 'cn=s,cn=r', 'cn=t,cn=s,cn=r'].map(
    (rdn) => `dn: ${rdn},${base}\nobjectClass: applicationProcess\ncn: ${rdn[3]}\n`,
  );
  expect((await admin('ldapadd', [], entries.join('\n'))).code).toBe(0);
  expect((await admin('ldapdelete', ['-MM', `cn=r,${base}`])).code).toBe(66);
  expect((await admin('ldapdelete', ['-M', '-r', `cn=r,${base}`])).code).toBe(0);
  expect((await search('-b', `cn=r,${base}`)).code).toBe(32);
});

test('ldapsearch -Y PLAIN and -Y EXTERNAL log in; the root DSE says where', async () => {
  const login = (...args: string[]): Promise<Ran> =>
    tool('ldapwhoami', ['-Q', '-Y', 'PLAIN', '-O', 'none', '-w', password, ...args], { env });
  const who = `dn:${dnOf('user1')}\n`;
  for (const [url, ...more] of [[secure], [plain], [plain, '-ZZ'], [`ldapi://${encodeURIComponent(files.ldapi)}`]] as const)
    for (const name of ['user1@example.test', 'u:user1@example.test', `dn:${dnOf('user1')}`, 'user1'])
      expect([url, name, (await login('-H', url, '-U', name, ...more)).out]).toEqual([url, name, who]);
  expect((await login('-H', secure, '-U', 'user1@example.test', '-X', `dn:${dnOf('user1')}`)).out).toBe(who);
  expect((await login('-H', secure, '-U', 'user1@example.test', '-X', `dn:${adminDn}`)).code).toBe(49);
  expect(
    (await tool('ldapwhoami', ['-Q', '-Y', 'PLAIN', '-O', 'none', '-H', secure, '-U', 'user3@example.test', '-w', 'wrong'], { env })).code,
  ).toBe(49);
  const mechanisms = async (...args: string[]): Promise<string[]> => {
    const { out } = await succeeds('ldapsearch', ['-LLL', '-b', '', '-s', 'base', 'supportedSASLMechanisms', ...args], { env });
    return [...out.matchAll(/^supportedSASLMechanisms: (.*)$/gm)].map(([, name = '']) => name);
  };
  expect(await mechanisms('-x', '-H', plain)).toEqual(['PLAIN']);
  expect(await mechanisms('-Q', '-Y', 'EXTERNAL', '-H', `ldapi://${encodeURIComponent(files.ldapi)}`)).toEqual(['EXTERNAL', 'PLAIN']);
  const needs = replace('cn=ldapd,cn=mailtree', 'mtLdapdPasswordNeedsTls', 'TRUE');
  const system = ['-Q', '-Y', 'EXTERNAL', '-H', `ldapi://${encodeURIComponent(files.ldapi)}`];
  await succeeds('ldapmodify', system, { input: needs });
  expect((await login('-H', plain, '-U', 'user1@example.test')).code).toBe(13);
  expect((await login('-H', plain, '-ZZ', '-U', 'user1@example.test')).out).toBe(who);
  expect(await mechanisms('-x', '-H', plain)).toEqual([]);
  expect(await mechanisms('-x', '-H', secure)).toEqual(['PLAIN']);
  await succeeds('ldapmodify', system, { input: needs.replace('TRUE', 'FALSE') });
});

test('ldappasswd and ldapexop change a password by address, or have one made', async () => {
  const exop = (...args: string[]): Promise<Ran> => admin('ldapexop', args);
  expect((await exop('whoami')).out).toContain(`dn:${adminDn}`);
  const made = await admin('ldappasswd', ['user3@example.test']);
  const fresh = /New password: (\S{12,})/.exec(made.out)?.[1] ?? '';
  expect((await tool('ldapwhoami', ['-x', '-H', plain, '-D', dnOf('user3'), '-w', fresh])).out).toBe(`dn:${dnOf('user3')}\n`);
  const short = await admin('ldappasswd', ['-s', 'x', dnOf('user3')]);
  expect([short.code, short.all.includes('userPassword')]).toEqual([1, true]);
});

test('python-ldap uses the controls it knows', async () => {
  expect(await python('ldap_controls.py', [secure, adminDn, adminPassword, base, 'user1@example.test', password])).toEqual({
    read: [{ sn: ['xd'] }, { sn: ['changed'], modifiersName: [adminDn] }],
    asserted: 122,
    sorted: [
      [['cn=a', 'cn=b', 'cn=c'], [0]],
      [['cn=c', 'cn=b', 'cn=a'], [0]],
      [['cn=a', 'cn=c', 'cn=b'], [0]],
    ],
    unsorted: 12,
    leaf: 66,
    tree: 0,
    gone: 32,
    plain: `dn:${dnOf('user1')}`,
  });
});

test('Net::LDAP uses the controls it knows', async () => {
  const args = [secure, adminDn, adminPassword, base];
  const ran = await succeeds('perl', [resolve('test/interop/clients/ldap-controls.pl'), ...args]);
  expect(JSON.parse(ran.out)).toEqual({
    read: ['xa', 'changed'],
    asserted: 122,
    sorted: [
      ['abc', 0],
      ['cba', 0],
      [expect.stringMatching(/^[abc]{3}$/), 16],
    ],
    tree: 0,
    gone: 32,
  });
});
