/** What the client needs of nodemailer's inside. Fails when another version of the library has it no more. */

import { expect, test } from '@jest/globals';
import SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import { statusOf } from '../../src/smtpc/fate.ts';
import { nextAttempt, retryDelay } from '../../src/smtpc/retry.ts';

test('the client of nodemailer has the steps that ours hooks into', () => {
  const connection = new SMTPConnection({ host: 'x', logger: false }) as unknown as Record<string, unknown>;
  const steps = [
    '_sendCommand',
    '_sendRcpt',
    '_createSendStream',
    '_processResponse',
    '_actionGreeting',
    '_actionDATA',
    '_parseEhloExtensions',
    '_actionHELO',
    '_onError',
    'connect',
    'send',
    'quit',
    'close',
  ];
  expect(steps.filter((name) => typeof connection[name] !== 'function')).toEqual([]);
  for (const name of ['_responseActions', '_responseQueue', '_supportedExtensions']) expect(Array.isArray(connection[name])).toBe(true);
  expect([connection['_responsePartial'], connection['_maxAllowedSize'], connection['_envelope'], connection['destroyed']]).toEqual([
    false,
    0,
    false,
    false,
  ]);
});

test('the delay before a further attempt never shrinks, whatever the dice say', () => {
  const dice = [0, 0.999, 0, 0.5, 0.999, 0.1];
  for (const interval of [60_000, 900_000, 3_600_000, 86_400_000]) {
    let before = 0;
    for (let attempts = 0; attempts < 60; attempts += 1) {
      const delay = retryDelay(attempts, interval, () => dice[attempts % dice.length] ?? 0);
      expect(delay).toBeGreaterThanOrEqual(before);
      expect(delay).toBeGreaterThanOrEqual(interval);
      before = delay;
    }
    expect(before).toBeLessThanOrEqual(Math.max(interval, 4 * 3_600_000) * 1.2);
  }
});

test('the last attempt is at the end of the retry period, after it there is none', () => {
  const rule = { interval: 900_000, period: 3_600_000 };
  const at = (now: number): number | undefined => nextAttempt({ attempts: 9, arrivedAt: 1_000, now }, rule, () => 0);
  expect(at(1_000)).toBe(3_601_000);
  expect(at(3_600_999)).toBe(3_601_000);
  expect(at(3_601_000)).toBeUndefined();
});

test.each([
  ['550 5.1.1 no', 550, '5.1.1'],
  ['550-5.1.1 no / 550 5.1.1 such', 550, '5.1.1'],
  ['550 no', 550, '5.0.0'],
  ['450 5.1.1 mixed up', 450, '4.0.0'],
  ['451 4.7.1 greylisted', 451, '4.7.1'],
  ['551 2.0.0 odd', 551, '5.0.0'],
  ['gone', undefined, '4.0.0'],
])('the status of "%s" is read', (said, code, status) => {
  expect(statusOf(said, code)).toBe(status);
});
