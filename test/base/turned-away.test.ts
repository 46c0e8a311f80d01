import { expect, test } from '@jest/globals';
import { constant, createLog, ManualClock, textLine } from '../../src/base/index.ts';
import { TurnedAway } from '../../src/base/turned-away.ts';

test('ten thousand connections that are turned away are a line at the beginning and one a minute', () => {
  const lines: string[] = [];
  const clock = new ManualClock();
  const log = createLog(
    'LDAPD',
    constant('message'),
    (record) => lines.push(textLine(record).slice(20)),
    () => clock.now(),
  );
  const crowd = new TurnedAway('DIRECTORY', log, clock);
  for (let n = 0; n < 10_000; n++) crowd.note(n % 3 === 0 ? '10.0.0.1' : `10.1.${n % 256}.${n % 199}`, 250, false);
  clock.advance(60_000);
  clock.advance(60_000);
  crowd.note('10.0.0.1', 100, true);
  crowd.note('10.0.0.1', 100, true);
  crowd.stop();
  expect(lines).toEqual([
    'LDAPD: [Warning] DIRECTORY: all 250 connections are taken; more are turned away, which is told once a minute',
    'LDAPD: [Warning] DIRECTORY: 9999 more connections were turned away, 3333 of them from 10.0.0.1',
    'LDAPD: [Warning] DIRECTORY: 10.0.0.1 has as many connections as an address may; more are turned away, which is told once a minute',
    'LDAPD: [Warning] DIRECTORY: 1 more connections were turned away, 1 of them from 10.0.0.1',
  ]);
});
