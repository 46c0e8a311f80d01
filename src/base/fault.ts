/**
 * The closed set of things that can go wrong, and what each is called in every protocol.
 *
 * Promise: whatever a room throws, a door can answer in its protocol's own terms. `say` may reach a stranger;
 * `cause` is for the log alone. Anything that is not a Fault is a `bug`: temporary in SMTP, so that a defect of ours
 * delays mail and never bounces it.
 * Spec: RFC 5321 §4.2, RFC 3463, RFC 5530, RFC 3206, RFC 4511 Appendix A, RFC 9110 §15
 */

export type FaultKind =
  | 'bad-credentials' // who are you?
  | 'not-permitted' // I know who you are, and no
  | 'not-found'
  | 'exists' // it is there already
  | 'malformed' // the request makes no sense
  | 'refused' // it makes sense, and a rule forbids it for good
  | 'wrong-moment' // right request, wrong state
  | 'unsupported'
  | 'too-large'
  | 'too-many'
  | 'over-quota'
  | 'no-space' // our disk is full: it passes when somebody makes room
  | 'busy' // try again soon
  | 'conflict' // somebody else changed it meanwhile
  | 'unavailable' // a part of us or a peer is away
  | 'timeout'
  | 'bug';

/** One row: a fault kind in the words of each protocol. `smtp` is code and enhanced status (RFC 3463). */
export interface Reply {
  readonly smtp: readonly [code: number, status: string];
  /** IMAP completion and RFC 5530 response code. */
  readonly imap: readonly [status: 'NO' | 'BAD', code?: string];
  /** POP3 extended response code (RFC 2449, RFC 3206), if any. */
  readonly pop3?: string;
  /** LDAP resultCode (RFC 4511 §4.1.9). */
  readonly ldap: number;
  readonly http: number;
}

export const replies: Readonly<Record<FaultKind, Reply>> = {
  'bad-credentials': { smtp: [535, '5.7.8'], imap: ['NO', 'AUTHENTICATIONFAILED'], pop3: 'AUTH', ldap: 49, http: 401 },
  'not-permitted': { smtp: [550, '5.7.1'], imap: ['NO', 'NOPERM'], ldap: 50, http: 403 },
  'not-found': { smtp: [550, '5.1.1'], imap: ['NO', 'NONEXISTENT'], ldap: 32, http: 404 },
  exists: { smtp: [550, '5.3.5'], imap: ['NO', 'ALREADYEXISTS'], ldap: 68, http: 409 },
  malformed: { smtp: [501, '5.5.4'], imap: ['BAD', 'CLIENTBUG'], ldap: 2, http: 400 },
  refused: { smtp: [550, '5.7.0'], imap: ['NO', 'CANNOT'], ldap: 53, http: 422 },
  'wrong-moment': { smtp: [503, '5.5.1'], imap: ['BAD', 'CLIENTBUG'], ldap: 1, http: 409 },
  unsupported: { smtp: [502, '5.5.1'], imap: ['NO', 'CANNOT'], ldap: 12, http: 501 },
  'too-large': { smtp: [552, '5.3.4'], imap: ['NO', 'LIMIT'], ldap: 11, http: 413 },
  'too-many': { smtp: [452, '4.5.3'], imap: ['NO', 'LIMIT'], pop3: 'SYS/TEMP', ldap: 11, http: 429 },
  'over-quota': { smtp: [452, '4.2.2'], imap: ['NO', 'OVERQUOTA'], ldap: 19, http: 507 },
  'no-space': { smtp: [452, '4.3.1'], imap: ['NO', 'UNAVAILABLE'], pop3: 'SYS/TEMP', ldap: 52, http: 507 },
  busy: { smtp: [451, '4.3.2'], imap: ['NO', 'INUSE'], pop3: 'IN-USE', ldap: 51, http: 503 },
  conflict: { smtp: [451, '4.3.0'], imap: ['NO', 'EXPUNGEISSUED'], ldap: 122, http: 409 },
  unavailable: { smtp: [451, '4.3.0'], imap: ['NO', 'UNAVAILABLE'], pop3: 'SYS/TEMP', ldap: 52, http: 503 },
  timeout: { smtp: [451, '4.4.2'], imap: ['NO', 'UNAVAILABLE'], pop3: 'SYS/TEMP', ldap: 3, http: 504 },
  bug: { smtp: [451, '4.3.0'], imap: ['NO', 'SERVERBUG'], pop3: 'SYS/TEMP', ldap: 80, http: 500 },
};

export class Fault extends Error {
  readonly kind: FaultKind;
  /** What may be told to whoever asked: one line, no secrets, names what is wrong. */
  readonly say: string;
  /** The log has it already, once, for all it keeps from being done: an outage. Whoever meets it says nothing more of weight. */
  readonly told: boolean;

  constructor(kind: FaultKind, say: string, options?: { cause?: unknown; told?: boolean }) {
    super(say, options);
    this.told = options?.told ?? false;
    this.name = 'Fault';
    this.kind = kind;
    this.say = say;
  }
}

/** Any thrown value as a Fault; what is not one already becomes a `bug` whose text tells a stranger nothing. */
export function asFault(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  return new Fault('bug', 'internal error, please try again later', { cause: thrown });
}

export function replyOf(thrown: unknown): Reply {
  return replies[asFault(thrown).kind];
}
