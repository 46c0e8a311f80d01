/**
 * RCPT: one more recipient, if this client may send there.
 *
 * Promise: a client that has not logged in reaches local addresses only, however the address is dressed up; an address that
 * cannot be looked up at the moment is refused for now, never for good.
 * Spec: RFC 5321 §4.1.1.3, §4.5.1 (postmaster), §4.5.3.1.10; RFC 3461 §4.1
 */

import { isBad, readRcptParameters } from '../parameters.ts';
import { isUnreadable, type Path, parseAddressCommand } from '../path.ts';
import { withinRate } from '../policy/client.ts';
import { refused, setting } from '../policy/refusal.ts';
import { relayRule } from '../policy/relay.ts';
import { type Command, extensionsOf, type Outcome, reply, type Session, type Turned } from '../session.ts';
import { needsSmtpUtf8, qualified, unqualifiedRule } from './mail.ts';

async function run(session: Session, argument: string): Promise<Outcome> {
  const { state, settings } = session;
  if (state.at !== 'mail') return reply(503, '5.5.1', 'say MAIL first');
  if (state.transfer) return reply(503, '5.5.1', 'the message is being sent: too late for recipients');
  const parsed = parseAddressCommand(argument, 'TO');
  if (isUnreadable(parsed)) {
    return parsed.wrong === 'path'
      ? reply(553, '5.1.3', `recipient: ${parsed.say}`)
      : reply(501, parsed.wrong === 'syntax' ? '5.5.2' : '5.5.4', parsed.say);
  }
  if (!parsed.path) return reply(501, '5.1.3', 'a recipient is needed');
  const parameters = readRcptParameters(parsed.parameters, extensionsOf(session));
  if (isBad(parameters)) return reply(parameters.code, parameters.status, parameters.say);
  if (parsed.path.utf8 && !state.mail.smtputf8) return needsSmtpUtf8;
  const address = fullAddress(parsed.path, session);
  if (address === undefined)
    return refused(553, '5.1.3', `${parsed.path.local}: the recipient needs a domain`, {
      ...unqualifiedRule(session),
      recipient: parsed.path.address,
    });
  if (state.recipients.size >= settings.maxRecipients && !state.recipients.has(address)) {
    const rule = { ...setting(session, 'mtSmtpdMaxRecipients'), recipient: address };
    return refused(452, '4.5.3', `a message may have at most ${settings.maxRecipients} recipients`, rule);
  }
  const refusal = await judged(session, address);
  if (refusal) return refusal;
  if (!withinRate(session, 'recipients', settings.recipientsPerMinute)) {
    const rule = { ...setting(session, 'mtSmtpdRecipientsPerMinute'), recipient: address };
    return refused(450, '4.7.1', 'too many recipients from your address, try again later', rule);
  }
  state.recipients.set(address, { address, ...(parameters.dsn ? { dsn: parameters.dsn } : {}) });
  return reply(250, '2.1.5', 'recipient ok');
}

/** RFC 5321 §4.5.1: the bare postmaster is always an address. */
function fullAddress(path: Path, session: Session): string | undefined {
  if (path.domain === undefined && path.local.toLowerCase() === 'postmaster') return `${path.local}@${session.house.mta.value.domain}`;
  return qualified(path, session);
}

async function judged(session: Session, address: string): Promise<Outcome | undefined> {
  const { settings, house } = session;
  const verdict = await house.judge(address);
  if (verdict === 'yes') return undefined;
  if (verdict === 'unknown' || typeof verdict === 'object') {
    if (!settings.rejectUnknownRecipients) return undefined;
    if (typeof verdict === 'object') return turned(session, address, verdict);
    return refused(550, '5.1.1', `${address}: no such user here`, {
      ...setting(session, 'mtSmtpdRejectUnknownRecipients'),
      recipient: address,
    });
  }
  const against = relayRule(session);
  if (!against) return undefined;
  const rule = { ...against, recipient: address };
  return settings.refusalCode === 'temporary'
    ? refused(450, '4.7.1', `${address}: relaying denied at present`, rule)
    : refused(550, '5.7.1', `${address}: relaying denied`, rule);
}

/** Somebody has the address, and it gets no mail. Whose entry says so is for the log alone. */
function turned(session: Session, address: string, { status, text, rule, entry }: Turned): Outcome {
  const by =
    rule === undefined
      ? setting(session, 'mtSmtpdRejectUnknownRecipients')
      : { rule, why: entry === undefined ? rule : `${rule} of ${entry}` };
  // How it is misconfigured is no stranger's business.
  const said = status.startsWith('5.3.') ? 'mail for this address cannot be delivered' : text;
  return refused(550, status, `${address}: ${said}`, { ...by, recipient: address });
}

export const rcpt: Command = { name: 'RCPT', spec: 'RFC 5321 §4.1.1.3', states: ['greeted', 'mail'], run };
