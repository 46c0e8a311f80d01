/** What USER/PASS and AUTH have in common: from a name and a password to an open maildrop. */

import { Maildrop } from '../maildrop.ts';
import { err, ok, type Reply, type Session } from '../session.ts';

export const encryptFirst = err('a password is taken over an encrypted connection only, say STLS first');

/** Faults of the directory and the store become replies in the dispatcher. */
export async function logIn(session: Session, name: string, password: string): Promise<Reply> {
  const account = await session.dit.login(name, password, { door: 'pop3d', address: session.peer.address });
  const maildrop = await Maildrop.open(session, account);
  const { count, octets } = maildrop.total;
  return ok(`${count} messages, ${octets} octets`, { next: { name: 'transaction', maildrop } });
}
