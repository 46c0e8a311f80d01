/** Readiness and metrics of a server whose parts are as the test says. */

import { expect, test } from '@jest/globals';
import { ManualClock } from '../../src/base/index.ts';
import { createMonitor, type MonitorNeeds } from '../../src/main/monitor.ts';

const clock = new ManualClock();
const running = {
  name: 'SMTPD',
  policy: { autoStart: true, autoRestart: true, autoStop: true, waitTime: 0 },
  state: 'running',
} as unknown as ReturnType<MonitorNeeds['responder']['status']>[number];

const needs = (changed: Partial<MonitorNeeds> = {}): MonitorNeeds => ({
  responder: { status: () => [running] },
  queue: { summary: async () => [], async *list() {} },
  databaseProblems: () => [],
  external: undefined,
  certificate: { context: { value: {} } },
  freeSpace: async () => 1_000_000_000,
  minFree: () => 50_000_000,
  directoryFolder: undefined,
  clock,
  startedAt: clock.now(),
  ...changed,
});

async function state(changed: Partial<MonitorNeeds>): Promise<unknown[]> {
  const monitor = createMonitor(needs(changed));
  try {
    const text = await monitor.metrics();
    const value = (name: string): string | undefined => new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
    return [(await monitor.failing()).map(({ name }) => name), value('mailtree_ready'), value('mailtree_databases_writable')];
  } finally {
    monitor.close();
  }
}

test('a server with everything in order is ready', async () => {
  expect(await state({})).toEqual([[], '1', '1']);
});

test('a database that cannot be written makes it not ready, and says what to do', async () => {
  const databaseProblems = () => ['the database mail cannot be written: no space left'];
  expect(await state({ databaseProblems })).toEqual([['database'], '0', '0']);
  const monitor = createMonitor(needs({ databaseProblems }));
  expect(await monitor.failing()).toEqual([{ name: 'database', why: 'the database mail cannot be written: no space left' }]);
  monitor.close();
});

test('so do a component that does not run, a disk that is nearly full, and one that cannot be asked', async () => {
  expect(await state({ responder: { status: () => [{ ...running, state: 'failed' }] } })).toEqual([['SMTPD'], '0', '1']);
  const unwanted = { ...running, state: 'stopped', policy: { ...running.policy, autoStart: false } } as typeof running;
  expect(await state({ responder: { status: () => [unwanted] } })).toEqual([[], '1', '1']);
  expect(await state({ certificate: { context: { value: undefined } } })).toEqual([['certificate'], '0', '1']);
  expect(await state({ freeSpace: async () => 1_000_000 })).toEqual([['disk'], '0', '1']);
  expect(await state({ freeSpace: () => Promise.reject(new Error('gone')) })).toEqual([['disk'], '0', '1']);
});
