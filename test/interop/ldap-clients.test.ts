/** OpenLDAP's tools, python-ldap and Net::LDAP against a running server, over ldap://, StartTLS, ldaps:// and ldapi://. */

import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { adminDn, adminPassword, password, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { python, type Ran, succeeds, tool } from './support/tool.ts';

const base = 'dc=example,dc=test';
const dnOf = (user: string) => `mail=${user}@example.test,${base}`;
let files: ServerFiles;
let server: RunningServer;
let plain: string;

beforeAll(async () => {
  files = await prepareServer();
  server = await runServer(files);
  plain = `ldap://127.0.0.1:${files.ports.ldap}`;
});

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await files.remove();
});

/** One of OpenLDAP's tools as the administrator. */
function admin(program: string, args: readonly string[], input = ''): Promise<Ran> {
  return tool(program, ['-x', '-H', plain, '-D', adminDn, '-w', adminPassword, ...args], { input, env: { LDAPTLS_REQCERT: 'never' } });
}

function as(dn: string, secret: string, program: string, args: readonly string[], input = ''): Promise<Ran> {
  return tool(program, ['-x', '-H', plain, '-D', dn, '-w', secret, ...args], { input });
}

function anonymous(program: string, args: readonly string[], input = ''): Promise<Ran> {
  return tool(program, ['-x', '-H', plain, ...args], { input });
}

const search = (...args: string[]) => admin('ldapsearch', ['-LLL', '-o', 'ldif-wrap=no', ...args]);
const dns = (ran: Ran) => (ran.out.match(/^dn:.*$/gm) ?? []).length;

test('the root DSE and the subschema tell what the server can, to anybody', async () => {
  const root = await anonymous('ldapsearch', ['-LLL', '-b', '', '-s', 'base', '*', '+']);
  expect(root.code).toBe(0);
  for (const value of [
    'supportedLDAPVersion: 3',
    'namingContexts: dc=test',
    'namingContexts: cn=mailtree',
    'supportedExtension: 1.3.6.1.4.1.1466.20037',
    'supportedExtension: 1.3.6.1.4.1.4203.1.11.1',
    'supportedControl: 1.2.840.113556.1.4.319',
  ])
    expect(root.out).toContain(value);
  const where = /^subschemaSubentry: (.*)$/m.exec(root.out)?.[1] ?? '';
  const schema = await anonymous('ldapsearch', ['-LLL', '-o', 'ldif-wrap=no', '-b', where, '-s', 'base', '(objectClass=subschema)', '+']);
  expect(schema.out).toMatch(/^objectClasses: \( \S+ NAME 'mtMailUser'/m);
  expect(schema.out).toMatch(/^attributeTypes: \( \S+ NAME \( 'mail' 'rfc822Mailbox' \)|^attributeTypes: \( \S+ NAME 'mail'/m);
});

test('ldapsearch: scopes, filters, selection of attributes, size limit, pages', async () => {
  expect(dns(await search('-b', base, '-s', 'base', '1.1'))).toBe(1);
  expect(dns(await search('-b', base, '-s', 'one', '(objectClass=mtMailUser)', '1.1'))).toBe(3);
  expect(dns(await search('-b', base, '-s', 'sub', '(objectClass=mtMailUser)', '1.1'))).toBe(3);
  // A scope that LDAP does not have (RFC 4511 §4.5.1.2) is an error, and only that.
  expect((await search('-b', base, '-s', 'children', '1.1')).code).toBe(2);
  for (const [filter, count] of [
    ['(mail=USER1@example.test)', 1],
    ['(mail=user*@example.*)', 3],
    ['(&(objectClass=mtMailUser)(!(cn=User One)))', 2],
    ['(|(cn=user one)(sn=two)(cn=nobody))', 2],
    ['(cn~=User  One)', 1],
    ['(createTimestamp>=20000101000000Z)', 3],
    ['(sn:caseExactMatch:=one)', 0],
    ['(cn=\\55ser\\20One)', 1],
    ['(noSuchAttribute=1)', 0],
  ] as const)
    expect([filter, dns(await search('-b', base, `(&(objectClass=mtMailUser)${filter})`, '1.1'))]).toEqual([filter, count]);
  const none = await search('-b', base, '-s', 'base', '1.1');
  expect(none.out).toBe(`dn: ${base}\n\n`);
  const operational = await search('-b', dnOf('user1'), '-s', 'base', '+');
  expect(operational.out).toContain('entryUUID:');
  expect(operational.out).not.toContain('\ncn:');
  const both = await search('-b', dnOf('user1'), '-s', 'base', '*', 'entryUUID');
  expect(both.out).toContain('\ncn: User One');
  expect(both.out).toContain('entryUUID:');
  const few = await search('-z', '2', '-b', base, '1.1');
  expect([few.code, dns(few)]).toEqual([4, 2]);
  const pages = await admin('ldapsearch', ['-E', 'pr=2/noprompt', '-b', base, '(objectClass=mtMailUser)', '1.1']);
  expect([pages.code, dns(pages)]).toEqual([0, 3]);
  expect(pages.out).toContain('numResponses: 5');
  const missing = await search('-b', `cn=no,${base}`);
  expect(missing.code).toBe(32);
});

test('ldapadd, ldapmodify, ldapmodrdn, ldapcompare, ldappasswd, ldapwhoami and ldapdelete do their work', async () => {
  const entry = `dn: ${dnOf('tool')}\nobjectClass: inetOrgPerson\nobjectClass: mtMailUser\nmail: tool@example.test\ncn:: R3LDvMOfZQ==\nsn: Tool\n`;
  expect((await admin('ldapadd', [], entry)).all).toContain('adding new entry');
  expect((await admin('ldapadd', [], entry)).code).toBe(68);
  expect((await admin('ldapadd', [], entry.replaceAll('tool', 'tool9').replace('sn: Tool\n', ''))).code).toBe(65);
  const change = `dn: ${dnOf('tool')}\nchangetype: modify\nadd: description\ndescription: one\ndescription: two\n-\nreplace: sn\nsn: Replaced\n-\ndelete: description\ndescription: one\n-\n`;
  expect((await admin('ldapmodify', [], change)).code).toBe(0);
  const changed = (await search('-b', dnOf('tool'), 'sn', 'description')).out.trim().split('\n').sort();
  expect(changed).toEqual(['description: two', `dn: ${dnOf('tool')}`, 'sn: Replaced']);
  expect((await admin('ldapcompare', [dnOf('tool'), 'sn:replaced'])).code).toBe(6);
  expect((await admin('ldapcompare', [dnOf('tool'), 'sn:other'])).code).toBe(5);
  expect((await admin('ldappasswd', ['-s', 'tool-password', dnOf('tool')])).code).toBe(0);
  const who = await as(dnOf('tool'), 'tool-password', 'ldapwhoami', []);
  expect(who.out).toBe(`dn:${dnOf('tool')}\n`);
  expect((await as(dnOf('tool'), 'wrong', 'ldapwhoami', [])).code).toBe(49);
  expect((await admin('ldapmodrdn', ['-r', dnOf('tool'), 'mail=tool2@example.test'])).code).toBe(0);
  expect((await search('-b', dnOf('tool2'), 'mail')).out).toBe(`dn: ${dnOf('tool2')}\nmail: tool2@example.test\n\n`);
  expect((await admin('ldapdelete', [dnOf('tool2')])).code).toBe(0);
  expect((await admin('ldapdelete', [dnOf('tool2')])).code).toBe(32);
  expect((await admin('ldapdelete', [base])).code).toBe(66);
  expect((await anonymous('ldapwhoami', [])).out).toBe('anonymous\n');
});

test('StartTLS, ldaps and ldapi carry the same', async () => {
  const ldaps = `ldaps://127.0.0.1:${files.ports.ldaps}`;
  const ldapi = `ldapi://${encodeURIComponent(files.ldapi)}`;
  const env = { LDAPTLS_REQCERT: 'never' };
  const login = ['-x', '-D', dnOf('user1'), '-w', password];
  for (const args of [
    ['-H', plain, '-ZZ'],
    ['-H', ldaps],
    ['-H', ldapi],
  ]) {
    const who = await succeeds('ldapwhoami', [...args, ...login], { env });
    expect(who.out).toBe(`dn:${dnOf('user1')}\n`);
    const found = await succeeds('ldapsearch', ['-LLL', ...args, ...login, '-b', base, '(cn=User Two)', 'mail'], { env });
    expect(found.out).toContain('mail: user2@example.test');
  }
  const system = await succeeds('ldapwhoami', ['-Y', 'EXTERNAL', '-Q', '-H', ldapi]);
  expect(system.out).toBe('u:system\n');
});

test('anybody may not read passwords or settings; a user changes the own password and nothing that matters', async () => {
  for (const ran of [
    await anonymous('ldapsearch', ['-LLL', '-b', base, '(objectClass=*)', '*', '+', 'userPassword']),
    await as(dnOf('user1'), password, 'ldapsearch', ['-LLL', '-b', base, '(objectClass=*)', '*', '+', 'userPassword']),
  ])
    expect(ran.out).not.toMatch(/userPassword/i);
  // Nor can it be guessed by a filter or a comparison.
  expect(dns(await anonymous('ldapsearch', ['-LLL', '-b', base, '(userPassword=*)', '1.1']))).toBe(0);
  expect((await anonymous('ldapcompare', [dnOf('user1'), `userPassword:${password}`])).code).not.toBe(6);
  for (const scope of ['base', 'sub']) {
    const ran = await anonymous('ldapsearch', ['-LLL', '-b', 'cn=mailtree', '-s', scope, '(objectClass=*)']);
    expect(dns(ran)).toBe(0);
  }
  const write = (dn: string, attribute: string, value: string) =>
    `dn: ${dn}\nchangetype: modify\nreplace: ${attribute}\n${attribute}: ${value}\n`;
  expect((await anonymous('ldapmodify', [], write(dnOf('user1'), 'description', 'x'))).code).not.toBe(0);
  const user = (input: string) => as(dnOf('user2'), password, 'ldapmodify', [], input);
  for (const [dn, attribute, value] of [
    [dnOf('user1'), 'userPassword', 'stolen'],
    [dnOf('user1'), 'description', 'x'],
    [dnOf('user2'), 'mailLocalAddress', 'postmaster@example.test'],
    [base, 'description', 'x'],
  ] as const)
    expect([dn, attribute, (await user(write(dn, attribute, value))).code]).toEqual([dn, attribute, 50]);
  // What may not even be seen is not there.
  expect((await user(write('cn=smtpd,cn=mailtree', 'description', 'x'))).code).toBe(32);
  const own = await as(dnOf('user2'), password, 'ldappasswd', ['-a', password, '-s', 'another-password-2']);
  expect([own.code, own.all]).toEqual([0, '']);
  expect((await as(dnOf('user2'), 'another-password-2', 'ldapwhoami', [])).code).toBe(0);
  expect((await as(dnOf('user2'), password, 'ldapwhoami', [])).code).toBe(49);
});

test('python-ldap works through StartTLS', async () => {
  const seen = await python<Record<string, unknown>>('ldap_smoke.py', [plain, adminDn, adminPassword, base]);
  expect(seen).toEqual({
    whoami: `dn:${adminDn}`,
    compare: [true, false],
    renamed: { mail: ['py2@example.test'], description: ['two'] },
    gone: true,
    paged: [3, 2],
    sup: ['organizationalPerson'],
    broken: [],
  });
});

test('Net::LDAP works through ldaps', async () => {
  const url = `ldaps://127.0.0.1:${files.ports.ldaps}`;
  const ran = await succeeds('perl', [resolve('test/interop/clients/ldap-smoke.pl'), url, adminDn, adminPassword, base]);
  expect(ran.out.trim().split('\n')).toEqual(['bind', 'add', 'modify', 'search', 'moddn', 'delete', 'paged 3', 'schema', 'root', 'unbind']);
});
