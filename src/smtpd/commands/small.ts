/** The commands that are answered in a line or two. Spec: RFC 5321 §4.1.1.5–§4.1.1.10, §3.5 */

import { isUnreadable, parsePath } from '../path.ts';
import { refused, setting } from '../policy/refusal.ts';
import { type Command, type Outcome, reply, type Session, withoutMail } from '../session.ts';

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
  const name = argument.trim();
  if (name === '') return reply(501, '5.5.4', 'Syntax: VRFY address');
  const untold = reply(252, '2.5.0', 'cannot say, but the message will be taken if it can be delivered');
  if (!session.settings.vrfy) return reply(252, '2.5.0', 'command disabled, but the message will be taken if it can be delivered');
  const address = askedAddress(session, name);
  if (address === undefined) return reply(553, '5.1.3', 'malformed address');
  const verdict = await session.house.judge(address);
  if (typeof verdict === 'object') return reply(550, verdict.status, `${address}: ${verdict.text}`);
  if (verdict === 'unknown') return reply(550, '5.1.1', `${address}: no such user here`);
  return verdict === 'yes' ? reply(250, '2.1.5', `<${address}>`) : untold;
}

async function expand(session: Session, argument: string): Promise<Outcome> {
  if (!session.settings.expn) return refused(550, '5.7.1', 'command disabled', setting(session, 'mtSmtpdExpn'));
  const address = askedAddress(session, argument.trim());
  if (address === undefined) return reply(501, '5.5.4', 'Syntax: EXPN address');
  const found = await session.house.dit.recipient(address);
  if (!found) return reply(550, '5.1.1', `${address}: no such list here`);
  const targets = found.kind === 'alias' && found.forwardTo.length > 0 ? found.forwardTo.slice(0, 100) : [found.mail];
  return { reply: { code: 250, status: '2.1.5', text: targets.map((one) => `<${one}>`) } };
}

function askedAddress(session: Session, text: string): string | undefined {
  const path = parsePath(text.replace(/^<(.*)>$/, '$1'));
  if (isUnreadable(path)) return undefined;
  return path.domain === undefined ? `${path.local}@${session.house.mta.value.domain}` : path.address;
}

export const vrfy: Command = { name: 'VRFY', spec: 'RFC 5321 §4.1.1.6', states: ['start', 'greeted', 'mail'], run: verify };
export const expn: Command = { name: 'EXPN', spec: 'RFC 5321 §4.1.1.7', states: ['start', 'greeted', 'mail'], run: expand };
