import { expect, test } from '@jest/globals';
import { boolean, choice, declareSettings, defaultsOf, integer, list, readSettings, text } from '../../src/settings/index.ts';

const help = 'A setting made for a test.';
const declaration = declareSettings({
  objectClass: 'mtTest',
  entry: 'cn=test',
  title: 'Test',
  help,
  settings: {
    size: integer({ attribute: 'mtTestSize', label: 'Size', help, default: 10, min: 1, max: 100 }),
    on: boolean({ attribute: 'mtTestOn', label: 'On', help, default: true }),
    way: choice({ attribute: 'mtTestWay', label: 'Way', help, choices: ['there', 'Back'], default: 'there' }),
    name: text({
      attribute: 'mtTestName',
      label: 'Name',
      help,
      default: 'ä',
      pattern: /[a-zä]+/,
      patternHelp: 'lower-case letters',
      max: 5,
    }),
    key: text({ attribute: 'mtTestKey', label: 'Key', help, default: '', pattern: /[0-9]*/, secret: true }),
    hosts: list({ attribute: 'mtTestHosts', label: 'Hosts', help, default: ['a'], pattern: /[a-z]/, valid: (value) => value !== 'z' }),
  },
});

const read = (values: Record<string, string[]>) => readSettings(declaration, (attribute) => values[attribute] ?? []);

test.each([
  ['mtTestSize', ['0'], 'size'],
  ['mtTestSize', ['101'], 'size'],
  ['mtTestSize', ['10.5'], 'size'],
  ['mtTestSize', ['9'.repeat(400)], 'size'],
  ['mtTestSize', [''], 'size'],
  ['mtTestOn', ['yes'], 'on'],
  ['mtTestWay', ['nowhere'], 'way'],
  ['mtTestName', ['UPPER'], 'name'],
  ['mtTestName', ['abc\nd'], 'name'],
  ['mtTestName', ['abcdef'], 'name'],
  ['mtTestHosts', ['bb'], 'hosts'],
] as const)('%s = %j is reported and the default stands in', (attribute, values, name) => {
  const { value, problems } = read({ [attribute]: [...values] });
  expect(value[name]).toEqual(defaultsOf(declaration)[name]);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(attribute);
});

test('a bad value of a list is reported and goes; the others stay', () => {
  const { value, problems } = read({ mtTestHosts: ['b', 'cc', 'z', 'c'] });
  expect(value.hosts).toEqual(['b', 'c']);
  expect(problems).toEqual([expect.stringContaining('mtTestHosts: "cc"'), expect.stringContaining('mtTestHosts: "z"')]);
});

test('a secret that breaks its rule is not repeated in the report', () => {
  expect(read({ mtTestKey: ['hunter2'] }).problems[0]).not.toContain('hunter2');
});

test('an entry without attributes gives the defaults and no complaint', () => {
  expect(read({})).toEqual({ value: { size: 10, on: true, way: 'there', name: 'ä', key: '', hosts: ['a'] }, problems: [] });
});

test('values are read by their type, choices without regard to case', () => {
  const { value, problems } = read({
    mtTestSize: ['7'],
    mtTestOn: ['false'],
    mtTestWay: ['BACK'],
    mtTestName: ['süd'],
    mtTestHosts: ['x', 'y'],
  });
  expect(problems).toEqual(['mtTestName: "süd" lower-case letters']);
  expect(value).toMatchObject({ size: 7, on: false, way: 'Back', hosts: ['x', 'y'] });
});
