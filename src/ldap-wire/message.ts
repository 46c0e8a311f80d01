/**
 * LDAP messages as values: every operation of RFC 4511, requests and responses, with their tags.
 *
 * Names stay text here: which error a wrong name makes depends on the operation. Values are text where they are UTF-8.
 * Spec: RFC 4511 §4, RFC 4525 (increment), RFC 3062 and RFC 4532 by way of extended operations
 */

import type { Filter } from './filter.ts';

export interface WireAttribute {
  readonly name: string;
  readonly values: readonly (string | Uint8Array)[];
}

export interface Control {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array | undefined;
}

export type Scope = 'base' | 'one' | 'sub';
export const scopes: readonly Scope[] = ['base', 'one', 'sub'];

export interface WireModification {
  readonly operation: 'add' | 'delete' | 'replace' | 'increment';
  readonly attribute: WireAttribute;
}
export const modifyOperations: readonly WireModification['operation'][] = ['add', 'delete', 'replace', 'increment'];

export interface BindRequest {
  readonly op: 'bind';
  readonly version: number;
  readonly name: string;
  /** The method: a password, a SASL mechanism, or one nobody knows (RFC 4511 §4.2: authMethodNotSupported). */
  readonly method:
    | { readonly type: 'simple'; readonly password: Uint8Array }
    | { readonly type: 'sasl'; readonly mechanism: string; readonly credentials: Uint8Array | undefined }
    | { readonly type: 'unknown' };
}
export interface WireSearch {
  readonly op: 'search';
  readonly base: string;
  readonly scope: Scope;
  readonly derefAliases: number;
  readonly sizeLimit: number;
  /** Seconds. */
  readonly timeLimit: number;
  readonly typesOnly: boolean;
  readonly filter: Filter;
  readonly attributes: readonly string[];
}
export type Request =
  | BindRequest
  | { readonly op: 'unbind' }
  | WireSearch
  | { readonly op: 'modify'; readonly dn: string; readonly modifications: readonly WireModification[] }
  | { readonly op: 'add'; readonly dn: string; readonly attributes: readonly WireAttribute[] }
  | { readonly op: 'delete'; readonly dn: string }
  | {
      readonly op: 'rename';
      readonly dn: string;
      readonly rdn: string;
      readonly deleteOldRdn: boolean;
      readonly newSuperior: string | undefined;
    }
  | { readonly op: 'compare'; readonly dn: string; readonly attribute: string; readonly value: Uint8Array }
  /** The message id of the operation that is to be abandoned. */
  | { readonly op: 'abandon'; readonly target: number }
  | { readonly op: 'extended'; readonly oid: string; readonly value: Uint8Array | undefined };
export type RequestName = Request['op'];

export interface LdapResult {
  readonly code: number;
  readonly matched: string;
  readonly diagnostic: string;
  readonly referral?: readonly string[];
}
export const success: LdapResult = { code: 0, matched: '', diagnostic: '' };

export type Response =
  | { readonly op: 'bind'; readonly result: LdapResult; readonly credentials?: Uint8Array }
  | { readonly op: 'entry'; readonly dn: string; readonly attributes: readonly WireAttribute[] }
  | { readonly op: 'reference'; readonly urls: readonly string[] }
  | { readonly op: 'search' | 'modify' | 'add' | 'delete' | 'rename' | 'compare'; readonly result: LdapResult }
  | { readonly op: 'extended'; readonly result: LdapResult; readonly oid?: string; readonly value?: Uint8Array }
  | { readonly op: 'intermediate'; readonly oid?: string; readonly value?: Uint8Array };

export interface Message<Op> {
  readonly id: number;
  readonly body: Op;
  readonly controls: readonly Control[];
}

export const requestTags = {
  bind: 0x60,
  unbind: 0x42,
  search: 0x63,
  modify: 0x66,
  add: 0x68,
  delete: 0x4a,
  rename: 0x6c,
  compare: 0x6e,
  abandon: 0x50,
  extended: 0x77,
} as const satisfies Record<RequestName, number>;

export const responseTags = {
  bind: 0x61,
  entry: 0x64,
  search: 0x65,
  reference: 0x73,
  modify: 0x67,
  add: 0x69,
  delete: 0x6b,
  rename: 0x6d,
  compare: 0x6f,
  extended: 0x78,
  intermediate: 0x79,
} as const satisfies Record<Response['op'], number>;

/** Tags inside operations. */
export const inner = {
  controls: 0xa0,
  simple: 0x80,
  sasl: 0xa3,
  referral: 0xa3,
  saslCredentials: 0x87,
  newSuperior: 0x80,
  requestName: 0x80,
  requestValue: 0x81,
  responseName: 0x8a,
  responseValue: 0x8b,
} as const;

export const maxMessageId = 0x7fffffff;
/** Elements of one message at most, besides what the message size allows. */
export const messageLimits = { values: 100_000, controls: 64, attributes: 4_096 } as const;

/** OIDs of extended operations and notices. */
export const noticeOfDisconnection = '1.3.6.1.4.1.1466.20036';
