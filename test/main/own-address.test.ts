import { expect, test } from '@jest/globals';
import { isOwn } from '../../src/main/own-address.ts';

const host = ['192.0.2.10', '2001:db8::10'];
const own = (address: string, port: number, door: { host: string; port: number } | 'off'): boolean =>
  isOwn(address, port, [door], () => host);

test('a door on one address is that address and port, however it is written', () => {
  expect(own('192.0.2.10', 25, { host: '192.0.2.10', port: 25 })).toBe(true);
  expect(own('::ffff:192.0.2.10', 25, { host: '192.0.2.10', port: 25 })).toBe(true);
  expect(own('2001:DB8::10', 25, { host: '2001:db8::10', port: 25 })).toBe(true);
  expect(own('2001:0db8:0:0:0:0:0:10', 25, { host: '2001:db8::10', port: 25 })).toBe(true);
  expect(own('::ffff:c000:020a', 25, { host: '192.0.2.10', port: 25 })).toBe(true);
  expect(own('192.0.2.10', 2525, { host: '192.0.2.10', port: 25 })).toBe(false);
  expect(own('192.0.2.11', 25, { host: '192.0.2.10', port: 25 })).toBe(false);
  expect(own('192.0.2.10', 25, 'off')).toBe(false);
});

test('a door on all addresses is every address of this host and the loopback, and no other', () => {
  for (const everywhere of ['::', '0.0.0.0']) {
    for (const address of [...host, '2001:0db8:0000::0010', '127.0.0.1', '127.9.9.9', '::1', '0.0.0.0'])
      expect(own(address, 25, { host: everywhere, port: 25 })).toBe(true);
    expect(own('198.51.100.1', 25, { host: everywhere, port: 25 })).toBe(false);
  }
  expect(own('::1', 25, { host: 'localhost', port: 25 })).toBe(true);
});
