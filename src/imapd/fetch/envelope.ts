/**
 * ENVELOPE as it is sent. Pure.
 * Spec: RFC 3501 §7.4.2 "ENVELOPE"
 */

import type { Envelope, EnvelopeAddress } from '../../mail/index.ts';
import { quoteOrNil } from '../wire/quote.ts';

export function envelopeText(envelope: Envelope): string {
  return `(${[
    quoteOrNil(envelope.date),
    quoteOrNil(envelope.subject),
    addresses(envelope.from),
    addresses(envelope.sender),
    addresses(envelope.replyTo),
    addresses(envelope.to),
    addresses(envelope.cc),
    addresses(envelope.bcc),
    quoteOrNil(envelope.inReplyTo),
    quoteOrNil(envelope.messageId),
  ].join(' ')})`;
}

function addresses(list: readonly EnvelopeAddress[]): string {
  return list.length === 0 ? 'NIL' : `(${list.map(address).join('')})`;
}

function address({ name, route, mailbox, host }: EnvelopeAddress): string {
  return `(${quoteOrNil(name)} ${quoteOrNil(route)} ${quoteOrNil(mailbox)} ${quoteOrNil(host)})`;
}

/** Of a message that could not be looked into. */
export const emptyEnvelope: Envelope = {
  date: null,
  subject: null,
  from: [],
  sender: [],
  replyTo: [],
  to: [],
  cc: [],
  bcc: [],
  inReplyTo: null,
  messageId: null,
};
