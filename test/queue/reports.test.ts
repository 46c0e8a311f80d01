import { expect, test } from '@jest/globals';
import { constant, ManualClock } from '../../src/base/index.ts';
import { createReporter, createReportLimit, type NewMessage, type ReportEntry, wanted } from '../../src/queue/index.ts';
import { newMessage } from '../support/queue.ts';

let bytes = Buffer.from('Subject: Größe\r\nFrom: <a@b.example>\r\n\r\nbody\r\n');
let damaged = false;
let copyBounces = false;
let words: string | undefined;
let perHour = 0;
const told: string[] = [];
const clock = new ManualClock();
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
  clock,
  texts: async () => words,
  limit: createReportLimit(clock, () => perHour),
  log: { message: (line) => told.push(line), warning: (line) => told.push(line) },
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
  expect(text).toContain(
    'Diagnostic-Code: smtp; 550 nein --evil\r\nFinal-Log-ID: m000000000000001\r\nWill-Retry-Until: Thu, 1 Jan 1970 00:00:00 +0000\r\n',
  );
  expect(text).toContain('Auto-Submitted: auto-replied\r\n');
  expect(text).toContain('Content-Type: text/rfc822-headers\r\n');
  expect(text).not.toContain('body');
});

test.each<[string, Partial<ReportEntry>, RegExp, RegExp]>([
  [
    'an administrator returned it',
    { status: '5.4.4', text: 'The domain has moved', returned: true },
    /The domain has moved \(5\.4\.4\)\s+An administrator of this server returned the message\. Questions: postmaster@ima\.com/,
    /in time|other side|no way/,
  ],
  [
    'a remote host refused it',
    { status: '5.7.1', remoteMta: 'mx.far.net', diagnostic: '550 no' },
    /The other side does not accept/,
    /This server/,
  ],
  ['this server refused it', { status: '5.7.1' }, /This server may not pass the message on\. Please ask your postmaster/, /other side/],
  ['there is no mail server', { status: '5.4.4' }, /There is no way to a mail server of the domain/, /in time/],
  ['it was tried until its time was over', { status: '4.4.1' }, /could not be reached in time/, /no way/],
])('what can be done fits who decided: %s', async (_, over, expected, wrong) => {
  await reporter.report(newMessage('m000000000000001', ['x@far.net'], { sender: 'a@b.example' }), [failed(over)]);
  const text = stored.at(-1)?.toString() ?? '';
  expect(text).toMatch(expected);
  expect(text).not.toMatch(wrong);
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

test('a report says who handed the message in, when it was tried, and belongs to the message for a mail program', async () => {
  const before = bytes;
  bytes = Buffer.from('Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <one@b.example>\r\n\r\nbody\r\n');
  await reporter.report(newMessage('m000000000000001', ['x@far.net'], { sender: 'a@b.example' }), [
    failed({ lastAttemptAt: 1_000, text: '550 no', diagnostic: '550 no', remoteMta: 'mx.far.net' }),
  ]);
  const text = stored.at(-1)?.toString() ?? '';
  expect(text).toContain('In-Reply-To: <one@b.example>\r\nReferences: <one@b.example>\r\n');
  expect(text).toContain('Received-From-MTA: dns; client.example.net\r\nArrival-Date: ');
  expect(text).toContain('Last-Attempt-Date: Thu, 1 Jan 1970 00:00:01 +0000\r\nFinal-Log-ID: m000000000000001\r\n');
  expect(text).toContain('    mx.far.net said: 550 no (5.1.1)\r\n    There is no mailbox of this name.');
  bytes = before;
});

test('a header with lines that are too long is carried in lines that are not', async () => {
  const before = bytes;
  bytes = Buffer.from(`Subject: x\r\nX-Long: ${'y'.repeat(5_000)}\r\n\r\n`);
  const message = newMessage('m000000000000001', ['x@far.net'], { sender: 'a@b.example', blob: { id: 'b', size: bytes.length } });
  await reporter.report(message, [failed()]);
  bytes = before;
  const text = stored.at(-1)?.toString() ?? '';
  expect(Math.max(...text.split('\r\n').map(({ length }) => length))).toBeLessThanOrEqual(998);
  expect(text.replace(/=\r\n/g, '')).toContain('y'.repeat(5_000));
});

test('a Message-ID that is none, or breaks out of its line, makes no reference', async () => {
  const before = bytes;
  bytes = Buffer.from('Subject: x\r\nMessage-ID: <a b@c>\r\n <evil>\r\n\r\n');
  await reporter.report(newMessage('m000000000000001', ['x@far.net'], { sender: 'a@b.example' }), [failed()]);
  expect(stored.at(-1)?.toString()).not.toContain('References:');
  bytes = before;
});

test('an administrator’s words stand in place of ours, filled in, and the details stay', async () => {
  const message = newMessage('m000000000000001', ['x@far.net'], { sender: 'a@b.example' });
  words = 'Hello %{sender}\n"%{subject}" to %{recipients}: %{reason} after %{hours} h, %{unknown} %{id}\r\n--=_id0000000000000a';
  const evil = 'no\r\n.\r\nSubject: evil';
  await reporter.report(message, [failed({ text: evil })]);
  const text = stored.at(-1)?.toString() ?? '';
  const part = text.split('--=_id0000000000000a')[1] ?? '';
  expect(part).toContain(
    'Hello a@b.example\r\n"Gr=C3=B6=C3=9Fe" to x@far.net: no . Subject: evil after 0 h, %{unknown} m0=\r\n00000000000001\r\n',
  );
  expect(part).not.toContain('could not be delivered to:');
  expect(text).toContain('  <x@far.net>\r\n    no . Subject: evil (5.1.1)');
  words = 'Short: %{details}. End.';
  await reporter.report(message, [failed()]);
  expect(stored.at(-1)?.toString()).toMatch(/Short: {3}<x@far\.net>\r\n {4}no such user \(5\.1\.1\)\r\n[\s\S]*spelled\.\. End\.\r\n\r\n--/);
  words = undefined;
});

test.each<[string, Partial<NewMessage>, string]>([
  ['was disowned by its domain', { prefix: 'Authentication-Results: mail.ima.com;\r\n\tspf=pass; dmarc=fail (p=reject)\r\n' }, ''],
  ['failed SPF', { prefix: 'Authentication-Results: mail.ima.com; spf=fail smtp.mailfrom=b.example\r\n' }, ''],
  ['nobody vouched for at the door', { authentication: 'fail' }, ''],
  ['is a machine’s answer', {}, 'Auto-Submitted: auto-replied (vacation)\r\n\r\n'],
  ['is a report with a sender', {}, 'Content-Type: multipart/report;\r\n\treport-type=delivery-status; boundary=x\r\n\r\n'],
])('no report about a message from another host that %s', async (_, over, header) => {
  const before = bytes;
  if (header !== '') bytes = Buffer.from(header);
  const message = newMessage('m000000000000001', ['x@far.net'], { sender: 'a@b.example', origin: { address: '192.0.2.1' }, ...over });
  expect(await reporter.report(message, [failed()])).toBeUndefined();
  // Somebody of ours, who logged in, hears of it.
  expect(await reporter.report({ ...message, origin: { ...message.origin, user: 'cn=a' } }, [failed()])).toBeDefined();
  bytes = before;
});

test('what a stranger claims about authentication in the message itself counts for nothing, nor does SPF where DMARC passed', async () => {
  const before = bytes;
  bytes = Buffer.from('Authentication-Results: mail.ima.com; dmarc=fail\r\n\r\n');
  const prefix = 'Authentication-Results: mail.ima.com; spf=fail; dkim=pass; dmarc=pass\r\n';
  const message = newMessage('m000000000000001', ['x@far.net'], { sender: 'a@b.example', origin: { address: '192.0.2.1' }, prefix });
  expect(await reporter.report(message, [failed()])).toBeDefined();
  // By a forwarder that is trusted, say: the door knows more than the words of its field.
  const vouched = { ...message, prefix: 'Authentication-Results: mail.ima.com; dmarc=fail\r\n', authentication: 'pass' as const };
  expect(await reporter.report(vouched, [failed()])).toBeDefined();
  bytes = before;
});

test('one address gets only so many reports in an hour about mail from other hosts', async () => {
  perHour = 3;
  told.length = 0;
  const message = newMessage('m000000000000001', ['x@far.net'], { sender: 'Victim@b.example', origin: { address: '192.0.2.1' } });
  const made = [];
  for (let n = 0; n < 6; n++) made.push((await reporter.report(message, [failed()])) !== undefined);
  expect(made).toEqual([true, true, true, false, false, false]);
  expect(told).toEqual([expect.stringContaining('<Victim@b.example> got as many reports')]);
  expect(await reporter.report({ ...message, sender: 'other@b.example' }, [failed()])).toBeDefined();
  expect(await reporter.report({ ...message, origin: { ...message.origin, user: 'cn=a' } }, [failed()])).toBeDefined();
  clock.advance(3_600_000);
  expect(await reporter.report(message, [failed()])).toBeDefined();
  perHour = 0;
});

test('who makes up addresses gets no further: tags are one address, and a domain has its limit', async () => {
  perHour = 3;
  told.length = 0;
  const reported = async (sender: string, more: Partial<NewMessage> = {}): Promise<boolean> =>
    (await reporter.report(newMessage('m000000000000001', ['x@far.net'], { sender, origin: { address: '192.0.2.1' }, ...more }), [
      failed(),
    ])) !== undefined;
  const tags = [];
  for (let n = 0; n < 6; n++) tags.push(await reported(`victim+${n}@c.example`));
  expect(tags).toEqual([true, true, true, false, false, false]);
  const names = [];
  for (let n = 0; n < 40; n++) names.push(await reported(`name${n}@D.example`));
  expect(names.filter(Boolean)).toHaveLength(30);
  expect(told.slice(1)).toEqual([expect.stringContaining('addresses @d.example got as many reports')]);
  expect(await reported('real@d.example', { authentication: 'pass' })).toBe(true);
  expect(await reported('somebody@e.example')).toBe(true);
  clock.advance(3_600_000);
  expect(await reported('name40@d.example')).toBe(true);
  perHour = 0;
});

test.each<[boolean, Partial<NewMessage>, string]>([
  [true, { prefix: 'X-Mailtree-DNSBL: bl.example (127.0.0.2)\r\n' }, ''],
  [true, {}, 'X-Spam-Status: Yes, score=9\r\n\r\n'],
  [true, {}, 'x-spam-flag:YES\r\n\r\n'],
  [true, { spam: true }, ''],
  [false, {}, 'X-Spam-Status: No, score=1\r\n\r\n'],
  [false, {}, 'Subject: X-Spam-Flag: YES\r\n\r\nX-Spam-Flag: YES\r\n'],
])('a report is marked as one about spam: %s', async (spam, over, header) => {
  const before = bytes;
  if (header !== '') bytes = Buffer.from(header);
  const report = await reporter.report(newMessage('m000000000000001', ['x@far.net'], { sender: 'a@b.example', ...over }), [failed()]);
  expect(report?.spam === true).toBe(spam);
  bytes = before;
});
