/**
 * Mail authentication of the message that is being received: who is asked about, and what becomes of the conclusion.
 *
 * Refusing belongs here, into the session: whoever sent it hears of it from their own host, and nobody whose address was made up gets a bounce.
 * Spec: RFC 7489 §10.3 (no bounces, 5xx in the session), RFC 7372
 */

import type { Conclusion, Examination } from '../mail-auth/index.ts';
import type { NewMessage } from '../queue/index.ts';
import { refused, setting } from './policy/refusal.ts';
import { relayRule } from './policy/relay.ts';
import { type Outcome, type Session, type State, submits } from './session.ts';

/** Users, and hosts that may send to anybody by a setting for them, are believed. */
function isTrusted(session: Session): boolean {
  if (session.user !== undefined || submits(session)) return true;
  const { rejectRemoteRecipients, relayDefault } = session.settings;
  return rejectRemoteRecipients && relayDefault === 'deny' && relayRule(session) === undefined;
}

/** Undefined: nothing is looked at. */
export function beginExamination(session: Session, { mail, helo }: Extract<State, { at: 'mail' }>): Examination | undefined {
  const client = { address: session.address, helo, sender: mail.sender };
  return session.house.authentication?.begin(client, !isTrusted(session));
}

/** The refusal, where that is the conclusion. */
export function refusalOf(session: Session, { decision }: Conclusion): Outcome | undefined {
  if (decision?.treatment !== 'reject' && decision?.treatment !== 'defer') return undefined;
  const { entry, rule, detail, reason } = decision;
  const why = entry === undefined ? setting(session, rule).why.replace(/ of .*/, ' of the settings for mail authentication') : entry;
  return decision.treatment === 'reject'
    ? refused(550, `5.${detail}`, reason, { rule, why })
    : refused(451, `4.${detail}`, reason, { rule, why });
}

/** The header is not looked at beyond its limit: what stands behind might be anything. */
export const headerTooLong = (session: Session): Outcome =>
  refused(552, '5.3.4', 'the header of the message is too long', setting(session, 'mtMailAuthRemoveForged'));

/** What the message carries on. */
export function standing(session: Session, conclusion: Conclusion | undefined): Pick<NewMessage, 'authentication' | 'quarantine'> {
  if (isTrusted(session)) return { authentication: 'trusted' };
  const { decision } = conclusion ?? {};
  if (!decision) return {};
  return { authentication: decision.standing, ...(decision.treatment === 'quarantine' ? { quarantine: decision.reason } : {}) };
}
