/**
 * HELO and EHLO: who the client says it is, and what it may use.
 *
 * The name is kept for trace and logs, and decides nothing but where reverse DNS is asked to. A refused name leaves the client where
 * it was before it said anything. Spec: RFC 5321 §4.1.1.1, §4.1.4; RFC 2034 §3 (no enhanced status here)
 */

import { helloRefusal } from '../policy/client.ts';
import { advertisedSize, peerRefusal } from '../policy/peer.ts';
import { listingsFor } from '../policy/sender.ts';
import { type Command, mayLogIn, mechanisms, type Outcome, type Session } from '../session.ts';

const maxName = 255;

/** A domain, an address literal, or what real clients send in their place; no blanks, no brackets that would spoil a Received line. */
const acceptable = /^(?:[A-Za-z0-9_.:\-\u00a0-\u{10ffff}]+|\[[A-Za-z0-9_.:-]+\])$/u;

async function hello(session: Session, argument: string, esmtp: boolean): Promise<Outcome> {
  const helo = argument.trim();
  if (helo === '' || helo.length > maxName || !acceptable.test(helo)) {
    return { reply: { code: 501, text: `Syntax: ${esmtp ? 'EHLO' : 'HELO'} hostname` } };
  }
  const refusal = peerRefusal(session, helo) ?? (await helloRefusal(session, helo));
  if (refusal) return { ...refusal, reply: { code: refusal.reply.code, text: refusal.reply.text }, state: { at: 'start' } };
  void listingsFor(session);
  const greeting = `${session.house.mta.value.host} greets ${helo}`;
  const text = esmtp ? [greeting, ...keywords(session)] : greeting;
  return { reply: { code: 250, text }, state: { at: 'greeted', helo, esmtp } };
}

function keywords(session: Session): string[] {
  const { settings } = session;
  const size = advertisedSize(session);
  const offered: (string | false)[] = [
    settings.offerPipelining && 'PIPELINING',
    settings.offerSize && (size > 0 ? `SIZE ${size}` : 'SIZE'),
    settings.offer8BitMime && '8BITMIME',
    settings.offerSmtpUtf8 && 'SMTPUTF8',
    settings.offerDsn && 'DSN',
    settings.offerChunking && 'CHUNKING',
    settings.offerEtrn && 'ETRN',
    settings.offerEnhancedStatus && 'ENHANCEDSTATUSCODES',
    session.canStartTls() && 'STARTTLS',
    !session.user && mayLogIn(session) && `AUTH ${mechanisms(session).join(' ')}`,
    settings.vrfy && 'VRFY',
    settings.expn && 'EXPN',
    'HELP',
  ];
  return offered.filter((one) => one !== false);
}

export const helo: Command = {
  name: 'HELO',
  spec: 'RFC 5321 §4.1.1.1',
  states: ['start', 'greeted', 'mail'],
  run: (session, argument) => hello(session, argument, false),
};

export const ehlo: Command = {
  name: 'EHLO',
  spec: 'RFC 5321 §4.1.1.1',
  states: ['start', 'greeted', 'mail'],
  run: (session, argument) =>
    session.settings.esmtp
      ? hello(session, argument, true)
      : { reply: { code: 502, status: '5.5.1', text: 'EHLO is switched off, say HELO' } },
};
