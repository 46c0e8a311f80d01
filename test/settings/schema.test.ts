import { expect, test } from '@jest/globals';
import {
  type Declared,
  declareClass,
  declaredNames,
  declareSettings,
  integer,
  parseNumbers,
  schemaText,
  withNumbersFor,
} from '../../src/settings/index.ts';

const size = (help: string, max = 9) => integer({ attribute: 'mtTestSize', label: "Somebody's size", help, default: 1, min: 0, max });
const declare = (...max: number[]): Declared => ({
  classes: [declareClass({ name: 'mtThing', kind: 'auxiliary', may: ['mail'], title: 'Thing', help: 'A thing.' })],
  settings: max.map((m, n) =>
    declareSettings({
      objectClass: 'mtTest',
      entry: `cn=test${n}`,
      title: 'Test',
      help: 'A test.',
      settings: { size: size("It's a size.", m) },
    }),
  ),
});

test('numbers are only ever added at the end', () => {
  const before = '# kept\nattribute\t7\tmtOld\nclass\t3\tmtOther\n';
  const after = withNumbersFor(before, declaredNames(declare(9)));
  expect(after).toBe(`${before}attribute\t8\tmtTestSize\nclass\t4\tmtThing\nclass\t5\tmtTest\n`);
  expect(withNumbersFor(after, declaredNames(declare(9)))).toBe(after);
});

test.each([
  ['attribute\t1\ta\nattribute\t1\tb\n'],
  ['attribute\t1\ta\nattribute\t2\ta\n'],
  ['thing\t1\ta\n'],
  ['attribute\t0\ta\n'],
  ['attribute 1 a\n'],
])('the number file %j is refused', (text) => {
  expect(() => parseNumbers(text)).toThrow(/numbers\.tsv:\d/);
});

test('a name without a number is refused, not numbered in passing', () => {
  expect(() => schemaText(declare(9), parseNumbers(''))).toThrow(/has no number/);
});

test('an attribute declared in two places must be declared alike', () => {
  const numbers = parseNumbers(withNumbersFor('', declaredNames(declare(9))));
  expect(schemaText(declare(9, 9), numbers)).toContain("NAME 'mtTestSize'");
  expect(() => schemaText(declare(9, 10), numbers)).toThrow(/mtTestSize is declared twice/);
});

test('quotes and ranges survive the way into the schema', () => {
  const text = schemaText(declare(9), parseNumbers(withNumbersFor('', declaredNames(declare(9)))));
  expect(text).toContain("DESC 'It\\27s a size.'");
  expect(text).toContain("X-MT-RANGE '0-9'");
  expect(text).toMatch(
    /objectclass \( mtClasses:\d+\n {2}NAME 'mtTest'\n {2}DESC 'A test\.'\n {2}SUP top STRUCTURAL\n {2}MUST \( cn \)\n {2}MAY \( description \$ mtTestSize \)/,
  );
});
