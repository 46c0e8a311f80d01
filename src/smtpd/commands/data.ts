/** DATA: the message itself; see receive.ts for what becomes of it. Spec: RFC 5321 §4.1.1.4 */

import { createReceiver } from '../receive.ts';
import { type Command, type Outcome, reply, type Session } from '../session.ts';
import { full, noRoom } from './mail.ts';

async function run(session: Session, argument: string): Promise<Outcome> {
  const { state } = session;
  if (argument !== '') return reply(501, '5.5.4', 'DATA takes no argument');
  if (state.at !== 'mail') return reply(503, '5.5.1', 'say MAIL and RCPT first');
  if (state.recipients.size === 0) return reply(554, '5.5.1', 'no valid recipients');
  if (state.transfer) return reply(503, '5.5.1', 'the message is being sent in chunks: go on with BDAT');
  if (await full(session, state.mail.size ?? 0)) return noRoom(session);
  return { reply: { code: 354, text: 'End data with <CR><LF>.<CR><LF>' }, receiver: createReceiver(session, state) };
}

export const data: Command = { name: 'DATA', spec: 'RFC 5321 §4.1.1.4', states: ['greeted', 'mail'], run };
