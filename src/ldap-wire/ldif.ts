/**
 * LDIF as values: what the reader yields and the writer takes.
 *
 * A value is text where its octets are UTF-8, bytes otherwise; only the schema knows what it means.
 * Spec: RFC 2849, increment RFC 4525
 */

import type { Dn, Rdn } from './dn.ts';

export interface LdifAttribute {
  /** As written, options included. */
  readonly name: string;
  readonly values: readonly (string | Uint8Array)[];
}

export interface LdifControl {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array | undefined;
}

export interface LdifModification {
  readonly operation: 'add' | 'delete' | 'replace' | 'increment';
  readonly attribute: LdifAttribute;
}

export type LdifBody =
  /** An entry, without `changetype`. */
  | { readonly kind: 'content'; readonly attributes: readonly LdifAttribute[] }
  | { readonly kind: 'add'; readonly attributes: readonly LdifAttribute[] }
  | { readonly kind: 'modify'; readonly modifications: readonly LdifModification[] }
  | { readonly kind: 'delete' }
  /** `modrdn` and `moddn`, which mean the same. */
  | { readonly kind: 'rename'; readonly rdn: Rdn; readonly deleteOldRdn: boolean; readonly newSuperior: Dn | undefined };

export type LdifRecord = LdifBody & {
  readonly dn: Dn;
  readonly controls: readonly LdifControl[];
  /** Line of the `dn:`, from 1. */
  readonly line: number;
};
