/** Our resolver, asked about everything a mail host asks, against BIND and Unbound. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createResolver, type Resolver } from '../../src/base/index.ts';
import { type Named, startNamed } from './support/dns/named.ts';
import { startUnbound, type Unbound } from './support/dns/unbound.ts';
import { dnsBl, reverseZones, type Zones } from './support/dns/zones.ts';

const long = `v=DKIM1; p=${'A'.repeat(600)}`;
const zones: Zones = {
  'remote.test': {
    '@': {
      mx: [
        [20, 'mx2.remote.test'],
        [10, 'mx1.remote.test'],
      ],
      txt: ['v=spf1 -all', 'with "quotes", a \\ and ü', long],
    },
    mx1: { a: ['127.0.0.1'], aaaa: ['2001:db8::1'] },
    mx2: { a: Array.from({ length: 60 }, (_, n) => `127.0.1.${n + 1}`) },
    '_25._tcp.mx1': { tlsa: [[3, 1, 1, '00'.repeat(32)]] },
    www: { cname: 'mx1.remote.test' },
    elsewhere: { cname: 'host.signed.test' },
    '*.wild': { a: ['127.0.0.3'] },
  },
  'nomail.test': { '@': { mx: [[0, '.']] } },
  'signed.test': { '@': { mx: [[10, 'host.signed.test']] }, host: { a: ['127.0.0.4'] } },
  'expired.test': { '@': { mx: [[10, 'host.signed.test']] } },
  'bl.test': dnsBl({ '10.1.0.2': { answers: ['127.0.0.4'], reason: 'sent spam' }, '2001:db8::66': {} }),
  ...reverseZones({ '10.1.0.2': ['a.remote.test', 'b.remote.test'], '2001:db8::1': ['mx1.remote.test'] }),
};
let named: Named;
let unbound: Unbound;
const asking = (server: { address: string; port: number }): Resolver =>
  createResolver({ servers: { value: [{ host: server.address, port: server.port }], onChange: () => () => {} }, retries: () => 0 });

beforeAll(async () => {
  named = await startNamed({ zones, signed: { 'signed.test': 'good', 'expired.test': 'expired' } });
  unbound = await startUnbound(named);
});

afterAll(async () => {
  await unbound.stop();
  await named.stop();
});

describe.each(['named', 'unbound'] as const)('of %s', (which) => {
  let resolver: Resolver;
  beforeAll(() => {
    resolver = asking(which === 'named' ? named : unbound);
  });
  const recordsOf = (answer: { outcome: string; records?: readonly unknown[] }) => [...(answer.records ?? [answer.outcome])];

  test('MX, addresses, aliases, wildcards and what is not there', async () => {
    expect(recordsOf(await resolver.mx('remote.test'))).toEqual(
      expect.arrayContaining([
        { preference: 10, exchange: 'mx1.remote.test' },
        { preference: 20, exchange: 'mx2.remote.test' },
      ]),
    );
    expect(recordsOf(await resolver.mx('nomail.test'))).toEqual([{ preference: 0, exchange: '' }]);
    expect(recordsOf(await resolver.addresses('mx1.remote.test'))).toEqual(['127.0.0.1', '2001:db8::1']);
    expect(recordsOf(await resolver.addresses('www.remote.test'))).toEqual(['127.0.0.1', '2001:db8::1']);
    expect(recordsOf(await resolver.addresses('a.b.wild.remote.test'))).toEqual(['127.0.0.3']);
    expect(recordsOf(await resolver.mx('mx1.remote.test'))).toEqual(['none']);
    expect(recordsOf(await resolver.addresses('nobody.remote.test'))).toEqual(['no-such-domain']);
    expect(recordsOf(await resolver.mx('nowhere.invalid'))).toEqual(['no-such-domain']);
  });

  test('answers that do not fit into UDP come by TCP', async () => {
    expect(recordsOf(await resolver.addresses('mx2.remote.test'))).toHaveLength(60);
    expect(recordsOf(await resolver.txt('remote.test')).sort()).toEqual(['v=spf1 -all', 'with "quotes", a \\ and ü', long].sort());
  });

  test('names of addresses, and blacklists of both families', async () => {
    expect(recordsOf(await resolver.ptr('10.1.0.2')).sort()).toEqual(['a.remote.test', 'b.remote.test']);
    expect(recordsOf(await resolver.ptr('2001:db8::1'))).toEqual(['mx1.remote.test']);
    expect(recordsOf(await resolver.ptr('10.1.0.3'))).toEqual(['no-such-domain']);
    expect(recordsOf(await resolver.ipv4('2.0.1.10.bl.test'))).toEqual(['127.0.0.4']);
    expect(recordsOf(await resolver.ipv4('3.0.1.10.bl.test'))).toEqual(['no-such-domain']);
    const nibbles = `6.6.${'0.'.repeat(22)}8.b.d.0.1.0.0.2`;
    expect(recordsOf(await resolver.ipv4(`${nibbles}.bl.test`))).toEqual(['127.0.0.2']);
  });
});

test('an alias into another zone is followed by the resolver in between', async () => {
  expect(await asking(unbound).addresses('elsewhere.remote.test')).toMatchObject({ outcome: 'found', records: ['127.0.0.4'] });
});

test('what is signed is said to be authentic, what is signed wrongly is not told', async () => {
  expect(await unbound.ask('MX', 'signed.test')).toMatchObject({ status: 'NOERROR', authentic: true, records: ['10 host.signed.test.'] });
  expect(await unbound.ask('A', 'none.signed.test')).toMatchObject({ status: 'NXDOMAIN', authentic: true });
  expect(await unbound.ask('MX', 'remote.test')).toMatchObject({ status: 'NOERROR', authentic: false });
  expect(await unbound.ask('MX', 'expired.test')).toMatchObject({ status: 'SERVFAIL', records: [] });
  expect(await asking(unbound).mx('expired.test')).toMatchObject({ outcome: 'temporary' });
});

test('a changed zone is seen at once, its signature too', async () => {
  const before = named.asked().length;
  await named.change({ 'signed.test': { '@': { mx: [[5, 'new.signed.test']] } } });
  expect(await unbound.ask('MX', 'signed.test')).toMatchObject({ authentic: true, records: ['5 new.signed.test.'] });
  expect(named.asked().slice(before)).toContain('MX signed.test');
});

test('servers that hear and do not answer are no answer', async () => {
  named.pause();
  const resolver = createResolver({
    servers: { value: [{ host: named.address, port: named.port }], onChange: () => () => {} },
    retries: () => 1,
    timeoutMs: () => 50,
  });
  expect(await resolver.mx('remote.test')).toMatchObject({ outcome: 'temporary' });
  named.resume();
  expect(await asking(named).mx('nomail.test')).toMatchObject({ outcome: 'found' });
});
