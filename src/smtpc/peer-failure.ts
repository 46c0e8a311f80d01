/**
 * What the library says of a failure, in our words: a session that does not come about, and what became of a recipient.
 *
 * Spec: RFC 5321 §4.2.1
 */

import type { PeerAnswer } from './peer-session.ts';
import type { Refusal } from './tls/dane.ts';

/** Why there was no encryption as it is asked for. */
export type TlsTrouble = Refusal | { readonly type: 'starttls-not-supported'; readonly text: string };

export class PeerFailure extends Error {
  /** The handshake of STARTTLS did not come about: another try without it may. */
  readonly tls: boolean;
  /** The reply's code, where the peer gave one. */
  readonly code: number | undefined;
  /** There where `tls` is. */
  readonly trouble: TlsTrouble | undefined;

  constructor(text: string, tls: boolean, code: number | undefined, trouble?: TlsTrouble) {
    super(text);
    this.name = 'PeerFailure';
    this.tls = tls;
    this.code = code;
    this.trouble = tls ? (trouble ?? { type: 'validation-failure', text }) : undefined;
  }
}

/** A failure as the library tells it. */
export interface SendError extends Error {
  code?: string | undefined;
  response?: string | undefined;
  responseCode?: number | undefined;
  command?: string | undefined;
  recipient?: string | undefined;
  rejectedErrors?: SendError[] | undefined;
  mailError?: SendError;
}

/** On one line. */
export const oneReply = (text: string): string => text.replace(/\s*\r?\n\s*/g, ' / ').slice(0, 1_000);

export function failureOf(error: SendError, upgrading: boolean, trouble: TlsTrouble | undefined): PeerFailure {
  const tls = upgrading || error.code === 'ETLS';
  const text = tls && trouble ? trouble.text : oneReply(error.response ?? error.message);
  return new PeerFailure(text, tls, error.responseCode, trouble);
}

export function answerOf(error: SendError): PeerAnswer {
  const { command, response, responseCode: code } = error;
  const phase = command === 'MAIL FROM' ? 'mail' : command === 'RCPT TO' ? 'rcpt' : command === 'DATA' ? 'data' : 'connection';
  const said = oneReply(response ?? error.message);
  if (code === undefined) {
    // What the library itself refuses to send (an address with brackets in it) it will refuse again.
    const ours = command === 'API' && error.code === 'EENVELOPE';
    return { kind: ours ? 'permanent' : 'temporary', said, phase };
  }
  return { kind: code >= 500 && code < 600 ? 'permanent' : 'temporary', said, code, phase };
}
