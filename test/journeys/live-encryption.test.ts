/** Encryption of outgoing mail: each setting changed by an independent LDAP client on a running server, and seen in what is sent. */

import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { simpleParser } from 'mailparser';
import { makeAuthority } from '../support/authority.ts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, ldapAdministrator, submitAs } from '../support/mail-clients.ts';
import { type PolicyHost, startPolicyHost } from '../support/policy-host.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

const root = makeAuthority('Test Root');
/** Each message goes to a domain of its own: where mail to one was put off, further mail is not tried at once. */
const domains = Array.from({ length: 40 }, (_, n) => `d${n}.test`);
const good = root.issue({ names: ['mx.remote.test', ...domains.map((one) => `mta-sts.${one}`)] });
const other = root.issue({ names: ['other.test'] });
const chained = ({ key, chain }: { key: string; chain: string }) => ({ key, cert: chain });
const smtpc = 'cn=smtpc,cn=mailtree';
let dns: FakeDns;
let sink: Sink;
let policy: PolicyHost;
let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
let trusted: string;

beforeAll(async () => {
  sink = await startSink({ tls: chained(good) });
  policy = await startPolicyHost(chained(good), 'version: STSv1\nmode: enforce\nmx: elsewhere.test\nmax_age: 86400\n');
  dns = await startFakeDns({ 'mx.remote.test': { a: ['127.0.0.1'] } });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  trusted = join(files.dir, 'authorities.pem');
  writeFileSync(trusted, root.cert);
  // What becomes of a session is seen: each message has one.
  await set({ mtSmtpcPort: String(sink.port), mtSmtpcDnsCacheSize: '0', mtSmtpcIdleTime: '0' });
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await Promise.all([sink.stop(), dns.stop(), policy.stop(), files.remove()]);
});

const set = (values: Record<string, string>): Promise<void> =>
  ldap.modify(
    smtpc,
    Object.entries(values).map(([name, value]) => change('replace', name, value)),
  );
const logFile = (): string => join(files.dir, 'data', 'log', 'iemta.log');
const log = (): string => (existsSync(logFile()) ? readFileSync(logFile(), 'latin1') : '');
const zone = (changed: FakeDns['zone']): void => {
  dns.zone = { ...dns.zone, ...changed };
};
const mailtree = (...args: string[]) => command('mailtree', args, files);

/** The next domain; `sts`: the id of its policy. */
function domain(has: { readonly secure?: boolean; readonly sts?: string } = {}): string {
  const name = domains.shift() ?? '';
  zone({
    [name]: { mx: [[10, 'mx.remote.test']], secure: has.secure === true },
    [`mta-sts.${name}`]: { a: ['127.0.0.1'] },
    ...(has.sts === undefined ? {} : { [`_mta-sts.${name}`]: { txt: [`v=STSv1; id=${has.sts};`] } }),
  });
  return name;
}

let number = 0;
/** Sends a message to the domain; the line about what became of it. */
async function line(to = domain()): Promise<string> {
  number += 1;
  const address = `friend${number}@${to}`;
  await submitAs(files, 'user1@example.test', address, 'encrypted?');
  const pattern = new RegExp(`(Sent|Deferred) .* to ${address} .*`);
  await eventually(async () => pattern.test(log()));
  return pattern.exec(log())?.[0] ?? '';
}

test('authorities that are trusted, and whether certificates are verified', async () => {
  expect(await line()).toMatch(/^Sent .* encrypted=TLSv1\.3\/\S+ verified=none/);
  await set({ mtSmtpcTlsTrustedFile: trusted });
  expect(await line()).toMatch(/^Sent .* verified=pkix/);
  await set({ mtSmtpcTls: 'required', mtSmtpcTlsVerify: 'TRUE' });
  sink.script.tls = chained(other);
  expect(await line()).toMatch(/^Deferred .* status=4\.7\.5 .*its certificate is not for mx\.remote\.test/);
  // The file is read again when it changes.
  sink.script.tls = chained(good);
  writeFileSync(trusted, makeAuthority('Another Root').cert);
  expect(await line()).toMatch(/^Deferred .*its certificate is not trusted/);
  writeFileSync(trusted, root.cert);
  expect(await line()).toMatch(/^Sent .* verified=pkix/);
  await set({ mtSmtpcTlsVerify: 'FALSE' });
  sink.script.tls = undefined;
  expect(await line()).toMatch(/^Deferred .*does not offer encryption/);
  await set({ mtSmtpcTls: 'off' });
  sink.script.tls = chained(good);
  expect(await line()).toMatch(/^Sent .* encrypted=no/);
  await set({ mtSmtpcTls: 'opportunistic' });
});

test('our own certificate is shown to who asks, where that is set', async () => {
  sink.script.tls = { ...chained(good), requestCert: true, rejectUnauthorized: false } as never;
  await line();
  expect(sink.messages.at(-1)?.certificate).toBeUndefined();
  await set({ mtSmtpcTlsClientCertificate: 'TRUE' });
  await line();
  const own = new X509Certificate(readFileSync(join(files.dir, 'data', 'tls', 'cert.pem')));
  expect(sink.messages.at(-1)?.certificate).toBe(own.fingerprint256);
  await set({ mtSmtpcTlsClientCertificate: 'FALSE' });
  sink.script.tls = chained(good);
});

test('DANE, and whose word counts', async () => {
  const data = createHash('sha256').update(other.spki).digest();
  const owner = `_${sink.port}._tcp.mx.remote.test`;
  zone({
    'mx.remote.test': { a: ['127.0.0.1'], secure: true },
    [owner]: { tlsa: [{ usage: 3, selector: 1, matchingType: 1, data }], secure: true },
  });
  expect(await line(domain({ secure: true }))).toMatch(/^Deferred .* status=4\.7\.5 .*no TLSA record matches its certificate/);
  await set({ mtSmtpcDnssec: 'none' });
  expect(await line(domain({ secure: true }))).toMatch(/^Sent .* verified=pkix/);
  await set({ mtSmtpcDnssec: 'all', mtSmtpcDane: 'FALSE' });
  expect(await line(domain({ secure: true }))).toMatch(/^Sent .* verified=pkix/);
  await set({ mtSmtpcDane: 'TRUE' });
  sink.script.tls = chained(other);
  const last = domain({ secure: true });
  expect(await line(last)).toMatch(/^Sent .* verified=dane/);
  const { out, code } = await mailtree('tls', last, '--connect');
  expect(code).toBe(0);
  expect(out).toMatch(/ {2}now: TLSv1\.3 \S+, verified: dane\n/);
  sink.script.tls = chained(good);
  expect((await mailtree('tls', last, '--connect')).out).toMatch(
    / {2}now: no session: mx\.remote\.test \[127\.0\.0\.1\]: no TLSA record matches/,
  );
  expect(out).toContain(`${owner}. IN TLSA 3 1 1 ${data.toString('hex').toUpperCase()}`);
  expect(out).toMatch(/mx\.remote\.test:\d+\n {2}always encrypted, with a certificate that the TLSA records name\n {4}by DANE/);
  zone({ 'mx.remote.test': { a: ['127.0.0.1'] }, [owner]: {} });
  sink.script.tls = chained(good);
  await set({ mtSmtpcDnssec: 'loopback' });
});

test('MTA-STS, where policies are fetched, and what holds for a domain', async () => {
  await set({ mtSmtpcSts: 'FALSE', mtSmtpcStsPort: String(policy.port) });
  expect(await line(domain({ sts: '1' }))).toMatch(/^Sent .* verified=pkix/);
  expect(policy.asked).toEqual([]);
  await set({ mtSmtpcSts: 'TRUE' });
  const first = domain({ sts: '1' });
  expect(await line(first)).toMatch(/^Deferred .* status=4\.7\.5 .*mx\.remote\.test is none of the hosts in the MTA-STS policy of d/);
  expect(JSON.parse((await mailtree('tls', first, '--json')).out)).toMatchObject({
    domain: first,
    peer: 'default',
    sts: { id: '1', mode: 'enforce', mx: ['elsewhere.test'], maxAge: 86_400 },
    hosts: [{ host: 'mx.remote.test', usable: false }],
  });
  policy.text = 'version: STSv1\nmode: enforce\nmx: *.remote.test\nmax_age: 86400\n';
  const second = domain({ sts: '2' });
  expect(await line(second)).toMatch(/^Sent .* verified=sts/);
  const { out } = await mailtree('tls', second);
  expect(out).toMatch(/MTA-STS: policy 2, enforce, until 20\S+ unless it is renewed; hosts \*\.remote\.test/);
  expect(out).toMatch(/always encrypted, with a certificate of a known authority, as MTA-STS wants/);
  // It outlives its record, its host and a restart of the server.
  zone({ [`_mta-sts.${second}`]: {} });
  policy.status = 500;
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  sink.script.tls = chained(other);
  expect(await line(second)).toMatch(/^Deferred .*\(MTA-STS: policy 2 of d/);
  sink.script.tls = chained(good);
  await set({ mtSmtpcSts: 'FALSE' });
});

test('TLS reports, who they are from and whom to ask about them', async () => {
  expect(JSON.parse((await mailtree('tls-reports', '--json')).out)).toEqual([]);
  for (const more of [[], ['--send']]) expect((await mailtree('tls-reports', ...more)).out).toMatch(/are off.*mtSmtpcTlsReports: TRUE/);
  await set({
    mtSmtpcTlsReports: 'TRUE',
    mtSmtpcTlsReportOrganization: 'Example Ltd.',
    mtSmtpcTlsReportContact: 'help@example.test',
    mtSmtpcTlsReportFrom: 'user2@example.test',
  });
  const to = domain();
  zone({ [`_smtp._tls.${to}`]: { txt: [`v=TLSRPTv1; rua=mailto:tls@${to}`] } });
  await line(to);
  sink.script.tls = undefined;
  await line(to);
  await eventually(async () => /1 as wanted, 1 failed/.test((await mailtree('tls-reports')).out));
  expect((await mailtree('tls-reports', '--send')).out).toContain(`${to}: to mailto:tls@${to}\n`);
  const arrived = () => sink.messages.find((one) => one.to.includes(`tls@${to}`));
  await eventually(async () => arrived() !== undefined);
  expect(arrived()?.from).toBe('user2@example.test');
  const mail = await simpleParser(arrived()?.data ?? '');
  const json = JSON.parse(gunzipSync(mail.attachments[0]?.content ?? Buffer.alloc(0)).toString());
  expect(json).toMatchObject({
    'organization-name': 'Example Ltd.',
    'contact-info': 'help@example.test',
    policies: [{ summary: { 'total-successful-session-count': 1, 'total-failure-session-count': 1 } }],
  });
  expect(JSON.parse((await mailtree('tls-reports', '--json')).out)).toEqual([]);
  sink.script.tls = chained(good);
  await expect(set({ mtSmtpcTlsReportFrom: 'nobody' })).rejects.toThrow(/mail address/);
});

test('what to publish for a domain of ours', async () => {
  const { out } = await mailtree('tls', 'example.test', '--publish', '--mode', 'enforce', '--max-age', '1000');
  const own = new X509Certificate(readFileSync(join(files.dir, 'data', 'tls', 'cert.pem')));
  const digest = createHash('sha256')
    .update(own.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .toUpperCase();
  expect(out).toMatch(/^_mta-sts\.example\.test\. IN TXT "v=STSv1; id=[0-9a-f]{20};"$/m);
  expect(out).toContain(';   mode: enforce\n;   mx: mail.example.test\n;   max_age: 1000\n');
  expect(out).toMatch(/^_smtp\._tls\.example\.test\. IN TXT "v=TLSRPTv1; rua=mailto:postmaster@example\.test"$/m);
  expect(out).toContain(`_25._tcp.mail.example.test. IN TLSA 3 1 1 ${digest}\n`);
  const { err, code } = await mailtree('tls', 'example.test', '--publish', '--mode', 'strict');
  expect({ err, code }).toMatchObject({ code: 1, err: expect.stringContaining('enforce, testing or none, not strict') });
  expect((await mailtree('tls', 'a..b')).err).toContain('a..b is not a domain');
});
