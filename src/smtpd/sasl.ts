/** What is said while a client logs in: its lines, and the hand-over of names and passwords that the library has read. Spec: RFC 4954 §4 */

import type { SMTPServerAuthentication, SMTPServerAuthenticationResponse } from 'smtp-server';
import { commands } from './commands/index.ts';
import { refused, setting } from './policy/refusal.ts';
import { mayLogIn, mechanisms, type Outcome, type Session } from './session.ts';

export type LoginResult = { readonly ok: true } | { readonly ok: false; readonly code: number; readonly say: string };

/** Checks a name and password and notes the user in the session. Never throws. */
export type LogIn = (session: Session, name: string, password: string) => Promise<LoginResult>;

/** PLAIN and LOGIN, once the library has read them. */
export function authenticate(
  auth: SMTPServerAuthentication,
  session: Session | undefined,
  logIn: LogIn,
  callback: (error: Error | null | undefined, response?: SMTPServerAuthenticationResponse) => void,
): void {
  const refuse = (code: number, say: string): void => callback(null, { responseCode: code, message: say });
  if (!session || (auth.method !== 'PLAIN' && auth.method !== 'LOGIN')) {
    refuse(535, 'authentication failed');
    return;
  }
  const { authzid, authcid } = auth as { authzid?: string; authcid?: string };
  // RFC 4616: acting for somebody else is not offered.
  if (authzid && authcid && authzid !== authcid) {
    refuse(535, 'authentication failed');
    return;
  }
  void logIn(session, auth.username ?? '', String(auth.password ?? '')).then(
    (result) => (result.ok ? callback(null, { user: session.user }) : refuse(result.code, result.say)),
    () => refuse(454, 'authentication is not possible at present'),
  );
}

export interface AuthCommand {
  /** In capitals. */
  readonly mechanism: string;
  readonly initial: string | undefined;
  readonly refusal: Outcome | undefined;
}

/** The line of AUTH, and what is against it before the mechanism has its say. */
export function readAuth(session: Session, line: Buffer): AuthCommand {
  const [, named = '', initial, ...rest] = line.toString().trim().split(/\s+/);
  const mechanism = named.toUpperCase();
  const read = (refusal: Outcome | undefined): AuthCommand => ({ mechanism, initial, refusal });
  const no = (code: number, status: string, text: string): AuthCommand => read({ reply: { code, status, text } });
  const { settings, state } = session;
  if (!settings.offerAuth || (state.at !== 'start' && !state.esmtp)) return no(502, '5.5.1', 'AUTH is not available');
  if (state.at === 'mail') return no(503, '5.5.1', 'not within a transaction');
  if (!mayLogIn(session))
    return read(refused(538, '5.7.11', 'encryption is required: say STARTTLS first', setting(session, 'mtSmtpdLoginWithoutTls')));
  if (mechanism === '') return no(501, '5.5.4', 'Syntax: AUTH mechanism [initial-response]');
  if (!mechanisms(session).includes(mechanism)) return no(504, '5.5.4', 'this way of logging in is not offered');
  // RFC 4954 §4: `=` is a response of no octets.
  if (rest.length > 0 || (initial !== undefined && initial !== '=' && !isBase64(initial))) return no(501, '5.5.2', notBase64);
  return read(undefined);
}

/** Clients go on with their name and password after AUTH was refused: one word that is no command and reads as base64. */
export function looksLikeCredentials(line: string): boolean {
  return /^[A-Za-z0-9+/]{4,}={0,2}$/.test(line) && !commands.has(line.toUpperCase()) && line.toUpperCase() !== 'STARTTLS';
}

export const notBase64 = 'this is not base64';
export const isBase64 = (text: string): boolean => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);

/** RFC 4954 §4: base64, or the star that gives up; anything else is refused. The library passes over what is not base64. */
export function isAnswer(line: Buffer): boolean {
  const text = line.toString('latin1').trim();
  return text === '*' || isBase64(text);
}
