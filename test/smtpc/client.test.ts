/** What the client needs of nodemailer's inside. Fails when another version of the library has it no more. */

import { expect, test } from '@jest/globals';
import SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import { constant, createResolver } from '../../src/base/index.ts';
import { locate, planFor } from '../../src/smtpc/destination.ts';
import { statusOf } from '../../src/smtpc/fate.ts';
import { nextAttempt, retryDelay } from '../../src/smtpc/retry.ts';
import { startFakeDns } from '../support/fake-dns.ts';

test('the client of nodemailer has the steps that ours hooks into', () => {
  const connection = new SMTPConnection({ host: 'x', logger: false }) as unknown as Record<string, unknown>;
  const steps = [
    '_sendCommand',
    '_sendRcpt',
    '_processResponse',
    '_actionGreeting',
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

test('exchangers come in order of preference, equal ones as the dice fall, and none behind ourselves', async () => {
  const dns = await startFakeDns({
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
        [30, 'last.example'],
      ],
    },
    'b.example': { a: ['192.0.2.1'], aaaa: ['2001:db8::1'] },
  });
  const resolver = createResolver({ servers: constant([{ host: '127.0.0.1', port: dns.port }]) });
  const needs = { resolver, host: 'mx.jade.example', port: 25, relayHost: '' };
  const names = async (domain: string, dice: number[]): Promise<unknown> => {
    const plan = await planFor(domain, { ...needs, random: () => dice.shift() ?? 0 });
    return plan.kind === 'hosts' ? plan.hosts.map((one) => one.name) : plan;
  };
  expect(await names('many.example', [0, 0.1, 0.9])).toEqual(['a.example', 'b.example', 'c.example']);
  expect(await names('many.example', [0, 0.9, 0.1])).toEqual(['b.example', 'a.example', 'c.example']);
  expect(await names('us.example', [])).toEqual(['first.example']);
  expect(await planFor('[IPv6:2001:db8::5]', { ...needs, random: () => 0 })).toEqual({
    kind: 'hosts',
    hosts: [{ name: '2001:db8::5', port: 25 }],
  });
  expect(await planFor('any.example', { ...needs, random: () => 0, relayHost: 'Relay.example:587' })).toEqual({
    kind: 'hosts',
    hosts: [{ name: 'relay.example', port: 587 }],
  });
  expect(await locate({ name: 'b.example', port: 25 }, resolver)).toMatchObject({
    kind: 'found',
    targets: [{ address: '192.0.2.1' }, { address: '2001:db8::1' }],
  });
  await dns.stop();
});
