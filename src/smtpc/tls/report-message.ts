/**
 * A report about encryption: its JSON, and the mail that carries it.
 *
 * Promise: what a stranger's server or DNS said is a string of the JSON and nothing else. Pure.
 * Spec: RFC 8460 §4, §5; RFC 8689 §5 (TLS-Required)
 */

import { gzipSync } from 'node:zlib';
import { formatDate, reportLine, textPart } from '../../mail/index.ts';
import type { QueuedMessage } from '../../queue/index.ts';
import type { CountedFailure, CountedPolicy } from './results.ts';

/** What a message of this kind says of its origin; nobody outside can. */
export const reportProtocol = 'tlsrpt';

export const isTlsReport = ({ origin, inputChannel }: QueuedMessage): boolean =>
  inputChannel === 'LOCALOUT' && origin.protocol === reportProtocol;

export interface TlsReport {
  readonly organization: string;
  readonly contact: string;
  /** The domain that submits it. */
  readonly submitter: string;
  /** The domain it is about. */
  readonly domain: string;
  /** Unique, without brackets. */
  readonly id: string;
  /** Milliseconds since 1970, both of them within the report. */
  readonly from: number;
  readonly to: number;
  readonly policies: readonly CountedPolicy[];
}

/** RFC 3339 without fractions. */
const dateTime = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** RFC 8460 §4.4 */
export function reportJson({ organization, contact, id, from, to, policies, domain }: TlsReport): object {
  return {
    'organization-name': organization,
    'date-range': { 'start-datetime': dateTime(from), 'end-datetime': dateTime(to) },
    'contact-info': contact,
    'report-id': id,
    policies: policies.map((one) => ({
      policy: {
        'policy-type': one.type,
        ...(one.text.length > 0 ? { 'policy-string': one.text } : {}),
        'policy-domain': domain,
        ...(one.mx.length > 0 ? { 'mx-host': one.mx } : {}),
      },
      summary: { 'total-successful-session-count': one.successful, 'total-failure-session-count': one.failed },
      ...(one.failures.length > 0 ? { 'failure-details': one.failures.map(failureJson) } : {}),
    })),
  };
}

function failureJson({ type, text, mxHost, from, to, sessions }: CountedFailure): object {
  return {
    'result-type': type,
    ...(from === undefined ? {} : { 'sending-mta-ip': from }),
    ...(mxHost === undefined ? {} : { 'receiving-mx-hostname': mxHost }),
    ...(to === undefined ? {} : { 'receiving-ip': to }),
    'failed-session-count': sessions,
    'failure-reason-code': text,
  };
}

export const reportBody = (report: TlsReport): Buffer => gzipSync(JSON.stringify(reportJson(report)));

/** RFC 8460 §5.1 */
export function reportFile({ submitter, domain, from, to, id }: TlsReport): string {
  const unique = id.replace(/[^A-Za-z0-9]/g, '').slice(0, 40);
  return `${submitter}!${domain}!${Math.floor(from / 1_000)}!${Math.floor(to / 1_000)}!${unique}.json.gz`;
}

export interface ReportMail {
  readonly report: TlsReport;
  readonly from: string;
  readonly to: string;
  readonly messageId: string;
  readonly date: number;
  readonly boundary: string;
}

/** RFC 8460 §5.3. All lines end in CRLF, all octets are ASCII. */
export function reportMail({ report, from, to, messageId, date, boundary }: ReportMail): Buffer {
  const { domain, submitter, id } = report;
  const file = reportFile(report);
  const base64 = reportBody(report).toString('base64').replace(/.{76}/g, '$&\r\n').trimEnd();
  const text = [
    `This is a report about the encryption of mail sent to ${domain} by ${submitter},`,
    `from ${dateTime(report.from)} to ${dateTime(report.to)}.`,
    `Questions: ${reportLine(report.contact)}`,
    '',
  ].join('\r\n');
  return Buffer.from(
    [
      `From: <${from}>`,
      `To: <${reportLine(to)}>`,
      `Subject: Report Domain: ${domain}`,
      `\tSubmitter: ${submitter}`,
      `\tReport-ID: <${id}>`,
      `Date: ${formatDate(date)}`,
      `Message-ID: <${messageId}>`,
      `TLS-Report-Domain: ${domain}`,
      `TLS-Report-Submitter: ${submitter}`,
      // RFC 8689 §5: it must arrive even where what it reports about is broken.
      'TLS-Required: No',
      'Auto-Submitted: auto-generated',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type="tlsrpt";',
      `\tboundary="${boundary}"`,
      '',
      `--${boundary}`,
      textPart(text),
      `--${boundary}`,
      'Content-Type: application/tlsrpt+gzip',
      'Content-Transfer-Encoding: base64',
      'Content-Disposition: attachment;',
      `\tfilename="${file}"`,
      '',
      base64,
      `--${boundary}--`,
      '',
    ].join('\r\n'),
  );
}
