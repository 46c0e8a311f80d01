/**
 * Who makes room where all sessions are taken: whoever is there longest without having brought anything.
 *
 * Promise: however many connections say nothing, dribble, or talk without end and bring no mail, others are let in. Who has logged in, or is
 * in the middle of a message that comes along, stays.
 */

import type { Conversation } from './adapter.ts';
import { type ListenerKind, type Session, submits } from './session.ts';

/** How long, in milliseconds, one may be there before one makes room: until a log-in or EHLO, until MAIL, until the message comes. */
const unknownMs = 10_000;
const greetedMs = 30_000;
const mailMs = 120_000;

function patience(session: Session): number {
  if (submits(session) || session.state.at === 'start') return unknownMs;
  return session.state.at === 'mail' ? mailMs : greetedMs;
}

/** Undefined: everybody is of use, or has not been there for long. `kind`: of that port alone. */
export function leastUseful(open: Iterable<Conversation>, now: number, kind?: ListenerKind): Conversation | undefined {
  let found: Conversation | undefined;
  for (const one of open) {
    const { ours, filing, usefulAt } = one;
    if (filing || ours.user || (kind && ours.kind !== kind) || now - usefulAt < patience(ours)) continue;
    if (!found || usefulAt < found.usefulAt) found = one;
  }
  return found;
}

/** A TLS handshake that takes longer than this makes room, too. */
export const handshakeMs = unknownMs;
