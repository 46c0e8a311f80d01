/** What holds for another host: which entry decides, what is no name, and how it follows the directory. */

import { describe, expect, test } from '@jest/globals';
import { type Log, silentLog } from '../../src/base/index.ts';
import { type Change, type Directory, Entry } from '../../src/directory/index.ts';
import { leastSize, type OpenDit, openDit, peerSettings } from '../../src/dit/index.ts';
import { parseDn } from '../../src/ldap-wire/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { FakeDirectory } from '../support/fake-directory.ts';

const base = 'cn=peers,cn=mailtree';
const peer = (cn: string | string[], values: Record<string, string> = {}): Entry => {
  const names = [cn].flat();
  return new Entry(parseDn(`cn=${names[0]},${base}`), [
    { name: 'objectClass', values: ['mtPeer'] },
    { name: 'cn', values: names },
    ...Object.entries(values).map(([name, value]) => ({ name, values: [value] })),
  ]);
};

async function opened(entries: readonly Entry[], log: Log = silentLog): Promise<{ dit: OpenDit; tell(change: Partial<Change>): void }> {
  const directory = new FakeDirectory();
  directory.put('cn=mailtree', { objectClass: ['mtContainer'] });
  directory.put(base, { objectClass: ['mtContainer'] });
  for (const entry of entries) directory.entries.set(entry.dn.key, entry);
  let listener: (change: Change) => void = () => {};
  const watched: Directory = Object.assign(Object.create(directory) as Directory, {
    search: directory.search.bind(directory),
    watch: async (_from: unknown, given: (change: Change) => void) => {
      listener = given;
      return { position: 0, stop() {} };
    },
  });
  const dit = await openDit({ directory: watched, systemBase: parseDn('cn=mailtree'), domainBase: parseDn(''), host: 'mx.example', log });
  return { dit, tell: (change) => listener(change as Change) };
}

describe('the most specific entry decides', () => {
  const entries = [
    peer('default', { mtPeerAccept: 'TRUE', mtPeerSessions: '9' }),
    peer('xyz.org', { mtPeerWithoutMime: 'TRUE', mtPeerRetryPeriod: '100' }),
    peer('engr.xyz.org', { mtPeerWithoutMime: 'FALSE' }),
    peer('mx1.engr.xyz.org', { mtPeerTransmit: 'FALSE' }),
    peer('org', { mtPeerMessagesPerSession: '77' }),
    peer('xn--mller-kva.example', { mtPeerSessions: '2' }),
    peer(['one.test', 'two.test'], { mtPeerSessions: '3' }),
    peer('192.0.2.0/24', { mtPeerInboundSize: '100000', mtPeerSessions: '4' }),
    peer('192.0.2.10-192.0.2.20', { mtPeerInboundSize: '200000' }),
    peer('192.0.2.15', { mtPeerAccept: 'FALSE' }),
    peer('2001:db8::/32', { mtPeerAccept: 'FALSE' }),
  ];

  test.each<[string[], string, Record<string, unknown>]>([
    [[], 'default', { accept: true, sessions: 9, retryPeriod: 72 }],
    [['elsewhere.net'], 'default', { sessions: 9 }],
    // The manual's example.
    [['xyz.org'], 'xyz.org', { withoutMime: true, retryPeriod: 100, sessions: 9, messagesPerSession: 77 }],
    [['sales.xyz.org'], 'xyz.org', { withoutMime: true }],
    [['engr.xyz.org'], 'engr.xyz.org', { withoutMime: false, retryPeriod: 100 }],
    [['lab.engr.xyz.org'], 'engr.xyz.org', { withoutMime: false }],
    [['mx1.engr.xyz.org'], 'mx1.engr.xyz.org', { transmit: false, withoutMime: false, retryPeriod: 100, messagesPerSession: 77 }],
    [['notxyz.org'], 'org', { withoutMime: false, messagesPerSession: 77 }],
    // Spelling.
    [['ENGR.Xyz.ORG.'], 'engr.xyz.org', {}],
    [['müller.example'], 'xn--mller-kva.example', { sessions: 2 }],
    [['mail.MÜLLER.example'], 'xn--mller-kva.example', { sessions: 2 }],
    [['one.test'], 'one.test', { sessions: 3 }],
    [['two.test'], 'two.test', { sessions: 3 }],
    // Addresses: one, range, prefix; before names.
    [['192.0.2.15'], '192.0.2.15', { accept: false, inboundSize: 200_000, sessions: 4 }],
    [['[192.0.2.16]'], '192.0.2.10-192.0.2.20', { accept: true, inboundSize: 200_000, sessions: 4 }],
    [['192.0.2.99'], '192.0.2.0/24', { inboundSize: 100_000 }],
    [['::ffff:192.0.2.99'], '192.0.2.0/24', {}],
    [['198.51.100.1'], 'default', {}],
    [['2001:db8:1::1'], '2001:db8::/32', { accept: false }],
    [['[IPv6:2001:DB8::1]'], '2001:db8::/32', { accept: false }],
    [['xyz.org', '192.0.2.99'], '192.0.2.0/24', { sessions: 4, retryPeriod: 100 }],
    // No names.
    [[''], 'default', {}],
    [['.'], 'default', {}],
    [['-'], 'default', {}],
    [['x'.repeat(10_000)], 'default', {}],
    [['a.'.repeat(5_000)], 'default', {}],
    [['xyz..org'], 'default', {}],
    [['xyz.org\r\nmail.net'], 'default', {}],
    [['default'], 'default', {}],
    [['192.0.2.0/24'], 'default', {}],
    [['10.1'], 'default', {}],
    [['__proto__'], 'default', {}],
  ])('for %j that is %s', async (names, name, expected) => {
    const { dit } = await opened(entries);
    const found = dit.peer(...names);
    expect(found).toMatchObject({ peer: name, ...expected });
    dit.close();
  });

  test('each setting names the entry that says it', async () => {
    const { dit } = await opened(entries);
    const { saidBy, dn } = dit.peer('mx1.engr.xyz.org');
    expect(dn).toBe(`cn=mx1.engr.xyz.org,${base}`);
    expect(saidBy).toEqual({
      transmit: `cn=mx1.engr.xyz.org,${base}`,
      withoutMime: `cn=engr.xyz.org,${base}`,
      retryPeriod: `cn=xyz.org,${base}`,
      messagesPerSession: `cn=org,${base}`,
      accept: `cn=default,${base}`,
      sessions: `cn=default,${base}`,
    });
    dit.close();
  });
});

test('without any entry the declared defaults hold', async () => {
  const { dit } = await opened([]);
  expect(dit.peer('xyz.org')).toEqual({ ...defaultsOf(peerSettings), peer: 'default', dn: undefined, saidBy: {} });
  expect(dit.largestInbound).toBe(0);
  dit.close();
});

test.each([
  [{ default: '0', 'a.test': '10000' }, 0],
  [{ default: '20000', 'a.test': '10000' }, 20_000],
  [{ default: '20000', 'a.test': '50000' }, 50_000],
  [{ default: '20000', 'a.test': '0' }, 0],
  [{ default: '20000', '192.0.2.1': '90000' }, 90_000],
])('with inbound limits %j the largest is %d', async (limits, largest) => {
  const { dit } = await opened(Object.entries(limits).map(([cn, mtPeerInboundSize]) => peer(cn, { mtPeerInboundSize })));
  expect(dit.largestInbound).toBe(largest);
  dit.close();
});

test('values and names that make no sense are passed over, and said once', async () => {
  const said: string[] = [];
  const { dit } = await opened(
    [
      peer('default', { mtPeerRetryPeriod: '24' }),
      peer('bad.test', { mtPeerRetryPeriod: '-1', mtPeerOutboundSize: String(leastSize - 1), mtPeerTls: 'rot13', mtPeerSessions: '2' }),
      peer('*.wild.test', { mtPeerAccept: 'FALSE' }),
      peer('192.0.2.7-nonsense', { mtPeerAccept: 'FALSE' }),
      peer('192.0.2.8-static.isp.test', { mtPeerAccept: 'FALSE' }),
    ],
    { ...silentLog, error: (text) => said.push(text) },
  );
  expect(dit.peer('bad.test')).toMatchObject({ peer: 'bad.test', retryPeriod: 24, outboundSize: 0, tls: 'smtpc', sessions: 2 });
  expect(dit.peer('x.wild.test')).toMatchObject({ peer: 'default', accept: true });
  // Hosts are called so.
  expect(dit.peer('192.0.2.8-static.isp.test')).toMatchObject({ accept: false });
  expect(said).toHaveLength(5);
  expect(said.join('\n')).toMatch(/"192\.0\.2\.7-nonsense" is neither/);
  expect(said.join('\n')).toMatch(/mtPeerOutboundSize: "8191" must be 0 or at least 8192/);
  expect(said.join('\n')).toMatch(/"\*\.wild\.test" is neither a host, a domain nor an address/);
  dit.close();
});

test('it follows the directory, and says when something else may hold', async () => {
  const { dit, tell } = await opened([peer('default')]);
  const heard: boolean[] = [];
  const stop = dit.onPeers(() => heard.push(dit.peer('mail.xyz.org').accept));
  const before = peer('xyz.org', { mtPeerAccept: 'FALSE' });
  tell({ kind: 'add', uuid: 'x', position: 1, after: before });
  expect(dit.peer('mail.xyz.org').accept).toBe(false);
  const after = peer('xyz.org', { mtPeerAccept: 'TRUE' });
  tell({ kind: 'modify', uuid: 'x', position: 2, before, after });
  expect(dit.peer('mail.xyz.org').accept).toBe(true);
  tell({ kind: 'delete', uuid: 'x', position: 3, before: after });
  expect(dit.peer('mail.xyz.org').peer).toBe('default');
  expect(heard).toEqual([false, true, true]);
  tell({ kind: 'add', uuid: 'y', position: 4, after: new Entry(parseDn('cn=other,cn=mailtree'), [{ name: 'cn', values: ['other'] }]) });
  stop();
  tell({ kind: 'add', uuid: 'x', position: 5, after: before });
  expect(heard).toHaveLength(3);
  dit.close();
});
