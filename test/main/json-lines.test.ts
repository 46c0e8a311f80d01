/** Long answers of the control socket: a line at a time, no more of them than are read, ended with whoever asked. */

import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { Fault } from '../../src/base/index.ts';
import { jsonLines, type Telling } from '../../src/main/directory-jobs.ts';

const many = 20_000;

/** A job with much to say, and how far it has come. */
function talker() {
  const state = { told: 0, thrown: undefined as unknown };
  const work = async ({ tell, ready }: Telling<number>): Promise<void> => {
    try {
      for (; state.told < many; state.told++) {
        await ready();
        tell(state.told);
      }
    } catch (thrown) {
      state.thrown = thrown;
      throw thrown;
    }
  };
  return { state, stream: jsonLines(work) };
}

async function rest(): Promise<void> {
  for (let n = 0; n < 20; n++) await turn();
}

test('a job waits for whoever reads, and loses nothing by it', async () => {
  const { state, stream } = talker();
  await rest();
  expect(state.told).toBeLessThan(2_000);
  let text = '';
  for await (const chunk of stream) text += Buffer.from(chunk).toString();
  expect(text.trimEnd().split('\n').map(Number)).toEqual(Array.from({ length: many }, (_, n) => n));
});

test('a job ends when whoever asked goes away, be it while it waits', async () => {
  const { state, stream } = talker();
  await rest();
  await stream.cancel();
  await rest();
  expect(state.thrown).toMatchObject({ kind: 'unavailable' });
});

test('what goes wrong is the last line', async () => {
  const stream = jsonLines<number>(async ({ tell }) => {
    tell(1);
    throw new Fault('busy', 'no time');
  });
  let text = '';
  for await (const chunk of stream) text += Buffer.from(chunk).toString();
  expect(text).toBe('1\n{"error":"no time","kind":"busy"}\n');
});
