/**
 * The text of a delivery report: multipart/report around the message (or its header) it is about.
 *
 * Promise: nothing a stranger wrote ends a line, a field or a part. A report to an ASCII address is 7-bit but for a message returned
 * whole, so that it reaches every server: UTF-8 addresses are then written in ASCII (utf-8-addr-xtext). One to a UTF-8 address, which
 * only SMTPUTF8 can reach, has them as they are.
 * Who is told, and when, is the queue's business.
 * Spec: RFC 3462; RFC 3464; RFC 6522; RFC 6533 §3, §4; RFC 3834 §5
 */

import { addrXtext } from './addr-xtext.ts';
import { formatDate } from './date.ts';
import { quotedPrintable } from './quoted-printable.ts';
import { reportLine } from './report-line.ts';
import { humanText } from './report-text.ts';
import { encodeWords } from './words.ts';

export type ReportAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

/** What happened to one recipient. */
export interface ReportedRecipient {
  readonly address: string;
  /** `ORCPT`, decoded: `rfc822;user@host`. */
  readonly originalRecipient?: string | undefined;
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
  /** When it was last tried to hand the message on. */
  readonly lastAttemptAt?: number;
  /** The sender was told before that the message is late. */
  readonly wasLate?: boolean;
  /** An administrator returned it, in the words of `text`: nobody else has decided anything. */
  readonly returned?: boolean;
}

export interface ReportContent {
  /** The reporting host. */
  readonly host: string;
  readonly id: string;
  readonly to: string;
  readonly subject?: string | undefined;
  /** Milliseconds since 1970. */
  readonly date: number;
  readonly boundary: string;
  /** At least one. */
  readonly recipients: readonly ReportedRecipient[];
  /** Recipients there was no room for. */
  readonly hidden: number;
  readonly arrivedAt: number;
  readonly envelopeId?: string | undefined;
  /** The client the message came from, by the name it gave. */
  readonly receivedFrom?: string | undefined;
  /** The message's id in the queue, by which the log tells its story. */
  readonly queueId?: string | undefined;
  /** Message-ID and Subject of the message the report is about. */
  readonly originalId?: string | undefined;
  readonly originalSubject?: string | undefined;
  readonly postmaster?: string | undefined;
  /** An administrator's words in place of our opening; see docs/where-is-my-message.md for what is filled in. */
  readonly text?: string | undefined;
  readonly original:
    | { readonly is: 'header'; readonly bytes: Uint8Array; readonly remark?: string | undefined }
    /** Its bytes go between `head` and `tail`. */
    | { readonly is: 'whole'; readonly eightBit: boolean; readonly smtputf8: boolean };
}

export interface Report {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  readonly smtputf8: boolean;
  readonly eightBit: boolean;
}

const ascii = (text: string): boolean => !/[^\u0000-\u007f]/.test(text);

/** The same in ASCII: encoded words, each on a line of its own. RFC 3464 §2.1.1 */
const asciiLine = (text: string): string => encodeWords(reportLine(text)).replaceAll('?= =?', '?=\r\n\t=?');

const subjects: Readonly<Record<ReportAction, string>> = {
  failed: 'Undeliverable mail',
  delayed: 'Delayed mail (still being tried)',
  delivered: 'Mail delivered',
  relayed: 'Mail relayed',
  expanded: 'Mail handed to several addresses',
};

/** The fields every message of this host to one address begins with. */
export function noticeHeader(about: { host: string; id: string; to: string; subject: string; date: number }): string[] {
  return [
    `From: Mail Delivery System <MAILER-DAEMON@${about.host}>`,
    `To: <${reportLine(about.to)}>`,
    `Subject: ${asciiLine(about.subject)}`,
    `Date: ${formatDate(about.date)}`,
    `Message-ID: <${about.id}@${about.host}>`,
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
  ];
}

/** A text as a MIME part: its fields, the empty line, the text. */
export function textPart(text: string, international = false): string {
  const encoding = ascii(text) ? '7bit' : international ? '8bit' : 'quoted-printable';
  return ['Content-Type: text/plain; charset=utf-8', `Content-Transfer-Encoding: ${encoding}`, '', encoded(text, encoding)].join('\r\n');
}

const encoded = (text: string, encoding: string): string => (encoding === 'quoted-printable' ? quotedPrintable(text) : text);

export function buildReport(content: ReportContent): Report {
  const { boundary, original, to } = content;
  const international = !ascii(to);
  const wholeEightBit = original.is === 'whole' && original.eightBit;
  const eightBit = international || wholeEightBit;
  const head = [
    ...noticeHeader({ ...content, subject: content.subject ?? subjectFor(content) }),
    ...threading(content.originalId),
    `Content-Type: multipart/report; report-type=${international ? 'global-delivery-status' : 'delivery-status'};`,
    `\tboundary="${boundary}"`,
    `Content-Transfer-Encoding: ${eightBit ? '8bit' : '7bit'}`,
    '',
    `--${boundary}`,
    textPart(humanText(content), international),
    `--${boundary}`,
    `Content-Type: message/${international ? 'global-delivery-status' : 'delivery-status'}`,
    ...(international ? ['Content-Transfer-Encoding: 8bit'] : []),
    '',
    statusText(content, international),
    `--${boundary}`,
    originalPart(content, international),
  ].join('\r\n');
  return { head: Buffer.from(head), tail: Buffer.from(`\r\n--${boundary}--\r\n`), smtputf8: international, eightBit };
}

function subjectFor({ recipients }: ReportContent): string {
  const first = recipients[0];
  return first?.wasLate ? 'Delayed mail has been sent' : subjects[first?.action ?? 'failed'];
}

/** So that the report stands below the message it is about. RFC 5322 §3.6.4 */
function threading(id: string | undefined): string[] {
  return id !== undefined && id.length <= 500 && /^<[!-;=?-~]+>$/.test(id) ? [`In-Reply-To: ${id}`, `References: ${id}`] : [];
}

/** A stranger's header may have lines that no report may have. RFC 5321 §4.5.3.1.6 */
const isLong = (text: string): boolean => text.split('\r\n').some((line) => Buffer.byteLength(line) > 998);

/** The third part: all of it, or for a whole message what stands before its bytes. */
function originalPart({ original }: ReportContent, international: boolean): string {
  if (original.is === 'whole') {
    const type = original.smtputf8 ? 'message/global' : 'message/rfc822';
    return [`Content-Type: ${type}`, ...(original.eightBit ? ['Content-Transfer-Encoding: 8bit'] : []), '', ''].join('\r\n');
  }
  const text = Buffer.from(original.bytes).toString('utf8');
  const type = international ? 'message/global-headers' : 'text/rfc822-headers';
  const encoding = isLong(text) ? 'quoted-printable' : ascii(text) ? '7bit' : international ? '8bit' : 'quoted-printable';
  return [`Content-Type: ${type}`, `Content-Transfer-Encoding: ${encoding}`, '', encoded(text, encoding)].join('\r\n');
}

function statusText(content: ReportContent, international: boolean): string {
  const { host, recipients, arrivedAt, envelopeId, receivedFrom, queueId } = content;
  const field = (text: string): string => (international ? reportLine(text) : asciiLine(text));
  const groups = [
    [
      `Reporting-MTA: dns; ${host}`,
      ...(envelopeId === undefined ? [] : [`Original-Envelope-Id: ${field(envelopeId)}`]),
      ...(receivedFrom ? [`Received-From-MTA: dns; ${field(receivedFrom)}`] : []),
      `Arrival-Date: ${formatDate(arrivedAt)}`,
    ],
    ...recipients.map((one) => [
      ...(one.originalRecipient === undefined ? [] : [`Original-Recipient: ${originalRecipient(one.originalRecipient, international)}`]),
      `Final-Recipient: ${typedAddress(one.address, international)}`,
      `Action: ${one.action}`,
      `Status: ${reportLine(one.status)}`,
      ...(one.remoteMta === undefined ? [] : [`Remote-MTA: dns; ${field(one.remoteMta)}`]),
      ...(one.diagnostic === undefined ? [] : [`Diagnostic-Code: smtp; ${field(one.diagnostic)}`]),
      ...(one.lastAttemptAt === undefined ? [] : [`Last-Attempt-Date: ${formatDate(one.lastAttemptAt)}`]),
      ...(queueId === undefined ? [] : [`Final-Log-ID: ${field(queueId)}`]),
      ...(one.willRetryUntil === undefined ? [] : [`Will-Retry-Until: ${formatDate(one.willRetryUntil)}`]),
    ]),
  ];
  return groups.map((group) => `${group.join('\r\n')}\r\n`).join('\r\n');
}

function typedAddress(address: string, international: boolean): string {
  const text = reportLine(address);
  if (ascii(text)) return `rfc822; ${text}`;
  return `utf-8; ${international ? text : addrXtext(text)}`;
}

/** `utf-8` addresses are written so that nothing in them can be mistaken; a type we do not know stays as it came. */
function originalRecipient(given: string, international: boolean): string {
  const text = reportLine(given);
  const at = text.indexOf(';');
  const type = text.slice(0, at).trim().toLowerCase();
  const address = text.slice(at + 1).trim();
  if (type !== 'utf-8' && ascii(text)) return text;
  return `utf-8; ${international ? address : addrXtext(address)}`;
}
