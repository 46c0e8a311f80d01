import { expect, test } from '@jest/globals';
import { constant, ManualClock } from '../../src/base/index.ts';
import { createReporter, type ReportEntry, wanted } from '../../src/queue/index.ts';
import { newMessage } from '../support/queue.ts';

const bytes = Buffer.from('Subject: Größe\r\nFrom: <a@b.example>\r\n\r\nbody\r\n');
const stored: Buffer[] = [];
const reporter = createReporter({
  blobs: {
    async put(given) {
      stored.push(Buffer.from(given));
      return { id: `${stored.length}`, size: given.length };
    },
    read: async (_id, start, end) => bytes.subarray(start, end),
  },
  mta: constant({ host: 'mail.ima.com', postmaster: 'postmaster@ima.com' }),
  clock: new ManualClock(),
  random: () => 0.5,
  newId: () => 'id0000000000000a',
});

const failed = (over: Partial<ReportEntry> = {}): ReportEntry => ({
  address: 'x@far.net',
  action: 'failed',
  status: '5.1.1',
  text: 'no such user',
  ...over,
});

test.each<[ReportEntry['action'], readonly ('never' | 'success' | 'failure' | 'delay')[] | undefined, boolean]>([
  ['failed', undefined, true],
  ['delayed', undefined, true],
  ['delivered', undefined, false],
  ['relayed', undefined, false],
  ['expanded', undefined, false],
  ['failed', ['never'], false],
  ['delayed', ['never'], false],
  ['delivered', ['never'], false],
  ['failed', ['failure'], true],
  ['delayed', ['failure'], false],
  ['delivered', ['failure'], false],
  ['failed', ['delay'], false],
  ['delayed', ['delay'], true],
  ['delivered', ['success'], true],
  ['relayed', ['success'], true],
  ['expanded', ['success', 'failure'], true],
  ['failed', ['success'], false],
])('a report of %s with NOTIFY %j: %s', (action, notify, told) => {
  expect(wanted({ action, ...(notify ? { dsn: { notify } } : {}) })).toBe(told);
});

test('a report has the null sender, wants no report itself, and ends every part', async () => {
  const report = await reporter.report(newMessage('m000000000000001', ['x@far.net'], { sender: 'a@b.example', smtputf8: false }), [
    failed({ diagnostic: '550 nein\r\n--evil', remoteMta: 'mx.far.net', willRetryUntil: 0 }),
  ]);
  expect(report).toMatchObject({
    sender: '',
    recipients: [{ address: 'a@b.example', dsn: { notify: ['never'] } }],
    inputChannel: 'LOCALOUT',
  });
  const text = stored.at(-1)?.toString() ?? '';
  const boundary = /boundary="([^"]+)"/.exec(text)?.[1] ?? '';
  expect(text.split(`\r\n--${boundary}\r\n`)).toHaveLength(4);
  expect(text.endsWith(`\r\n--${boundary}--\r\n`)).toBe(true);
  expect(text).toContain('Content-Type: message/delivery-status\r\n');
  expect(text).toContain('Diagnostic-Code: smtp; 550 nein --evil\r\nWill-Retry-Until: Thu, 1 Jan 1970 00:00:00 +0000\r\n');
  expect(text).toContain('Auto-Submitted: auto-replied\r\n');
  expect(text).toContain('Content-Type: text/rfc822-headers\r\n');
  expect(text).not.toContain('body');
});

test('international addresses are reported as RFC 6533 says', async () => {
  const report = await reporter.report(newMessage('m000000000000001', ['x@far.net']), [failed({ address: 'jürgen@far.net' })]);
  expect(report?.smtputf8).toBe(true);
  const text = stored.at(-1)?.toString() ?? '';
  expect(text).toContain('report-type=global-delivery-status');
  expect(text).toContain('Content-Type: message/global-delivery-status\r\n');
  expect(text).toContain('Final-Recipient: utf-8; jürgen@far.net\r\n');
  expect(text).toContain('Content-Type: message/global-headers\r\n');
});

test('nobody is told where the sender is null', async () => {
  expect(await reporter.report(newMessage('m000000000000001', ['x@far.net'], { sender: '' }), [failed()])).toBeUndefined();
});

test('a report about thousands of recipients stays bounded', async () => {
  const many = Array.from({ length: 20_000 }, (_, n) => failed({ address: `u${n}@far.net`, text: 'x'.repeat(5000) }));
  await reporter.report(newMessage('m000000000000001', ['x@far.net']), many);
  expect(stored.at(-1)?.length).toBeLessThan(1_500_000);
  expect(stored.at(-1)?.toString()).toContain('and 19500 more');
});
