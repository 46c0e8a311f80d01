/** How SMTPC finds and reaches other hosts, every setting of it changed by LDAP on a running server. */

import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, control, ldapAdministrator, newest, subjects, submitAs, waiting } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';
import { freePort } from '../support/temp.ts';

let dns: FakeDns;
/** Other hosts, and a host that passes mail on. */
let sink: Sink;
let relay: Sink;
let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
let hosts: string;
const smtpc = 'cn=smtpc,cn=mailtree';
/** What a test has set, to be taken back. */
let touched = new Set<string>();

beforeAll(async () => {
  [sink, relay] = await Promise.all([startSink(), startSink()]);
  dns = await startFakeDns({
    'mx.test': { a: ['127.0.0.1'] },
    'relay.test': { a: ['127.0.0.1'] },
    'six.test': { aaaa: ['::1'] },
  });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  hosts = join(files.dir, 'hosts');
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  await ldap.modify(smtpc, change('replace', 'mtSmtpcPort', String(sink.port)));
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await Promise.all([sink.stop(), relay.stop(), dns.stop(), files.remove()]);
});

beforeEach(async () => {
  for (const attribute of touched) await ldap.modify(smtpc, change('replace', attribute));
  touched = new Set();
  sink.script = { extensions: [] };
  relay.script = { extensions: [] };
});

async function set(values: Readonly<Record<string, string | readonly string[]>>): Promise<void> {
  const changes = Object.entries(values).map(([attribute, value]) => change('replace', attribute, ...[value].flat()));
  for (const attribute of Object.keys(values)) touched.add(attribute);
  await ldap.modify(smtpc, changes);
}

let domains = 0;
/** A domain nobody has asked for yet, at the first sink. */
function fresh(name = { mx: [[10, 'mx.test']] as readonly (readonly [number, string])[] } as FakeDns['zone'][string]): string {
  domains += 1;
  const domain = `d${domains}.test`;
  if (name) dns.zone[domain] = name;
  return domain;
}

const submit = (to: string, subject = to): Promise<void> => submitAs(files, 'user1@example.test', to, subject);
const has = (at: Sink, to: string): boolean => at.messages.some((one) => one.to.includes(to));
const arrives = (at: Sink, to: string): Promise<number> => eventually(async () => has(at, to));
const listing = async (to: string) => (await waiting(files)).flatMap(({ recipients }) => recipients).find(({ address }) => address === to);
const waits = (to: string, pattern: RegExp): Promise<number> => eventually(async () => pattern.test((await listing(to))?.reason ?? ''));
const comesBack = (pattern: RegExp): Promise<number> =>
  eventually(async () => {
    if ((await subjects(files, 'user1@example.test')).length === 0) return false;
    return pattern.test((await newest(files, 'user1@example.test')).toString('latin1'));
  });
const logFile = (): string => join(files.dir, 'data', 'log', 'iemta.log');
const logged = (pattern: RegExp): Promise<number> =>
  eventually(async () => existsSync(logFile()) && pattern.test(readFileSync(logFile(), 'utf8')));
const retry = (domain: string): Promise<unknown> => control(files, `/queue/SMTPC/retry?identifier=${domain}`, 'POST');
/** Sends to a domain of its own; the address. */
async function toFresh(domain = fresh()): Promise<string> {
  await submit(`friend@${domain}`);
  return `friend@${domain}`;
}

test('a domain that is forwarded to SMTPC goes to the address the host table has for it, and the table is read again', async () => {
  await ldap.add('cn=abc.test,cn=forwarding,cn=mta,cn=mailtree', { objectClass: 'mtForwarding', cn: 'abc.test', mtChannel: 'SMTPC' });
  dns.zone['abc.test'] = { mx: [[10, 'dead.test']] };
  dns.zone['dead.test'] = { a: ['127.0.0.98'] };
  await writeFile(hosts, '127.0.0.1 abc.test\nrubbish here\n');
  await set({ mtSmtpcNameResolution: 'HostTableThenDNS', mtSmtpcHostTable: hosts });
  await arrives(sink, await toFresh('abc.test'));
  await logged(/host table .*: line 2 is not used: it does not begin with an IP address/);
  const changed = fresh({ failing: true });
  await writeFile(hosts, `127.0.0.1 abc.test ${changed}\n`);
  await arrives(sink, await toFresh(changed));
});

test.each([
  ['DNSOnly', 'waits'],
  ['DNSThenHostTable', 'arrives'],
  ['dnsthenhosttable', 'arrives'],
  ['HostTableOnly', 'arrives'],
])('name resolution %s: what the DNS cannot tell and the table can %s', async (resolution, expected) => {
  const domain = fresh({ failing: true });
  await writeFile(hosts, `127.0.0.1 ${domain}\n`);
  await set({ mtSmtpcNameResolution: resolution, mtSmtpcHostTable: hosts, mtSmtpcDnsRetries: '0' });
  const to = await toFresh(domain);
  if (expected === 'arrives') await arrives(sink, to);
  else await waits(to, /SERVFAIL/);
});

test('with HostTableOnly nothing else counts', async () => {
  await writeFile(hosts, '127.0.0.1 other.test\n');
  await set({ mtSmtpcNameResolution: 'HostTableOnly', mtSmtpcHostTable: hosts });
  const domain = fresh();
  await submit(`friend@${domain}`);
  await comesBack(new RegExp(`Status: 5\\.1\\.2[\\s\\S]*friend@${domain}`));
  expect(dns.asked.filter((question) => question.endsWith(domain))).toEqual([]);
  await set({ mtSmtpcHostTable: join(files.dir, 'missing') });
  await waits(await toFresh(), /cannot be read/);
});

test.each([
  ['mtSmtpcNameResolution', 'Telepathy'],
  ['mtSmtpcHostTable', 'hosts'],
  ['mtSmtpcRelayHost', 'two hosts'],
  ['mtSmtpcSourceIpv4', '10.0.0.256'],
  ['mtSmtpcSourceIpv6', '10.0.0.1'],
  ['mtSmtpcEtrnHost', 'a b'],
  ['mtSmtpcEtrnName', '<x>'],
])('%s does not take "%s"', async (attribute, value) => {
  await expect(ldap.modify(smtpc, change('replace', attribute, value))).rejects.toThrow(new RegExp(attribute));
});

test('the mail relay host: for unknown names, for all, while the DNS fails', async () => {
  const unknown = (): string => fresh(undefined).replace('test', 'nowhere');
  await submit(`friend@${unknown()}`);
  await comesBack(/Status: 5\.1\.2/);
  await set({ mtSmtpcRelayHost: `relay.test:${relay.port}`, mtSmtpcDnsRetries: '0' });
  await arrives(relay, await toFresh(unknown()));
  await arrives(sink, await toFresh());
  await waits(await toFresh(fresh({ failing: true })), /SERVFAIL/);
  await set({ mtSmtpcRelayWithoutDns: 'TRUE' });
  await arrives(relay, await toFresh(fresh({ failing: true })));
  await set({ mtSmtpcNameResolution: 'MailRelayHost' });
  await arrives(relay, await toFresh());
});

test('primary and secondary relay host, their intervals and their switch', async () => {
  const dead = await freePort();
  await set({
    mtSmtpcNameResolution: 'MailRelayHost',
    mtSmtpcRelayHost: `relay.test:${dead}`,
    mtSmtpcSecondaryRelayHost: `relay.test:${relay.port}`,
    mtSmtpcSecondaryRelay: 'FALSE',
  });
  const first = await toFresh();
  await waits(first, /ECONNREFUSED/);
  await logged(/\[Error\].* mail cannot be handed to the primary mail relay host relay\.test: .*ECONNREFUSED/i);
  await set({ mtSmtpcSecondaryRelay: 'TRUE', mtSmtpcRelaySwitchOver: '60' });
  await waits(await toFresh(), /ECONNREFUSED/);
  expect((await command('mailtree', ['relays'], files)).out).toMatch(/primary +used +down since .*ECONNREFUSED/);
  await set({ mtSmtpcRelaySwitchOver: '0' });
  await arrives(relay, await toFresh());
  expect(JSON.parse((await command('mailtree', ['relays', '--json'], files)).out)).toMatchObject({ using: 'secondary' });
  await retry(first.split('@')[1] ?? '');
  await arrives(relay, first);
  // The same port answers from now on; the long interval keeps the secondary one, the short one goes back.
  const before = relay.messages.length;
  await set({ mtSmtpcRelayHost: `relay.test:${dead}`, mtSmtpcRelaySwitchBack: '600' });
  await arrives(relay, await toFresh());
  expect(relay.messages.length).toBe(before + 1);
  await set({ mtSmtpcRelaySwitchBack: '0' });
  await arrives(relay, await toFresh());
  await set({ mtSmtpcRelayHost: `relay.test:${sink.port}` });
  await arrives(sink, await toFresh());
});

test('passwords of relay hosts can be written and not read, found or compared', async () => {
  await set({ mtSmtpcRelayPassword: 'hush-hush-1', mtSmtpcSecondaryRelayPassword: 'hush-hush-2' });
  const { searchEntries } = await ldap.search(smtpc, { scope: 'base', attributes: ['*', '+', 'mtSmtpcRelayPassword'] });
  expect(JSON.stringify(searchEntries)).not.toContain('hush');
  const found = await ldap.search(smtpc, { scope: 'base', filter: '(mtSmtpcRelayPassword=hush-hush-1)' });
  expect(found.searchEntries).toEqual([]);
  await expect(ldap.compare(smtpc, 'mtSmtpcRelayPassword', 'hush-hush-1')).rejects.toThrow();
});

test('log-in at a relay host: mechanisms, the switch, encryption and plain passwords', async () => {
  const auth: string[] = [];
  relay.script = {
    extensions: ['AUTH PLAIN LOGIN'],
    reply: (verb, line) => {
      if (verb === 'AUTH') auth.push(line);
      if (verb === 'AUTH') return line.includes(Buffer.from('\0me\0right').toString('base64')) ? '235 2.7.0 ok' : '535 5.7.8 no';
      return undefined;
    },
  };
  await set({
    mtSmtpcNameResolution: 'MailRelayHost',
    mtSmtpcRelayHost: `relay.test:${relay.port}`,
    mtSmtpcRelayUser: 'me',
    mtSmtpcRelayPassword: 'wrong',
  });
  await waits(await toFresh(), /PLAIN, LOGIN would send the password over a connection that is not encrypted/);
  await set({ mtSmtpcRelayPlainPassword: 'TRUE' });
  const to = await toFresh();
  await waits(to, /log-in \(PLAIN\): 535/);
  await logged(/\[Error\].* primary mail relay host relay\.test: .*log-in \(PLAIN\): 535/i);
  await set({ mtSmtpcRelayPassword: 'right' });
  await retry(to.split('@')[1] ?? '');
  await arrives(relay, to);
  const used = auth.length;
  await set({ mtSmtpcRelayAuth: 'FALSE' });
  await arrives(relay, await toFresh());
  expect(auth).toHaveLength(used);
  for (const tls of ['required', 'verified', 'tls']) {
    await set({ mtSmtpcRelayTls: tls });
    await waits(await toFresh(), /./);
  }
  await set({ mtSmtpcRelayTls: 'off' });
  await arrives(relay, await toFresh());
  expect(readFileSync(logFile(), 'utf8')).not.toMatch(/AG1l|right/);
});

test('the log-in of the secondary relay host is its own', async () => {
  const auth: string[] = [];
  relay.script = {
    extensions: ['AUTH PLAIN'],
    reply: (verb, line) => {
      if (verb !== 'AUTH') return undefined;
      auth.push(line);
      return '235 2.7.0 ok';
    },
  };
  await set({
    mtSmtpcNameResolution: 'MailRelayHost',
    mtSmtpcRelayHost: `relay.test:${await freePort()}`,
    mtSmtpcRelaySwitchOver: '0',
    mtSmtpcSecondaryRelayHost: `relay.test:${relay.port}`,
    mtSmtpcSecondaryRelayUser: 'second',
    mtSmtpcSecondaryRelayPassword: 'secret',
    mtSmtpcSecondaryRelayTls: 'required',
    mtSmtpcRelayPlainPassword: 'TRUE',
  });
  await waits(await toFresh(), /./);
  await set({ mtSmtpcSecondaryRelayTls: 'off' });
  await arrives(relay, await toFresh());
  // What has waited may go along, now that the way is another one.
  expect(new Set(auth)).toEqual(new Set([`AUTH PLAIN ${Buffer.from('\0second\0secret').toString('base64')}`]));
});

test('DNS: servers, retries, time-out, cache', async () => {
  const asked = (domain: string): number => dns.asked.filter((question) => question === `MX ${domain}`).length;
  for (const retries of [0, 3]) {
    const domain = fresh({ failing: true });
    await set({ mtSmtpcDnsRetries: String(retries) });
    await waits(await toFresh(domain), /SERVFAIL/);
    expect(asked(domain)).toBe(retries + 1);
  }
  await set({ mtSmtpcDnsRetries: '0', mtSmtpcDnsTimeout: '1' });
  await waits(await toFresh(fresh({ silent: true })), /no name server answered/);
  // Given up before a question that was asked earlier, but has more time.
  await set({ mtSmtpcDnsTimeout: '60' });
  const patient = await toFresh(fresh({ silent: true }));
  await eventually(async () => asked(patient.split('@')[1] ?? '') === 1);
  await set({ mtSmtpcDnsTimeout: '1' });
  await waits(await toFresh(fresh({ silent: true })), /no name server answered/);
  expect((await listing(patient))?.reason).toBeUndefined();
  await set({ mtSmtpcDnsCacheSize: '0', mtSmtpcDnsTimeout: '5' });
  const domain = fresh();
  for (const name of ['one', 'two']) {
    await submit(`${name}@${domain}`);
    await arrives(sink, `${name}@${domain}`);
  }
  const uncached = asked(domain);
  expect(uncached).toBeGreaterThan(1);
  await set({ mtSmtpcDnsCacheSize: '100' });
  for (const name of ['three', 'four', 'five']) {
    await submit(`${name}@${domain}`);
    await arrives(sink, `${name}@${domain}`);
  }
  expect(asked(domain)).toBeLessThanOrEqual(uncached + 1);
  const other = await startFakeDns({ 'only-there.test': { mx: [[10, 'mx.test']] }, 'mx.test': { a: ['127.0.0.1'] } });
  await ldap.modify('cn=server,cn=mailtree', change('replace', 'mtDnsServer', `127.0.0.1:${other.port}`));
  await arrives(sink, await toFresh('only-there.test'));
  await ldap.modify('cn=server,cn=mailtree', change('replace', 'mtDnsServer', `127.0.0.1:${dns.port}`));
  await other.stop();
});

test('which kind of address, and from which address of ours', async () => {
  await set({ mtSmtpcSourceIpv4: '127.0.0.55' });
  await arrives(sink, await toFresh());
  expect(sink.clients.at(-1)).toBe('127.0.0.55');
  await set({ mtSmtpcSourceIpv4: '192.0.2.77' });
  await waits(await toFresh(), /192\.0\.2\.77 is not an address of this host/);
  await set({ mtSmtpcSourceIpv4: '127.0.0.1', mtSmtpcSourceIpv6: '2001:db8::77' });
  await waits(await toFresh(fresh({ mx: [[1, 'six.test']] })), /2001:db8::77 is not an address of this host/);
  await set({ mtSmtpcAddressFamily: 'ipv6-only' });
  await submit(`friend@${fresh()}`, 'only six');
  await comesBack(/mx\.test has no IPv6 address/);
  await set({ mtSmtpcAddressFamily: 'ipv4-only' });
  await submit(`friend@${fresh({ mx: [[1, 'six.test']] })}`, 'only four');
  await comesBack(/six\.test has no IPv4 address/);
  for (const [family, first] of [
    ['ipv6-first', '::1'],
    ['ipv4-first', '127.0.0.98'],
  ] as const) {
    await set({ mtSmtpcAddressFamily: family });
    const to = await toFresh(fresh({ a: ['127.0.0.98'], aaaa: ['::1'] }));
    await waits(to, first === '::1' ? /\[127\.0\.0\.98\]/ : /\[::1\]/);
  }
});

test('ETRN: to the hosts of the setting, for all names, with delivery, and by hand', async () => {
  sink.script = {
    extensions: ['ETRN'],
    reply: (verb, line) => (verb === 'ETRN' ? (line.includes('branch') ? '459 4.7.0 no' : '253 2.0.0 5 waiting') : undefined),
  };
  const etrn = (): string[] => sink.heard.filter((line) => line.startsWith('ETRN '));
  await set({ mtSmtpcEtrnHost: ['mx.test'], mtSmtpcEtrnName: ['@branch.test'], mtSmtpcEtrnInterval: '0' });
  await eventually(async () => etrn().length === 2);
  expect(etrn()).toEqual(['ETRN mail.example.test', 'ETRN @branch.test']);
  await logged(/ETRN mail\.example\.test at mx\.test: 253 2\.0\.0 5 waiting/);
  await logged(/ETRN @branch\.test at mx\.test: 459 4\.7\.0 no/);
  const { code, out } = await command('mailtree', ['etrn', `mx.test:${sink.port}`, 'example.test'], files);
  expect({ code, out }).toEqual({ code: 0, out: 'example.test: 253 2.0.0 5 waiting\n' });
  expect((await command('mailtree', ['etrn', 'no host'], files)).err).toMatch(/no host is not a host name/);
  expect((await command('mailtree', ['etrn', 'missing.test'], files)).code).toBe(1);
  const before = etrn().length;
  await set({ mtSmtpcEtrnOnDelivery: 'TRUE', mtSmtpcEtrnName: [] });
  await arrives(sink, await toFresh());
  expect(etrn()).toHaveLength(before + 1);
  await command('mailtree', ['component', 'restart', 'SMTPC'], files);
  await eventually(async () => etrn().length === before + 2);
});

test('time-outs and the data buffer hold from the next session on', async () => {
  const phases = ['Initial', 'Helo', 'Mail', 'Rcpt', 'Data', 'Block', 'End', 'Quit'];
  await ldap.modify('cn=server,cn=mailtree', change('replace', 'mtLogLevel', 'diagnostic'));
  await set({ mtSmtpcDataBuffer: '512', ...Object.fromEntries(phases.map((phase, n) => [`mtSmtpcTimeout${phase}`, String(n + 11)])) });
  await arrives(sink, await toFresh());
  await logged(/time-outs in minutes: initial=11 helo=12 mail=13 rcpt=14 data=15 block=16 end=17 quit=18/);
  // Each command and reply of SMTPC is told at the level SMTP session and below.
  for (const line of [/\[SMTP\] (\w{8}) connected to .*\n(?:.*\n)*?.*\[SMTP\] \1 > MAIL FROM:</, /\[SMTP\] \w{8} < 220 /])
    await logged(line);
  await ldap.modify('cn=server,cn=mailtree', change('replace', 'mtLogLevel'));
});

test('ESMTP is used or not, and a message goes to so many recipients at a time', async () => {
  const heard = (pattern: RegExp): number => sink.heard.filter((line) => pattern.test(line)).length;
  sink.script = { extensions: ['SIZE 1000000'] };
  const before = heard(/^EHLO/);
  await arrives(sink, await toFresh());
  expect(heard(/^EHLO/)).toBe(before + 1);
  await set({ mtSmtpcEsmtp: 'FALSE' });
  await arrives(sink, await toFresh());
  expect(heard(/^EHLO/)).toBe(before + 1);
  expect(sink.messages.at(-1)?.lines.join()).not.toContain('SIZE=');
  const domain = fresh();
  const all = Array.from({ length: 5 }, (_, n) => `r${n}@${domain}`);
  const sends = async (): Promise<number[]> => {
    const from = sink.messages.length;
    expect(await command('sendmail', ['-f', 'user1@example.test', ...all], files, 'Subject: many\n\nx\n')).toMatchObject({ code: 0 });
    const since = (): number[] => sink.messages.slice(from).map(({ to }) => to.length);
    await eventually(async () => since().reduce((sum, one) => sum + one, 0) === all.length);
    return since();
  };
  expect(await sends()).toEqual([5]);
  await set({ mtSmtpcRecipientsPerTransaction: '2' });
  expect((await sends()).sort()).toEqual([1, 2, 2]);
});

test('554 after the data is temporary, or not', async () => {
  sink.script = { extensions: [], reply: (verb) => (verb === '.' ? '554 5.0.0 transaction failed' : undefined) };
  await waits(await toFresh(), /554 5\.0\.0 transaction failed/);
  await set({ mtSmtpcTreat554AsTemporary: 'FALSE' });
  await submit(`friend@${fresh()}`, 'failed for good');
  await comesBack(/554 5\.0\.0 transaction failed[\s\S]*failed for good/);
});
