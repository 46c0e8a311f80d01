/**
 * Logging in at a relay host.
 *
 * Promise: of the ways that host and client know, the strongest is used; the password itself goes over an encrypted connection alone,
 * unless the setting says otherwise; whatever goes wrong is a failure of this attempt, never of the mail: a wrong password must not
 * send mail back. Nothing of the exchange is logged.
 * Spec: RFC 4954; RFC 7677 (SCRAM-SHA-256), RFC 2195 (CRAM-MD5), RFC 4616 (PLAIN). Source: checklist SMTPC-06
 */

import { createHmac } from 'node:crypto';
import { saslprep, scramClient } from '../base/index.ts';
import type { PeerReply, PeerSession } from './peer-session.ts';

export interface Login {
  readonly user: string;
  readonly password: string;
  /** PLAIN and LOGIN are used without encryption, too. */
  readonly plainAllowed: boolean;
}

type Session = Pick<PeerSession, 'say' | 'mechanisms' | 'encrypted' | 'host'>;
type Mechanism = (session: Session, login: Login) => Promise<PeerReply>;

const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
const decode = (text: string): string => Buffer.from(text, 'base64').toString('utf8');

/** A reply other than the challenge that was to come. */
class Answered extends Error {
  readonly reply: PeerReply;
  constructor(reply: PeerReply) {
    super(reply.text);
    this.reply = reply;
  }
}

async function challenge(session: Session, line: string): Promise<string> {
  const reply = await session.say(line);
  if (reply.code !== 334) throw new Answered(reply);
  return decode(reply.text);
}

/** Strongest first. */
const mechanisms: readonly (readonly [name: string, plain: boolean, run: Mechanism])[] = [
  ['SCRAM-SHA-256', false, scram],
  ['CRAM-MD5', false, cramMd5],
  ['PLAIN', true, (session, { user, password }) => session.say(`AUTH PLAIN ${encode(`\0${saslprep(user)}\0${saslprep(password)}`)}`)],
  ['LOGIN', true, loginMechanism],
];

async function scram(session: Session, { user, password }: Login): Promise<PeerReply> {
  const client = scramClient(user, password);
  const first = await challenge(session, `AUTH SCRAM-SHA-256 ${encode(client.first)}`);
  let final: string;
  try {
    final = await client.final(first);
  } catch (thrown) {
    await session.say('*');
    throw thrown;
  }
  const reply = await session.say(encode(final));
  if (reply.code === 334) {
    if (client.believes(decode(reply.text))) return session.say('');
    await session.say('*');
  } else if (reply.code !== 235) return reply;
  // RFC 4954 §4: what the server has to say last may come with the 235.
  else if (client.believes(decode(/^(?:\d\.\d+\.\d+ +)?(\S+)/.exec(reply.text)?.[1] ?? ''))) return reply;
  throw new Error(`${session.host} has not shown that it knows the password`);
}

async function cramMd5(session: Session, { user, password }: Login): Promise<PeerReply> {
  const given = await challenge(session, 'AUTH CRAM-MD5');
  return session.say(encode(`${user} ${createHmac('md5', password).update(given).digest('hex')}`));
}

async function loginMechanism(session: Session, { user, password }: Login): Promise<PeerReply> {
  await challenge(session, 'AUTH LOGIN');
  await challenge(session, encode(user));
  return session.say(encode(password));
}

/** Undefined: logged in; otherwise why not, for the log and the queue. */
export async function logIn(session: Session, login: Login): Promise<string | undefined> {
  const offered = mechanisms.filter(([name]) => session.mechanisms.includes(name));
  const usable = offered.filter(([, plain]) => !plain || session.encrypted || login.plainAllowed);
  let said: string | undefined;
  for (const [name, , run] of usable) {
    const reply = await attempt(run, session, login);
    if (typeof reply === 'string') return `log-in (${name}): ${reply}`;
    if (reply.code === 235) return undefined;
    said = `log-in (${name}): ${reply.code} ${reply.text}`;
    // RFC 4954 §4, §6: this way of logging in is not for us; another one may be.
    if (reply.code !== 504 && reply.code !== 534) return said;
  }
  if (said !== undefined) return said;
  if (session.mechanisms.length === 0) return 'log-in is not offered';
  if (offered.length === 0) return `log-in: no common way, ${session.mechanisms.join(', ').slice(0, 200)} are offered`;
  return `log-in: ${offered.map(([name]) => name).join(', ')} would send the password over a connection that is not encrypted`;
}

async function attempt(run: Mechanism, session: Session, login: Login): Promise<PeerReply | string> {
  try {
    return await run(session, login);
  } catch (thrown) {
    if (thrown instanceof Answered) return thrown.reply;
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}
