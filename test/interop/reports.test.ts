/** Every kind of delivery report that we write, read by Python's email (strictly) and by mailparser. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { constant, ManualClock } from '../../src/base/index.ts';
import type { ReportAction } from '../../src/mail/index.ts';
import { createReporter, type QueuedMessage, type ReportEntry } from '../../src/queue/index.ts';
import { tempDir } from '../support/temp.ts';
import { python } from './support/tool.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
beforeAll(async () => {
  dir = await tempDir();
});
afterAll(() => dir.remove());

const original = Buffer.from('From: ann@x.example\r\nSubject: Größe\r\nMessage-ID: <o@x.example>\r\n\r\nGrüße\r\n');

async function reportOf(message: Partial<QueuedMessage>, entries: readonly ReportEntry[]): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const reporter = createReporter({
    blobs: {
      create: () => ({
        size: 0,
        write: async (piece) => void pieces.push(Buffer.from(piece)),
        commit: async () => ({ id: 'r', size: 0 }),
        abort: async () => {},
      }),
      read: async () => original,
      async *stream() {
        yield original;
      },
    },
    mta: constant({ host: 'mail.x.example', postmaster: 'postmaster@x.example' }),
    clock: new ManualClock(),
    random: () => 0.25,
    newId: () => '01m8a7sf2k5w9xqc',
  });
  const whole: QueuedMessage = {
    id: '01m8a7seywxjb9tb',
    sender: 'ann@x.example',
    blob: { id: 'o', size: original.length },
    prefix: 'Received: by mail.x.example id 01m8a7seywxjb9tb\r\n',
    inputChannel: 'SMTPD',
    origin: { helo: '[192.0.2.7]', user: 'cn=ann' },
    smtputf8: false,
    eightBit: true,
    arrivedAt: 0,
    envelopeId: 'Ü=1',
    ...message,
  };
  expect(await reporter.report(whole, entries)).toBeDefined();
  return Buffer.concat(pieces);
}

const actions: readonly ReportAction[] = ['failed', 'delayed', 'delivered', 'relayed', 'expanded'];
const entry = (action: ReportAction, over: Partial<ReportEntry> = {}): ReportEntry => ({
  address: 'bob@far.example',
  dsn: { notify: ['success', 'failure', 'delay'], originalRecipient: 'rfc822;robert@far.example' },
  action,
  status: action === 'failed' ? '5.1.1' : action === 'delayed' ? '4.4.1' : '2.0.0',
  text: 'what happened: größer',
  lastAttemptAt: 1_000,
  ...(action === 'delayed' ? { willRetryUntil: 90_000_000 } : {}),
  ...(action === 'failed' ? { diagnostic: `550 ${'nein ü '.repeat(100)}`, remoteMta: 'mx.far.example' } : {}),
  ...over,
});

const cases = actions.flatMap((action) =>
  ['ann@x.example', 'änne@x.example'].flatMap((sender) => (['full', 'hdrs'] as const).map((ret) => ({ action, sender, ret }))),
);

test.each(cases)('$action to $sender, RET=$ret', async ({ action, sender, ret }) => {
  const international = sender !== 'ann@x.example';
  const bytes = await reportOf({ sender, ret }, [
    entry(action),
    entry(action, { address: 'jürgen@far.example', dsn: { notify: ['success', 'failure', 'delay'] } }),
  ]);
  const file = join(dir.path, 'report.eml');
  writeFileSync(file, bytes);
  const read = await python<Record<string, unknown> & { recipients: Record<string, string>[]; text: string; original: string }>(
    'read_report.py',
    [file],
  );
  const whole = action === 'failed' && ret === 'full';
  expect(read).toMatchObject({
    type: 'multipart/report',
    reportType: international ? 'global-delivery-status' : 'delivery-status',
    statusType: international ? 'message/global-delivery-status' : 'message/delivery-status',
    originalType: whole ? 'message/rfc822' : international ? 'message/global-headers' : 'text/rfc822-headers',
    defects: [],
    message: { 'Reporting-MTA': 'dns; mail.x.example', 'Original-Envelope-Id': 'Ü=1', 'Received-From-MTA': 'dns; [192.0.2.7]' },
  });
  const [bob, jurgen] = read.recipients;
  expect(read.recipients).toHaveLength(2);
  expect(bob).toMatchObject({
    'Original-Recipient': 'rfc822;robert@far.example',
    'Final-Recipient': 'rfc822; bob@far.example',
    Action: action,
  });
  expect(jurgen?.['Final-Recipient']).toBe(international ? 'utf-8; jürgen@far.example' : 'utf-8; j\\x{FC}rgen@far.example');
  expect(bob?.['Last-Attempt-Date']).toBe('Thu, 1 Jan 1970 00:00:01 +0000');
  expect(bob?.['Will-Retry-Until'] !== undefined).toBe(action === 'delayed');
  expect(read.text).toContain('what happened: größer');
  expect(read.text).toContain('(you wrote to robert@far.example)');
  expect(read.original).toContain('Message-ID: <o@x.example>');
  if (!international && !whole) expect(bytes.toString('latin1')).toMatch(/^[\x00-\x7f]*$/);
  expect(
    Math.max(
      ...bytes
        .toString('latin1')
        .split('\r\n')
        .map(({ length }) => length),
    ),
  ).toBeLessThanOrEqual(998);
  const mail = await simpleParser(bytes, { keepDeliveryStatus: true });
  expect(mail.text).toContain('what happened: größer');
  expect(mail.attachments.map(({ contentType }) => contentType)).toContain(
    international ? 'message/global-delivery-status' : 'message/delivery-status',
  );
});
