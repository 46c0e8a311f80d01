/**
 * BDAT: the next chunk of the message, as many octets as announced.
 *
 * Promise: octets that were announced are never read as commands, whether they are wanted or not; where their number cannot be told
 * the connection ends. Spec: RFC 3030 §2
 */

import { createReceiver } from '../receive.ts';
import { type Command, type Outcome, type Receiver, reply, type Session } from '../session.ts';
import { full, noRoom } from './mail.ts';

/** Octets nobody wants are read up to this many; a client with more of them is sent away. */
const patience = 16 * 1_048_576;

async function run(session: Session, argument: string): Promise<Outcome> {
  const match = /^(\d{1,15})( +LAST)?$/i.exec(argument.trim());
  if (!match) return { ...reply(501, '5.5.4', 'Syntax: BDAT octets [LAST]'), close: true };
  const octets = Number(match[1]);
  const last = match[2] !== undefined;
  const unwanted = (outcome: Outcome): Outcome =>
    octets > patience ? { ...outcome, close: true } : { ...outcome, chunk: { octets, last: true, receiver: refusing(outcome) } };
  const { state, settings } = session;
  if (!settings.esmtp || !settings.offerChunking) return unwanted(reply(502, '5.5.1', 'BDAT is not available'));
  if (state.at !== 'mail') return unwanted(reply(503, '5.5.1', 'say MAIL and RCPT first'));
  if (state.recipients.size === 0) return unwanted(reply(554, '5.5.1', 'no valid recipients'));
  if (!state.transfer) {
    if (await full(session, Math.max(octets, state.mail.size ?? 0))) return unwanted(noRoom(session));
    state.transfer = createReceiver(session, state);
  }
  return { ...reply(250, '2.0.0', 'ok'), chunk: { octets, last, receiver: state.transfer } };
}

/** Reads what comes and refuses it. */
const refusing = ({ reply: answer }: Outcome): Receiver => ({
  write: () => undefined,
  hopeless: false,
  refused: true,
  end: async () => answer,
  abort: () => {},
});

export const bdat: Command = { name: 'BDAT', spec: 'RFC 3030 §2', states: ['start', 'greeted', 'mail'], run };
