/**
 * As whom a user who has logged in may send: the envelope sender, and the authors that the header names.
 *
 * Promise: every address of every From field is asked about, wherever in the header it stands and however it is spelt; a header
 * too long to be looked at in full is refused, for an author could hide behind it. A message without From is taken: nobody is named.
 * Spec: RFC 6409 §6.1; RFC 5322 §3.6.2
 */

import { headerValues, type KeptHeader, parseAddressList, splitHeader } from '../../mail/index.ts';
import { type Outcome, type Session, submits } from '../session.ts';
import { refused, setting } from './refusal.ts';

/** Authors asked about; nobody has that many names. */
const mostAuthors = 50;

type When = 'never' | 'submission' | 'always';

const counts = (when: When, session: Session): boolean => when === 'always' || (when === 'submission' && submits(session));

/** The null sender is everybody's: read receipts and vacation answers carry it. */
export async function maySendAs(session: Session, sender: string): Promise<boolean> {
  const { user, settings } = session;
  if (!user || sender === '' || !counts(settings.senderCheck, session)) return true;
  return await isOwn(session, user, sender);
}

async function isOwn(session: Session, user: NonNullable<Session['user']>, address: string): Promise<boolean> {
  const wanted = address.toLowerCase();
  if (user.mail.toLowerCase() === wanted || user.aliases.some((one) => one.toLowerCase() === wanted)) return true;
  // Domain aliases and other spellings that lead to the same account.
  const owner = await session.house.dit.recipient(address);
  if (owner) return owner.uuid === user.uuid;
  // Whoever has ann@example.org gets the mail for ann+news@example.org, unless that is somebody else's (RFC 5233 §1).
  const bare = address.replace(/^([^"+][^+]*)\+[^@]*(?=@[^@]*$)/, '$1');
  return bare !== address && (await isOwn(session, user, bare));
}

/** Why the authors that the header names may not be those; undefined where they may. */
export async function authorRefusal(session: Session, header: KeptHeader): Promise<Outcome | undefined> {
  const { user, house } = session;
  if (!user || !counts(session.settings.authorCheck, session)) return undefined;
  const rule = setting(session, 'mtSmtpdAuthorCheck');
  if (header.tooLong) return refused(552, '5.3.4', `the header of a message may have at most ${header.most} octets`, rule);
  const values = headerValues(splitHeader(header.bytes), 'from');
  const authors = values.flatMap((value) => parseAddressList(value)).filter(({ host, mailbox }) => host !== null || mailbox !== null);
  if (authors.length > mostAuthors) return refused(550, '5.7.1', `a message may name at most ${mostAuthors} authors`, rule);
  for (const { mailbox, host } of authors) {
    const address = `${mailbox ?? ''}@${host || house.mta.value.domain}`;
    if (!(await isOwn(session, user, address)))
      return refused(550, '5.7.1', `you may not send as ${shown(address)}, which the From field names`, rule);
  }
  return undefined;
}

/** A reply is one line of ASCII. */
const shown = (address: string): string => address.replace(/[^ -~]/g, '?').slice(0, 200);
