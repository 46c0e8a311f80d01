import { expect, test } from '@jest/globals';
import { clientNetwork, ipPattern, ipSet } from '../../src/base/index.ts';

const list = [
  '192.0.2.7',
  '10.1.0.5-10.1.0.9',
  '172.16.0.0/12',
  '2001:db8::/32',
  'nonsense',
  '999.1.1.1',
  '::1',
  '10.2.0.9-10.2.0.5',
  '192.55.89.00/28',
];

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['192.0.2.8', undefined],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['10.1.0.4', undefined],
  ['10.1.0.5', '10.1.0.5-10.1.0.9'],
  ['10.1.0.9', '10.1.0.5-10.1.0.9'],
  ['10.1.0.10', undefined],
  ['10.2.0.4', undefined],
  ['192.55.89.15', '192.55.89.00/28'],
  ['192.55.89.16', undefined],
  ['10.2.0.7', '10.2.0.9-10.2.0.5'],
  ['172.31.255.255', '172.16.0.0/12'],
  ['172.32.0.0', undefined],
  ['2001:db8:1::1', '2001:db8::/32'],
  ['2001:db9::1', undefined],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['', undefined],
  ['nonsense', undefined],
])('%s falls under %s', (address, entry) => {
  expect(ipSet(list).match(address)).toBe(entry);
});

test.each([
  ['192.0.2.7', true],
  ['192.0.2.1-192.0.2.9', true],
  ['192.0.2.0/24', true],
  ['2001:db8::/32', true],
  ['::1', true],
  ['example.org', false],
  ['192.0.2', false],
  ['192.55.89.00/28', true],
  ['192.0.2.010', false],
  ['192.0.2.300', false],
  ['192.0.2.255', true],
  ['192.0.2.0/33', false],
  ['192.0.2.0/32', true],
  ['0.0.0.0/0', true],
  ['2001:db8::/129', false],
  ['2001:db8::/128', true],
  ['2001:db8::1-2001:db8::9', true],
  ['192.0.2.1-2001:db8::9', false],
  ['192.0.2.1-192.0.2.256', false],
  ['192.0.2.0/24/24', false],
  ['*', false],
  ['127.0.0.64/99', false],
  ['192.0.2.0/33', false],
  ['192.0.2.256', false],
  ['192.0.2.0/64', false],
  ['127.0.0.99/24', true],
  ['0.0.0.0/0', true],
  ['2001:db8::/128', true],
  ['2001:db8::/129', false],
  ['192.0.2.1-2001:db8::1', false],
])('a setting takes %s: %s', (text, taken) => {
  expect(new RegExp(`^(?:${ipPattern.source})$`).test(text)).toBe(taken);
});

test('a client of IPv6 is counted with all of its network', () => {
  expect(clientNetwork('192.0.2.7')).toBe('192.0.2.7');
  expect(clientNetwork('2001:db8:1:2:3:4:5:6')).toBe(clientNetwork('2001:db8:1:2::9'));
  expect(clientNetwork('2001:db8:1:2::9')).not.toBe(clientNetwork('2001:db8:1:3::9'));
});
