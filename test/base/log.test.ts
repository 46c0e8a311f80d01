import { expect, test } from '@jest/globals';
import {
  accessList,
  counter,
  createLog,
  jsonLine,
  LiveValue,
  type LogLevel,
  type LogRecord,
  metricsText,
  sampleText,
  textLine,
} from '../../src/base/index.ts';

function recorded(level: LogLevel = 'diagnostic') {
  const records: LogRecord[] = [];
  const live = new LiveValue(level);
  const at = new Date(2000, 11, 27, 13, 51, 47).getTime();
  const log = createLog(
    'PreProcessor',
    live,
    (record) => records.push(record),
    () => at,
  );
  const jsonLines = (): string[] => records.map(jsonLine);
  return { log, live, lines: () => records.map(textLine), jsonLines, json: () => jsonLines().map((one) => JSON.parse(one) as object) };
}

test('lines have the form of the manual; message lines have no tag', () => {
  const { log, lines } = recorded();
  log.error('a');
  log.warning('b');
  log.message('c');
  log.smtp('d');
  log.info('Application "QUOTA" installed');
  log.diagnostic('f');
  expect(lines()).toEqual([
    'Wed Dec 27 13:51:47 PreProcessor: [Error] a',
    'Wed Dec 27 13:51:47 PreProcessor: [Warning] b',
    'Wed Dec 27 13:51:47 PreProcessor: c',
    'Wed Dec 27 13:51:47 PreProcessor: [SMTP] d',
    'Wed Dec 27 13:51:47 PreProcessor: [Informational] Application "QUOTA" installed',
    'Wed Dec 27 13:51:47 PreProcessor: [Diagnosis] f',
  ]);
});

test('a level has those above it, and may change while it is in use', () => {
  const { log, live, lines } = recorded('message');
  const all = (): void => {
    log.error('error');
    log.message('message');
    log.smtp('smtp');
  };
  all();
  live.set('error');
  all();
  live.set('smtp');
  all();
  expect(lines().map((line) => line.split(' ').at(-1))).toEqual(['error', 'message', 'error', 'error', 'message', 'smtp']);
});

test('nothing makes a second line, moves the cursor of a terminal or turns text around', () => {
  const { log, lines, json, jsonLines } = recorded();
  const hostile = 'a\r\nWed Dec 27 13:51:47 SMTPD: Delivered\u2028\u0085\u001b[2J\u009b2J\u202e\u2066\u0000';
  log.message(hostile, () => ({ sender: hostile }));
  log.error('b', new Error(hostile));
  for (const line of [...lines(), ...jsonLines()])
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
  expect(lines()[0]).toContain('a\\r\\nWed Dec 27 13:51:47 SMTPD: Delivered\\u2028\\x85\\x1b[2J\\x9b2J\\u202e\\u2066\\x00');
  expect(json()[0]).toMatchObject({ component: 'PreProcessor', level: 'message', sender: hostile });
});

test('a counter has as many series as strangers may make, and no more', () => {
  const total = counter('mailtree_test_total', 'Of a test\nwith two lines.', ['what']);
  for (let n = 0; n < 2_000; n += 1) total.count(`value ${n}`);
  total.add(5, 'quote " backslash \\ line\n');
  const lines = metricsText()
    .split('\n')
    .filter((line) => line.includes('mailtree_test_total'));
  expect(lines.slice(0, 3)).toEqual([
    '# HELP mailtree_test_total Of a test\\nwith two lines.',
    '# TYPE mailtree_test_total counter',
    'mailtree_test_total{what="value 0"} 1',
  ]);
  expect(lines.length).toBeLessThan(510);
  expect(lines.at(-1)).toBe('mailtree_test_total{what="other"} 1505');
  expect(() => counter('mailtree_test_total', 'again')).toThrow('two counters');
});

test('labels are escaped and numbers written as Prometheus reads them', () => {
  const values = [{ labels: { a: 'x"\\\n' }, value: Number.NaN }, { value: Number.POSITIVE_INFINITY }];
  expect(sampleText({ name: 'n', help: 'h', type: 'gauge', values })).toBe('# HELP n h\n# TYPE n gauge\nn{a="x\\"\\\\\\n"} NaN\nn +Inf\n');
});

test('this host and what is listed are let in, in any spelling', () => {
  const admits = accessList(['192.0.2.0/24', '2001:db8::/32', '203.0.113.7', '999.1.1.1', '10.0.0.0/99']);
  for (const yes of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '192.0.2.200', '::ffff:192.0.2.1', '2001:db8:1::1', '203.0.113.7'])
    expect([yes, admits(yes)]).toEqual([yes, true]);
  for (const no of ['192.0.3.1', '2001:db9::1', '203.0.113.8', '10.0.0.1', '', 'x', '::ffff:10.0.0.1'])
    expect([no, admits(no)]).toEqual([no, false]);
});
