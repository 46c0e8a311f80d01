/**
 * The first part of a delivery report: what people read.
 *
 * Promise: every recipient is named with what happened, what the other host said and what can be done about it; text of an administrator
 * takes the place of our opening and never hides the details. Nothing here ends a line but our own line ends.
 * Spec: RFC 3464 §1.3; RFC 6522 §3; statuses: RFC 3463, RFC 7505 (5.1.10)
 */

import { formatDate } from './date.ts';
import type { ReportAction, ReportContent, ReportedRecipient } from './report.ts';
import { reportLine } from './report-line.ts';

const openings: Readonly<Record<ReportAction, string>> = {
  failed: 'Your message could not be delivered to:',
  delayed: 'Your message could not be delivered yet. It is still being tried; you need not send it again. Waiting:',
  delivered: 'Your message was delivered to:',
  relayed: 'Your message was handed to a host that does not confirm delivery, for:',
  expanded: 'Your message was handed to several addresses that stand behind:',
};

/** A delayed message that was sent at last. */
const afterDelay = 'Your message, of which you were told that it is late, has now been handed on for:';

/** What a status means for whoever sent the message; the first that fits counts. */
const advice: readonly (readonly [pattern: RegExp, text: string])[] = [
  [/^[45]\.1\.1$/, 'There is no mailbox of this name. Please check how the address is spelled.'],
  [/^[45]\.1\.(2|3|10)$/, 'The name behind the @ takes no mail. Please check how the address is spelled.'],
  [/^5\.1\.[78]$/, 'The other side does not accept your own address. Please ask your postmaster.'],
  [/^[45]\.2\.1$/, 'The mailbox is closed at present. Please reach its owner in another way.'],
  [/^[45]\.2\.2$/, 'The mailbox is full. Its owner has to make room; please send the message again later.'],
  [/^5\.(2\.3|3\.4)$/, 'The message is too large. Please send it in smaller pieces, or offer large files in another way.'],
  [/^[45]\.4\.6$/, 'Addresses forward to each other in a circle. Please tell the postmaster; sending it again does not help.'],
  [
    /^(4\.4\.[1-57]|5\.4\.[157])$/,
    'The other side could not be reached in time. Please send the message again later, or reach the recipient in another way.',
  ],
  [
    /^5\.4\.[2-4]$/,
    'There is no way to a mail server of the domain. Please check how the address is spelled, or tell the postmaster there.',
  ],
  [/^5\.6\.7$/, 'The other side cannot handle this kind of address. Please ask the recipient for another one.'],
  [/^5\.6\./, 'The other side cannot take a message of this form. Please send it as plain text.'],
  [/^5\.7\./, 'The other side does not accept this message. Its answer may say why; the postmaster there knows.'],
];

/** Where the other side has said nothing it was this server that would not. */
const ownAdvice: typeof advice = [
  [/^5\.1\.[78]$/, 'This server does not accept your own address. Please ask your postmaster.'],
  [/^5\.7\./, 'This server may not pass the message on. Please ask your postmaster.'],
];

function adviceFor({ action, status, remoteMta, returned }: ReportedRecipient, { postmaster }: ReportContent): string | undefined {
  if (action !== 'failed') return undefined;
  // The status is the administrator's choice: nothing can be read from it.
  if (returned) return `An administrator of this server returned the message.${postmaster ? ` Questions: ${reportLine(postmaster)}` : ''}`;
  const patterns = remoteMta === undefined ? [...ownAdvice, ...advice] : advice;
  return patterns.find(([pattern]) => pattern.test(status))?.[1];
}

/** Placeholders of administrators' texts. */
type Values = Readonly<Record<string, string>>;

/** `%{name}` is replaced where we know the name, and stays where we do not. */
function filled(text: string, values: Values): string[] {
  return text
    .replace(/%\{([a-z]+)\}/g, (whole, name: string) => (Object.hasOwn(values, name) ? (values[name] as string) : whole))
    .split(/\r\n|\r|\n/)
    .map(reportLine);
}

export function humanText(content: ReportContent): string {
  const { host, recipients, hidden, original } = content;
  const lines: string[] = [`This is the mail system at ${host}.`, ''];
  const own = content.text?.trim();
  const details: string[] = [];
  for (const action of Object.keys(openings) as ReportAction[]) {
    const some = recipients.filter((one) => one.action === action);
    if (some.length === 0) continue;
    const late = some.every((one) => one.wasLate);
    if (own === undefined || own === '' || action !== recipients[0]?.action) details.push(late ? afterDelay : openings[action], '');
    for (const one of some) details.push(...about(one, content));
    details.push('');
  }
  if (hidden > 0) details.push(`… and ${hidden} more.`, '');
  if (original.is === 'header' && original.remark) details.push(original.remark, '');
  if (own === undefined || own === '') lines.push(...details);
  else {
    const text = filled(own, valuesOf(content, details));
    lines.splice(0, 2, ...text, '');
    if (!own.includes('%{details}')) lines.push(...details);
  }
  return lines.join('\r\n');
}

function about(one: ReportedRecipient, content: ReportContent): string[] {
  const lines = [`  <${reportLine(one.address)}>`, `    ${reportLine(one.text)} (${reportLine(one.status)})`];
  const written = one.originalRecipient?.slice(one.originalRecipient.indexOf(';') + 1).trim();
  // Where our own words are the other host's, once is enough.
  if (one.diagnostic && one.diagnostic === one.text && one.remoteMta)
    lines[1] = `    ${reportLine(one.remoteMta)} said: ${reportLine(one.text)} (${reportLine(one.status)})`;
  else if (one.diagnostic && !(one.remoteMta && one.text.includes(one.remoteMta) && one.text.endsWith(`: ${one.diagnostic}`)))
    lines.push(`    ${one.remoteMta ? `${reportLine(one.remoteMta)} said: ` : ''}${reportLine(one.diagnostic)}`);
  if (written !== undefined && written.toLowerCase() !== one.address.toLowerCase())
    lines.splice(1, 0, `    (you wrote to ${reportLine(written)})`);
  if (one.willRetryUntil !== undefined) lines.push(`    It is tried until ${formatDate(one.willRetryUntil)}.`);
  const hint = adviceFor(one, content);
  if (hint !== undefined) lines.push(`    ${hint}`);
  return lines;
}

function valuesOf(content: ReportContent, details: readonly string[]): Values {
  const { recipients, date, arrivedAt } = content;
  const first = recipients[0];
  const line = (text: string | undefined): string => reportLine(text ?? '');
  return {
    host: line(content.host),
    postmaster: line(content.postmaster),
    sender: line(content.to),
    recipients: recipients.map(({ address }) => reportLine(address)).join('\n'),
    subject: line(content.originalSubject),
    arrived: formatDate(arrivedAt),
    hours: `${Math.max(0, Math.floor((date - arrivedAt) / 3_600_000))}`,
    until: first?.willRetryUntil === undefined ? '' : formatDate(first.willRetryUntil),
    reason: line(first?.text),
    id: line(content.queueId),
    details: details.join('\n').trimEnd(),
  };
}
