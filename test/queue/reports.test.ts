import { expect, test } from '@jest/globals';
import { constant, ManualClock } from '../../src/base/index.ts';
import { createReporter, type ReportEntry, wanted } from '../../src/queue/index.ts';
import { newMessage } from '../support/queue.ts';

let bytes = Buffer.from('Subject: Größe\r\nFrom: <a@b.example>\r\n\r\nbody\r\n');
let damaged = false;
let copyBounces = false;
const stored: Buffer[] = [];
const reporter = createReporter({
  blobs: {
    create() {
      const chunks: Buffer[] = [];
      return {
        size: 0,
        async write(chunk) {
          chunks.push(Buffer.from(chunk));
        },
        async commit() {
          const all = Buffer.concat(chunks);
          stored.push(all);
          return { id: `${stored.length}`, size: all.length };
        },
        async abort() {},
      };
    },
    async read(_id, start, end) {
      if (damaged) throw new Error('damaged');
      return bytes.subarray(start, end);
    },
    async *stream() {
      if (damaged) throw new Error('damaged');
      for (let at = 0; at < bytes.length; at += 10) yield bytes.subarray(at, at + 10);
    },
  },
  copyBounces: () => copyBounces,
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

test('a report to a UTF-8 address says UTF-8 addresses as they are, as RFC 6533 has it', async () => {
  const report = await reporter.report(newMessage('m000000000000001', ['x@far.net'], { sender: 'märz@b.example' }), [
    failed({ address: 'jürgen@far.net' }),
  ]);
  expect(report).toMatchObject({ smtputf8: true, eightBit: true });
  const text = stored.at(-1)?.toString() ?? '';
  expect(text).toContain('report-type=global-delivery-status');
  expect(text).toContain('Content-Type: message/global-delivery-status\r\n');
  expect(text).toContain('Final-Recipient: utf-8; jürgen@far.net\r\n');
  expect(text).toContain('Content-Type: message/global-headers\r\n');
});

test('a report to an ASCII address is 7-bit, whatever the recipients and remote hosts are called', async () => {
  const report = await reporter.report(
    newMessage('m000000000000001', ['x@far.net'], { sender: 'a@b.example', envelopeId: 'Brief über=1' }),
    [
      failed({
        address: 'jürgen+x@far.net',
        diagnostic: `550 niemand heißt so ${'ü'.repeat(800)}`,
        text: 'Empfänger unbekannt',
        dsn: { originalRecipient: 'utf-8;jörg@far.net' },
      }),
    ],
  );
  expect(report).toMatchObject({ smtputf8: false, eightBit: false });
  const text = stored.at(-1)?.toString() ?? '';
  expect(text).toMatch(/^[\x00-\x7f]*$/);
  expect(text).toContain('Content-Type: message/delivery-status\r\n');
  expect(text).toContain('Final-Recipient: utf-8; j\\x{FC}rgen\\x{2B}x@far.net\r\n');
  expect(text).toContain('Original-Recipient: utf-8; j\\x{F6}rg@far.net\r\n');
  expect(text).toContain('Empf=C3=A4nger unbekannt (5.1.1)');
  expect(text).toContain('Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n');
  expect(text).toContain('Subject: Gr=C3=B6=C3=9Fe\r\n');
  expect(Math.max(...text.split('\r\n').map((one) => one.length))).toBeLessThanOrEqual(998);
});

test('a message asked back is returned whole, however large, up to ten megabytes; a larger one by its header', async () => {
  const before = bytes;
  bytes = Buffer.from(`Subject: big\r\n\r\nbe\0gin\n${'x'.repeat(200_000)}\r\nend\r\n`);
  const asked = newMessage('m000000000000001', ['x@far.net'], {
    sender: 'a@b.example',
    ret: 'full',
    smtputf8: false,
    eightBit: false,
    blob: { id: 'b', size: bytes.length },
  });
  await reporter.report(asked, [failed()]);
  expect(stored.at(-1)?.toString()).toMatch(/message\/rfc822\r\n\r\n[\s\S]*Subject: big\r\n\r\nbegin\r\nx+\r\nend\r\n\r\n--=_/);
  await reporter.report({ ...asked, blob: { id: 'b', size: 10_485_761 } }, [failed()]);
  expect(stored.at(-1)?.toString()).toMatch(/too large to be returned[\s\S]*text\/rfc822-headers\r\n[\s\S]*Subject: big/);
  expect(stored.at(-1)?.toString()).not.toContain('xxxxx');
  await reporter.report(asked, [failed(), failed({ action: 'delayed' })]);
  expect(stored.at(-1)?.toString()).toContain('text/rfc822-headers');
  bytes = before;
});

test('a message whose bytes cannot be read any more is reported all the same', async () => {
  damaged = true;
  for (const ret of ['full', 'hdrs'] as const) {
    const message = newMessage('m000000000000001', ['x@far.net'], { sender: 'a@b.example', ret });
    expect(await reporter.report(message, [failed()])).toMatchObject({ recipients: [{ address: 'a@b.example' }] });
    expect(stored.at(-1)?.toString()).toMatch(/<x@far\.net>[\s\S]*cannot be read any more/);
  }
  damaged = false;
});

test('a bounce without a sender goes to the postmaster where that is wanted, and what fails on its way there goes nowhere', async () => {
  const message = newMessage('m000000000000001', ['x@far.net'], { sender: '' });
  copyBounces = true;
  const copy = await reporter.report(message, [failed(), failed({ action: 'delayed', address: 'late@far.net' })]);
  expect(copy).toMatchObject({ sender: '', recipients: [{ address: 'postmaster@ima.com' }] });
  expect(stored.at(-1)?.toString()).not.toContain('late@far.net');
  const { recipients: _, ...sent } = copy ?? newMessage('m', []);
  expect(await reporter.report(sent, [failed({ address: 'elsewhere@far.net' })])).toBeUndefined();
  expect(await reporter.report(message, [failed({ address: 'Postmaster@ima.com' })])).toBeUndefined();
  copyBounces = false;
});

test('a note is 7-bit whatever it says', async () => {
  expect(await reporter.note('a@b.example', 'Größe', 'Grüße\nline\r\nend')).toMatchObject({ eightBit: false, smtputf8: false });
  const text = stored.at(-1)?.toString() ?? '';
  expect(text).toMatch(/^[\x00-\x7f]*$/);
  expect(text).toContain('quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\nline\r\nend\r\n');
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
