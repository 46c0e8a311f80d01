/**
 * MAIL: begins a transaction.
 *
 * Refuses here what would be refused anyway: a size over the limit, a full disk, a sender that is not the user's.
 * Spec: RFC 5321 §4.1.1.2, RFC 1870 §6.1, RFC 6531 §3.7.1, RFC 6409 §6.1
 */

import { Fault } from '../../base/index.ts';
import type { Recipient } from '../../dit/index.ts';
import { isBad, readMailParameters } from '../parameters.ts';
import { isUnreadable, type Path, parseAddressCommand } from '../path.ts';
import { dailyRefusal } from '../policy/daily-limits.ts';
import { sizeLimit } from '../policy/peer.ts';
import { type Rule, refused, setting } from '../policy/refusal.ts';
import { maySendAs } from '../policy/send-as.ts';
import { judgeSender } from '../policy/sender.ts';
import { type Command, extensionsOf, type Outcome, reply, type Session, submits } from '../session.ts';

const authenticationRequired = refused(530, '5.7.0', 'authentication is required on this port', {
  rule: 'authentication',
  why: 'RFC 6409 §4.3: the ports for submission are for users who have logged in',
});

/** The setting by which an address without a domain is refused. */
export const unqualifiedRule = (session: Session): Rule =>
  setting(session, session.settings.rejectUnqualified === 'never' ? 'mtSmtpdQualify' : 'mtSmtpdRejectUnqualified');

/** The address as it goes on; undefined where it has no domain and may not be completed. */
export function qualified(path: Path, session: Session): string | undefined {
  if (path.domain !== undefined) return path.address;
  const { rejectUnqualified, qualify } = session.settings;
  const rejected = rejectUnqualified === 'always' || (rejectUnqualified === 'strangers' && !session.user);
  return !rejected && qualify ? `${path.local}@${session.house.mta.value.domain}` : undefined;
}

export const needsSmtpUtf8 = reply(553, '5.6.7', 'this address needs SMTPUTF8');

async function run(session: Session, argument: string): Promise<Outcome> {
  const { state } = session;
  if (state.at !== 'greeted') return reply(503, '5.5.1', 'a transaction is open already');
  if (submits(session) && !session.user) return authenticationRequired;
  if (session.user) {
    const now = await accountNow(session, session.user);
    if (!now) return refused(550, '5.7.1', 'this account may no longer be used', { rule: 'accountStatus', why: session.user.dn });
    if (now.permission === 'receive')
      return refused(550, '5.7.1', 'this account may receive mail, and not send it', { rule: 'mtAccountPermission', why: now.dn });
  }
  const parsed = parseAddressCommand(argument, 'FROM');
  if (isUnreadable(parsed)) {
    return parsed.wrong === 'path'
      ? reply(553, '5.1.7', `sender: ${parsed.say}`)
      : reply(501, parsed.wrong === 'syntax' ? '5.5.2' : '5.5.4', parsed.say);
  }
  const parameters = readMailParameters(parsed.parameters, extensionsOf(session));
  if (isBad(parameters)) return reply(parameters.code, parameters.status, parameters.say);
  if (parsed.path?.utf8 && !parameters.smtputf8) return needsSmtpUtf8;
  const sender = parsed.path ? qualified(parsed.path, session) : '';
  if (sender === undefined)
    return refused(553, '5.1.7', 'the sender needs a domain', { ...unqualifiedRule(session), sender: parsed.path?.local ?? '' });
  const limit = sizeLimit(session);
  if (limit.octets > 0 && (parameters.size ?? 0) > limit.octets)
    return refused(552, '5.3.4', `a message may have at most ${limit.octets} octets`, { ...limit.rule, sender });
  if (!(await maySendAs(session, sender)))
    return refused(553, '5.7.1', `${sender} is not an address of the account you logged in with`, {
      ...setting(session, 'mtSmtpdSenderCheck'),
      sender,
    });
  const verdict = await judgeSender(session, sender);
  if (verdict.refusal) return named(verdict.refusal, sender);
  const daily = await dailyRefusal(session, parameters.size ?? 0);
  if (daily) return named(daily, sender);
  if (await full(session, parameters.size ?? 0)) return noRoom(session, sender);
  const mail = { sender, tags: verdict.tags, ...parameters };
  const recipients = new Map();
  return { state: { at: 'mail', helo: state.helo, esmtp: state.esmtp, mail, recipients }, ...reply(250, '2.1.0', 'sender ok') };
}

const named = (refusal: Outcome, sender: string): Outcome => ({
  ...refusal,
  ...(refusal.rule ? { rule: { ...refusal.rule, sender } } : {}),
});

/** RFC 3463 §3.4: X.3.1, the system is full. */
export function noRoom(session: Session, sender?: string): Outcome {
  return refused(452, '4.3.1', 'no room for mail at present', {
    ...setting(session, 'mtSmtpdDriveMin'),
    ...(sender === undefined ? {} : { sender }),
  });
}

/** Whoever logged in may have been disabled since; the log-in alone would last as long as the connection. */
async function accountNow(session: Session, user: Recipient): Promise<Recipient | undefined> {
  const now = await session.house.dit.recipient(user.mail);
  return now?.uuid === user.uuid && now.status === 'active' ? now : undefined;
}

/** Whether taking this many octets would leave less than DriveMin free. */
export async function full(session: Session, octets: number): Promise<boolean> {
  const least = session.settings.driveMin * 1_048_576;
  if (least === 0) return false;
  try {
    const free = await session.house.freeSpace();
    return free !== undefined && free - octets < least;
  } catch (thrown) {
    throw new Fault('unavailable', 'the mail queue is not available', { cause: thrown });
  }
}

export const mail: Command = { name: 'MAIL', spec: 'RFC 5321 §4.1.1.2', states: ['greeted', 'mail'], run };
