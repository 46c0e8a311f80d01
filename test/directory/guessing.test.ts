import { expect, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import { Failures } from '../../src/directory/passwords/failures.ts';

test('who guesses from all addresses of an IPv6 network is slowed down as one client', () => {
  const failures = new Failures(new ManualClock(), () => 1);
  for (let n = 0; n < 60; n += 1) failures.failed(`account ${n % 9}`, `2001:db8:1:2::${n.toString(16)}`);
  expect(failures.wait('account 1', '2001:db8:1:2:ffff::1')).toBeGreaterThan(0);
  expect(failures.wait('somebody', '2001:db8:1:2:ffff::1')).toBeGreaterThan(0);
  expect(failures.wait('account 1', '2001:db8:1:3::1')).toBe(0);
  expect(failures.wait('account 1', '192.0.2.1')).toBe(0);
});
