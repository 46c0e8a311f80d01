/**
 * Whose name a message may be sent in.
 *
 * Trusted users send in anybody's, everybody else in their own: the login name, alone or at the local domain.
 * Source: manual chapter 6, "SENDMAIL": "-f can only be used by trusted users (normally root, daemon, and network) or if the person you are
 * trying to become is the same as the person you are"
 */

import { Fault } from '../base/index.ts';

export interface Caller {
  readonly name: string;
  readonly uid: number;
}

const trusted = ['root', 'daemon', 'network'];

/** The envelope sender; Fault not-permitted. `owner`: the system user the server runs as, where it is known. */
export function senderFor(caller: Caller, domain: string, wanted: string | undefined, owner: number | undefined): string {
  const own = `${caller.name}@${domain}`;
  if (wanted === undefined) return own;
  if (caller.uid === 0 || caller.uid === owner || trusted.includes(caller.name)) return wanted;
  if ([caller.name, own].some((name) => name.toLowerCase() === wanted.toLowerCase())) return wanted;
  throw new Fault('not-permitted', `${caller.name} is no trusted user and may not send as ${wanted === '' ? '<>' : wanted}`);
}
