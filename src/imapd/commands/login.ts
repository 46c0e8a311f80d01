/** LOGIN and what it has in common with AUTHENTICATE: from a name and a password to an account. */

import { Fault } from '../../base/index.ts';
import { capabilities } from '../capabilities.ts';
import { loggedOut } from '../command.ts';
import { type Completion, mayLogIn, no, ok, type Session, type SessionState } from '../session.ts';

const longestName = 512;
const longestPassword = 1024;

export const login = loggedOut({
  name: 'LOGIN',
  spec: 'RFC 3501 §6.2.3',
  parse(args) {
    const name = args.utf8('a user name');
    args.space();
    return { name, password: args.utf8('a password') };
  },
  run: (session, _state, { name, password }) => logIn(session, name, password),
});

/** Fault `bad-credentials` for a wrong name or password, `unavailable` when nobody can tell. */
export async function logIn(session: Session, name: string, password: string): Promise<Completion> {
  if (!mayLogIn(session)) return no('a password is taken over an encrypted connection only', 'PRIVACYREQUIRED');
  if (name === '' || name.length > longestName || password.length > longestPassword)
    throw new Fault('bad-credentials', 'wrong user name or password');
  const recipient = await session.dit.login(name, password, { door: 'imap', address: session.peer.address });
  await session.store.ensureAccount(recipient.uuid);
  const next: SessionState = { name: 'authenticated', account: { id: recipient.uuid, mail: recipient.mail } };
  return ok('logged in', { code: `CAPABILITY ${capabilities(session, next)}`, next });
}
