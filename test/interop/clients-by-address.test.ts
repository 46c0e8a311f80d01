/**
 * Other hosts, judged by their addresses: names and blacklists of a real DNS, lists of connections and relays, peers, over IPv4 and IPv6.
 * Each client has its address from a network of its own; swaks speaks for all of them.
 */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { change } from '../support/mail-clients.ts';
import { eventually } from '../support/server.ts';
import { type Named, startNamed } from './support/dns/named.ts';
import { dnsBl, reverseZones } from './support/dns/zones.ts';
import { type MailHost, startMailHost } from './support/mail-host.ts';
import { type Network, openNetwork } from './support/network.ts';
import { type Session, swaks } from './support/swaks.ts';

const server = { four: '198.51.100.1', six: '2001:db8:1::25' };
const honest = { four: '203.0.113.7', six: '2001:db8:7::1' };
const listed = { four: '203.0.113.66', six: '2001:db8:66::1' };
const nameless = { four: '203.0.113.99', six: '2001:db8:99::1' };
const clients = [honest, listed, nameless].flatMap(({ four, six }) => [four, six]);
const smtpd = 'cn=smtpd,cn=mailtree';
const user = 'user1@example.test';
let net: Network<'mail' | 'client' | 'dns'>;
let named: Named;
let mail: MailHost;

beforeAll(async () => {
  net = await openNetwork({ mail: [server.four, server.six], client: clients, dns: ['198.51.100.53'] }, { nameserver: '198.51.100.53' });
  named = await startNamed({
    address: '198.51.100.53',
    port: 53,
    command: net.hosts.dns.command,
    zones: {
      'example.test': { '@': { mx: [[10, 'mail.example.test']] }, mail: { a: [server.four], aaaa: [server.six] } },
      'elsewhere.test': {
        '@': { mx: [[10, 'client.elsewhere.test']] },
        client: { a: [honest.four], aaaa: [honest.six] },
        listed: { a: [listed.four], aaaa: [listed.six] },
        only6: { aaaa: [honest.six] },
        alias: { cname: 'client.elsewhere.test' },
        text: { txt: ['nothing else'] },
        nomail: { mx: [[0, '.']] },
      },
      'bl.test': dnsBl({ [listed.four]: { answers: ['127.0.0.4'], reason: 'sent spam' }, [listed.six]: { reason: 'sent spam' } }),
      'white.test': dnsBl({}),
      ...reverseZones({
        [honest.four]: ['client.elsewhere.test'],
        [honest.six]: ['client.elsewhere.test', 'second.elsewhere.test'],
        [listed.four]: ['listed.elsewhere.test'],
        [listed.six]: ['listed.elsewhere.test'],
      }),
    },
  });
  mail = await startMailHost(net.hosts.mail, { name: 'mail.example.test', domain: 'example.test', nameserver: named.server });
}, 120_000);

afterAll(async () => {
  await mail.stop();
  await named.stop();
  await net.close();
});

const set = (attribute: string, ...values: string[]) => mail.modify(smtpd, change('replace', attribute, ...values));
const unset = async (...attributes: string[]) => mail.modify(smtpd, ...attributes.map((one) => change('replace', one)));
/** What a client with this address is answered, up to RCPT. */
const from = (address: string, more: Partial<Session> = {}): Promise<string> =>
  swaks(net.hosts.client, {
    server: address.includes(':') ? server.six : server.four,
    from: address,
    recipient: user,
    until: 'RCPT',
    ...more,
  });
const becomes = (address: string, pattern: RegExp, more?: Partial<Session>) =>
  eventually(async () => pattern.test(await from(address, more)), 20_000);

test('a blacklist has addresses of both families; the message says which list, and so does the reply', async () => {
  for (const zone of ['white.test', 'bl.test'])
    await mail.add(`cn=${zone},cn=dnsbl,cn=mta,cn=mailtree`, { objectClass: 'mtDnsBl', cn: zone });
  for (const address of [listed.four, listed.six]) await becomes(address, /^55\d 5\.7\.1 .*bl\.test/);
  for (const address of [honest.four, honest.six, nameless.four]) expect(await from(address)).toMatch(/^250 /);
  expect(named.asked()).toContain('A 66.113.0.203.bl.test');
  expect(named.asked().some((asked) => /^A 1\.0\.0\.0\..*8\.b\.d\.0\.1\.0\.0\.2\.bl\.test$/.test(asked))).toBe(true);
  await mail.modify('cn=bl.test,cn=dnsbl,cn=mta,cn=mailtree', change('replace', 'mtDnsBlAction', 'pass'));
  await becomes(listed.six, /^250 /);
  for (const address of [listed.four, listed.six]) expect(await from(address, { until: 'end' })).toMatch(/^250 2\.0\.0 /);
  await eventually(async () => (await mail.inbox(user)).length === 2, 30_000);
  const tags = (await mail.inbox(user)).map((text) => /^X-Mailtree-DNSBL: (.*)\r$/m.exec(text)?.[1]);
  expect(tags.sort()).toEqual(['bl.test (127.0.0.2)', 'bl.test (127.0.0.4)']);
  await mail.modify(
    'cn=bl.test,cn=dnsbl,cn=mta,cn=mailtree',
    change('replace', 'mtDnsBlAnswer', '127.0.0.3-127.0.0.9'),
    change('delete', 'mtDnsBlAction'),
  );
  await becomes(listed.four, /^55\d /);
  expect(await from(listed.six)).toMatch(/^250 /);
  await set('mtSmtpdDnsBlWhitelist', '203.0.113.64/28');
  await becomes(listed.four, /^250 /);
  await unset('mtSmtpdDnsBlWhitelist');
  await mail.modify('cn=bl.test,cn=dnsbl,cn=mta,cn=mailtree', change('delete', 'mtDnsBlAnswer'));
  await becomes(listed.six, /^55\d /);
});

test('a blacklist is not asked about users, and nobody is on one that does not answer', async () => {
  const submission = {
    more: ['--port', '587', '--tls', '--auth', 'PLAIN', '--auth-user', user, '--auth-password', 'example-password-1'],
    sender: user,
  };
  expect(await from(listed.four, submission)).toMatch(/^250 /);
  await mail.modify('cn=smtpc,cn=mailtree', change('replace', 'mtSmtpcDnsTimeout', '1'), change('replace', 'mtSmtpcDnsRetries', '0'));
  named.pause();
  try {
    await becomes(listed.four, /^250 /);
  } finally {
    named.resume();
  }
  await becomes(listed.four, /^55\d /);
  for (const zone of ['white.test', 'bl.test']) await mail.remove(`cn=${zone},cn=dnsbl,cn=mta,cn=mailtree`);
  await becomes(listed.four, /^250 /);
});

test('clients without a name, and with another name than they say', async () => {
  await mail.modify(smtpd, change('replace', 'mtSmtpdReverseDns', 'TRUE'), change('replace', 'mtSmtpdRejectUnresolvable', 'TRUE'));
  await becomes(nameless.four, /^550 .*no name/);
  expect(await from(nameless.six)).toMatch(/^550 .*no name/);
  for (const address of [honest.four, honest.six, listed.four]) expect(await from(address)).toMatch(/^250 /);
  await mail.modify(
    smtpd,
    change('replace', 'mtSmtpdRejectHeloMismatch', 'TRUE'),
    change('replace', 'mtSmtpdHeloMismatchCode', 'temporary'),
  );
  await becomes(listed.four, /^450 .*is not the name/);
  for (const helo of ['client.elsewhere.test', 'SECOND.elsewhere.test.', 'second.elsewhere.test'])
    expect([helo, await from(honest.six, { helo })]).toEqual([helo, expect.stringMatching(/^250 /)]);
  expect(await from(listed.six, { helo: 'listed.elsewhere.test' })).toMatch(/^250 /);
  await unset('mtSmtpdReverseDns', 'mtSmtpdRejectUnresolvable', 'mtSmtpdRejectHeloMismatch', 'mtSmtpdHeloMismatchCode');
  await becomes(nameless.four, /^250 /);
});

test('senders whose domain takes no mail', async () => {
  await set('mtSmtpdRejectSenderDomain', 'TRUE');
  const refused = ['a@nowhere.test', 'a@text.elsewhere.test', 'a@nomail.elsewhere.test', 'a@nobody.elsewhere.test'];
  await becomes(honest.four, /^55\d /, { sender: 'a@nowhere.test' });
  for (const sender of refused)
    expect([sender, await from(honest.six, { sender })]).toEqual([sender, expect.stringMatching(/^55\d 5\.\d\.\d+ /)]);
  for (const sender of ['a@elsewhere.test', 'a@client.elsewhere.test', 'a@only6.elsewhere.test', 'a@alias.elsewhere.test', '<>'])
    expect([sender, await from(honest.four, { sender })]).toEqual([sender, expect.stringMatching(/^250 /)]);
  await unset('mtSmtpdRejectSenderDomain');
});

test('lists of connections and of relays, by address and network of both families', async () => {
  await set('mtSmtpdConnectionDeny', listed.four, '2001:db8:66::/48');
  for (const address of [listed.four, listed.six]) await becomes(address, /^554 /);
  for (const address of [honest.four, honest.six]) expect(await from(address)).toMatch(/^250 /);
  await unset('mtSmtpdConnectionDeny');
  const away = { recipient: 'friend@remote.test' };
  for (const address of [honest.four, honest.six]) expect(await from(address, away)).toMatch(/^550 5\.7\.1 /);
  await set('mtSmtpdRelayAllow', '203.0.113.0-203.0.113.7', '2001:db8:7::/64');
  for (const address of [honest.four, honest.six]) await becomes(address, /^250 /, away);
  for (const address of [listed.four, listed.six]) expect(await from(address, away)).toMatch(/^550 5\.7\.1 /);
  await unset('mtSmtpdRelayAllow');
  await becomes(honest.six, /^550 /, away);
});

test('peers, by the name in HELO and by address', async () => {
  const peers = 'cn=peers,cn=mailtree';
  const peer = (cn: string) => mail.add(`cn=${cn},${peers}`, { objectClass: 'mtPeer', cn, mtPeerAccept: 'FALSE' });
  await peer('elsewhere.test');
  await becomes(honest.four, /^550 .*host client\.elsewhere\.test is not authorized to connect/);
  expect(await from(honest.six, { helo: 'other.test' })).toMatch(/^250 /);
  await mail.remove(`cn=elsewhere.test,${peers}`);
  await peer('203.0.113.64/28');
  await peer('2001:db8:66::/48');
  for (const address of [listed.four, listed.six]) await becomes(address, /^550 .*is not authorized/, { helo: 'anything.test' });
  expect(await from(honest.four)).toMatch(/^250 /);
  for (const cn of ['203.0.113.64/28', '2001:db8:66::/48']) await mail.remove(`cn=${cn},${peers}`);
});

test('rates are counted for each address, over IPv6 for each network', async () => {
  await set('mtSmtpdRecipientsPerMinute', '2');
  await becomes(nameless.four, /^450 /);
  expect(await from(honest.four)).toMatch(/^250 /);
  await set('mtSmtpdRateExempt', nameless.four);
  await becomes(nameless.four, /^250 /);
  await unset('mtSmtpdRecipientsPerMinute', 'mtSmtpdRateExempt');
});
