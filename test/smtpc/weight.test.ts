import { expect, test } from '@jest/globals';
import { defaultsOf } from '../../src/settings/index.ts';
import { type SmtpcSettings, smtpcSettings, weigher, weightOf, weightRule } from '../../src/smtpc/index.ts';

const manual = { sizeBoundaries: '10, 1000, 10000', sizeWeights: '0, 2, 4, 10', timeBoundaries: '1, 6, 12', timeWeights: '1, 4, 6, 20' };
const settings = (over: Partial<SmtpcSettings>): SmtpcSettings => ({ ...defaultsOf(smtpcSettings), ...over });
const rule = (over: Partial<SmtpcSettings>) => weightRule(settings(over)).rule;
const KB = 1_024;
const hour = 3_600_000;
const now = Date.UTC(2030, 0, 1);

test.each([
  [0, 0],
  [10 * KB - 1, 0],
  [10 * KB, 2],
  [10 * KB + 1, 2],
  [1_000 * KB - 1, 2],
  [1_000 * KB, 4],
  [10_000 * KB - 1, 4],
  [10_000 * KB, 4],
  [10_000 * KB + 1, 10],
  [2 ** 40, 10],
])('%d octets weigh %d by the boundaries of the manual', (size, weight) => {
  expect(weightOf({ precedence: 0, size }, rule({ ...manual, sizeMultiplier: 1 }), now)).toBe(weight);
  expect(weightOf({ precedence: 2, size }, rule({ ...manual, sizeMultiplier: 3 }), now)).toBe(3 * weight);
});

test.each([
  [undefined, 0],
  [0, -1],
  [hour - 1, -1],
  [hour, -4],
  [6 * hour - 1, -4],
  [6 * hour, -6],
  [12 * hour, -6],
  [12 * hour + 1, -20],
  [-5 * hour, -1],
])('%d milliseconds of deferred time weigh %d', (deferred, weight) => {
  const deferredSince = deferred === undefined ? undefined : now - deferred;
  expect(weightOf({ precedence: 0, size: 0, deferredSince }, rule({ ...manual, timeMultiplier: 1 }), now)).toBe(weight);
});

test.each([
  [-2, 0, 0, 0, 0],
  [-2, 1, 0, 0, -2],
  [2, 5, 0, 0, 10],
  [2, 5, 1, 0, 14],
  [2, 5, 1, 1, 8],
  [2, 5, 1, -1, 20],
  [-1, 100, 2, 1, -98],
])('precedence %d, Mp %d, Ms %d, Md %d: %d', (precedence, precedenceMultiplier, sizeMultiplier, timeMultiplier, weight) => {
  const message = { precedence, size: 2_000 * KB, deferredSince: now - 7 * hour };
  const all = settings({ ...manual, precedenceMultiplier, sizeMultiplier, timeMultiplier });
  expect(weightOf(message, weightRule(all).rule, now)).toBe(weight);
  expect(weigher(all, now)(message)).toBe(weight);
});

test('by default nothing weighs anything', () => {
  expect(Object.is(weightOf({ precedence: -2, size: 2 ** 30, deferredSince: 0 }, rule({}), now), 0)).toBe(true);
});

test.each([
  ['10', '1, 2', 10 * KB - 1, 1],
  ['10', '1, 2', 10 * KB, 2],
  ['', '7', 5, 7],
  [' 1 ,2 ', ' -3 , 0 , 4', 1_023, -3],
  [' 1 ,2 ', ' -3 , 0 , 4', 2 * KB, 0],
])('boundaries "%s" with weights "%s": %d octets weigh %d', (sizeBoundaries, sizeWeights, size, weight) => {
  expect(weightOf({ precedence: 0, size }, rule({ sizeBoundaries, sizeWeights, sizeMultiplier: 1 }), now)).toBe(weight);
});

test.each([
  [{ sizeBoundaries: '10, 5', sizeWeights: '1, 2, 3' }, 'the size boundaries 10, 5 do not rise'],
  [{ timeBoundaries: '6, 6', timeWeights: '1, 2, 3' }, 'the time boundaries 6, 6 do not rise'],
  [{ sizeBoundaries: '10', sizeWeights: '1' }, '2 weights belong to the size boundaries "10", there are 1'],
  [{ timeBoundaries: '', timeWeights: '1, 2' }, '1 weights belong to the time boundaries "", there are 2'],
])('%j is told and weighs nothing', (over, problem) => {
  const { rule: read, problems } = weightRule(settings({ ...over, sizeMultiplier: 1, timeMultiplier: 1 }));
  expect(problems).toEqual([problem]);
  expect(weightOf({ precedence: 0, size: 20 * KB, deferredSince: now - 9 * hour }, read, now)).toBe(0);
});
