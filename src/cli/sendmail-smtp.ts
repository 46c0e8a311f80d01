/**
 * Handing in a message by SMTP to the server of this host: for users who may not open its control socket.
 *
 * Promise: returns only when the server has taken the message for every recipient. What it refuses has its reply; of several recipients
 * of which some are refused, the others get the message, and the fault names those that do not. The server decides, as for any client of this
 * host: local recipients always, others where relaying is allowed.
 * Spec: RFC 5321, RFC 3461
 */

import { randomUUID } from 'node:crypto';
import SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import { Fault, type FaultKind } from '../base/index.ts';
import { formatDate, LineEndNormalizer, messageId, missingFields, needs8bit, needsUtf8 } from '../mail/index.ts';

export interface SmtpHandIn {
  readonly where: { readonly host: string; readonly port: number };
  /** Name of this host. */
  readonly name: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly bytes: Uint8Array;
  readonly notify?: string | undefined;
  readonly ret?: string | undefined;
  readonly envelopeId?: string | undefined;
}

interface Refusal extends Error {
  readonly responseCode?: number;
  readonly response?: string;
  readonly recipient?: string;
}

const connectMs = 10_000;
const silentMs = 300_000;

/** Faults by what the server says; `unavailable` where it does not answer or wants it later. */
export function handInBySmtp(given: SmtpHandIn): Promise<void> {
  const { sender, recipients, notify, ret, envelopeId } = given;
  const message = completed(given);
  const connection = new SMTPConnection({
    ...given.where,
    name: given.name,
    ignoreTLS: true,
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    socketTimeout: silentMs,
  });
  const envelope = {
    from: sender,
    to: [...recipients],
    size: message.length,
    use8BitMime: needs8bit(message) || [sender, ...recipients].some(needsUtf8),
    dsn: { ret: ret ?? null, envid: envelopeId ?? null, notify: notify ?? null },
  };
  return new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => {
      connection.close();
      reject(faultOf(error, given.recipients));
    };
    connection.once('error', failed);
    connection.connect(() => {
      connection.send(envelope as never, Buffer.from(message), (error, info) => {
        if (error) return failed(error);
        connection.quit();
        const refused = (info as { rejectedErrors?: readonly Refusal[] }).rejectedErrors ?? [];
        if (refused[0])
          reject(
            faultOf(
              refused[0],
              refused.map(({ recipient = '' }) => recipient),
            ),
          );
        else resolve();
      });
    });
  });
}

/** With CRLF everywhere, and what every message has (RFC 5322 §3.6). */
function completed({ bytes, name, sender }: SmtpHandIn): Uint8Array {
  const lines = new LineEndNormalizer();
  const message = Buffer.concat([lines.push(Buffer.from(bytes)), lines.end()]);
  const fields = {
    'message-id': `Message-ID: ${messageId(randomUUID(), name)}\r\n`,
    date: `Date: ${formatDate(Date.now())}\r\n`,
    from: sender === '' ? '' : `From: ${sender}\r\n`,
  };
  const missing = missingFields(message, ['message-id', 'date', 'from'] as const);
  return Buffer.concat([Buffer.from(missing.map((field) => fields[field]).join('')), message]);
}

function faultOf(error: Refusal, about: readonly string[]): Fault {
  const { responseCode: code, response } = error;
  if (code === undefined || response === undefined)
    return new Fault('unavailable', `the server of this host does not take mail by SMTP: ${error.message}`, { cause: error });
  return new Fault(kindOf(code, response), `${about.join(', ')}: ${response}`, { cause: error });
}

function kindOf(code: number, response: string): FaultKind {
  if (code < 500) return 'unavailable';
  if (/ 5\.1\.[1236] /.test(response)) return 'not-found';
  if (/ 5\.7\.\d+ /.test(response)) return 'not-permitted';
  return / 5\.3\.4 /.test(response) || code === 552 ? 'too-large' : 'refused';
}
