import { describe, expect, test } from '@jest/globals';
import { createRouter } from '../../src/routing/index.ts';
import { FakeDit } from '../support/fake-dit.ts';

/** The directory of all cases below. */
function directory(): FakeDit {
  return new FakeDit()
    .local('ima.com')
    .local('jade.net', { aliasOf: 'ima.com' })
    .local('ring1.net', { aliasOf: 'ring2.net' })
    .local('ring2.net', { aliasOf: 'ring1.net' })
    .local('wild.com', { subdomains: true })
    .local('xn--mller-kva.example')
    .local('tunnel.net')
    .local('catch.net')
    .local('listy.net')
    .forward('abc.net', 'BSMTPOUT', 'abc@xyz.com')
    .forward('host.net', 'SMTPC', 'ignored')
    .forward('tunnel.net', 'BSMTPOUT', 'decoder@tunnel.net')
    .forward('notes.net', 'NOTESIN', 'Sales/Jade')
    .forward('ccnoid.net', 'CCIN')
    .forward('catch.net', 'LOCAL', 'bart@ima.com')
    .forward('listy.net', 'DL', 'news@ima.com')
    .forward('lost.net', 'LOCAL')
    .add({ mail: 'bart@ima.com', aliases: ['homer@ima.com', 'el.barto@other.org', 'bärt@ima.com'] })
    .add({ mail: 'homer@jade.net' })
    .add({ mail: 'both@ima.com' })
    .add({ mail: 'both@jade.net' })
    .add({ mail: 'news@ima.com', kind: 'list' })
    .add({ mail: 'anna+list@ima.com' })
    .add({ mail: 'anna@ima.com' })
    .add({ mail: 'user@sub.wild.com' })
    .add({ mail: 'jürgen@xn--mller-kva.example' })
    .add({
      mail: 'multi@ima.com',
      connectors: [{ channel: 'LOCAL' }, { channel: 'CCIN', identifier: 'multi at po' }, { channel: 'SMTPC', identifier: 'relay.net' }],
    })
    .add({ mail: 'shared@ima.com', connectors: [{ channel: 'LOCAL', identifier: 'bart@ima.com' }] })
    .add({ mail: 'bykey@ima.com', connectors: [{ channel: 'LOCAL', identifier: 'uuid-bart@ima.com' }] })
    .add({ mail: 'dangling@ima.com', connectors: [{ channel: 'LOCAL', identifier: 'gone@ima.com' }] })
    .add({ mail: 'mute@ima.com', connectors: [{ channel: 'LOCAL', permission: 'none' }] })
    .add({ mail: 'sendonly@ima.com', connectors: [{ channel: 'LOCAL', permission: 'send' }] })
    .add({ mail: 'recvonly@ima.com', connectors: [{ channel: 'LOCAL', permission: 'receive' }] })
    .add({ mail: 'notesmute@ima.com', connectors: [{ channel: 'NOTESIN', permission: 'send', identifier: 'N' }] })
    .add({
      mail: 'half@ima.com',
      connectors: [
        { channel: 'LOCAL', permission: 'none' },
        { channel: 'CCIN', identifier: 'cc' },
      ],
    })
    .add({ mail: 'ignored@ima.com', connectors: [{ channel: 'SMTPC', permission: 'none', identifier: 'relay.net' }] })
    .add({ mail: 'tunnelled@ima.com', connectors: [{ channel: 'BSMTPOUT', identifier: 'dec@far.net' }] })
    .add({ mail: 'nosmtpid@ima.com', connectors: [{ channel: 'SMTPC' }] })
    .add({ mail: 'dlconn@ima.com', connectors: [{ channel: 'DL', identifier: 'news@ima.com' }] })
    .add({ mail: 'off@ima.com', status: 'disabled' })
    .add({ mail: 'nologin@ima.com', status: 'nologin' })
    .add({ mail: 'sales@ima.com', kind: 'alias', forwardTo: ['bart@ima.com', 'anna@ima.com', 'x@far.net'] })
    .add({ mail: 'empty@ima.com', kind: 'alias' })
    .add({ mail: 'one@ima.com', kind: 'alias', forwardTo: ['ONE@ima.com'] })
    .add({ mail: 'ping@ima.com', kind: 'alias', forwardTo: ['pong@ima.com'] })
    .add({ mail: 'pong@ima.com', kind: 'alias', forwardTo: ['ping@ima.com'] })
    .add({ mail: 'mixed@ima.com', kind: 'alias', forwardTo: ['bart@ima.com', 'nobody@ima.com'] })
    .add({ mail: 'bad@ima.com', kind: 'alias', forwardTo: ['not an address @'] })
    .add({ mail: 'diamond@ima.com', kind: 'alias', forwardTo: ['left@ima.com', 'right@ima.com'] })
    .add({ mail: 'left@ima.com', kind: 'alias', forwardTo: ['bart@ima.com'] })
    .add({ mail: 'right@ima.com', kind: 'alias', forwardTo: ['homer@ima.com'] })
    .add({ mail: 'copy@ima.com', forwardTo: ['x@far.net'] })
    .add({ mail: 'self@ima.com', aliases: ['me@ima.com'], forwardTo: ['self@ima.com', 'me@ima.com', 'x@far.net'] })
    .add({ mail: 'her@ima.com', forwardTo: ['him@ima.com'] })
    .add({ mail: 'him@ima.com', forwardTo: ['her@ima.com'] })
    .add({ mail: 'moved@ima.com', routingAddress: 'moved@far.net' })
    .add({ mail: 'movedcopy@ima.com', routingAddress: 'moved@far.net', forwardTo: ['anna@ima.com'] })
    .add({ mail: 'notmoved@ima.com', routingAddress: 'NOTMOVED@ima.com' })
    .add({ mail: 'orbit@ima.com', routingAddress: 'orbit2@ima.com' })
    .add({ mail: 'orbit2@ima.com', routingAddress: 'orbit@ima.com' });
}

/** address → `QUEUE identifier address` of every route, or `! status` of every refusal. */
const cases: [string, string[]][] = [
  // Plain
  ['bart@ima.com', ['LOCAL uuid-bart@ima.com bart@ima.com']],
  ['BART@IMA.COM', ['LOCAL uuid-bart@ima.com bart@ima.com']],
  ['bart@ima.com.', ['LOCAL uuid-bart@ima.com bart@ima.com']],
  ['bart', ['LOCAL uuid-bart@ima.com bart@ima.com']],
  ['nologin@ima.com', ['LOCAL uuid-nologin@ima.com nologin@ima.com']],
  ['nobody@ima.com', ['! 5.1.1']],
  ['off@ima.com', ['! 5.2.1']],
  ['news@ima.com', ['DL uuid-news@ima.com news@ima.com']],
  // Addresses that are none
  ['', ['! 5.1.3']],
  ['@ima.com', ['! 5.1.3']],
  ['bart@', ['! 5.1.3']],
  ['bart@ima..com', ['! 5.1.3']],
  ['bart@-ima.com', ['! 5.1.3']],
  ['bart@ima.com\r\nRCPT TO:<x@y>', ['! 5.1.3']],
  ['bart@i/m/a.com', ['! 5.1.3']],
  ['bart@[1.2.3.4', ['! 5.1.3']],
  [`${'x'.repeat(600)}@ima.com`, ['! 5.1.3']],
  // Aliases are the primary address
  ['homer@ima.com', ['LOCAL uuid-bart@ima.com bart@ima.com']],
  ['el.barto@other.org', ['LOCAL uuid-bart@ima.com bart@ima.com']],
  ['bärt@ima.com', ['LOCAL uuid-bart@ima.com bart@ima.com']],
  // Domain aliasing, one way
  ['bart@jade.net', ['LOCAL uuid-bart@ima.com bart@ima.com']],
  ['homer@jade.net', ['LOCAL uuid-homer@jade.net homer@jade.net']],
  ['both@jade.net', ['LOCAL uuid-both@jade.net both@jade.net']],
  ['both@ima.com', ['LOCAL uuid-both@ima.com both@ima.com']],
  ['nobody@jade.net', ['! 5.1.1']],
  ['nobody@ring1.net', ['! 5.1.1']],
  // Sub-domains
  ['user@sub.wild.com', ['LOCAL uuid-user@sub.wild.com user@sub.wild.com']],
  ['nobody@sub.wild.com', ['! 5.1.1']],
  ['nobody@deep.sub.wild.com', ['! 5.1.1']],
  ['nobody@wild.com', ['! 5.1.1']],
  ['x@notwild.com', ['SMTPC notwild.com x@notwild.com']],
  ['x@sub.ima.com', ['SMTPC sub.ima.com x@sub.ima.com']],
  // International names
  ['jürgen@müller.example', ['LOCAL uuid-jürgen@xn--mller-kva.example jürgen@xn--mller-kva.example']],
  ['niemand@MÜLLER.example', ['! 5.1.1']],
  ['x@bücher.example', ['SMTPC xn--bcher-kva.example x@xn--bcher-kva.example']],
  // Sub-addresses
  ['bart+news@ima.com', ['LOCAL uuid-bart@ima.com bart+news@ima.com']],
  ['bart+a+b@ima.com', ['LOCAL uuid-bart@ima.com bart+a+b@ima.com']],
  ['anna+list@ima.com', ['LOCAL uuid-anna+list@ima.com anna+list@ima.com']],
  ['anna+other@ima.com', ['LOCAL uuid-anna@ima.com anna+other@ima.com']],
  ['homer+x@ima.com', ['LOCAL uuid-bart@ima.com bart+x@ima.com']],
  ['bart+x@jade.net', ['LOCAL uuid-bart@ima.com bart+x@ima.com']],
  ['+x@ima.com', ['! 5.1.1']],
  ['nobody+x@ima.com', ['! 5.1.1']],
  ['"bart+x"@ima.com', ['LOCAL uuid-bart@ima.com bart+x@ima.com']],
  // Connectors
  ['multi@ima.com', ['LOCAL uuid-multi@ima.com multi@ima.com', 'CCIN multi at po multi@ima.com', 'SMTPC relay.net multi@ima.com']],
  ['shared@ima.com', ['LOCAL uuid-bart@ima.com shared@ima.com']],
  ['bykey@ima.com', ['LOCAL uuid-bart@ima.com bykey@ima.com']],
  ['dangling@ima.com', ['! 5.1.1']],
  ['mute@ima.com', ['! 5.2.1']],
  ['sendonly@ima.com', ['! 5.2.1']],
  ['recvonly@ima.com', ['LOCAL uuid-recvonly@ima.com recvonly@ima.com']],
  ['notesmute@ima.com', ['! 5.2.1']],
  ['half@ima.com', ['CCIN cc half@ima.com']],
  ['ignored@ima.com', ['SMTPC relay.net ignored@ima.com']],
  ['tunnelled@ima.com', ['BSMTPOUT dec@far.net tunnelled@ima.com']],
  ['nosmtpid@ima.com', ['SMTPC ima.com nosmtpid@ima.com']],
  ['dlconn@ima.com', ['DL uuid-news@ima.com dlconn@ima.com']],
  // Forwarding addresses
  ['sales@ima.com', ['LOCAL uuid-bart@ima.com bart@ima.com', 'LOCAL uuid-anna@ima.com anna@ima.com', 'SMTPC far.net x@far.net']],
  ['sales+eu@ima.com', ['LOCAL uuid-bart@ima.com bart@ima.com', 'LOCAL uuid-anna@ima.com anna@ima.com', 'SMTPC far.net x@far.net']],
  ['empty@ima.com', ['! 5.1.1']],
  ['one@ima.com', ['! 5.4.6']],
  ['ping@ima.com', ['! 5.4.6']],
  ['mixed@ima.com', ['LOCAL uuid-bart@ima.com bart@ima.com', '! 5.1.1']],
  ['bad@ima.com', ['! 5.1.3']],
  ['diamond@ima.com', ['LOCAL uuid-bart@ima.com bart@ima.com']],
  ['copy@ima.com', ['SMTPC far.net x@far.net', 'LOCAL uuid-copy@ima.com copy@ima.com']],
  ['self@ima.com', ['SMTPC far.net x@far.net', 'LOCAL uuid-self@ima.com self@ima.com']],
  ['her@ima.com', ['LOCAL uuid-him@ima.com him@ima.com', 'LOCAL uuid-her@ima.com her@ima.com']],
  // Routing addresses
  ['moved@ima.com', ['SMTPC far.net moved@far.net']],
  ['movedcopy@ima.com', ['LOCAL uuid-anna@ima.com anna@ima.com', 'SMTPC far.net moved@far.net']],
  ['notmoved@ima.com', ['LOCAL uuid-notmoved@ima.com notmoved@ima.com']],
  ['orbit@ima.com', ['! 5.4.6']],
  // Domain forwarding
  ['a@abc.net', ['BSMTPOUT abc@xyz.com a@abc.net']],
  ['a@ABC.net', ['BSMTPOUT abc@xyz.com a@abc.net']],
  ['a@host.net', ['SMTPC host.net a@host.net']],
  ['a@sub.abc.net', ['SMTPC sub.abc.net a@sub.abc.net']],
  ['a@tunnel.net', ['BSMTPOUT decoder@tunnel.net a@tunnel.net']],
  ['a@notes.net', ['NOTESIN Sales/Jade a@notes.net']],
  ['a@ccnoid.net', ['CCIN a@ccnoid.net a@ccnoid.net']],
  ['whoever@catch.net', ['LOCAL uuid-bart@ima.com whoever@catch.net']],
  ['whoever@listy.net', ['DL uuid-news@ima.com whoever@listy.net']],
  ['whoever@lost.net', ['! 5.1.1']],
  // Postmaster
  ['postmaster@wild.com', ['! 5.1.1']],
  ['abuse@ima.com', ['! 5.1.1']],
  // Elsewhere
  ['x@far.net', ['SMTPC far.net x@far.net']],
  ['X.Y@Far.NET', ['SMTPC far.net X.Y@far.net']],
  ['x@[192.0.2.1]', ['SMTPC [192.0.2.1] x@[192.0.2.1]']],
  ['x@[IPv6:2001:DB8::1]', ['SMTPC [ipv6:2001:db8::1] x@[ipv6:2001:db8::1]']],
  ['"a@b"@far.net', ['SMTPC far.net "a@b"@far.net']],
  ['a%far.net@ima.com', ['! 5.1.1']],
  ['postmaster@far.net', ['SMTPC far.net postmaster@far.net']],
];

const context = { inputChannel: 'SMTPD' as const };

test.each(cases)('mail for %s goes where the rules say', async (address, expected) => {
  const routing = await createRouter({ dit: directory() }).route(address, context);
  const routes = routing.routes.map(({ queue, identifier, address: to }) => `${queue} ${identifier} ${to}`);
  expect([...routes, ...routing.refusals.map(({ status }) => `! ${status}`)]).toEqual(expected);
  expect(routing.steps.length).toBeGreaterThan(0);
});

const verdicts: [string, string][] = [
  ['bart@ima.com', 'yes'],
  ['homer@ima.com', 'yes'],
  ['el.barto@other.org', 'yes'],
  ['sales@ima.com', 'yes'],
  ['mixed@ima.com', 'yes'],
  ['moved@ima.com', 'yes'],
  ['a@tunnel.net', 'yes'],
  ['whoever@catch.net', 'yes'],
  ['nobody@ima.com', 'unknown'],
  ['nobody@sub.wild.com', 'unknown'],
  ['off@ima.com', 'unknown'],
  ['mute@ima.com', 'unknown'],
  ['ping@ima.com', 'unknown'],
  ['bart@ima..com', 'unknown'],
  ['x@far.net', 'remote'],
  ['x@[192.0.2.1]', 'remote'],
  // Forwarding by itself makes no domain ours: a stranger may not relay there.
  ['a@abc.net', 'remote'],
  ['a@host.net', 'remote'],
  ['a%far.net@ima.com', 'unknown'],
  ['"a@far.net"@ima.com', 'unknown'],
];

test.each(verdicts)('at RCPT %s is answered with %s', async (address, verdict) => {
  expect(await createRouter({ dit: directory() }).acceptable(address)).toBe(verdict);
});

test.each([
  ['off@ima.com', { status: '5.2.1', rule: 'accountStatus', entry: expect.anything() }],
  ['sendonly@ima.com', { status: '5.2.1' }],
  ['ping@ima.com', { status: '5.4.6', rule: 'mailForwardingAddress', entry: expect.anything() }],
])('the door hears that %s gets no mail, and by what', async (address, why) => {
  expect(await createRouter({ dit: directory() }).judge(address)).toMatchObject(why);
});

test.each(['nobody@ima.com', 'bart@ima.com', 'x@far.net'])('of %s the door hears the verdict alone', async (address) => {
  const router = createRouter({ dit: directory() });
  expect(await router.judge(address)).toBe(await router.acceptable(address));
});

describe('settings of the MTA', () => {
  const routesWith = async (over: ConstructorParameters<typeof FakeDit>[0], address: string): Promise<string[]> => {
    const dit = directory();
    dit.mta.set({ ...dit.mta.value, ...over });
    const { routes, refusals } = await createRouter({ dit }).route(address, context);
    return [...routes.map(({ queue, identifier }) => `${queue} ${identifier}`), ...refusals.map(({ status }) => `! ${status}`)];
  };

  test.each([
    [{ defaultLocalChannel: 'CCIN' as const }, 'bart@ima.com', ['CCIN bart@ima.com']],
    [{ defaultLocalChannel: 'SMTPC' as const }, 'bart@ima.com', ['SMTPC ima.com']],
    [{ unknownLocalChannel: 'SMTPC' as const }, 'nobody@ima.com', ['SMTPC ima.com']],
    [{ unknownLocalChannel: 'NOTESIN' as const }, 'nobody@ima.com', ['NOTESIN nobody@ima.com']],
    [{ unknownLocalChannel: 'LOCAL' as const }, 'nobody@ima.com', ['! 5.1.1']],
    [{ unknownLocalChannel: 'DL' as const }, 'nobody@ima.com', ['! 5.1.1']],
    [{ internetChannel: 'BSMTPOUT' as const }, 'x@far.net', ['BSMTPOUT far.net']],
    [{ postmaster: 'bart@ima.com' }, 'postmaster@ima.com', ['LOCAL uuid-bart@ima.com']],
    [{ postmaster: 'bart@ima.com' }, 'Postmaster', ['LOCAL uuid-bart@ima.com']],
    [{ postmaster: 'bart@ima.com' }, 'POSTMASTER@sub.wild.com', ['LOCAL uuid-bart@ima.com']],
    [{ postmaster: 'ops@far.net' }, 'postmaster@wild.com', ['SMTPC far.net']],
    [{ postmaster: 'bart@ima.com' }, 'abuse@ima.com', ['! 5.1.1']],
  ])('%j decide about %s', async (over, address, expected) => {
    expect(await routesWith(over, address)).toEqual(expected);
  });
});

test('a chain of forwardings ends after ten', async () => {
  const dit = new FakeDit().local('ima.com').add({ mail: 'end@ima.com' });
  for (let n = 1; n <= 12; n++)
    dit.add({ mail: `a${n}@ima.com`, kind: 'alias', forwardTo: [n === 1 ? 'end@ima.com' : `a${n - 1}@ima.com`] });
  const router = createRouter({ dit });
  expect((await router.route('a10@ima.com', context)).routes).toHaveLength(1);
  expect((await router.route('a12@ima.com', context)).refusals).toMatchObject([{ status: '5.4.6' }]);
});

test('an alias that leads to thousands is cut off', async () => {
  const forwardTo = Array.from({ length: 5000 }, (_, n) => `u${n}@far.net`);
  const dit = new FakeDit().local('ima.com').add({ mail: 'all@ima.com', kind: 'alias', forwardTo });
  const { routes, refusals, steps } = await createRouter({ dit }).route('all@ima.com', context);
  expect(routes.length).toBeLessThanOrEqual(1000);
  expect(refusals.length).toBeLessThanOrEqual(1000);
  expect(steps.length).toBeLessThanOrEqual(4000);
  expect(refusals[0]?.status).toBe('5.4.6');
});

test('while the directory is away there is no answer, neither yes nor no', async () => {
  const dit = directory();
  dit.away.add('bart@ima.com');
  const router = createRouter({ dit });
  await expect(router.route('bart@ima.com', context)).rejects.toMatchObject({ kind: 'unavailable' });
  await expect(router.acceptable('bart@ima.com')).rejects.toMatchObject({ kind: 'unavailable' });
});

test('every step names the entry that decided it', async () => {
  const { steps } = await createRouter({ dit: directory() }).route('homer+x@jade.net', context);
  expect(steps.map(({ rule, entry }) => `${rule}: ${entry ?? '-'}`)).toEqual([
    'sub-address: mail=homer@jade.net',
    'address: mail=homer@jade.net',
    'default local channel: cn=mta',
  ]);
});
