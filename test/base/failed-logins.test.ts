import { expect, test } from '@jest/globals';
import { FailedLogins, ManualClock, silentLog } from '../../src/base/index.ts';

function watched(): { clock: ManualClock; lines: string[]; failed: FailedLogins } {
  const clock = new ManualClock();
  const lines: string[] = [];
  return { clock, lines, failed: new FailedLogins({ ...silentLog, warning: (text) => void lines.push(text) }, clock) };
}

test('the first failures of an address are told one by one, a thousand more are a line a minute', () => {
  const { clock, lines, failed } = watched();
  for (let n = 0; n < 1_000; n++) failed.note({ name: 'user1', door: 'imap', address: '192.0.2.1' }, n >= 4);
  failed.note({ name: 'x'.repeat(5_000), door: 'ldap' });
  expect(lines).toEqual([
    ...Array<string>(4).fill('log-in as "user1" from [192.0.2.1] by imap refused'),
    'log-in as "user1" from [192.0.2.1] by imap put off after too many failures',
    `log-in as "${'x'.repeat(200)}" from this host by ldap refused`,
  ]);
  clock.advance(60_000);
  expect(lines.slice(6)).toEqual(['995 more log-ins from [192.0.2.1] failed']);
  for (let n = 0; n < 10; n++) failed.note({ name: 'user1', door: 'imap', address: '192.0.2.1' });
  clock.advance(60_000);
  expect(lines.slice(7)).toEqual(['10 more log-ins from [192.0.2.1] failed']);
  // After a quiet minute it begins anew.
  clock.advance(120_000);
  failed.note({ name: 'user1', door: 'pop3d', address: '192.0.2.1' });
  expect(lines.slice(8)).toEqual(['log-in as "user1" from [192.0.2.1] by pop3d refused']);
});

test('failures from a hundred thousand addresses are some hundred lines, and none is lost', () => {
  const { clock, lines, failed } = watched();
  for (let n = 0; n < 100_000; n++) failed.note({ name: 'user1', door: 'smtp', address: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}` });
  clock.advance(60_000);
  expect(lines.length).toBeLessThanOrEqual(111);
  const told = lines.reduce((sum, line) => sum + Number(/^(\d+) more/.exec(line)?.[1] ?? 1), 0);
  expect(told).toBe(100_000);
});

test('what was not told is told at the end', () => {
  const { lines, failed } = watched();
  for (let n = 0; n < 7; n++) failed.note({ name: 'user1', door: 'imap', address: '192.0.2.1' });
  failed.stop();
  expect(lines.at(-1)).toBe('2 more log-ins from [192.0.2.1] failed');
});
