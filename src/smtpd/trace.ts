/**
 * The trace lines that SMTPD puts in front of a message.
 *
 * Promise: what the client said about itself cannot break out of its place in the line. Spec: RFC 5321 §4.4, RFC 3848, RFC 6531 §4.3
 */

import { isIPv6 } from 'node:net';

export interface Trace {
  readonly helo: string;
  /** Network address of the client. */
  readonly address: string;
  readonly host: string;
  readonly protocol: string;
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Only where the message has one alone, so that nobody learns of the others. */
  readonly recipient?: string;
}

/** `ESMTPSA` and its kin. */
export function protocolName(esmtp: boolean, tls: boolean, authenticated: boolean, utf8: boolean): string {
  const base = utf8 ? 'UTF8SMTP' : esmtp ? 'ESMTP' : 'SMTP';
  // RFC 3848 knows no `SMTPS` and `SMTPA`: without EHLO there is neither STARTTLS nor AUTH; with implicit TLS there may be.
  return base + (esmtp ? (tls ? 'S' : '') + (authenticated ? 'A' : '') : '');
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`);

/** RFC 5322 §3.3, in UTC. */
export function messageDate(at: number): string {
  const d = new Date(at);
  const time = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
  return `${days[d.getUTCDay()]}, ${d.getUTCDate()} ${months[d.getUTCMonth()]} ${d.getUTCFullYear()} ${time} +0000`;
}

/** A `Received` field with its CRLF. */
export function receivedLine(trace: Trace): string {
  const address = isIPv6(trace.address) ? `IPv6:${trace.address}` : trace.address;
  const lines = [
    `Received: from ${trace.helo.replace(/[^A-Za-z0-9_.:[\]\-\u00a0-\u{10ffff}]/gu, '?')} ([${address}])`,
    `\tby ${trace.host} with ${trace.protocol} id ${trace.id}`,
  ];
  if (trace.recipient !== undefined) lines.push(`\tfor <${trace.recipient}>`);
  return `${lines.join('\r\n')}; ${messageDate(trace.at)}\r\n`;
}
