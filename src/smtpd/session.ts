/**
 * One SMTP conversation as the commands see it: who is there, how far the transaction is, and what may be asked of the house.
 *
 * The states are a union, so that a command in the wrong moment is a case of its own. Sockets, bytes and time-outs are the
 * adapter's business.
 */

import { asFault, type Clock, isLoopback, type Live, type Log, type Resolver, replies } from '../base/index.ts';
import type { Dit, MtaPolicy, Peer, Recipient } from '../dit/index.ts';
import type { MailAuthentication } from '../mail-auth/index.ts';
import type { NewRecipient, Queue } from '../queue/index.ts';
import type { SettingsOf } from '../settings/index.ts';
import type { Blobs } from '../storage/index.ts';
import type { Extensions, MailParameters } from './parameters.ts';
import type { DailyCounts } from './policy/daily.ts';
import type { Listing } from './policy/dns-bl.ts';
import type { Rates } from './policy/rates.ts';
import type { Rule } from './policy/refusal.ts';
import type { smtpdSettings } from './settings/index.ts';

export type SmtpdSettings = SettingsOf<(typeof smtpdSettings)['settings']>;

/** Which port the client came to: 25, 587, or 465 with TLS from the first octet. */
export type ListenerKind = 'smtp' | 'submission' | 'smtps';

export interface Reply {
  readonly code: number;
  /** Enhanced status (RFC 3463). Left out in greetings, answers to HELO and 3xx replies. */
  readonly status?: string;
  readonly text: string | readonly string[];
}

export interface Mail extends MailParameters {
  /** Empty is the null sender. */
  readonly sender: string;
  /** Header lines that say what was found out about the client. */
  readonly tags: readonly string[];
}

export interface Greeted {
  readonly helo: string;
  readonly esmtp: boolean;
}

export type State =
  | { readonly at: 'start' }
  | ({ readonly at: 'greeted' } & Greeted)
  /** `recipients` grows by RCPT; keyed by address. Only the host of a mailbox knows whether case matters (RFC 5321 §2.4). */
  | ({
      readonly at: 'mail';
      readonly mail: Mail;
      readonly recipients: Map<string, NewRecipient>;
      /** Takes the chunks of a message that is sent with BDAT, from the first one on. */
      transfer?: Receiver;
    } & Greeted);

/**
 * What SMTPD asks about a recipient: `yes` somebody here (or a channel that takes unknown ones), `unknown` a local domain but
 * nobody, `remote` not ours; a refusal: ours, but it gets no mail (an account that is disabled, forwarding in a circle). Throws Fault `unavailable` while that cannot be said.
 */
export type Judge = (address: string) => Promise<'yes' | 'unknown' | 'remote' | Turned>;

/** Why an address of ours gets no mail; `rule` and `entry` are for the log. */
export interface Turned {
  readonly status: string;
  readonly text: string;
  readonly rule?: string;
  readonly entry?: string;
}

/** What SMTPD asks the directory. */
export type SmtpdDit = Pick<Dit, 'login' | 'domain' | 'recipient' | 'blacklists' | 'spammer' | 'peer' | 'largestInbound' | 'scram'>;

/** What the room has been given to work with. */
export interface House {
  readonly queue: Queue;
  readonly blobs: Blobs;
  readonly judge: Judge;
  readonly dit: SmtpdDit;
  readonly resolver: Resolver;
  readonly rates: Rates;
  /** Absent: mail is taken as it is. */
  readonly authentication?: MailAuthentication;
  readonly daily: DailyCounts;
  /** Name of the entry that holds the settings, for the log. */
  readonly settingsEntry: string;
  readonly mta: Live<MtaPolicy>;
  readonly log: Log;
  readonly clock: Clock;
  /** Octets free where the queue is kept; undefined where that cannot be told. */
  readonly freeSpace: () => Promise<number | undefined>;
}

export interface Session {
  readonly id: string;
  readonly kind: ListenerKind;
  readonly house: House;
  /** As they were when the connection was opened. */
  readonly settings: SmtpdSettings;
  readonly address: string;
  readonly port: number;
  state: State;
  tls: boolean;
  /** There is a certificate to offer STARTTLS with. */
  readonly canStartTls: () => boolean;
  user: Recipient | undefined;
  loginFailures: number;
  /** The log has been told that this client says what is no command. */
  notUnderstood?: true;
  /** Who this is among the peers, by what was said in HELO. */
  peer?: Peer;
  /** Of the DNS blacklists, once somebody has asked. */
  listings?: Promise<readonly Listing[]>;
}

/** Takes the octets of a message, dots already taken out. Once `end` or `abort` was called nothing else is. */
export interface Receiver {
  /** A promise means: send no more before it resolves. Never fails; trouble is told by `end`. */
  write(bytes: Buffer): Promise<void> | undefined;
  /** True: so much came over the limit that the rest need not be waited for. */
  readonly hopeless: boolean;
  /** True: `end` will refuse it, whatever still comes. */
  readonly refused: boolean;
  end(): Promise<Reply>;
  abort(): void;
}

export interface Outcome {
  readonly reply: Reply;
  readonly state?: State;
  readonly close?: boolean;
  /** With code 354: who takes the message. */
  readonly receiver?: Receiver;
  /** In place of the reply: octets that follow, and what to say when they are in. */
  readonly chunk?: Chunk;
  /** What this was refused by; logged. */
  readonly rule?: Rule;
}

/** A part of a message that was announced with its length. */
export interface Chunk {
  readonly octets: number;
  readonly receiver: Receiver;
  /** The message is complete with it. */
  readonly last: boolean;
}

export interface Command {
  readonly name: string;
  readonly spec: string;
  /** In which states it may be given; elsewhere the dispatcher answers 503. */
  readonly states: readonly State['at'][];
  run(session: Session, argument: string): Outcome | Promise<Outcome>;
}

export const reply = (code: number, status: string, text: string): Outcome => ({ reply: { code, status, text } });

export const submits = (session: Session): boolean => session.kind !== 'smtp';

export function extensionsOf(session: Session): Extensions {
  const { settings } = session;
  const on = settings.esmtp && session.state.at !== 'start' && session.state.esmtp;
  return {
    size: on && settings.offerSize,
    eightBit: on && settings.offer8BitMime,
    smtputf8: on && settings.offerSmtpUtf8,
    dsn: on && settings.offerDsn,
    auth: on && settings.offerAuth,
  };
}

/** AUTH is offered and taken on an encrypted connection, and otherwise as the setting says. */
export function mayLogIn(session: Session): boolean {
  if (mechanisms(session).length === 0) return false;
  if (session.tls || session.settings.loginWithoutTls === 'always') return true;
  return session.settings.loginWithoutTls === 'loopback' && isLoopback(session.address);
}

/** The ways of logging in that are switched on. */
export function mechanisms({ settings, house }: Session): readonly string[] {
  if (!settings.offerAuth) return [];
  const scram = settings.authScram && house.dit.scram !== undefined && 'SCRAM-SHA-256';
  return [settings.authPlain && 'PLAIN', settings.authLogin && 'LOGIN', scram].filter((one) => one !== false);
}

/** The state after RSET, after a message, and after a transaction that came to nothing. */
export function withoutMail(state: State): State {
  return state.at === 'mail' ? { at: 'greeted', helo: state.helo, esmtp: state.esmtp } : state;
}

/** A thrown value as a reply; what nobody foresaw is logged and becomes 451, so that the client keeps the message. */
export function faultReply(thrown: unknown, session: Session, doing: string): Reply {
  const fault = asFault(thrown);
  const [code, status] = replies[fault.kind].smtp;
  if (fault.kind === 'bug') session.house.log.error(`${session.id}: ${doing} failed`, fault.cause ?? fault);
  else session.house.log.info(`${session.id}: ${doing}: ${fault.say}`);
  return { code, status, text: fault.say };
}

/** Once a session; what was said may be a password. */
export function tellNotUnderstood(session: Session): void {
  if (session.notUnderstood) return;
  session.notUnderstood = true;
  session.house.log.warning(`${session.id}: [${session.address}] says what is no command`);
}
