import { expect, test } from '@jest/globals';
import { ManualClock, silentLog } from '../../src/base/index.ts';
import { AsideNotice } from '../../src/preprocessor/aside-notice.ts';
import type { NewlyAside, NewMessage } from '../../src/queue/index.ts';
import { newMessage } from '../support/queue.ts';

const entry = (n: number): NewlyAside => ({ id: `abcd${n}`, slip: '0', queue: 'SMTPC', recipients: 2, problem: 'Unexpected end' });

function setUp() {
  const clock = new ManualClock();
  const notes: string[] = [];
  const submitted: NewMessage[] = [];
  const state = { wanted: true, broken: false };
  let hear: (one: NewlyAside) => void = () => {};
  const notice = new AsideNotice({
    queue: {
      onAside(listener) {
        hear = listener;
        return () => {
          hear = () => {};
        };
      },
      async submit(message) {
        submitted.push(message);
      },
    },
    reporter: {
      async note(to, subject, text) {
        if (state.broken) throw new Error('disk full');
        notes.push(`${to}\n${subject}\n${text}`);
        return newMessage('note', [to]);
      },
    },
    postmaster: () => 'postmaster@ima.com',
    wanted: () => state.wanted,
    clock,
    log: silentLog,
  });
  notice.start();
  const settled = async (): Promise<void> => {
    for (let n = 0; n < 10; n++) await Promise.resolve();
  };
  return { clock, notes, submitted, state, notice, hear: (n: number) => hear(entry(n)), settled };
}

test('the first is told at once, what follows within ten minutes together', async () => {
  const one = setUp();
  one.hear(1);
  await one.settled();
  expect(one.notes).toHaveLength(1);
  expect(one.notes[0]).toContain('  abcd1 0 in SMTPC, 2 recipients: Unexpected end');
  for (let n = 2; n < 300; n++) one.hear(n);
  await one.settled();
  expect(one.submitted).toHaveLength(1);
  one.clock.advance(600_000);
  await one.settled();
  expect(one.notes).toHaveLength(2);
  expect(one.notes[1]).toContain('298 entries');
  expect(one.notes[1]).toContain('  and 198 more');
  one.clock.advance(600_000);
  one.clock.advance(600_000);
  await one.settled();
  expect(one.notes).toHaveLength(2);
});

test('by setting nobody is told; what was not told yet is told when the preprocessor stops', async () => {
  const one = setUp();
  one.state.wanted = false;
  one.hear(1);
  one.state.wanted = true;
  one.hear(2);
  await one.settled();
  one.hear(3);
  await one.settled();
  expect(one.notes.join()).not.toContain('abcd1');
  await one.notice.stop();
  expect(one.notes).toHaveLength(2);
  one.hear(4);
  expect(one.notes).toHaveLength(2);
});

test('a note that cannot be written stops nothing', async () => {
  const one = setUp();
  one.state.broken = true;
  one.hear(1);
  await one.settled();
  one.state.broken = false;
  one.hear(2);
  await one.notice.stop();
  expect(one.notes).toHaveLength(1);
});
