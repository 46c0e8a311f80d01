/** The commands that are answered in a line or two. Spec: RFC 5321 §4.1.1.5–§4.1.1.10, §3.5 */

import type { Recipient } from '../../dit/index.ts';
import { isUnreadable, parsePath } from '../path.ts';
import { refused, setting } from '../policy/refusal.ts';
import { type Command, extensionsOf, type Outcome, reply, type Session, withoutMail } from '../session.ts';
import { needsSmtpUtf8 } from './mail.ts';

export const rset: Command = {
  name: 'RSET',
  spec: 'RFC 5321 §4.1.1.5',
  states: ['start', 'greeted', 'mail'],
  run: (session, argument) =>
    argument === '' ? { ...reply(250, '2.0.0', 'ok'), state: withoutMail(session.state) } : reply(501, '5.5.4', 'RSET takes no argument'),
};

export const noop: Command = {
  name: 'NOOP',
  spec: 'RFC 5321 §4.1.1.9',
  states: ['start', 'greeted', 'mail'],
  run: () => reply(250, '2.0.0', 'ok'),
};

export const quit: Command = {
  name: 'QUIT',
  spec: 'RFC 5321 §4.1.1.10',
  states: ['start', 'greeted', 'mail'],
  run: (session, argument) =>
    argument === ''
      ? { ...reply(221, '2.0.0', `${session.house.mta.value.host} closing connection`), close: true }
      : reply(501, '5.5.4', 'QUIT takes no argument'),
};

export const help: Command = {
  name: 'HELP',
  spec: 'RFC 5321 §4.1.1.8',
  states: ['start', 'greeted', 'mail'],
  run: () => ({
    reply: {
      code: 214,
      status: '2.0.0',
      text: ['HELO EHLO STARTTLS AUTH MAIL RCPT DATA BDAT', 'RSET NOOP QUIT HELP VRFY EXPN ETRN', 'see RFC 5321'],
    },
  }),
};

async function verify(session: Session, argument: string): Promise<Outcome> {
  const { name, utf8 } = asked(session, argument);
  if (name === '') return reply(501, '5.5.4', 'Syntax: VRFY address');
  const untold = reply(252, '2.5.0', 'cannot say, but the message will be taken if it can be delivered');
  if (!session.settings.vrfy) return reply(252, '2.5.0', 'command disabled, but the message will be taken if it can be delivered');
  const address = askedAddress(session, name);
  if (address === undefined) return reply(553, '5.1.3', 'malformed address');
  if (!utf8 && !ascii.test(name)) return needsSmtpUtf8;
  const verdict = await session.house.judge(address);
  if (typeof verdict === 'object') return reply(550, verdict.status, `${address}: ${verdict.text}`);
  if (verdict === 'unknown') return reply(550, '5.1.1', `${address}: no such user here`);
  return verdict === 'yes' ? reply(250, '2.1.5', `<${address}>`) : untold;
}

async function expand(session: Session, argument: string): Promise<Outcome> {
  if (!session.settings.expn) return refused(550, '5.7.1', 'command disabled', setting(session, 'mtSmtpdExpn'));
  const { name, utf8 } = asked(session, argument);
  const address = askedAddress(session, name);
  if (address === undefined) return reply(501, '5.5.4', 'Syntax: EXPN address');
  const found = await session.house.dit.recipient(address);
  if (!found) return reply(550, '5.1.1', `${address}: no such list here`);
  const targets = targetsOf(found).slice(0, mostTargets);
  if (!utf8 && !targets.every((one) => ascii.test(one))) return reply(550, '5.6.7', `${address}: the answer needs SMTPUTF8`);
  return { reply: { code: 250, status: '2.1.5', text: targets.map((one) => `<${one}>`) } };
}

/** What stands in the entry itself: of what lies behind its targets they can be asked in turn. */
function targetsOf({ kind, mail, forwardTo, routingAddress }: Recipient): readonly string[] {
  if (kind === 'alias' && forwardTo.length > 0) return forwardTo;
  return [...new Set([routingAddress ?? mail, ...forwardTo])];
}

const mostTargets = 100;
const ascii = /^[ -~]*$/;

/** RFC 6531 §3.7.4.2: the client says whether addresses in UTF-8 may be in question and answer. */
function asked(session: Session, argument: string): { readonly name: string; readonly utf8: boolean } {
  const [, name = '', word] = /^(.*?)(\s+SMTPUTF8)?$/is.exec(argument.trim()) ?? [];
  return extensionsOf(session).smtputf8 ? { name, utf8: word !== undefined } : { name: argument.trim(), utf8: false };
}

function askedAddress(session: Session, text: string): string | undefined {
  const path = parsePath(text.replace(/^<(.*)>$/, '$1'));
  if (isUnreadable(path)) return undefined;
  return path.domain === undefined ? `${path.local}@${session.house.mta.value.domain}` : path.address;
}

export const vrfy: Command = { name: 'VRFY', spec: 'RFC 5321 §4.1.1.6', states: ['start', 'greeted', 'mail'], run: verify };
export const expn: Command = { name: 'EXPN', spec: 'RFC 5321 §4.1.1.7', states: ['start', 'greeted', 'mail'], run: expand };
