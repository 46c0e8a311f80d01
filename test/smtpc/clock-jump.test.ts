/** A clock that is put forward or back makes no mail expire, and nothing wait for ever. */

import { expect, test } from '@jest/globals';
import { ManualClock, silentLog } from '../../src/base/index.ts';
import { ClockWatch } from '../../src/smtpc/clock-watch.ts';

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

test('a busy machine is no jump', () => {
  const { clock, state, moved } = jumping();
  state.off = 4 * minute;
  clock.advance(minute);
  expect(moved).toEqual([]);
});
