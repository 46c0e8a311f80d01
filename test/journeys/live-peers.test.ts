/** What is agreed with other hosts, and which domains are local, changed by an independent LDAP client and on the command line. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'ldapts';
import type { Explanation } from '../../src/routing/index.ts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { change, ldapAdministrator, newest, rcpt, subjects, submitAs } from '../support/mail-clients.ts';
import { command, eventually, prepareServer, type RunningServer, runServer, type ServerFiles } from '../support/server.ts';
import { type Sink, startSink } from '../support/smtp-sink.ts';

let dns: FakeDns;
let sink: Sink;
let files: ServerFiles;
let server: RunningServer;
let ldap: Client;
const peers = 'cn=peers,cn=mailtree';
const remote = `cn=remote.test,${peers}`;
const mailtree = (...args: string[]) => command('mailtree', args, files);

beforeAll(async () => {
  sink = await startSink();
  dns = await startFakeDns({ 'remote.test': { mx: [[10, 'mx.remote.test']] }, 'mx.remote.test': { a: ['127.0.0.1'] } });
  files = await prepareServer({ extra: `dns: [127.0.0.1:${dns.port}]` });
  server = await runServer(files);
  ldap = await ldapAdministrator(files);
  await ldap.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcPort', String(sink.port)));
});

afterAll(async () => {
  await ldap.unbind();
  expect(await server.stop()).toBe(0);
  await Promise.all([sink.stop(), dns.stop(), files.remove()]);
});

async function explained(...args: string[]): Promise<Explanation> {
  const { out, err, code } = await mailtree('explain', '--json', ...args);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out) as Explanation;
}

const send = (subject: string, size = 10): Promise<void> =>
  submitAs(files, 'user1@example.test', 'friend@remote.test', subject, `\n${`${'x'.repeat(70)}\n`.repeat(size / 10)}`);
const arrived = (subject: string): boolean => sink.messages.some(({ data }) => data.includes(`Subject: ${subject}\r\n`));
/** Until the newest message of user1 says this. */
const told = (pattern: RegExp): Promise<number> =>
  eventually(async () => {
    if ((await subjects(files, 'user1@example.test')).length === 0) return false;
    return pattern.test((await newest(files, 'user1@example.test')).toString('latin1'));
  });

test('the default peer is there from the first start with every setting, can be changed and not removed', async () => {
  const { searchEntries } = await ldap.search(peers, { scope: 'one' });
  expect(searchEntries).toHaveLength(1);
  expect(searchEntries[0]).toMatchObject({
    cn: 'default',
    mtPeerAccept: 'TRUE',
    mtPeerRetryPeriod: '72',
    mtPeerSessions: '5',
    mtPeerMessagesPerSession: '6',
  });
  await expect(ldap.del(`cn=default,${peers}`)).rejects.toThrow(/needed by the server/);
  await ldap.modify(`cn=default,${peers}`, change('replace', 'mtPeerSessions', '7'));
  expect((await explained('x@remote.test')).nextHosts[0]).toMatchObject({ peer: 'default', sessions: 7 });
});

test('mail for a peer that is sent none comes back, and goes out once that is over', async () => {
  await send('before');
  await eventually(async () => arrived('before'));
  await ldap.add(remote, { objectClass: 'mtPeer', cn: 'remote.test', mtPeerTransmit: 'FALSE' });
  await send('not sent');
  await told(/Status: 5\.7\.1[\s\S]*not sent/);
  await ldap.modify(remote, change('replace', 'mtPeerTransmit', 'TRUE'));
  await send('after');
  await eventually(async () => arrived('after'));
  expect(arrived('not sent')).toBe(false);
});

test('a size limit agreed with a peer holds from the next message on', async () => {
  await ldap.modify(remote, change('replace', 'mtPeerOutboundSize', '8192'));
  await send('too large', 2_000);
  await told(/Status: 5\.3\.4[\s\S]*too large/);
  await ldap.modify(remote, change('delete', 'mtPeerOutboundSize'));
  await send('large', 2_000);
  await eventually(async () => arrived('large'));
});

test('mail for a peer that is queued first waits until it is asked for', async () => {
  await ldap.modify(remote, [change('replace', 'mtPeerQueueFirst', 'TRUE'), change('replace', 'mtPeerQueueInterval', '10080')]);
  await send('asked for');
  await eventually(async () => /waits for the queue run of remote\.test/.test((await command('mailq', [], files)).out));
  expect(arrived('asked for')).toBe(false);
  expect((await mailtree('retry', 'remote.test')).code).toBe(0);
  await eventually(async () => arrived('asked for'));
  await ldap.del(remote);
  await send('at once');
  await eventually(async () => arrived('at once'));
});

test('encryption can be asked of one peer', async () => {
  await ldap.add(remote, { objectClass: 'mtPeer', cn: 'remote.test', mtPeerTls: 'required' });
  await send('in the clear');
  await eventually(async () => /\(mx\.remote\.test /.test((await command('mailq', [], files)).out));
  expect(arrived('in the clear')).toBe(false);
  await ldap.modify(remote, change('replace', 'mtPeerTls', 'off'));
  expect((await mailtree('retry', 'remote.test')).code).toBe(0);
  await eventually(async () => arrived('in the clear'));
  await ldap.del(remote);
});

test('only the sub-domains of a domain are local, then the domain too', async () => {
  const wild = 'dc=wild,dc=test';
  expect(await rcpt(files, 'x@deep.sub.wild.test')).toMatch(/^550 5\.7\.1 /);
  await ldap.add(wild, { objectClass: ['domain', 'mtMailDomain'], dc: 'wild', mtSubdomainsOnly: 'TRUE' });
  expect(await rcpt(files, 'x@deep.sub.wild.test')).toMatch(/^550 5\.1\.1 /);
  expect(await rcpt(files, 'x@wild.test')).toMatch(/^550 5\.7\.1 /);
  const user = (domain: string) => ({ objectClass: 'inetOrgPerson', cn: 'X', sn: 'X', mail: `x@${domain}` });
  await expect(ldap.add(`cn=one,${wild}`, user('wild.test'))).rejects.toThrow(/not a local one/);
  await ldap.add(`cn=one,${wild}`, user('sub.wild.test'));
  expect(await rcpt(files, 'X@Sub.Wild.test')).toMatch(/^250 /);
  await ldap.modify(wild, [change('delete', 'mtSubdomainsOnly'), change('replace', 'mtSubdomains', 'TRUE')]);
  expect(await rcpt(files, 'y@wild.test')).toMatch(/^550 5\.1\.1 /);
  await ldap.del(`cn=one,${wild}`);
  await ldap.del(wild);
  expect(await rcpt(files, 'x@sub.wild.test')).toMatch(/^550 5\.7\.1 /);
});

test('domains are added and deleted with and without their sub-domains', async () => {
  const locals = async (): Promise<string[]> => {
    const all = [];
    for (const name of ['cmd.test', 'sub.cmd.test']) if (/^550 5\.1\.1 /.test(await rcpt(files, `x@${name}`))) all.push(name);
    return all;
  };
  const steps: [string[], string[]][] = [
    [['add', '*.cmd.test'], ['sub.cmd.test']],
    [
      ['add', 'cmd.test'],
      ['cmd.test', 'sub.cmd.test'],
    ],
    [['delete', '*.cmd.test'], ['cmd.test']],
    [
      ['add', '*.cmd.test'],
      ['cmd.test', 'sub.cmd.test'],
    ],
    [['delete', 'cmd.test'], []],
    [['add', '*.cmd.test'], ['sub.cmd.test']],
    [['delete', '*.cmd.test'], []],
  ];
  for (const [args, expected] of steps) {
    expect(await mailtree('domain', ...args)).toMatchObject({ code: 0, err: '' });
    expect(await locals()).toEqual(expected);
  }
});

test('forwarding of all sub-domains, and the default channel for whom nobody knows', async () => {
  const forwarding = 'cn=forwarding,cn=mta,cn=mailtree';
  const entry = { objectClass: 'mtForwarding', cn: '*.far.test', mtChannel: 'BSMTPOUT', mtIdentifier: 'decoder@tunnel.test' };
  await ldap.add(`cn=\\2a.far.test,${forwarding}`, entry);
  expect((await explained('x@sub.far.test')).routes).toMatchObject([{ queue: 'BSMTPOUT', identifier: 'decoder@tunnel.test' }]);
  expect((await explained('x@far.test')).routes).toMatchObject([{ queue: 'SMTPC', identifier: 'far.test' }]);
  await ldap.del(`cn=\\2a.far.test,${forwarding}`);
  expect((await explained('x@sub.far.test')).routes).toMatchObject([{ queue: 'SMTPC' }]);
  await expect(ldap.add(`cn=a..b,${forwarding}`, { ...entry, cn: 'a..b' })).rejects.toThrow(/is not a domain/);

  expect(await rcpt(files, 'nobody@example.test')).toMatch(/^550 5\.1\.1 /);
  await ldap.modify('cn=mta,cn=mailtree', change('replace', 'mtDefaultLocalChannel', 'NOTESIN'));
  expect(await rcpt(files, 'nobody@example.test')).toMatch(/^250 /);
  await ldap.modify('cn=mta,cn=mailtree', change('replace', 'mtDefaultLocalChannel', 'LOCAL'));
  expect(await rcpt(files, 'nobody@example.test')).toMatch(/^550 5\.1\.1 /);
});

test('peers are added, edited, shown, listed and deleted on the command line', async () => {
  const good = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await mailtree('peer', ...args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return out;
  };
  const bad = async (...args: string[]): Promise<string> => {
    const { code, err } = await mailtree('peer', ...args);
    expect(code).toBe(1);
    return err;
  };
  await good('add', 'XYZ.org', '--without-mime', 'yes', '--retry-period', '24', '--description', 'before MIME');
  await good('add', 'engr.xyz.org', '--without-mime', 'no');
  await good('add', '192.0.2.77/24', '--accept', 'no', '--inbound-size', '8192');
  expect(await good('show', 'lab.engr.xyz.org')).toMatch(
    /the peer engr\.xyz\.org[\s\S]*retry-period +24 +cn=xyz\.org,[\s\S]*without-mime +no +cn=engr\.xyz\.org,/,
  );
  expect(JSON.parse(await good('show', '192.0.2.1', '--json'))).toMatchObject({ peer: '192.0.2.0/24', accept: false, inboundSize: 8_192 });
  expect(await good('list', '*xyz*')).toMatch(/^peer[\s\S]*engr\.xyz\.org[\s\S]*xyz\.org .*before MIME/);
  await good('edit', 'xyz.org', '--retry-period', '', '--tls', 'verified');
  expect(JSON.parse(await good('show', 'xyz.org', '--json'))).toMatchObject({ retryPeriod: 72, tls: 'verified' });
  expect(await bad('add', 'xyz.org')).toContain('there is a peer xyz.org already');
  expect(await bad('add', '*.xyz.org')).toContain('*.xyz.org is neither a host, a domain, an address');
  expect(await bad('edit', 'default', '--outbound-size', '100')).toContain(
    '--outbound-size: "100" is not 0 (no limit) or a number from 8192',
  );
  expect(await bad('edit', 'default', '--sessions', '0')).toContain('--sessions: "0" is not a number from 1 to 100');
  expect(await bad('edit', 'default', '--accept', 'maybe')).toContain('--accept: "maybe" is not yes or no');
  expect(await bad('edit', 'gone.test', '--accept', 'no')).toContain('there is no peer gone.test');
  expect(await bad('delete', 'default')).toContain('cannot be removed');
  for (const name of ['xyz.org', 'engr.xyz.org', '192.0.2.0/24']) await good('delete', name);
  expect(JSON.parse(await good('list', '--json'))).toHaveLength(1);
});

test('explain shows sender and client, and why other rules did not apply', async () => {
  await ldap.add(`cn=192.0.2.1,${peers}`, { objectClass: 'mtPeer', cn: '192.0.2.1', mtPeerAccept: 'FALSE' });
  const found = await explained('friend@remote.test', '--sender', 'user1@example.test', '--client', '192.0.2.1');
  expect(found).toMatchObject({
    verdict: 'remote',
    sender: { send: { allowed: true, by: 'mail=user1@example.test,dc=example,dc=test' } },
    client: {
      peer: '192.0.2.1',
      connect: { allowed: false, by: `cn=192.0.2.1,${peers}` },
      relay: { allowed: false, by: 'mtSmtpdRelayDefault of cn=smtpd,cn=mailtree' },
      recipient: { allowed: false },
    },
  });
  await ldap.modify('cn=smtpd,cn=mailtree', change('replace', 'mtSmtpdRelayAllow', '192.0.2.0/24'));
  expect((await explained('friend@remote.test', '--client', '192.0.2.1')).client?.relay).toMatchObject({
    allowed: true,
    by: 'mtSmtpdRelayAllow (192.0.2.0/24) of cn=smtpd,cn=mailtree',
  });
  const text = (await mailtree('explain', 'friend@remote.test', '--client', '192.0.2.1')).out;
  expect(text).toMatch(/^ {2}not friend@remote\.test: local domain: remote\.test is not local$/m);
  expect(text).toMatch(/^friend@remote\.test: internet: SMTPC remote\.test$/m);
  expect(text).toMatch(/^ {2}may connect: no, host 192\.0\.2\.1 is not authorized to connect/m);
  expect((await mailtree('explain', 'a@b.test', '--client', 'nonsense')).err).toContain('nonsense is not an IP address');
  await ldap.del(`cn=192.0.2.1,${peers}`);
});
