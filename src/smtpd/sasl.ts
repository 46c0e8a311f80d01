/** What is said while a client logs in: its lines, and the hand-over of names and passwords that the library has read. Spec: RFC 4954 §4 */

import type { SMTPServerAuthentication, SMTPServerAuthenticationResponse } from 'smtp-server';
import { commands } from './commands/index.ts';
import type { Session } from './session.ts';

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
