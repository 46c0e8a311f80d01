/** Stored forms of passwords as other programs make them at this moment are checked; a wrong password never fits. */

import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { inlineHasher } from '../../src/directory/index.ts';

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } }).trim();
const slappasswd =
  (scheme: string, ...more: string[]) =>
  (password: string) =>
    run('/usr/sbin/slappasswd', ...more, '-h', `{${scheme}}`, '-s', password);
const sha2 = ['-o', 'module-path=/usr/lib/ldap', '-o', 'module-load=pw-sha2'];
const argon2 = ['-o', 'module-path=/usr/lib/ldap', '-o', 'module-load=argon2'];
const openssl = (kind: string) => (password: string) => `{CRYPT}${run('openssl', 'passwd', kind, password)}`;
const doveadm = (scheme: string) => (password: string) => run('doveadm', 'pw', '-s', scheme, '-p', password);
const perl = (salt: string) => (password: string) => `{CRYPT}${run('perl', '-e', 'print crypt($ARGV[0], $ARGV[1])', password, salt)}`;
const python = (method: string) => (password: string) =>
  `{CRYPT}${run('/usr/bin/python3', '-W', 'ignore', '-c', 'import crypt, sys; print(crypt.crypt(sys.argv[1], getattr(crypt, sys.argv[2])))', password, method)}`;
const pbkdf2 = (password: string): string =>
  run(
    '/usr/bin/python3',
    '-c',
    'import hashlib, base64, os, sys\ns = os.urandom(16)\ne = lambda b: base64.b64encode(b).decode().rstrip("=").replace("+", ".")\nprint("{PBKDF2-SHA256}5000$" + e(s) + "$" + e(hashlib.pbkdf2_hmac("sha256", sys.argv[1].encode(), s, 5000)))',
    password,
  );

const programs: [what: string, make: (password: string) => string][] = [
  ...['SSHA', 'SHA', 'SMD5', 'MD5'].map((scheme): [string, (password: string) => string] => [`slappasswd {${scheme}}`, slappasswd(scheme)]),
  ...['SSHA256', 'SSHA384', 'SSHA512', 'SHA256', 'SHA512'].map((scheme): [string, (password: string) => string] => [
    `slappasswd {${scheme}}`,
    slappasswd(scheme, ...sha2),
  ]),
  ['slappasswd {ARGON2}', slappasswd('ARGON2', ...argon2)],
  ['openssl passwd -1', openssl('-1')],
  ['openssl passwd -5', openssl('-5')],
  ['openssl passwd -6', openssl('-6')],
  ...['SSHA', 'SSHA256', 'SSHA512', 'SMD5', 'SHA256', 'SHA512', 'MD5-CRYPT', 'SHA256-CRYPT', 'SHA512-CRYPT', 'BLF-CRYPT'].map(
    (scheme): [string, (password: string) => string] => [`doveadm pw -s ${scheme}`, doveadm(scheme)],
  ),
  ...['ARGON2I', 'ARGON2ID', 'PBKDF2', 'SCRAM-SHA-256'].map((scheme): [string, (password: string) => string] => [
    `doveadm pw -s ${scheme}`,
    doveadm(scheme),
  ]),
  ['slappasswd {CRYPT}', slappasswd('CRYPT')],
  ['perl crypt, DES', perl('ab')],
  ['perl crypt, DES with another salt', perl('./')],
  ['perl crypt, bcrypt', perl('$2b$05$abcdefghijklmnopqrstuu')],
  ['perl crypt, MD5', perl('$1$saltsalt$')],
  ['perl crypt, SHA-512 with rounds', perl('$6$rounds=2000$saltsalt$')],
  ['python crypt, SHA-256', python('METHOD_SHA256')],
  ['python crypt, bcrypt', python('METHOD_BLOWFISH')],
  ['python pbkdf2_hmac', pbkdf2],
];

test.each(programs)('%s', async (_what, make) => {
  for (const password of ['correct', 'Grö日', '$p{a}s%']) {
    const stored = make(password);
    expect(stored).toMatch(/^\{[A-Z0-9-]+\}\S+$/);
    expect([stored, await inlineHasher.check(password, [stored])]).toEqual([stored, 0]);
    expect(await inlineHasher.check(`${password}.`, [stored])).toBe(-1);
  }
});
