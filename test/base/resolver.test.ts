import { afterEach, expect, test } from '@jest/globals';
import { constant, createResolver, ManualClock, type Resolver, shareOf } from '../../src/base/index.ts';
import { type FakeDns, type FakeName, startFakeDns } from '../support/fake-dns.ts';

let dns: FakeDns;
let clock: ManualClock;
async function resolver(zone: Record<string, FakeName>, retries = 0): Promise<Resolver> {
  dns = await startFakeDns(zone);
  clock = new ManualClock();
  return createResolver({ servers: constant([{ host: '127.0.0.1', port: dns.port }]), retries: () => retries, clock });
}
afterEach(() => dns.stop());

test('forged answers are passed over, the right one behind them is taken', async () => {
  const r = await resolver({ 'a.example': { a: ['192.0.2.1'] } });
  dns.tamper = (packet) => [
    { ...packet, id: ((packet.id ?? 0) + 1) % 65_536, answers: [{ type: 'A', name: 'a.example', data: '203.0.113.9' }] },
    { ...packet, questions: [{ type: 'A', name: 'b.example' }], answers: [{ type: 'A', name: 'a.example', data: '203.0.113.9' }] },
    { ...packet, type: 'query' },
    packet,
  ];
  expect(await r.addresses('a.example')).toMatchObject({ outcome: 'found', records: ['192.0.2.1'] });
});

test('records of other names in the answer are not used', async () => {
  const r = await resolver({ 'a.example': {} });
  dns.tamper = (packet) => [{ ...packet, answers: [{ type: 'A', name: 'other.example', data: '203.0.113.9' }] }];
  expect(await r.addresses('a.example')).toMatchObject({ outcome: 'none' });
});

test('aliases are followed, and a ring of them ends', async () => {
  const r = await resolver({
    'www.a.example': { cname: 'host.a.example' },
    'host.a.example': { a: ['192.0.2.1'], aaaa: ['2001:db8::1'] },
    'ring.example': {},
  });
  expect(await r.addresses('WWW.a.example.')).toMatchObject({ outcome: 'found', records: ['192.0.2.1', '2001:db8::1'] });
  dns.tamper = (packet) => [{ ...packet, answers: [{ type: 'CNAME', name: 'ring.example', data: 'ring.example' }] }];
  expect(await r.mx('ring.example')).toMatchObject({ outcome: 'temporary' });
});

test('no record, no name and no answer are three different things', async () => {
  const r = await resolver({ 'empty.example': { txt: ['v=spf1 -all'] }, 'sick.example': { failing: true } });
  expect(await r.mx('empty.example')).toMatchObject({ outcome: 'none' });
  expect(await r.mx('gone.example')).toMatchObject({ outcome: 'no-such-domain' });
  expect(await r.mx('sick.example')).toMatchObject({ outcome: 'temporary', reason: 'the name server answered SERVFAIL for sick.example' });
  expect(await r.txt('empty.example')).toMatchObject({ records: ['v=spf1 -all'] });
});

test('a server that only sends us on to others has not said that there is nothing', async () => {
  const r = await resolver({ 'a.example': { a: ['192.0.2.1'] } });
  const [recursionAvailable, authoritative] = [1 << 7, 1 << 10];
  dns.tamper = (packet) => [
    {
      ...packet,
      flags: (packet.flags ?? 0) & ~recursionAvailable & ~authoritative,
      answers: [],
      authorities: [{ type: 'NS', name: 'example', data: 'ns.example' }],
    },
  ];
  expect(await r.addresses('a.example')).toMatchObject({
    outcome: 'temporary',
    reason: expect.stringMatching(/does not look for names of others/),
  });
});

test('a null MX and the order of preferences come through', async () => {
  const r = await resolver({
    'null.example': { mx: [[0, '.']] },
    'm.example': {
      mx: [
        [20, 'B.m.example'],
        [10, 'a.m.example'],
      ],
    },
  });
  expect(await r.mx('null.example')).toMatchObject({ records: [{ preference: 0, exchange: '' }] });
  expect(await r.mx('m.example')).toMatchObject({
    records: [
      { preference: 20, exchange: 'b.m.example' },
      { preference: 10, exchange: 'a.m.example' },
    ],
  });
});

test('an answer cut short is asked for over TCP', async () => {
  const many = Array.from({ length: 200 }, (_, n) => `192.0.2.${n}`);
  const r = await resolver({ 'big.example': { a: many, big: true } });
  const answer = await r.addresses('big.example');
  expect(answer).toMatchObject({ outcome: 'found' });
  expect(dns.asked.filter((one) => one === 'A big.example').length).toBe(2);
});

test('a server that says nothing is asked again and then given up', async () => {
  const r = await resolver({ 'mute.example': { silent: true } }, 2);
  const answer = r.mx('mute.example');
  for (let n = 0; n < 3; n += 1) {
    while (dns.asked.length <= n) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(5_000);
  }
  expect(await answer).toMatchObject({ outcome: 'temporary' });
  expect(dns.asked.length).toBe(3);
});

test('answers are remembered as long as they live, and the same question is asked once', async () => {
  const r = await resolver({ 'a.example': { mx: [[1, 'x.example']], ttl: 10 } });
  await Promise.all([r.mx('a.example'), r.mx('A.example')]);
  await r.mx('a.example');
  await r.mx('none.example');
  await r.mx('none.example');
  expect(dns.asked).toEqual(['MX a.example', 'MX none.example']);
  clock.advance(10_001);
  await r.mx('a.example');
  expect(dns.asked.length).toBe(3);
});

test('addresses are turned around for PTR', async () => {
  const r = await resolver({
    '1.2.0.192.in-addr.arpa': { ptr: ['Mail.example.'] },
    '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa': { ptr: ['six.example'] },
  });
  expect(await r.ptr('192.0.2.1')).toMatchObject({ records: ['mail.example'] });
  expect(await r.ptr('2001:db8::1')).toMatchObject({ records: ['six.example'] });
  expect(await r.ptr('rubbish')).toMatchObject({ outcome: 'no-such-domain' });
});

test('names that cannot be names are not asked for', async () => {
  const r = await resolver({});
  for (const name of ['', '.', 'a..b', `${'x'.repeat(64)}.example`, 'a b.example', 'bücher.example', 'x.'.repeat(200)]) {
    expect(await r.mx(name)).toMatchObject({ outcome: 'no-such-domain' });
  }
  expect(dns.asked).toEqual([]);
});

test('the size of the cache is followed while it runs', async () => {
  dns = await startFakeDns({ 'a.example': { mx: [[1, 'mx.a.example']] } });
  let size = 10;
  let asked = 0;
  dns.tamper = (packet) => {
    asked++;
    return [packet];
  };
  const r = createResolver({
    servers: constant([{ host: '127.0.0.1', port: dns.port }]),
    retries: () => 0,
    cacheSize: () => size,
    clock: new ManualClock(),
  });
  for (let n = 0; n < 2; n++) await r.mx('a.example');
  expect(asked).toBe(1);
  size = 0;
  await r.mx('b.example');
  for (let n = 0; n < 2; n++) await r.mx('a.example');
  expect(asked).toBe(4);
});

test('an answer is secure where a server on this host, or one that is named for it, has validated it', async () => {
  const zone: Record<string, FakeName> = {
    'signed.example': { a: ['192.0.2.1'], secure: true },
    'plain.example': { a: ['192.0.2.2'] },
    'into.example': { cname: 'signed.example', secure: true },
    'out.example': { cname: 'plain.example', secure: true },
    '_25._tcp.signed.example': { tlsa: [{ usage: 3, selector: 1, matchingType: 1, data: Buffer.alloc(32, 7) }], secure: true },
  };
  const r = await resolver(zone);
  expect(await r.addresses('signed.example')).toMatchObject({ outcome: 'found', secure: true });
  expect(await r.addresses('plain.example')).toMatchObject({ outcome: 'found', secure: false });
  expect(await r.addresses('into.example')).toMatchObject({ outcome: 'found', secure: true, canonical: 'signed.example' });
  expect(await r.addresses('out.example')).toMatchObject({ outcome: 'found', secure: false, canonical: 'plain.example' });
  expect(await r.alias('out.example')).toMatchObject({ outcome: 'found', records: ['plain.example'], secure: true });
  expect(await r.mx('signed.example')).toMatchObject({ outcome: 'none', secure: true });
  expect(await r.tlsa('_25._tcp.signed.example')).toMatchObject({
    outcome: 'found',
    secure: true,
    records: [{ usage: 3, selector: 1, matchingType: 1, data: Buffer.alloc(32, 7) }],
  });
  const servers = constant([{ host: '127.0.0.1', port: dns.port }]);
  const doubting = createResolver({ servers, validates: () => false, clock });
  expect(await doubting.addresses('signed.example')).toMatchObject({ outcome: 'found', secure: false });
});

test('an alias whose target the server does not tell is asked on, and chains of them end', async () => {
  const r = await resolver({
    'host.a.example': { a: ['192.0.2.1'], mx: [[10, 'mx.a.example']] },
    'nothing.example': { txt: ['only this'] },
  });
  const alias = (name: string, data: string) => [{ type: 'CNAME' as const, name, ttl: 60, data }];
  dns.zone['first.example'] = {};
  dns.zone['second.example'] = {};
  dns.zone['lost.example'] = {};
  dns.zone['dangling.example'] = {};
  dns.zone['ring1.example'] = {};
  dns.zone['ring2.example'] = {};
  const aliases: Record<string, string> = {
    'first.example': 'second.example',
    'second.example': 'host.a.example',
    'lost.example': 'nothing.example',
    'dangling.example': 'gone.example',
    'ring1.example': 'ring2.example',
    'ring2.example': 'ring1.example',
  };
  dns.tamper = (packet) => {
    const name = packet.questions?.[0]?.name ?? '';
    return [aliases[name] ? { ...packet, answers: alias(name, aliases[name]) } : packet];
  };
  expect(await r.mx('first.example')).toMatchObject({
    outcome: 'found',
    records: [{ preference: 10, exchange: 'mx.a.example' }],
    canonical: 'host.a.example',
  });
  expect(await r.mx('lost.example')).toMatchObject({ outcome: 'none' });
  expect(await r.mx('dangling.example')).toMatchObject({ outcome: 'no-such-domain' });
  expect(await r.mx('ring1.example')).toMatchObject({ outcome: 'temporary', reason: 'ring1.example has too many aliases' });
  expect(dns.asked.length).toBeLessThan(30);
});

test.each([
  ['FORMERR', 1],
  ['NOTIMP', 4],
])('a server that answers %s to EDNS is asked without', async (_, rcode) => {
  const r = await resolver({ 'a.example': { mx: [[10, 'mx.a.example']] } });
  dns.tamper = (packet) =>
    dns.asked.length % 2 === 1 ? [{ ...packet, flags: ((packet.flags ?? 0) & ~15) | rcode, answers: [] }] : [packet];
  expect(await r.mx('a.example')).toMatchObject({ outcome: 'found', records: [{ exchange: 'mx.a.example' }] });
  expect(dns.asked).toEqual(['MX a.example', 'MX a.example']);
});

test('a cache that is switched off while it runs is not read any more', async () => {
  dns = await startFakeDns({ 'a.example': { mx: [[10, 'mx.a.example']] } });
  let size = 100;
  const r = createResolver({ servers: constant([{ host: '127.0.0.1', port: dns.port }]), cacheSize: () => size, clock: new ManualClock() });
  await r.mx('a.example');
  await r.mx('a.example');
  expect(dns.asked).toHaveLength(1);
  size = 0;
  await r.mx('a.example');
  await r.mx('a.example');
  expect(dns.asked).toHaveLength(3);
});

test('a server that kept silent goes behind the others for a while', async () => {
  dns = await startFakeDns({ 'a.example': { txt: ['a'] }, 'b.example': { txt: ['b'] }, 'c.example': { txt: ['c'] } });
  const mute = await startFakeDns({ 'a.example': { silent: true }, 'b.example': { txt: ['wrong'] }, 'c.example': { txt: ['back'] } });
  clock = new ManualClock();
  const at = ({ port }: FakeDns) => ({ host: '127.0.0.1', port });
  const r = createResolver({ servers: constant([at(mute), at(dns)]), retries: () => 1, clock });
  const first = r.txt('a.example');
  while (mute.asked.length === 0) await new Promise((done) => setTimeout(done, 1));
  clock.advance(5_000);
  expect(await first).toMatchObject({ records: ['a'] });
  expect(await r.txt('b.example')).toMatchObject({ records: ['b'] });
  clock.advance(30_000);
  expect(await r.txt('c.example')).toMatchObject({ records: ['back'] });
  await mute.stop();
});

test('a server that sends back the flags it was asked with has validated nothing', async () => {
  const r = await resolver({ 'a.example': { a: ['192.0.2.1'] } });
  dns.echo = true;
  expect(await r.addresses('a.example')).toMatchObject({ outcome: 'found', secure: false });
});

test('names that strangers have us look up leave room for other questions, however long their servers keep silent', async () => {
  const zone: Record<string, FakeName> = { 'good.example': { a: ['192.0.2.1'] } };
  for (let n = 0; n < 90; n += 1) zone[`silent${n}.example`] = { silent: true };
  const r = await resolver(zone);
  const share = shareOf(r, 30);
  const asked = Array.from({ length: 90 }, (_, n) => share.addresses(`silent${n}.example`));
  const beyond = await Promise.all(asked.slice(30));
  expect(new Set(beyond.map((answer) => answer.outcome === 'temporary' && answer.reason))).toEqual(
    new Set(['too many questions to the DNS at one time']),
  );
  expect(await r.addresses('good.example')).toMatchObject({ outcome: 'found', records: ['192.0.2.1'] });
  clock.advance(10_000);
  expect((await Promise.all(asked.slice(0, 30))).every(({ outcome }) => outcome === 'temporary')).toBe(true);
  expect(await share.addresses('good.example')).toMatchObject({ outcome: 'found' });
});
