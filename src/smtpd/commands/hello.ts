/**
 * HELO and EHLO: who the client says it is, and what it may use.
 *
 * The name is kept for trace and logs and decides nothing. Spec: RFC 5321 §4.1.1.1, §4.1.4
 */

import { type Command, mayLogIn, type Outcome, type Session } from '../session.ts';

const maxName = 255;

/** A domain, an address literal, or what real clients send in their place; no blanks, no brackets that would spoil a Received line. */
const acceptable = /^[A-Za-z0-9_.:[\]\-\u00a0-\u{10ffff}]+$/u;

function hello(session: Session, argument: string, esmtp: boolean): Outcome {
  const helo = argument.trim();
  if (helo === '' || helo.length > maxName || !acceptable.test(helo)) {
    return { reply: { code: 501, text: `Syntax: ${esmtp ? 'EHLO' : 'HELO'} hostname` } };
  }
  const greeting = `${session.house.mta.value.host} greets ${helo}`;
  const text = esmtp ? [greeting, ...keywords(session)] : greeting;
  return { reply: { code: 250, text }, state: { at: 'greeted', helo, esmtp } };
}

function keywords(session: Session): string[] {
  const { settings } = session;
  const offered: (string | false)[] = [
    settings.offerPipelining && 'PIPELINING',
    settings.offerSize && (settings.maxMessageSize > 0 ? `SIZE ${settings.maxMessageSize}` : 'SIZE'),
    settings.offer8BitMime && '8BITMIME',
    settings.offerSmtpUtf8 && 'SMTPUTF8',
    settings.offerDsn && 'DSN',
    'ENHANCEDSTATUSCODES',
    session.canStartTls() && 'STARTTLS',
    !session.user && mayLogIn(session) && 'AUTH PLAIN LOGIN',
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
