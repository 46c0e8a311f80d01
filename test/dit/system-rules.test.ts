/** Entries of peers and of domain forwarding that nobody could use are refused when they are written, and by whom they are used. */

import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadSchema } from '../../src/directory/index.ts';
import { platformRules } from '../../src/dit/index.ts';
import { parseRdn } from '../../src/ldap-wire/index.ts';
import { attributes, dn, type Opened, openTemporary, refusal, root } from '../directory/support.ts';

const peers = 'cn=peers,cn=mailtree';
const forwarding = 'cn=forwarding,cn=mta,cn=mailtree';
let opened: Opened;

const add = (name: string, values: Record<string, string | string[]>) => refusal(opened.directory.add(root, dn(name), attributes(values)));
const peer = (cn: string, values: Record<string, string | string[]> = {}) =>
  add(`cn=${cn},${peers}`, { objectClass: 'mtPeer', cn, ...values });
const forward = (cn: string) => add(`cn=${cn},${forwarding}`, { objectClass: 'mtForwarding', cn, mtChannel: 'SMTPC' });

beforeAll(async () => {
  const schema = await loadSchema([join(process.cwd(), 'schema')]);
  opened = await openTemporary({ schema, rules: platformRules({ systemBase: dn('cn=mailtree'), domainBase: dn('') }) });
  await add('cn=mailtree', { objectClass: 'mtContainer', cn: 'mailtree' });
  await add('cn=mta,cn=mailtree', { objectClass: 'mtMta', cn: 'mta' });
  for (const name of [peers, forwarding]) await add(name, { objectClass: 'mtContainer', cn: name.slice(3, name.indexOf(',')) });
  expect(await peer('default')).toBe('not refused');
});
afterAll(() => opened.close());

test.each(['xyz.org', 'engr.xyz.org', 'localhost', '192.0.2.1', '192.0.2.0/24', '192.0.2.1-192.0.2.9', '2001:db8::/32', 'müller.example'])(
  'a peer may be called %s',
  async (cn) => {
    expect(await peer(cn)).toBe('not refused');
  },
);

test.each(['*.xyz.org', 'xyz..org', 'a b', '192.0.2', '192.0.2.0/33', '192.0.2.9-192.0.2.1', 'user@xyz.org', '-', '10.1'])(
  'a peer is not called %s',
  async (cn) => {
    expect(await peer(cn)).toMatch(/constraintViolation: attribute cn: ".*" is not a host, a domain, an address, first-last or address/);
  },
);

test.each([
  ['mtPeerInboundSize', '8191', /must be 0 or at least 8192/],
  ['mtPeerOutboundSize', '1', /must be 0 or at least 8192/],
  ['mtPeerOutboundSize', '-1', /mtPeerOutboundSize/],
  ['mtPeerSessions', '0', /mtPeerSessions/],
  ['mtPeerRetryPeriod', '721', /mtPeerRetryPeriod/],
  ['mtPeerTls', 'sometimes', /mtPeerTls/],
  ['mtPeerAppleEncoding', 'stuffit', /mtPeerAppleEncoding/],
])('%s is not %s', async (attribute, value, why) => {
  expect(await peer('values.test', { [attribute]: value })).toMatch(why);
});

test('0 and 8192 are sizes', async () => {
  expect(await peer('sizes.test', { mtPeerInboundSize: '0', mtPeerOutboundSize: '8192' })).toBe('not refused');
});

test('a peer has one entry, which stands directly below cn=peers', async () => {
  expect(await peer('twice.test')).toBe('not refused');
  expect(await peer('other.test', { cn: ['other.test', 'TWICE.test'] })).toMatch(
    /"TWICE\.test" is cn=twice\.test,cn=peers,cn=mailtree already/,
  );
  expect(await peer('other.test', { cn: ['other.test', 'default'] })).toMatch(/"default" is cn=default,cn=peers,cn=mailtree already/);
  expect(await add(`cn=below.test,cn=twice.test,${peers}`, { objectClass: 'mtPeer', cn: 'below.test' })).toMatch(/namingViolation/);
  const renamed = opened.directory.rename(root, dn(`cn=twice.test,${peers}`), { rdn: parseRdn('cn=once.test'), deleteOldRdn: true });
  expect(await refusal(renamed)).toBe('not refused');
  expect(await refusal(opened.directory.delete(root, dn(`cn=once.test,${peers}`)))).toBe('not refused');
});

test('the default peer stays and can be changed', async () => {
  expect(await refusal(opened.directory.delete(root, dn(`cn=default,${peers}`)))).toMatch(/unwillingToPerform/);
  const changed = opened.directory.modify(root, dn(`cn=default,${peers}`), [
    { operation: 'replace', attribute: { name: 'mtPeerSessions', values: ['7'] } },
  ]);
  expect(await refusal(changed)).toBe('not refused');
});

test.each(['abc.net', '*.abc.net', 'bücher.example'])('all mail for %s can be forwarded', async (cn) => {
  expect(await forward(cn)).toBe('not refused');
});

test.each(['abc.*', '*', '**.net', 'user@abc.net', '[192.0.2.1]', 'a..b'])('no domain forwarding is called %s', async (cn) => {
  expect(await forward(cn)).toMatch(/attribute cn: ".*" is not a domain, or \*\. and a domain/);
});

test.each(['mtForwarding', 'mtConnector'])('a tunnel that %s leads into has an end', async (objectClass) => {
  const tunnel = (values: Record<string, string>) =>
    objectClass === 'mtForwarding'
      ? add(`cn=tunnel.test,${forwarding}`, { objectClass, cn: 'tunnel.test', ...values })
      : add(`cn=tunnel,cn=mta,cn=mailtree`, { objectClass, cn: 'tunnel', ...values });
  for (const mtIdentifier of [{}, { mtIdentifier: 'decoder' }, { mtIdentifier: '@xyz.com' }])
    expect(await tunnel({ mtChannel: 'bsmtpout', ...mtIdentifier })).toMatch(
      /constraintViolation: attribute mtIdentifier: BSMTPOUT needs the address of the decoder/,
    );
  expect(await tunnel({ mtChannel: 'BSMTPOUT', mtIdentifier: 'abc@xyz.com' })).toBe('not refused');
});
