/** From a destination to hosts and addresses: DNS, host table, and what they say about each other. */

import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { constant, createResolver, type Resolver, silentLog } from '../../src/base/index.ts';
import { hostOf, locate, type Plan, type PlanNeeds, planFor } from '../../src/smtpc/destination.ts';
import { createHostTable, type HostTable } from '../../src/smtpc/host-table.ts';
import { type NameResolution, nameResolutions } from '../../src/smtpc/settings/routing.ts';
import { type FakeDns, startFakeDns } from '../support/fake-dns.ts';
import { tempDir } from '../support/temp.ts';

let dns: FakeDns;
let resolver: Resolver;
let table: HostTable;
let dir: Awaited<ReturnType<typeof tempDir>>;

beforeAll(async () => {
  dns = await startFakeDns({
    'many.example': {
      mx: [
        [20, 'c.example'],
        [10, 'a.example'],
        [10, 'b.example'],
      ],
    },
    'us.example': {
      mx: [
        [10, 'first.example'],
        [20, 'MX.jade.example'],
        [20, 'equal.example'],
        [30, 'last.example'],
      ],
    },
    'loop.example': {
      mx: [
        [10, 'mx.jade.example'],
        [20, 'other.example'],
      ],
    },
    'null.example': { mx: [[0, '.']] },
    'nearly-null.example': {
      mx: [
        [0, '.'],
        [10, 'a.example'],
      ],
    },
    'garbage.example': { mx: [[10, '192.0.2.1']] },
    'half-garbage.example': {
      mx: [
        [10, '192.0.2.1'],
        [20, 'a.example'],
      ],
    },
    'crowd.example': { mx: Array.from({ length: 60 }, (_, n) => [n, `mx${n}.crowd.example`] as const) },
    'alias.example': { cname: 'many.example' },
    'plain.example': { a: ['192.0.2.7'] },
    'both.example': { a: ['192.0.2.1', '192.0.2.2'], aaaa: ['2001:db8::1'] },
    'six.example': { aaaa: ['2001:db8::6'] },
    'mx.jade.example': { a: ['192.0.2.9'] },
    'sick.example': { failing: true },
    'both-places.example': { mx: [[10, 'a.example']], a: ['192.0.2.20'] },
    'table-only.example': { failing: true },
    'no-mx-in-table.example': { txt: ['only this'] },
  });
  resolver = createResolver({ servers: constant([{ host: '127.0.0.1', port: dns.port }]), retries: () => 0 });
  dir = await tempDir();
  await writeFile(
    `${dir.path}/hosts`,
    '10.0.0.1 both-places.example abc.net\n10.0.0.2 table-only.example\n10.0.0.3 no-mx-in-table.example\n10.0.0.4 gone-but-listed.example\n2001:db8::a bücher.example\n',
  );
  table = createHostTable(() => `${dir.path}/hosts`, silentLog);
});
afterAll(() => Promise.all([dns.stop(), dir.remove()]));

const needs = (resolution: NameResolution = 'DNSOnly', dice: number[] = []): PlanNeeds => ({
  resolver,
  table,
  resolution,
  host: 'mx.jade.example',
  port: 25,
  random: () => dice.shift() ?? 0,
});
const names = (plan: Plan): unknown => (plan.kind === 'hosts' ? plan.hosts.map((one) => one.name) : plan);

test('exchangers come in order of preference, equal ones as the dice fall', async () => {
  expect(names(await planFor('many.example', needs('DNSOnly', [0, 0.1, 0.9])))).toEqual(['a.example', 'b.example', 'c.example']);
  expect(names(await planFor('many.example', needs('DNSOnly', [0, 0.9, 0.1])))).toEqual(['b.example', 'a.example', 'c.example']);
  expect(names(await planFor('alias.example', needs()))).toEqual(['a.example', 'b.example', 'c.example']);
  expect(names(await planFor('crowd.example', needs()))).toHaveLength(20);
});

test.each([
  ['us.example', ['first.example']],
  ['loop.example', { kind: 'bounce', status: '5.4.6' }],
  ['mx.jade.example', { kind: 'bounce', status: '5.4.6' }],
  ['null.example', { kind: 'bounce', status: '5.1.10' }],
  ['nearly-null.example', ['a.example']],
  ['garbage.example', { kind: 'unknown', status: '5.4.4' }],
  ['half-garbage.example', ['a.example']],
  ['plain.example', ['plain.example']],
  ['missing.example', { kind: 'unknown', status: '5.1.2' }],
  ['sick.example', { kind: 'defer' }],
  ['[192.0.2.5]', ['192.0.2.5']],
  ['[IPv6:2001:db8::5]', ['2001:db8::5']],
  ['[2001:db8::5]', ['2001:db8::5']],
  ['[IPv6:fe80::1%eth0]', { kind: 'bounce', status: '5.1.2' }],
  ['[192.0.2]', { kind: 'bounce', status: '5.1.2' }],
  ['[x-tag:hello]', { kind: 'bounce', status: '5.1.2' }],
])('by the DNS alone: %s', async (destination, expected) => {
  const plan = await planFor(destination, needs());
  if (Array.isArray(expected)) expect(names(plan)).toEqual(expected);
  else expect(plan).toMatchObject(expected);
});

const itself = 'itself';
test.each([
  // destination, DNSOnly, DNSThenHostTable, HostTableThenDNS, HostTableOnly
  ['both-places.example', 'a.example', 'a.example', itself, itself],
  ['table-only.example', 'defer', itself, itself, itself],
  ['gone-but-listed.example', 'unknown', itself, itself, itself],
  ['abc.net', 'unknown', itself, itself, itself],
  ['many.example', 'a.example', 'a.example', 'a.example', 'unknown'],
  ['missing.example', 'unknown', 'unknown', 'unknown', 'unknown'],
  ['sick.example', 'defer', 'defer', 'defer', 'unknown'],
  ['null.example', 'bounce', 'bounce', 'bounce', 'unknown'],
  ['xn--bcher-kva.example', 'unknown', itself, itself, itself],
])('%s by each name resolution', async (destination, ...expected) => {
  const first = async (resolution: NameResolution): Promise<string | undefined> => {
    const plan = await planFor(destination, needs(resolution, [0, 0.1, 0.9]));
    if (plan.kind !== 'hosts') return plan.kind;
    return plan.hosts[0]?.name === destination ? itself : plan.hosts[0]?.name;
  };
  expect(await Promise.all(nameResolutions.slice(0, 4).map(first))).toEqual(expected);
});

test.each([
  ['both-places.example', ['192.0.2.20'], ['192.0.2.20'], ['10.0.0.1'], ['10.0.0.1']],
  ['table-only.example', 'unknown', ['10.0.0.2'], ['10.0.0.2'], ['10.0.0.2']],
  ['no-mx-in-table.example', 'nowhere', ['10.0.0.3'], ['10.0.0.3'], ['10.0.0.3']],
  ['plain.example', ['192.0.2.7'], ['192.0.2.7'], ['192.0.2.7'], 'nowhere'],
  ['missing.example', 'nowhere', 'nowhere', 'nowhere', 'nowhere'],
  ['sick.example', 'unknown', 'unknown', 'unknown', 'nowhere'],
])('the addresses of %s by each name resolution', async (name, ...expected) => {
  const of = async (resolution: NameResolution): Promise<unknown> => {
    const located = await locate({ name, port: 25 }, 'ipv4-first', needs(resolution));
    return located.kind === 'found' ? located.targets.map(({ address }) => address) : located.kind;
  };
  expect(await Promise.all(nameResolutions.slice(0, 4).map(of))).toEqual(expected);
});

test('a host table that cannot be read is no answer', async () => {
  const broken: HostTable = createHostTable(() => `${dir.path}/missing`, silentLog);
  for (const [resolution, destination, kind] of [
    ['HostTableOnly', 'many.example', 'defer'],
    ['HostTableThenDNS', 'many.example', 'defer'],
    ['DNSThenHostTable', 'many.example', 'hosts'],
    ['DNSThenHostTable', 'missing.example', 'defer'],
    ['DNSOnly', 'missing.example', 'unknown'],
  ] as const)
    expect((await planFor(destination, { ...needs(resolution), table: broken })).kind).toBe(kind);
});

test.each([
  ['ipv4-first', ['192.0.2.1', '2001:db8::1', '192.0.2.2']],
  ['ipv6-first', ['2001:db8::1', '192.0.2.1', '192.0.2.2']],
  ['ipv4-only', ['192.0.2.1', '192.0.2.2']],
  ['ipv6-only', ['2001:db8::1']],
] as const)('addresses of both kinds, %s', async (family, expected) => {
  const located = await locate({ name: 'both.example', port: 25 }, family, needs());
  expect(located.kind === 'found' && located.targets.map(({ address }) => address)).toEqual(expected);
  const six = await locate({ name: 'six.example', port: 25 }, family, needs());
  expect(six).toMatchObject(
    family === 'ipv4-only' ? { kind: 'nowhere', text: expect.stringContaining('no IPv4 address') } : { kind: 'found' },
  );
});

test.each([
  ['relay.example', { name: 'relay.example', port: 25 }],
  ['Relay.example:587', { name: 'relay.example', port: 587 }],
  ['[192.0.2.1]', { name: '192.0.2.1', port: 25 }],
  ['[IPv6:2001:db8::1]:2525', { name: '2001:db8::1', port: 2525 }],
])('the host %s of a setting', (text, expected) => {
  expect(hostOf(text, 25)).toMatchObject(expected);
});
