/** How mail is encrypted, and when it is not sent at all: STARTTLS, DANE, policies of MTA-STS, against a server that does as it is told. */

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeAll, expect, test } from '@jest/globals';
import type { TlsaRecord } from '../../src/base/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { type SmtpcSettings, smtpcSettings } from '../../src/smtpc/index.ts';
import { leastOf } from '../../src/smtpc/tls/policy.ts';
import { type Authority, type Issued, makeAuthority } from '../support/authority.ts';
import { startPolicyHost } from '../support/policy-host.ts';
import { tempDir } from '../support/temp.ts';
import { peerThat, startWorld, type World } from './helpers.ts';

const root = makeAuthority('Test Root');
const good = root.issue({ names: ['mx.dest.example', 'mta-sts.dest.example'] });
const other = root.issue({ names: ['other.example'] });
const expired = root.issue({ names: ['mx.dest.example'], to: -0.5 });
const unknown = makeAuthority('Stranger').issue({ names: ['mx.dest.example'] });
let dir: Awaited<ReturnType<typeof tempDir>>;
let trusted: string;
let world: World | undefined;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  dir = await tempDir();
  trusted = `${dir.path}/root.pem`;
  writeFileSync(trusted, root.cert);
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await world?.stop();
  world = undefined;
});

const chained = ({ key, chain, cert }: Authority) => ({ key, cert: chain || cert });

async function begin(tls: Authority | undefined, changed: Partial<SmtpcSettings> = {}): Promise<World> {
  world = await startWorld(tls ? { tls: chained(tls) } : {}, { tlsTrustedFile: trusted, ...changed });
  return world;
}
const digest = (usage: number, of: Issued): TlsaRecord => ({
  usage,
  selector: 1,
  matchingType: 1,
  data: createHash('sha256').update(of.spki).digest(),
});

/** The destination is signed, and its exchanger has these records. */
function signed({ zones, sink }: World, tlsa: TlsaRecord[] | 'sick' | undefined): void {
  zones['dest.example'] = { ...zones['dest.example'], secure: true };
  zones['mx.dest.example'] = { ...zones['mx.dest.example'], secure: true };
  if (tlsa) zones[`_${sink.port}._tcp.mx.dest.example`] = { tlsa };
}

async function sendOne(here: World): Promise<string> {
  const before = here.logged.length;
  await here.queued(['bob@dest.example']);
  await here.until(here.logged.filter((line) => /^(Sent|Deferred|Rejected)/.test(line)).length + 1);
  return here.logged.slice(before).find((line) => /^(Sent|Deferred|Rejected)/.test(line)) ?? '';
}
const sent = (verified: string) =>
  new RegExp(`^Sent .* encrypted=TLSv1\\.[23]/[A-Z0-9_-]+ verified=${verified} attempts=1: 250 2\\.0\\.0 taken$`);

test.each([
  ['good', good, 'pkix'],
  ['of another name', other, 'none'],
  ['expired', expired, 'none'],
  ['of nobody known', unknown, 'none'],
] as const)(
  'a certificate that is %s is good enough where encryption is opportunistic, and the log says what it was',
  async (_w, certificate, verified) => {
    const here = await begin(certificate);
    expect(await sendOne(here)).toMatch(sent(verified));
    expect(here.sink.messages[0]?.encrypted).toBe(true);
  },
);

test.each([
  ['good', good, sent('pkix')],
  ['of another name', other, /^Deferred .*mx\.dest\.example .*its certificate is not for mx\.dest\.example/],
  ['expired', expired, /^Deferred .*its certificate is not valid at this time \(CERT_HAS_EXPIRED\)/],
  ['of nobody known', unknown, /^Deferred .*its certificate is not trusted/],
  ['missing', undefined, /^Deferred .*mx\.dest\.example does not offer encryption/],
] as const)('with a peer that must be verified, a certificate that is %s decides', async (_w, certificate, expected) => {
  const here = await begin(certificate);
  here.peers['dest.example'] = { tls: 'verified' };
  expect(await sendOne(here)).toMatch(expected);
  expect(here.sink.messages).toHaveLength(expected.source.startsWith('^Sent') ? 1 : 0);
  // Nothing is said after the certificate was seen.
  if (certificate && expected.source.startsWith('^Deferred'))
    expect(here.sink.heard.filter((line) => /^(MAIL|EHLO)/.test(line))).toHaveLength(1);
});

test('with required encryption a refused STARTTLS, one that is stripped, and a host without EHLO defer the mail', async () => {
  const here = await begin(good, { tls: 'required' });
  here.sink.script.reply = (verb) => (verb === 'STARTTLS' ? '454 4.7.0 not now' : undefined);
  expect(await sendOne(here)).toMatch(/^Deferred .*refuses encryption: 454 4\.7\.0 not now \(mtSmtpcTls/);
  here.sink.script.reply = (verb) => (verb === 'EHLO' ? '250-sink.example\r\n250 XXXXXXXA' : undefined);
  here.clock.advance(3_600_000);
  await here.until(2);
  expect(here.logged.at(-1)).toMatch(/does not offer encryption/);
  here.sink.script.reply = (verb) => (verb === 'EHLO' ? '502 5.5.1 what?' : undefined);
  here.clock.advance(3_600_000 * 4);
  await here.until(3);
  expect(here.logged.at(-1)).toMatch(/does not offer encryption/);
  expect(here.sink.heard.filter((line) => /^(HELO|MAIL)/.test(line))).toEqual([]);
});

test('what is said in plain text behind the reply to STARTTLS counts for nothing', async () => {
  const here = await begin(good);
  here.sink.script.reply = (verb) =>
    verb === 'STARTTLS' ? '220 go on\r\n250-evil.example\r\n250-SIZE 1\r\n250 DSN\r\n250 half a li' : undefined;
  expect(await sendOne(here)).toMatch(sent('pkix'));
  expect(here.sink.heard.filter((line) => line.startsWith('EHLO'))).toHaveLength(2);
});

test('a handshake that fails is no reason to keep mail where encryption is opportunistic; it goes in the clear', async () => {
  const here = await begin(good);
  here.sink.script.tls = { ...chained(good), maxVersion: 'TLSv1.1', minVersion: 'TLSv1' };
  expect(await sendOne(here)).toMatch(/^Sent .* encrypted=no attempts=1/);
  expect(here.logged.join('\n')).toMatch(/\[Warning\] mx\.dest\.example \[127\.0\.0\.1\]: no encryption/);
});

test.each([
  ['names the certificate', [digest(3, unknown)], unknown, sent('dane')],
  ['names the issuer', [digest(2, root)], good, sent('dane')],
  [
    'names another certificate',
    [digest(3, good)],
    unknown,
    /^Deferred .*no TLSA record matches its certificate \(DANE: TLSA records of mx\.dest\.example\)/,
  ],
  [
    'names the issuer of a certificate for another name',
    [digest(2, root)],
    other,
    /^Deferred .*for none of mx\.dest\.example, dest\.example/,
  ],
  ['names a certificate, and there is no encryption', [digest(3, good)], undefined, /^Deferred .*does not offer encryption \(DANE/],
  ['cannot be used', [digest(1, good)], unknown, sent('none')],
  ['cannot be used, and there is no encryption', [digest(0, good)], undefined, /^Deferred .*none of which can be used/],
  ['cannot be asked for', 'sick', good, /^Deferred .*cannot be found out whether mx\.dest\.example has TLSA records: .*SERVFAIL/],
  ['is not there', undefined, unknown, sent('none')],
] as const)('DANE: a signed record that %s', async (_what, tlsa, certificate, expected) => {
  const here = await begin(certificate);
  signed(here, tlsa as TlsaRecord[] | 'sick' | undefined);
  expect(await sendOne(here)).toMatch(expected);
  expect(here.sink.messages).toHaveLength(expected.source.startsWith('^Sent') ? 1 : 0);
});

test('DANE is only where every step is signed, where it is switched on, and where the peer has nothing against it', async () => {
  const here = await begin(unknown);
  signed(here, [digest(3, good)]);
  here.zones['dest.example'] = { ...here.zones['dest.example'], secure: false };
  expect(await sendOne(here)).toMatch(sent('none'));
  here.zones['dest.example'] = { ...here.zones['dest.example'], secure: true };
  here.zones['mx.dest.example'] = { ...here.zones['mx.dest.example'], secure: false };
  expect(await sendOne(here)).toMatch(sent('none'));
  here.zones['mx.dest.example'] = { ...here.zones['mx.dest.example'], secure: true };
  here.zones[`_${here.sink.port}._tcp.mx.dest.example`] = { tlsa: [digest(3, good)], secure: false };
  expect(await sendOne(here)).toMatch(sent('none'));
  here.zones[`_${here.sink.port}._tcp.mx.dest.example`] = { tlsa: [digest(3, good)] };
  for (const changed of [{ dane: false }, { dnssec: 'none' as const }]) {
    const before = here.settings.value;
    here.settings.set({ ...before, ...changed });
    expect(await sendOne(here)).toMatch(sent('none'));
    here.settings.set(before);
  }
  here.peers['dest.example'] = { tls: 'opportunistic' };
  expect(await sendOne(here)).toMatch(sent('none'));
  here.peers['dest.example'] = { tls: 'required' };
  expect(await sendOne(here)).toMatch(/^Deferred .*no TLSA record matches/);
});

test('an exchanger that is an alias has its records at the end of it, or else at its own name', async () => {
  const here = await begin(good);
  signed(here, undefined);
  here.zones['mx.dest.example'] = { alias: 'host.dest.example', secure: true };
  here.zones['host.dest.example'] = { a: ['127.0.0.1'], secure: true };
  here.zones[`_${here.sink.port}._tcp.host.dest.example`] = { tlsa: [digest(3, good)] };
  here.zones[`_${here.sink.port}._tcp.mx.dest.example`] = { tlsa: [digest(3, other)] };
  expect(await sendOne(here)).toMatch(sent('dane'));
  delete here.zones[`_${here.sink.port}._tcp.host.dest.example`];
  here.zones[`_${here.sink.port}._tcp.mx.dest.example`] = { tlsa: [digest(3, good)] };
  expect(await sendOne(here)).toMatch(sent('dane'));
  // The alias is signed, what it leads to is not.
  here.zones['host.dest.example'] = { a: ['127.0.0.1'], secure: false };
  expect(await sendOne(here)).toMatch(sent('dane'));
  here.zones[`_${here.sink.port}._tcp.mx.dest.example`] = { tlsa: [digest(3, other)] };
  expect(await sendOne(here)).toMatch(/^Deferred .*no TLSA record matches/);
});

test('an address literal is named in no handshake', async () => {
  const here = await begin(good);
  const servers: (string | false)[] = [];
  here.sink.script.tls = {
    ...chained(good),
    SNICallback(name: string, done: (error: null) => void) {
      servers.push(name);
      done(null);
    },
  } as never;
  await here.queued(['bob@[127.0.0.1]']);
  await here.until(1, /^Sent/);
  expect(servers).toEqual([]);
  expect(await sendOne(here)).toMatch(sent('pkix'));
  expect(servers).toEqual(['mx.dest.example']);
});

const policyText = (mode: string, mx = 'mx.dest.example') => `version: STSv1\r\nmode: ${mode}\r\nmx: ${mx}\r\nmax_age: 86400\r\n`;

async function withPolicy(
  certificate: Authority | undefined,
  text: string,
): Promise<{ here: World; host: Awaited<ReturnType<typeof startPolicyHost>> }> {
  const host = await startPolicyHost(chained(good), text);
  closing.push(host.stop);
  const here = await begin(certificate, { stsPort: host.port });
  here.zones['_mta-sts.dest.example'] = { txt: ['v=STSv1; id=1;'] };
  here.zones['mta-sts.dest.example'] = { a: ['127.0.0.1'] };
  return { here, host };
}

test.each([
  ['enforce', 'mx.dest.example', good, sent('sts')],
  ['enforce', '*.dest.example', good, sent('sts')],
  ['enforce', 'mx.dest.example', unknown, /^Deferred .*not trusted .*\(MTA-STS: policy 1 of dest\.example\)/],
  ['enforce', 'mx.dest.example', other, /^Deferred .*its certificate is not for mx\.dest\.example/],
  ['enforce', 'mx.dest.example', expired, /^Deferred .*CERT_HAS_EXPIRED/],
  ['enforce', 'mx.dest.example', undefined, /^Deferred .*does not offer encryption/],
  ['enforce', 'mx.elsewhere.example', good, /^Deferred .*mx\.dest\.example is none of the hosts in the MTA-STS policy of dest\.example/],
  ['testing', 'mx.elsewhere.example', unknown, sent('none')],
  ['testing', 'mx.dest.example', good, sent('sts')],
  ['testing', 'mx.dest.example', undefined, /^Sent .* encrypted=no/],
  ['none', 'mx.elsewhere.example', unknown, sent('none')],
] as const)('MTA-STS: mode %s, mx %s', async (mode, mx, certificate, expected) => {
  const { here, host } = await withPolicy(certificate, policyText(mode, mx));
  expect(await sendOne(here)).toMatch(expected);
  expect(host.asked).toEqual(['GET /.well-known/mta-sts.txt mta-sts.dest.example']);
});

test('DANE goes before MTA-STS, for good and ill', async () => {
  const { here } = await withPolicy(good, policyText('enforce', 'mx.elsewhere.example'));
  signed(here, [digest(3, good)]);
  expect(await sendOne(here)).toMatch(sent('dane'));
  here.zones[`_${here.sink.port}._tcp.mx.dest.example`] = { tlsa: [digest(3, other)] };
  here.zones['_mta-sts.dest.example'] = {};
  expect(await sendOne(here)).toMatch(/^Deferred .*no TLSA record matches/);
});

test('where none of the TLSA records can be used, a policy of MTA-STS still counts', async () => {
  const { here } = await withPolicy(unknown, policyText('enforce'));
  signed(here, [digest(1, unknown)]);
  expect(await sendOne(here)).toMatch(
    /^Deferred .*not trusted .*MTA-STS: policy 1 of dest\.example; TLSA records of mx\.dest\.example, none/,
  );
  expect(here.sink.messages).toEqual([]);
});

test('peers, relay hosts and the switch keep policies of MTA-STS out', async () => {
  const { here, host } = await withPolicy(unknown, policyText('enforce'));
  here.peers['dest.example'] = { tls: 'opportunistic' };
  expect(await sendOne(here)).toMatch(sent('none'));
  here.peers['dest.example'] = {};
  here.settings.set({ ...here.settings.value, sts: false });
  expect(await sendOne(here)).toMatch(sent('none'));
  here.settings.set({ ...here.settings.value, sts: true, relayHost: 'mx.dest.example', nameResolution: 'MailRelayHost' });
  expect(await sendOne(here)).toMatch(sent('none'));
  expect(host.asked).toEqual([]);
  here.settings.set({ ...here.settings.value, nameResolution: 'DNSOnly' });
  expect(await sendOne(here)).toMatch(/^Deferred .*not trusted/);
});

test('while the DNS cannot tell whether the way is signed, nothing is sent; a relay host from the host table is as good as before', async () => {
  const here = await begin(good);
  const table = `${dir.path}/hosts`;
  writeFileSync(table, '127.0.0.1 relay.example dest.example\n');
  here.zones['relay.example'] = { a: 'sick' };
  here.settings.set({ ...here.settings.value, hostTable: table, relayHost: 'relay.example', nameResolution: 'MailRelayHost' });
  expect(await sendOne(here)).toMatch(/^Sent .* host=relay\.example encrypted=TLS/);
  // What stands in the host table is not the DNS's to say.
  here.zones['dest.example'] = { mx: 'sick' };
  here.settings.set({ ...here.settings.value, relayHost: '', nameResolution: 'HostTableThenDNS' });
  expect(await sendOne(here)).toMatch(/^Sent .* host=dest\.example encrypted=TLS/);
});

test('a report goes to a relay host as that wants it', () => {
  const settings = { ...defaultsOf(smtpcSettings), tls: 'required' as const, tlsVerify: true };
  const peer = peerThat({});
  expect(leastOf({ peer, settings, lax: true })).toMatchObject({ tls: 'opportunistic', verify: false, published: false });
  expect(leastOf({ peer, settings, lax: true, relay: 'tls' })).toMatchObject({ tls: 'required', verify: false, atOnce: true });
  expect(leastOf({ peer, settings, lax: true, relay: 'off' })).toMatchObject({ tls: 'off' });
  expect(leastOf({ peer, settings: { ...settings, tls: 'off' }, lax: true })).toMatchObject({ tls: 'off' });
});

test('a connection that is kept is not good for what is asked of a host since', async () => {
  const here = await begin(good);
  expect(await sendOne(here)).toMatch(/^Sent .*verified=pkix/);
  expect(await sendOne(here)).toMatch(/^Sent /);
  expect(here.sink.connections).toBe(1);
  signed(here, [digest(3, good)]);
  expect(await sendOne(here)).toMatch(/^Sent .*verified=dane/);
  expect(await sendOne(here)).toMatch(/^Sent .*verified=dane/);
  expect(here.sink.connections).toBe(2);
  // The key is to be another one, though the session with the old one is still there.
  signed(here, [digest(3, other)]);
  expect(await sendOne(here)).toMatch(/^Deferred /);
  expect(here.sink.messages).toHaveLength(4);
});
