/**
 * The Directory port: what every room needs of an LDAP directory, in this process or far away.
 *
 * Implementations: the bundled server (this room) and any LDAP server (room directory-remote). One contract suite runs
 * against each. Arguments and results are plain values. Every refusal is a DirectoryFault with the LDAP result code and a
 * diagnostic that names attribute and rule.
 * Spec: RFC 4511
 */

import { Fault, type FaultKind } from '../base/index.ts';
import type { Dn, Filter, Rdn } from '../ldap-wire/index.ts';
import type { Attribute, AttributeValue, Entry } from './entry.ts';

/** LDAP result codes this product uses (RFC 4511 Appendix A, RFC 3909, RFC 4528, RFC 4533). */
export const resultCodes = {
  success: 0,
  operationsError: 1,
  protocolError: 2,
  timeLimitExceeded: 3,
  sizeLimitExceeded: 4,
  compareFalse: 5,
  compareTrue: 6,
  authMethodNotSupported: 7,
  strongerAuthRequired: 8,
  referral: 10,
  adminLimitExceeded: 11,
  unavailableCriticalExtension: 12,
  confidentialityRequired: 13,
  saslBindInProgress: 14,
  noSuchAttribute: 16,
  undefinedAttributeType: 17,
  inappropriateMatching: 18,
  constraintViolation: 19,
  attributeOrValueExists: 20,
  invalidAttributeSyntax: 21,
  noSuchObject: 32,
  aliasProblem: 33,
  invalidDNSyntax: 34,
  inappropriateAuthentication: 48,
  invalidCredentials: 49,
  insufficientAccessRights: 50,
  busy: 51,
  unavailable: 52,
  unwillingToPerform: 53,
  loopDetect: 54,
  namingViolation: 64,
  objectClassViolation: 65,
  notAllowedOnNonLeaf: 66,
  notAllowedOnRDN: 67,
  entryAlreadyExists: 68,
  objectClassModsProhibited: 69,
  affectsMultipleDSAs: 71,
  other: 80,
  canceled: 118,
  noSuchOperation: 119,
  tooLate: 120,
  cannotCancel: 121,
  assertionFailed: 122,
  syncRefreshRequired: 4096,
} as const;
export type ResultName = keyof typeof resultCodes;

const kinds: Partial<Record<ResultName, FaultKind>> = {
  invalidCredentials: 'bad-credentials',
  inappropriateAuthentication: 'bad-credentials',
  insufficientAccessRights: 'not-permitted',
  noSuchObject: 'not-found',
  entryAlreadyExists: 'exists',
  attributeOrValueExists: 'exists',
  protocolError: 'malformed',
  invalidDNSyntax: 'malformed',
  busy: 'busy',
  unavailable: 'unavailable',
  adminLimitExceeded: 'too-large',
  sizeLimitExceeded: 'too-large',
  timeLimitExceeded: 'timeout',
  assertionFailed: 'conflict',
  syncRefreshRequired: 'conflict',
  other: 'bug',
};

/** Errors of the password policy response control (draft-behera-ldap-password-policy-10 §6.2). */
export const passwordPolicyErrors = {
  passwordExpired: 0,
  accountLocked: 1,
  changeAfterReset: 2,
  passwordModNotAllowed: 3,
  mustSupplyOldPassword: 4,
  insufficientPasswordQuality: 5,
  passwordTooShort: 6,
  passwordTooYoung: 7,
  passwordInHistory: 8,
} as const;
export type PasswordPolicyError = keyof typeof passwordPolicyErrors;

export class DirectoryFault extends Fault {
  readonly result: ResultName;
  /** For noSuchObject: the deepest entry on the way that exists and may be known. */
  readonly matched: Dn | undefined;
  /** What of the password policy is broken, for clients that ask. */
  readonly policy: PasswordPolicyError | undefined;

  constructor(
    result: ResultName,
    say: string,
    options: { cause?: unknown; matched?: Dn | undefined; policy?: PasswordPolicyError | undefined; told?: boolean } = {},
  ) {
    const { cause, told = false } = options;
    super(kinds[result] ?? 'refused', say, cause === undefined ? { told } : { cause, told });
    this.name = 'DirectoryFault';
    this.result = result;
    this.matched = options.matched;
    this.policy = options.policy;
  }
}

/** On whose behalf an operation is done, and by which way it came: rights are judged and history is written with it. */
export interface Actor {
  /** DN of who is bound; undefined is anonymous. */
  readonly dn: Dn | undefined;
  /** `system` is the server itself, above all rights; `bound` is judged by `cn=access`. */
  readonly as: 'system' | 'bound';
  /** ldap, web, cli, import, smtpd …: for the change history. */
  readonly door: string;
  /** Network address of the client, where there is one. */
  readonly address?: string;
}

/** Who logged in, and what is to be said about the password. */
export interface Login extends Actor {
  /** Good for nothing but being changed: somebody else set it, or it is too old. */
  readonly mustChange?: 'reset' | 'expired';
  /** Seconds until it expires, where passwords do. */
  readonly expiresIn?: number;
}

/** Where a log-in comes from. */
export interface LoginFrom {
  readonly door: string;
  /** Left out: a Unix socket. */
  readonly address?: string;
  /** The name as it was given, for the log, where it was not a DN. */
  readonly name?: string;
}

export const system = (door: string): Actor => ({ dn: undefined, as: 'system', door });
export const anonymous = (door: string, address?: string): Actor => ({ dn: undefined, as: 'bound', door, ...(address ? { address } : {}) });

export type Scope = 'base' | 'one' | 'sub';

export interface SearchRequest {
  readonly base: Dn;
  readonly scope: Scope;
  readonly filter: Filter;
  /** Names, `*`, `+`, `1.1`; empty means all user attributes. */
  readonly attributes?: readonly string[];
  readonly typesOnly?: boolean;
  /** Entries at most; 0 or undefined: the server's own limit. */
  readonly sizeLimit?: number;
  /** Seconds; 0 or undefined: the server's own limit. */
  readonly timeLimit?: number;
  readonly signal?: AbortSignal;
  /**
   * The order of the answer; the first key counts most. Throws SortFault before the first entry where the answer cannot be put
   * into this order: the caller decides whether it does without.
   */
  readonly sort?: readonly SortKey[];
  /** What the base entry must match, or nothing is searched: else DirectoryFault assertionFailed (RFC 4528). */
  readonly assertion?: Filter;
  /** Told now and then about how many entries the whole answer has, as far as the actor may see; never, where nobody knows. */
  readonly onTotal?: (about: number) => void;
}

/** One key of an order (RFC 2891). Of several values the least counts; an entry without one comes last, reversed first. */
export interface SortKey {
  readonly attribute: string;
  /** Name or OID of an ordering rule; the attribute's own where it is left out. */
  readonly rule?: string;
  readonly reverse?: boolean;
}

/** The answer cannot be sorted as asked for; nothing else is wrong with the search. */
export class SortFault extends DirectoryFault {
  /** The key that is to blame, where one is. */
  readonly attribute: string | undefined;

  constructor(
    result: 'noSuchAttribute' | 'inappropriateMatching' | 'insufficientAccessRights' | 'unwillingToPerform' | 'adminLimitExceeded' | 'busy',
    say: string,
    attribute?: string,
  ) {
    super(result, say);
    this.name = 'SortFault';
    this.attribute = attribute;
  }
}

/** What belongs to a write and is done in the same transaction. */
export interface WriteOptions {
  /**
   * What the entry must match as it is (for an add: as it would be), or nothing is written: else DirectoryFault
   * assertionFailed. The actor's search rights count (RFC 4528).
   */
  readonly assertion?: Filter;
  /** The entry as it was is wanted, with these attributes, as far as the actor may read them (RFC 4527). Not for add. */
  readonly preRead?: readonly string[];
  /** The entry as it has become is wanted. Not for delete. */
  readonly postRead?: readonly string[];
}

export interface DeleteOptions extends WriteOptions {
  /** Everything below goes too, all or nothing; adminLimitExceeded where that is more than the server does at once. */
  readonly subtree?: boolean;
}

/** What a write has to tell: what was asked for with preRead and postRead. */
export interface WriteResult {
  readonly before?: Entry;
  readonly after?: Entry;
}

/** Where a rename leads. */
export interface NewName {
  readonly rdn: Rdn;
  readonly deleteOldRdn: boolean;
  readonly newSuperior?: Dn;
}

/** What follows a modify (RFC 4511 §4.6; increment RFC 4525). */
export interface Modification {
  readonly operation: 'add' | 'delete' | 'replace' | 'increment';
  readonly attribute: Attribute;
}

/** A place in the change log; ordered. Plain number for the bundled server. */
export type Position = number;

/**
 * One committed change. `before`/`after` are whole entries with operational attributes, passwords left out. An external directory does not
 * tell what was before: `before` is undefined then, and `uuid` says which entry it is.
 */
export interface Change {
  readonly position: Position;
  readonly kind: 'add' | 'modify' | 'rename' | 'delete';
  readonly uuid: string;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly actor: Actor;
}

export interface Watch {
  /** Where the feed stands: every change up to and including it was delivered. */
  readonly position: Position;
  stop(): void;
}

export interface ScramExchange {
  readonly salt: Uint8Array;
  readonly iterations: number;
  /** Once: who this is and the server's signature, or DirectoryFault invalidCredentials. */
  finish(authMessage: string, proof: Uint8Array): { readonly login: Login; readonly signature: Uint8Array };
}

export interface Directory {
  /**
   * Entries one by one, as the actor may see them. Throws DirectoryFault (sizeLimitExceeded after the allowed number was
   * yielded, timeLimitExceeded, adminLimitExceeded, noSuchObject with `matched`, …).
   */
  search(actor: Actor, request: SearchRequest): AsyncIterable<Entry>;
  /** The same where the whole answer is at hand, and nothing has to be waited for; undefined: then `search`. Not every implementation can. */
  answerNow?(actor: Actor, request: SearchRequest): readonly Entry[] | undefined;
  /** One entry by name, or undefined where it does not exist or may not be known. */
  read(actor: Actor, dn: Dn, attributes?: readonly string[]): Promise<Entry | undefined>;
  compare(actor: Actor, dn: Dn, attribute: string, value: AttributeValue, options?: Pick<WriteOptions, 'assertion'>): Promise<boolean>;
  add(actor: Actor, dn: Dn, attributes: readonly Attribute[], options?: WriteOptions): Promise<WriteResult>;
  modify(actor: Actor, dn: Dn, modifications: readonly Modification[], options?: WriteOptions): Promise<WriteResult>;
  rename(actor: Actor, dn: Dn, to: NewName, options?: WriteOptions): Promise<WriteResult>;
  delete(actor: Actor, dn: Dn, options?: DeleteOptions): Promise<WriteResult>;
  /** Simple bind: who this is, or DirectoryFault invalidCredentials. Never says which of name and password was wrong. */
  authenticate(dn: Dn, password: string, from: LoginFrom): Promise<Login>;
  /**
   * The server's half of a SCRAM-SHA-256 log-in (RFC 5802): by the same rules as `authenticate`, and the verifier stays in the directory.
   * Everybody gets an exchange, those who do not exist too. DirectoryFault busy after too many failures. Left out by a directory
   * that has no verifiers.
   */
  scram?(dn: Dn, from: LoginFrom): ScramExchange;
  /**
   * Whether a log-in still stands: false once the entry is gone, renamed or no longer active, or its password is another than the
   * one `authenticate` was given. Left out by a directory that cannot tell at once.
   */
  holds?(actor: Actor): boolean;
  /** The position of the last committed change. */
  position(): Promise<Position>;
  /**
   * Calls `listener` for every change after `from` (undefined: from now on), in order, each once, after it is durable.
   * `lost` is called instead when the log no longer reaches back to `from`: whoever keeps a view starts it afresh.
   */
  watch(from: Position | undefined, listener: (change: Change) => void, lost: () => void): Promise<Watch>;
}

export type DirectoryReader = Pick<Directory, 'search' | 'read' | 'compare' | 'position' | 'watch'>;
