/** A routing explained: what did not apply, and what next hosts, senders and clients are told. */

import { expect, test } from '@jest/globals';
import type { Peer, PeerPolicy } from '../../src/dit/index.ts';
import { peerSettings } from '../../src/dit/index.ts';
import { createExplain, createRouter, type Explanation, type Question, type Ruling } from '../../src/routing/index.ts';
import { defaultsOf } from '../../src/settings/index.ts';
import { directoryOf } from '../support/routing-notation.ts';

const peers: Record<string, Partial<PeerPolicy>> = {
  'far.net': { transmit: false, retryPeriod: 5 },
  '192.0.2.9': { accept: false },
};
const peer = (...names: string[]): Peer => {
  const name = names.find((one) => peers[one]) ?? 'default';
  const says = peers[name] ?? {};
  const saidBy = Object.fromEntries(Object.keys(says).map((key) => [key, `cn=${name},cn=peers`]));
  return { ...defaultsOf(peerSettings), ...says, peer: name, dn: `cn=${name},cn=peers`, saidBy };
};

async function explained(state: string, question: Question): Promise<Explanation> {
  const fake = directoryOf(state);
  const dit = Object.assign(fake, {
    peer,
    spammer: (address: string) => (address === 'spam@bad.net' ? { dn: 'cn=bad.net,cn=spammers', name: 'bad.net' } : undefined),
  });
  const relay = (client: string): Ruling => ({ allowed: client === '192.0.2.1', text: 'by address', by: 'mtSmtpdRelayAllow' });
  const connection = (client: string): Ruling | undefined =>
    client === '192.0.2.8' ? { allowed: false, text: 'kept out', by: 'mtSmtpdConnectionDeny' } : undefined;
  const takesUnknown = (): Ruling => ({ allowed: false, text: '550 5.1.1 no such user here', by: 'mtSmtpdRejectUnknownRecipients' });
  const explain = createExplain({
    router: createRouter({ dit }),
    dit,
    connection,
    relay,
    takesUnknown,
    way: async (destination) => `to mx.${destination}`,
    mailFrom: async (client) => (client === '192.0.2.7' ? { allowed: false, text: '554 listed', by: 'cn=bl' } : undefined),
    senderDomain: async (domain) => (domain === 'null.net' ? { allowed: false, text: '550 takes no mail' } : undefined),
    today: async () => ({ allowed: !state.includes('busy@'), text: 'sent today: 3' }),
    spammerReply: () => (state.includes('mild') ? undefined : '451 4.7.1'),
    relayReply: () => '450 4.7.1',
    spelling: (address) => (address.endsWith('.') ? { allowed: false, text: '553 malformed domain' } : undefined),
    notAsked: () => ['rates'],
  });
  return explain(question);
}

const lines = ({ steps }: Explanation): string[] =>
  steps.map(({ applied, rule, entry }) => `${applied ? '+' : '-'} ${rule}${entry === undefined ? '' : ` (${entry})`}`);

test.each([
  [
    'ima.com',
    'x@far.net',
    ['- domain forwarding', '- address', '- domain alias', '- local domain', '- postmaster', '- unknown local', '+ internet (cn=mta)'],
  ],
  [
    'ima.com',
    'x+y@ima.com',
    [
      '- domain forwarding',
      '- address',
      '- sub-address',
      '- domain alias (dc=ima.com)',
      '- local domain (dc=ima.com)',
      '- postmaster',
      '- unknown local (dc=ima.com)',
      '+ refused (dc=ima.com)',
    ],
  ],
  [
    'ima.com jade.net=ima.com a@ima.com',
    'a@jade.net',
    [
      '- domain forwarding',
      '- address',
      '+ domain alias (dc=jade.net)',
      '+ alias (mail=a@ima.com)',
      '- forwarding (mail=a@ima.com)',
      '- routing address (mail=a@ima.com)',
      '- connector (mail=a@ima.com)',
      '+ default local channel (cn=mta)',
    ],
  ],
  [
    'far.net far.net->LOCAL:b@ima.com b@ima.com',
    'a@far.net',
    [
      '- domain forwarding (cn=far.net,cn=forwarding)',
      '- address',
      '- domain alias (dc=far.net)',
      '- local domain (dc=far.net)',
      '- postmaster',
      '+ domain forwarding (cn=far.net,cn=forwarding)',
    ],
  ],
  [
    'ima.com ima.com->SMTPC a@ima.com',
    'a@ima.com',
    ['- local domain (dc=ima.com)', '- address (cn=ima.com,cn=forwarding)', '+ domain forwarding (cn=ima.com,cn=forwarding)'],
  ],
  [
    'ima.com a@ima.com[LOCAL]>>a@far.net',
    'a@ima.com',
    [
      '- domain forwarding',
      '+ address (mail=a@ima.com)',
      '- forwarding (mail=a@ima.com)',
      '+ routing address (mail=a@ima.com)',
      '- connector (mail=a@ima.com)',
      '- domain forwarding',
      '- address',
      '- domain alias',
      '- local domain',
      '- postmaster',
      '- unknown local',
      '+ internet (cn=mta)',
    ],
  ],
  [
    'ima.com jade.net unknown:SMTPC',
    'postmaster@jade.net',
    [
      '- domain forwarding',
      '- address',
      '- domain alias (dc=jade.net)',
      '- local domain (dc=jade.net)',
      '+ postmaster (cn=mta)',
      '- domain forwarding',
      '- address',
      '- domain alias (dc=ima.com)',
      '- local domain (dc=ima.com)',
      '- postmaster',
      '+ unknown local (cn=mta)',
    ],
  ],
  [
    'ima.com',
    '@a.net:far.net!x%y@ima.com',
    [
      '+ spelling',
      '- percent hack',
      '- domain forwarding',
      '- address',
      '- domain alias (dc=ima.com)',
      '- local domain (dc=ima.com)',
      '- postmaster',
      '- unknown local (dc=ima.com)',
      '+ refused (dc=ima.com)',
    ],
  ],
])('with %s, %s is decided by looking at each rule in its turn', async (state, address, expected) => {
  expect(lines(await explained(state, { address }))).toEqual(expected);
});

test('a connector that is passed over says why', async () => {
  const { steps } = await explained('ima.com a@ima.com[LOCAL::none][CCIN:p]', { address: 'a@ima.com' });
  expect(steps.filter(({ rule }) => rule === 'connector').map(({ text }) => text)).toEqual([
    'LOCAL passed over: this mailbox may not receive mail (permission none)',
    'CCIN p',
  ]);
});

test('next hosts are shown with what is agreed with them', async () => {
  const { nextHosts } = await explained('ima.com s@ima.com{a@far.net,b@far.net,c@other.net}', { address: 's@ima.com' });
  expect(nextHosts).toMatchObject([
    { host: 'far.net', peer: 'far.net', transmit: false, retryPeriod: 5, saidBy: { transmit: 'cn=far.net,cn=peers' } },
    { host: 'other.net', peer: 'default', transmit: true },
  ]);
});

test.each<[string, Partial<Ruling>]>([
  ['', { allowed: true }],
  ['<>', { allowed: true }],
  ['a@ima.com', { allowed: true, by: 'mail=a@ima.com' }],
  ['off@ima.com', { allowed: false, by: 'mail=off@ima.com' }],
  ['nobody@ima.com', { allowed: true, by: 'dc=ima.com' }],
  ['x@far.net', { allowed: true, text: 'a sender of another domain' }],
  ['spam@bad.net', { allowed: false, by: 'cn=bad.net,cn=spammers' }],
  ['a@@', { allowed: false, text: 'not an address' }],
])('sender %j: %j', async (sender, expected) => {
  const found = await explained('ima.com a@ima.com off@ima.com!disabled', { address: 'a@ima.com', sender });
  expect(found.sender?.send).toMatchObject(expected);
});

test.each<[string, string, { connect: boolean; relay: boolean; recipient: boolean; by?: string }]>([
  ['192.0.2.1', 'a@ima.com', { connect: true, relay: true, recipient: true }],
  ['192.0.2.1', 'x@far.net', { connect: true, relay: true, recipient: true, by: 'mtSmtpdRelayAllow' }],
  ['192.0.2.2', 'x@far.net', { connect: true, relay: false, recipient: false, by: 'mtSmtpdRelayAllow' }],
  ['192.0.2.2', 'nobody@ima.com', { connect: true, relay: false, recipient: false, by: 'mtSmtpdRejectUnknownRecipients' }],
  ['192.0.2.8', 'a@ima.com', { connect: false, relay: false, recipient: false }],
  ['192.0.2.9', 'a@ima.com', { connect: false, relay: false, recipient: false }],
])('client %s for %s: %j', async (client, address, expected) => {
  const found = (await explained('ima.com a@ima.com', { address, client })).client;
  expect({ connect: found?.connect.allowed, relay: found?.relay.allowed, recipient: found?.recipient.allowed }).toEqual({
    connect: expected.connect,
    relay: expected.relay,
    recipient: expected.recipient,
  });
  if (expected.by !== undefined) expect(found?.recipient.by).toBe(expected.by);
});

test('an address literal of this host is looked up in its own domain, others go out', async () => {
  const dit = directoryOf('domain:ima.com ima.com a@ima.com');
  const router = createRouter({ dit, isOwnAddress: (address) => ['192.0.2.1', '2001:db8::1'].includes(address) });
  const way = async (address: string) => {
    const { routes, refusals, local } = await router.route(address);
    return { local, to: [...routes.map(({ queue, identifier }) => `${queue} ${identifier}`), ...refusals.map(({ status }) => status)] };
  };
  expect(await way('a@[192.0.2.1]')).toEqual({ local: true, to: ['LOCAL uuid-a@ima.com'] });
  expect(await way('a@[IPv6:2001:DB8::1]')).toEqual({ local: true, to: ['LOCAL uuid-a@ima.com'] });
  expect(await way('b@[192.0.2.1]')).toEqual({ local: true, to: ['5.1.1'] });
  expect(await way('a@[192.0.2.2]')).toEqual({ local: false, to: ['SMTPC [192.0.2.2]'] });
});

test('the door is asked what it would say: blacklists, domains of senders, what a user has sent today, why an address gets nothing', async () => {
  const listed = await explained('ima.com a@ima.com', { address: 'a@ima.com', client: '192.0.2.7' });
  expect(listed.client).toMatchObject({ connect: { allowed: true }, mail: { allowed: false, by: 'cn=bl' }, recipient: { allowed: false } });
  expect(listed.notAsked).toEqual(['rates']);
  const free = await explained('ima.com a@ima.com', { address: 'a@ima.com', client: '192.0.2.6' });
  expect(free.client).toMatchObject({ mail: { allowed: true }, recipient: { allowed: true } });
  const send = async (state: string, sender: string) => (await explained(state, { address: 'a@ima.com', sender })).sender?.send;
  expect(await send('ima.com a@ima.com', 'x@null.net')).toEqual({ allowed: false, text: '550 takes no mail' });
  expect(await send('ima.com a@ima.com', 'x@far.net')).toMatchObject({ allowed: true });
  expect(await send('ima.com a@ima.com', 'a@ima.com')).toMatchObject({ allowed: true, text: expect.stringContaining('sent today: 3') });
  expect(await send('ima.com busy@ima.com', 'busy@ima.com')).toEqual({ allowed: false, text: 'sent today: 3' });
  const off = await explained('ima.com a@ima.com!disabled', { address: 'a@ima.com', client: '192.0.2.6' });
  expect(off.client?.recipient).toMatchObject({
    allowed: false,
    text: '550 5.2.1 this account is disabled',
    by: expect.stringMatching(/^accountStatus of /),
  });
  expect((await explained('ima.com', { address: 'x@far.net' })).nextHosts).toMatchObject([{ host: 'far.net', way: 'to mx.far.net' }]);
});

test('what the door has against the sender, or the spelling, counts for the recipient, with the codes that are set', async () => {
  const ruling = async (question: Question, state = 'ima.com a@ima.com') => {
    const { client, sender } = await explained(state, { client: '192.0.2.6', ...question });
    return [client?.recipient.allowed, client?.recipient.text, sender?.send.allowed];
  };
  expect(await ruling({ address: 'a@ima.com', sender: 'x@far.net' })).toEqual([true, 'the recipient is ours', true]);
  expect(await ruling({ address: 'a@ima.com', sender: 'spam@bad.net' })).toEqual([false, 'a spammer: refused at MAIL (451 4.7.1)', false]);
  expect(await ruling({ address: 'a@ima.com', sender: 'spam@bad.net' }, 'ima.com a@ima.com mild.net')).toEqual([
    true,
    'the recipient is ours',
    true,
  ]);
  expect(await ruling({ address: 'a@ima.com', sender: 'x@null.net' })).toEqual([false, '550 takes no mail', false]);
  // Somebody who has an address here is judged by the account, and not by the DNS.
  expect(await ruling({ address: 'a@ima.com', sender: 'a@ima.com' })).toMatchObject([true, 'the recipient is ours', true]);
  expect(await ruling({ address: 'a@ima.com.' })).toEqual([false, '553 malformed domain', undefined]);
  expect(await ruling({ address: 'x@far.net' })).toEqual([false, '450 4.7.1 relaying denied: by address', undefined]);
});
