/**
 * Delivery reports: what a sender is told about recipients that failed, were delayed or got the message.
 *
 * Promise: a report goes to the sender (or to whom the caller names), carries the null sender itself, is never sent to the
 * null sender, and tells a sender nothing about recipients whose NOTIFY does not ask for it. Header fields of the message are carried
 * along bounded; its body only where RET=FULL asks for it and it is small.
 * Submitting the report (joined with the end of what caused it) is the caller's business.
 * Spec: RFC 3461 §4.1, §5.2, §6; RFC 3462; RFC 3464; RFC 6522; RFC 6533 (international); RFC 3834 §5
 */

import type { Clock, Live, Random } from '../base/index.ts';
import { formatDate } from '../mail/index.ts';
import type { Blobs } from '../storage/index.ts';
import type { DsnRequest, NewMessage, QueuedMessage, QueueId } from './port.ts';

export type ReportAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

export interface ReportEntry {
  readonly address: string;
  readonly dsn?: DsnRequest;
  readonly action: ReportAction;
  /** Enhanced status, RFC 3463. */
  readonly status: string;
  /** For people: one line. */
  readonly text: string;
  /** What a remote host said, and who. */
  readonly diagnostic?: string;
  readonly remoteMta?: string;
  /** For `delayed`: until when it is tried. Milliseconds since 1970. */
  readonly willRetryUntil?: number;
}

export interface ReporterNeeds {
  readonly blobs: Pick<Blobs, 'put' | 'read'>;
  readonly mta: Live<{ readonly host: string; readonly postmaster: string }>;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: () => QueueId;
}

export interface ReportOptions {
  /** Somebody else than the sender gets it (looping items to postmaster); then the sender's wishes do not count. */
  readonly to?: string;
  readonly subject?: string;
}

export interface Reporter {
  /** The report as a message to submit, its bytes already stored; undefined when nobody is to be told. */
  report(message: QueuedMessage, entries: readonly ReportEntry[], options?: ReportOptions): Promise<NewMessage | undefined>;
  /** A note from this host to the postmaster or a user: plain text. */
  note(to: string, subject: string, text: string): Promise<NewMessage>;
}

const headerAtMost = 32 * 1024;
const wholeAtMost = 64 * 1024;
const entriesAtMost = 500;

/** RFC 3461 §4.1: whether the sender wants to hear this. */
export function wanted(entry: Pick<ReportEntry, 'action' | 'dsn'>): boolean {
  const notify = entry.dsn?.notify;
  if (notify === undefined) return entry.action === 'failed' || entry.action === 'delayed';
  if (notify.includes('never')) return false;
  return notify.includes(entry.action === 'failed' ? 'failure' : entry.action === 'delayed' ? 'delay' : 'success');
}

/** One line of a header or of the text: nothing a stranger wrote may end it. */
const line = (text: string): string => text.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, 900);
const ascii = (text: string): boolean => !/[^\u0000-\u007f]/.test(text);

const subjects: Readonly<Record<ReportAction, string>> = {
  failed: 'Undeliverable mail',
  delayed: 'Delayed mail (still being tried)',
  delivered: 'Mail delivered',
  relayed: 'Mail relayed',
  expanded: 'Mail handed to a list',
};

const openings: Readonly<Record<ReportAction, string>> = {
  failed: 'Your message could not be delivered to:',
  delayed: 'Your message could not be delivered yet. It is still being tried; you need not send it again. Waiting:',
  delivered: 'Your message was delivered to:',
  relayed: 'Your message was handed to a host that does not confirm delivery, for:',
  expanded: 'Your message was handed to a list:',
};

function humanPart(host: string, entries: readonly ReportEntry[], hidden: number): string {
  const lines = [`This is the mail system at ${host}.`, ''];
  for (const action of Object.keys(openings) as ReportAction[]) {
    const some = entries.filter((entry) => entry.action === action);
    if (some.length === 0) continue;
    lines.push(openings[action], '');
    for (const entry of some) {
      lines.push(`  <${line(entry.address)}>`, `    ${line(entry.text)} (${line(entry.status)})`);
      if (entry.diagnostic) lines.push(`    ${entry.remoteMta ? `${line(entry.remoteMta)} said: ` : ''}${line(entry.diagnostic)}`);
    }
    lines.push('');
  }
  if (hidden > 0) lines.push(`… and ${hidden} more.`, '');
  return lines.join('\r\n');
}

function statusPart(host: string, message: QueuedMessage, entries: readonly ReportEntry[], utf8: boolean): string {
  const type = (address: string): string => (utf8 && !ascii(address) ? 'utf-8' : 'rfc822');
  const groups = [
    [
      `Reporting-MTA: dns; ${host}`,
      ...(message.envelopeId === undefined ? [] : [`Original-Envelope-Id: ${line(message.envelopeId)}`]),
      `Arrival-Date: ${formatDate(message.arrivedAt)}`,
    ],
    ...entries.map((entry) => [
      ...(entry.dsn?.originalRecipient === undefined ? [] : [`Original-Recipient: ${line(entry.dsn.originalRecipient)}`]),
      `Final-Recipient: ${type(entry.address)}; ${line(entry.address)}`,
      `Action: ${entry.action}`,
      `Status: ${line(entry.status)}`,
      ...(entry.remoteMta === undefined ? [] : [`Remote-MTA: dns; ${line(entry.remoteMta)}`]),
      ...(entry.diagnostic === undefined ? [] : [`Diagnostic-Code: smtp; ${line(entry.diagnostic)}`]),
      ...(entry.willRetryUntil === undefined ? [] : [`Will-Retry-Until: ${formatDate(entry.willRetryUntil)}`]),
    ]),
  ];
  return groups.map((group) => `${group.join('\r\n')}\r\n`).join('\r\n');
}

/** Where the header ends: after its last line. */
function headerEnd(bytes: Buffer): number {
  if (bytes.subarray(0, 2).toString('latin1') === '\r\n') return 0;
  const crlf = bytes.indexOf('\r\n\r\n');
  const lf = bytes.indexOf('\n\n');
  if (crlf >= 0 && (lf < 0 || crlf < lf)) return crlf + 2;
  if (lf >= 0) return lf + 1;
  return Math.max(0, bytes.lastIndexOf('\n') + 1);
}

/** CRLF line ends and no NUL: what is put into a report must be mail again. */
function tidy(bytes: Buffer): Buffer {
  const text = bytes
    .toString('latin1')
    .replace(/\u0000/g, '')
    .replace(/\r\n|\r|\n/g, '\r\n');
  return Buffer.from(text, 'latin1');
}

class Reports implements Reporter {
  readonly #needs: ReporterNeeds;

  constructor(needs: ReporterNeeds) {
    this.#needs = needs;
  }

  async report(message: QueuedMessage, entries: readonly ReportEntry[], options: ReportOptions = {}): Promise<NewMessage | undefined> {
    const to = options.to ?? message.sender;
    const told = options.to === undefined ? entries.filter(wanted) : entries;
    if (to === '' || told.length === 0) return undefined;
    const { host } = this.#needs.mta.value;
    const shown = told.slice(0, entriesAtMost);
    const utf8 = !ascii(to) || shown.some(({ address, dsn }) => !ascii(address) || !ascii(dsn?.originalRecipient ?? ''));
    const original = await this.#original(
      message,
      shown.every(({ action }) => action === 'failed'),
    );
    const id = this.#needs.newId();
    const boundary = `=_${id}_${Math.floor(this.#needs.random() * 2 ** 48).toString(36)}`;
    const first = shown[0] as ReportEntry;
    const eightBit =
      utf8 || original.bytes.some((byte) => byte > 127) || shown.some(({ text, diagnostic }) => !ascii(`${text}${diagnostic ?? ''}`));
    const encoding = eightBit ? '8bit' : '7bit';
    const status = utf8 ? 'message/global-delivery-status' : 'message/delivery-status';
    const head = [
      ...this.#header(id, to, options.subject ?? subjects[first.action]),
      `Content-Type: multipart/report; report-type=${utf8 ? 'global-delivery-status' : 'delivery-status'};`,
      `\tboundary="${boundary}"`,
      `Content-Transfer-Encoding: ${encoding}`,
      '',
      `--${boundary}`,
      'Content-Type: text/plain; charset=utf-8',
      `Content-Transfer-Encoding: ${encoding}`,
      '',
      humanPart(host, shown, told.length - shown.length),
      `--${boundary}`,
      `Content-Type: ${status}`,
      ...(eightBit ? ['Content-Transfer-Encoding: 8bit'] : []),
      '',
      statusPart(host, message, shown, utf8),
      `--${boundary}`,
      `Content-Type: ${original.type(utf8)}`,
      ...(eightBit ? ['Content-Transfer-Encoding: 8bit'] : []),
      '',
      '',
    ].join('\r\n');
    const bytes = Buffer.concat([Buffer.from(head), original.bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]);
    return await this.#message(id, to, bytes, { smtputf8: utf8, eightBit });
  }

  async note(to: string, subject: string, text: string): Promise<NewMessage> {
    const id = this.#needs.newId();
    const eightBit = !ascii(text);
    const head = [
      ...this.#header(id, to, subject),
      'Content-Type: text/plain; charset=utf-8',
      `Content-Transfer-Encoding: ${eightBit ? '8bit' : '7bit'}`,
    ];
    const body = text
      .split(/\r\n|\r|\n/)
      .map((one) => line(one))
      .join('\r\n');
    return await this.#message(id, to, Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}\r\n`), { smtputf8: !ascii(to), eightBit });
  }

  #header(id: QueueId, to: string, subject: string): string[] {
    const { host } = this.#needs.mta.value;
    return [
      `From: Mail Delivery System <MAILER-DAEMON@${host}>`,
      `To: <${line(to)}>`,
      `Subject: ${line(subject)}`,
      `Date: ${formatDate(this.#needs.clock.now())}`,
      `Message-ID: <${id}@${host}>`,
      'Auto-Submitted: auto-replied',
      'MIME-Version: 1.0',
    ];
  }

  async #message(id: QueueId, to: string, bytes: Buffer, kind: { smtputf8: boolean; eightBit: boolean }): Promise<NewMessage> {
    const now = this.#needs.clock.now();
    const { host } = this.#needs.mta.value;
    const blob = await this.#needs.blobs.put(bytes, { sender: '', recipients: [to], arrivedAt: now });
    return {
      id,
      sender: '',
      // RFC 3461 §6.1: nobody wants to hear about a report.
      recipients: [{ address: to, dsn: { notify: ['never'] } }],
      blob,
      prefix: `Received: by ${host} id ${id}; ${formatDate(now)}\r\n`,
      inputChannel: 'LOCALOUT',
      origin: { protocol: 'report' },
      ...kind,
      arrivedAt: now,
    };
  }

  /** The message's header, or the whole of it where the sender wants it back and it is small. */
  async #original(message: QueuedMessage, failed: boolean): Promise<{ bytes: Buffer; type: (utf8: boolean) => string }> {
    const prefix = Buffer.from(message.prefix);
    const whole = failed && message.ret === 'full' && message.blob.size <= wholeAtMost;
    const read = Buffer.from(
      await this.#needs.blobs.read(message.blob.id, 0, Math.min(message.blob.size, whole ? wholeAtMost : headerAtMost)),
    );
    const own = whole ? read : read.subarray(0, headerEnd(read));
    const bytes = tidy(Buffer.concat([prefix, own]));
    if (whole) return { bytes, type: (utf8) => (utf8 ? 'message/global' : 'message/rfc822') };
    return { bytes, type: (utf8) => (utf8 ? 'message/global-headers' : 'text/rfc822-headers') };
  }
}

export function createReporter(needs: ReporterNeeds): Reporter {
  return new Reports(needs);
}
