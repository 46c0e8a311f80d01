/**
 * What is announced, by state. Only what works stands here.
 * Spec: RFC 3501 §7.2.1, §11.2; RFC 7888 §5 (LITERAL- before log-in, LITERAL+ after)
 */

import { mayLogIn, type Session, type SessionState } from './session.ts';

const always = ['IMAP4rev1', 'SASL-IR', 'ID', 'ENABLE', 'IDLE'] as const;

const afterLogin = [
  'LITERAL+',
  'NAMESPACE',
  'CHILDREN',
  'LIST-EXTENDED',
  'LIST-STATUS',
  'SPECIAL-USE',
  'CREATE-SPECIAL-USE',
  'STATUS=SIZE',
  'UIDPLUS',
  'MULTIAPPEND',
  'MOVE',
  'UNSELECT',
  'ESEARCH',
  'SEARCHRES',
  'WITHIN',
  'CONDSTORE',
] as const;

export function capabilities(session: Pick<Session, 'peer' | 'settings' | 'canStartTls'>, state: SessionState): string {
  if (state.name !== 'not-authenticated') return [...always, ...afterLogin, `APPENDLIMIT=${session.settings.value.appendLimit}`].join(' ');
  const startTls = !session.peer.encrypted && session.canStartTls() ? ['STARTTLS'] : [];
  const login = mayLogIn(session) ? ['AUTH=PLAIN'] : ['LOGINDISABLED'];
  return [...always, 'LITERAL-', ...startTls, ...login].join(' ');
}
