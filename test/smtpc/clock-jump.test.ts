/** A clock that is put forward or back makes no mail expire, and nothing wait for ever. */

import { expect, test } from '@jest/globals';
import { ManualClock, silentLog } from '../../src/base/index.ts';
import { ClockWatch } from '../../src/queue/index.ts';
import { startWorld } from './helpers.ts';

const minute = 60_000;
const day = 1_440 * minute;

function jumping() {
  const clock = new ManualClock();
  const state = { off: 0 };
  const moved: number[] = [];
  const warned: string[] = [];
  const watch = new ClockWatch(
    { now: () => clock.now() + state.off, after: (ms, run) => clock.after(ms, run) },
    { ...silentLog, warning: (line) => warned.push(line) },
    (by) => moved.push(by),
  );
  watch.start();
  return { clock, state, moved, warned, watch };
}

test('time that only the clock says has passed is credited to what came before', () => {
  const { clock, state, moved, warned, watch } = jumping();
  const before = clock.now();
  clock.advance(10 * minute);
  expect([watch.credit(before), moved]).toEqual([0, []]);
  state.off = 3 * day;
  clock.advance(minute);
  expect(moved).toEqual([3 * day]);
  expect(warned).toEqual(['the clock went forward by 4320 minutes; no mail is given up for that']);
  expect(watch.credit(before)).toBe(3 * day);
  expect(watch.credit(clock.now() + state.off)).toBe(0);
  clock.advance(10 * minute);
  expect(moved).toHaveLength(1);
});

test('a clock put back is told, and nothing is credited', () => {
  const { clock, state, moved, watch } = jumping();
  state.off = -day;
  clock.advance(minute);
  expect([moved, watch.credit(clock.now() - day)]).toEqual([[-day], 0]);
});

test('whoever asks in the minute of a jump gets the credit, and the jump counts once', () => {
  const { clock, state, moved, watch } = jumping();
  const before = clock.now();
  clock.advance(30_000);
  state.off = 3 * day;
  expect(watch.credit(before)).toBeGreaterThan(3 * day - minute);
  clock.advance(10 * minute);
  expect(moved).toHaveLength(1);
});

test.each([
  ['forward', day],
  ['back', -day],
])('put %s by a day while mail waits for a dead host: nothing is given up, no storm, and all goes when the host is back', async (_, by) => {
  let down = true;
  const all = await startWorld({ reply: (verb) => (verb === 'connect' && down ? '421 4.3.2 no' : undefined) });
  try {
    const dest = 'dest.example';
    all.peers[dest] = { retryPeriod: 6 };
    for (let n = 0; n < 20; n += 1) await all.queued([`u${n}@${dest}`]);
    await all.until(20, /^Deferred/);
    const before = all.sink.connections;
    all.clock.advance(30_000);
    all.clock.off = by;
    const pass = async (minutes: number): Promise<void> => {
      for (let n = 0; n < minutes; n += 1) {
        all.clock.advance(minute);
        await all.calm();
      }
    };
    await pass(90);
    // As without a jump, and one more for those that the jump has made due.
    expect(all.sink.connections - before).toBeLessThanOrEqual(6);
    expect(all.sink.connections - before).toBeGreaterThanOrEqual(1);
    down = false;
    await pass(75);
    await all.until(20, /^Sent/);
    expect(all.logged.filter((line) => /^(Bounced|Rejected)/.test(line))).toEqual([]);
    expect(await all.notices()).toEqual([]);
  } finally {
    await all.stop();
  }
});

test('a busy machine is no jump', () => {
  const { clock, state, moved } = jumping();
  state.off = 4 * minute;
  clock.advance(minute);
  expect(moved).toEqual([]);
});
