/**
 * Mail to Postfix over encryption that others have vouched for: zones signed by BIND, validated by Unbound, certificates made by openssl.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Postfix, reachable, startPostfix } from '../bench/peers/postfix.ts';
import { change, ldapAdministrator } from '../support/mail-clients.ts';
import { type PolicyHost, startPolicyHost } from '../support/policy-host.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { freePort, tempDir } from '../support/temp.ts';
import { type Named, startNamed } from './support/dns/named.ts';
import { startUnbound, type Unbound } from './support/dns/unbound.ts';
import type { Zone } from './support/dns/zones.ts';

let temp: { path: string; remove: () => Promise<void> };
let named: Named;
let unbound: Unbound;
let postfix: Postfix;
let policy: PolicyHost;
let files: ServerFiles;
let server: RunningServer;
let port: number;

const at = (name: string): string => join(temp.path, name);
const openssl = (...args: string[]): Buffer => execFileSync('openssl', args, { cwd: temp.path, stdio: 'pipe' });

/** `name.key` and `name.pem`, issued by `issuer` (itself: a root), for these names. */
function issue(
  name: string,
  issuer: string,
  names: readonly string[],
  dates: readonly [string, string] = ['20200101000000Z', '20491231000000Z'],
): void {
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
  openssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
  const root = name === issuer;
  writeFileSync(
    at(`${name}.cnf`),
    [
      '[ca]',
      'default_ca = own',
      '[own]',
      `database = ${at(`${name}.index`)}`,
      `new_certs_dir = ${temp.path}`,
      'default_md = sha256',
      'policy = any',
      'rand_serial = yes',
      '[any]',
      'commonName = supplied',
      '[ext]',
      `basicConstraints = critical,CA:${root}`,
      ...(root ? ['keyUsage = critical,keyCertSign,cRLSign'] : []),
      'subjectKeyIdentifier = hash',
      ...(names.length > 0 ? [`subjectAltName = ${names.map((one) => `DNS:${one}`).join(',')}`] : []),
      '',
    ].join('\n'),
  );
  writeFileSync(at(`${name}.index`), '');
  const by = root ? ['-selfsign', '-keyfile', `${name}.key`] : ['-cert', `${issuer}.pem`, '-keyfile', `${issuer}.key`];
  openssl(
    'ca',
    '-batch',
    '-notext',
    '-config',
    `${name}.cnf`,
    '-extensions',
    'ext',
    '-startdate',
    dates[0],
    '-enddate',
    dates[1],
    ...by,
    '-in',
    `${name}.csr`,
    '-out',
    `${name}.pem`,
  );
}

/** What openssl says a TLSA record for it is, by an independent reading. */
function digest(name: string, what: 'key' | 'certificate'): string {
  const der =
    what === 'key'
      ? openssl('pkey', '-pubin', '-outform', 'DER', '-in', keyFile(name))
      : openssl('x509', '-in', `${name}.pem`, '-outform', 'DER');
  writeFileSync(at('der'), der);
  return openssl('dgst', '-sha256', '-r', 'der').toString().split(' ')[0] ?? '';
}
function keyFile(name: string): string {
  writeFileSync(at(`${name}.pub`), openssl('x509', '-in', `${name}.pem`, '-noout', '-pubkey'));
  return `${name}.pub`;
}

/** Postfix shows this certificate from now on, with its issuer. */
async function show(name: string): Promise<void> {
  writeFileSync(
    at('served.pem'),
    ['key', 'pem'].map((end) => readFileSync(at(`${name}.${end}`), 'utf8')).join('') + readFileSync(at('root.pem'), 'utf8'),
  );
  execFileSync('postfix', ['-c', postfix.etc, 'reload'], { stdio: 'pipe' });
}

const signed = (tlsa: NonNullable<Zone[string]['tlsa']>): Zone => ({
  '@': { mx: [[10, 'mx.signed.test']] },
  mx: { a: ['127.0.0.1'] },
  sick: { a: ['127.0.0.1'] },
  '_tcp.sick': { ns: ['ns.invalid'] },
  [`_${port}._tcp.mx`]: { tlsa },
  ...Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`d${n}`, { mx: [[10, 'mx.signed.test']] as const }])),
  s: { mx: [[10, 'sick.signed.test']] },
});
const plain: Zone = {
  ...Object.fromEntries(
    Array.from({ length: 5 }, (_, n) => [
      [`d${n}`, { mx: [[10, 'mx.plain.test']] as const }],
      [`_mta-sts.d${n}`, { txt: ['v=STSv1; id=1;'] }],
      [`mta-sts.d${n}`, { a: ['127.0.0.1'] }],
    ]).flat(),
  ),
  mx: { a: ['127.0.0.1'] },
};

beforeAll(async () => {
  temp = await tempDir();
  await reachable(temp.path);
  port = await freePort();
  issue('root', 'root', []);
  issue('good', 'root', ['mx.signed.test', 'mx.plain.test', ...Array.from({ length: 5 }, (_, n) => `mta-sts.d${n}.plain.test`)]);
  issue('misnamed', 'root', ['elsewhere.test']);
  issue('expired', 'root', ['mx.signed.test', 'mx.plain.test'], ['20200101000000Z', '20200201000000Z']);
  named = await startNamed({
    zones: {
      'signed.test': signed([[3, 1, 1, digest('good', 'key')]]),
      'bogus.test': { '@': { mx: [[10, 'mx.signed.test']] } },
      '_tcp.sick.signed.test': { [`_${port}`]: { tlsa: [[3, 1, 1, digest('good', 'key')]] } },
      'plain.test': plain,
    },
    signed: { 'signed.test': 'good', 'bogus.test': 'expired', '_tcp.sick.signed.test': 'expired' },
  });
  unbound = await startUnbound(named);
  postfix = await startPostfix({
    dir: at('.'),
    listen: `127.0.0.1:${port}`,
    main: [
      'myhostname = mx.signed.test',
      'inet_interfaces = 127.0.0.1',
      'inet_protocols = ipv4',
      'mynetworks = 127.0.0.0/8',
      'relay_transport = discard',
      'default_transport = discard',
      'smtpd_tls_security_level = may',
      `smtpd_tls_chain_files = ${at('served.pem')}`,
      'smtpd_tls_loglevel = 1',
    ],
  });
  await show('good');
  policy = await startPolicyHost(
    { key: readFileSync(at('good.key'), 'utf8'), cert: readFileSync(at('good.pem'), 'utf8') },
    'version: STSv1\nmode: enforce\nmx: mx.plain.test\nmax_age: 86400\n',
  );
  files = await prepareServer({ extra: `dns: [${unbound.server}]` });
  server = await runServer(files);
  const ldap = await ldapAdministrator(files);
  const values = {
    mtSmtpcPort: String(port),
    mtSmtpcStsPort: String(policy.port),
    mtSmtpcTlsTrustedFile: at('root.pem'),
    mtSmtpcDnsCacheSize: '0',
  };
  await ldap.modify(
    'cn=smtpc,cn=mailtree',
    Object.entries(values).map(([name, value]) => change('replace', name, value)),
  );
  await ldap.unbind();
}, 120_000);

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await postfix.stop();
  await unbound.stop();
  await named.stop();
  await policy.stop();
  await Promise.all([files.remove(), temp.remove()]);
});

const logFile = (): string => join(files.dir, 'data', 'log', 'iemta.log');
async function line(domain: string): Promise<string> {
  const sent = await command('sendmail', ['-f', 'user1@example.test', `friend@${domain}`], files, 'Subject: x\n\nHello.\n');
  expect(sent).toMatchObject({ code: 0, err: '' });
  const pattern = new RegExp(`(Sent|Deferred) .* to friend@${domain} .*`);
  const log = (): string => (existsSync(logFile()) ? readFileSync(logFile(), 'utf8') : '');
  await eventually(async () => pattern.test(log()), 30_000);
  return pattern.exec(log())?.[0] ?? '';
}

test('Postfix sees an encrypted session, and the certificate is the one its signed record names', async () => {
  expect(await line('d0.signed.test')).toMatch(/^Sent .* host=mx\.signed\.test encrypted=TLSv1\.3\/\S+ verified=dane .*250 2\.0\.0 Ok/);
  await eventually(async () => /Anonymous TLS connection established from .*: TLSv1\.3/.test(readFileSync(postfix.log, 'utf8')));
  const { out } = await command('mailtree', ['tls', 'd0.signed.test'], files);
  expect(out).toContain('the mail exchangers of d0.signed.test are signed');
  expect(out).toContain(`IN TLSA 3 1 1 ${digest('good', 'key').toUpperCase()}`);
}, 60_000);

test('after the record was changed there is no mail until the certificate is, too', async () => {
  await named.change({ 'signed.test': signed([[3, 1, 1, digest('expired', 'key')]]) });
  expect(await line('d1.signed.test')).toMatch(/^Deferred .*no TLSA record matches its certificate/);
  await show('expired');
  // DANE-EE asks for no dates.
  expect(await line('d2.signed.test')).toMatch(/^Sent .* verified=dane/);
}, 60_000);

test.each([
  ['key', 1, 'good', /^Sent .* verified=dane/],
  ['certificate', 0, 'good', /^Sent .* verified=dane/],
  ['key', 1, 'expired', /^Deferred .*has expired/],
  ['certificate', 0, 'misnamed', /^Deferred .*its certificate is for none of mx\.signed\.test, d\d+\.signed\.test/],
] as const)(
  "a record of the issuer's %s (2 %i 1), certificate %s",
  async (what, selector, shown, expected) => {
    await named.change({ 'signed.test': signed([[2, selector, 1, digest('root', what)]]) });
    await show(shown);
    expect(
      await line(
        `d${3 + ['key1good', 'certificate0good', 'key1expired', 'certificate0misnamed'].indexOf(`${what}${selector}${shown}`)}.signed.test`,
      ),
    ).toMatch(expected);
  },
  60_000,
);

test('records that nobody understands ask for encryption, and for no more', async () => {
  await named.change({ 'signed.test': signed([[1, 1, 1, digest('good', 'key')]]) });
  expect(await line('d7.signed.test')).toMatch(/^Sent .* encrypted=TLSv1\.3\/\S+ verified=none/);
}, 60_000);

test('signatures that do not hold keep mail here, for the domain and for the records of a host', async () => {
  await show('good');
  expect(await line('bogus.test')).toMatch(/^Deferred .*the name server answered SERVFAIL for bogus\.test/);
  expect(await line('s.signed.test')).toMatch(
    /^Deferred .* status=4\.7\.5 .*cannot be found out whether sick\.signed\.test has TLSA records: .*SERVFAIL/,
  );
}, 60_000);

test('a policy of MTA-STS is kept to where nothing is signed', async () => {
  expect(await line('d0.plain.test')).toMatch(/^Sent .* verified=sts/);
  await show('misnamed');
  expect(await line('d1.plain.test')).toMatch(
    /^Deferred .*its certificate is not for mx\.plain\.test \(MTA-STS: policy 1 of d1\.plain\.test\)/,
  );
  await show('expired');
  expect(await line('d2.plain.test')).toMatch(/^Deferred .*CERT_HAS_EXPIRED/);
  policy.text = 'version: STSv1\nmode: enforce\nmx: *.elsewhere.test\nmax_age: 86400\n';
  expect(await line('d3.plain.test')).toMatch(/^Deferred .*mx\.plain\.test is none of the hosts in the MTA-STS policy of d3\.plain\.test/);
}, 60_000);
