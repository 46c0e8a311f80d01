/**
 * Delivery status notifications as message bytes.
 *
 * Promise: CRLF lines, ASCII headers whatever the peer said, 7-bit but for what is quoted of a message that was not; no more of the
 * message than its header unless all of it was asked for and it is not large.
 * Spec: RFC 3461 §6, RFC 3462/6522 (multipart/report), RFC 3464; RFC 6533 (UTF-8 addresses); RFC 3834 (Auto-Submitted)
 */

import { formatDate } from '../mail/index.ts';
import type { QueuedMessage } from '../queue/index.ts';

export type Action = 'failed' | 'delayed' | 'relayed';

export interface ReportRecipient {
  readonly address: string;
  readonly originalRecipient?: string | undefined;
  readonly action: Action;
  readonly status: string;
  /** Why, for people. */
  readonly text: string;
  /** The peer, and what it said. */
  readonly host?: string | undefined;
  readonly said?: string | undefined;
  /** Until when it will be tried: milliseconds since 1970. */
  readonly until?: number | undefined;
}

export interface ReportInput {
  readonly message: Pick<QueuedMessage, 'id' | 'sender' | 'arrivedAt' | 'envelopeId'>;
  readonly recipients: readonly ReportRecipient[];
  /** The host that reports. */
  readonly host: string;
  readonly id: string;
  readonly now: number;
  /** The returned message, or its header alone. */
  readonly returned: { readonly bytes: Buffer; readonly whole: boolean };
}

const subjects: Readonly<Record<Action, string>> = {
  failed: 'Undelivered mail: could not be delivered',
  delayed: 'Delayed mail: still being tried',
  relayed: 'Mail was passed on: no further confirmation',
};
const introductions: Readonly<Record<Action, string>> = {
  failed: 'Your message could not be delivered to the following recipients. It will not be tried again.',
  delayed: 'Your message could not yet be delivered to the following recipients. You need not send it again: it will be tried further.',
  relayed: 'Your message was handed to a mail system that does not confirm deliveries, so there will be no further notice.',
};

const oneLine = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
const ascii = (text: string): string => oneLine(text).replace(/[^ -~]/g, '?');
const isAscii = (text: string): boolean => /^[ -~]*$/.test(text);

function addressField(address: string): string {
  return isAscii(address) ? `rfc822; ${oneLine(address)}` : `utf-8; ${oneLine(address)}`;
}

export function buildReport(input: ReportInput): Buffer {
  const { message, recipients, host, id, now } = input;
  const action = recipients[0]?.action ?? 'failed';
  const boundary = `=_${id}_report`;
  const date = formatDate(now);
  // The returned bytes must not be able to end their part: only a boundary that is not in them will do.
  const safe = input.returned.bytes.includes(boundary) ? `${boundary}_${now.toString(36)}_${input.returned.bytes.length}` : boundary;
  const global = recipients.some((one) => !isAscii(one.address));
  const head = [
    `From: Mail Delivery System <MAILER-DAEMON@${host}>`,
    `To: <${oneLine(message.sender)}>`,
    `Subject: ${subjects[action]}`,
    `Date: ${date}`,
    `Message-ID: <${id}@${host}>`,
    `Auto-Submitted: ${action === 'failed' ? 'auto-replied' : 'auto-generated'}`,
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=delivery-status;`,
    `\tboundary="${safe}"`,
    '',
    'This is a report in MIME format.',
  ];
  const people = [
    `--${safe}`,
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    `This is the mail system at ${host}.`,
    '',
    introductions[action],
    '',
    ...recipients.flatMap((one) => [
      `<${oneLine(one.address)}>`,
      ...folded(oneLine(one.text)),
      ...(one.until ? [`    It will be tried until ${formatDate(one.until)}.`] : []),
      '',
    ]),
  ];
  const machines = [
    `--${safe}`,
    `Content-Type: message/${global ? 'global-' : ''}delivery-status`,
    '',
    `Reporting-MTA: dns; ${host}`,
    ...(message.envelopeId === undefined ? [] : [`Original-Envelope-Id: ${xtext(message.envelopeId)}`]),
    `X-Queue-Id: ${message.id}`,
    `Arrival-Date: ${formatDate(message.arrivedAt)}`,
    '',
    ...recipients.flatMap((one) => [...fields(one, date), '']),
  ];
  const returned = [
    `--${safe}`,
    `Content-Type: ${input.returned.whole ? 'message/rfc822' : 'text/rfc822-headers'}`,
    'Content-Transfer-Encoding: 8bit',
    '',
    '',
  ];
  const text = (lines: readonly string[]): Buffer => Buffer.from(lines.join('\r\n'), 'utf8');
  return Buffer.concat([text([...head, ...people, ...machines, ...returned]), input.returned.bytes, text(['', `--${safe}--`, ''])]);
}

function fields(one: ReportRecipient, date: string): string[] {
  return [
    ...(one.originalRecipient === undefined ? [] : [`Original-Recipient: ${oneLine(one.originalRecipient.replace(';', '; '))}`]),
    `Final-Recipient: ${addressField(one.address)}`,
    `Action: ${one.action}`,
    `Status: ${one.status}`,
    ...(one.host === undefined ? [] : [`Remote-MTA: dns; ${ascii(one.host)}`]),
    ...(one.said === undefined ? [] : [`Diagnostic-Code: smtp; ${ascii(one.said).slice(0, 900)}`]),
    `Last-Attempt-Date: ${date}`,
    ...(one.until ? [`Will-Retry-Until: ${formatDate(one.until)}`] : []),
  ];
}

/** Lines of at most some 76 characters, indented. */
function folded(text: string): string[] {
  const lines: string[] = [];
  let line = '   ';
  for (const word of text.split(' ')) {
    if (line.length + word.length > 74 && line.trim() !== '') {
      lines.push(line);
      line = '   ';
    }
    line += ` ${word.slice(0, 900)}`;
  }
  return [...lines, line];
}

const xtext = (text: string): string =>
  Buffer.from(text, 'utf8').reduce(
    (out, octet) =>
      out +
      (octet > 0x20 && octet < 0x7f && octet !== 0x2b && octet !== 0x3d
        ? String.fromCharCode(octet)
        : `+${octet.toString(16).toUpperCase().padStart(2, '0')}`),
    '',
  );
