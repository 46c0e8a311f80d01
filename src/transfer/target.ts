/**
 * Where an import writes: a directory in this process or a server somewhere.
 *
 * Promise: every write is the ordinary checked one; a refusal is a DirectoryFault with result code and rule.
 */

import type { Attribute, AttributeValue, Entry, Modification, NewName } from '../directory/index.ts';
import { DirectoryFault } from '../directory/index.ts';
import type { Dn } from '../ldap-wire/index.ts';

export interface Addition {
  readonly kind: 'add';
  readonly dn: Dn;
  readonly attributes: readonly Attribute[];
}

export type Write =
  | Addition
  | { readonly kind: 'modify'; readonly dn: Dn; readonly modifications: readonly Modification[] }
  | { readonly kind: 'rename'; readonly dn: Dn; readonly to: NewName }
  /** `subtree`: with everything below it. */
  | { readonly kind: 'delete'; readonly dn: Dn; readonly subtree: boolean };

/** What became of one of several writes. */
export type Outcome = 'done' | 'not tried' | DirectoryFault;

export interface Target {
  /** Every attribute that can be had, or undefined where there is no such entry. */
  read(dn: Dn): Promise<Entry | undefined>;
  write(write: Write): Promise<void>;
  /** Whether these are the passwords of an entry already, as far as that can be told without guessing. */
  hasPasswords(entry: Entry, given: readonly AttributeValue[]): Promise<boolean>;
  /**
   * Many additions, parents before children. Where one is refused, `goOn` says whether the others are tried.
   * The outcomes stand in the order of the additions.
   */
  addAll(additions: readonly Addition[], goOn: boolean): Promise<Outcome[]>;
  /** Whether it takes what a server maintains itself (entryUUID, createTimestamp …) from an import. */
  readonly takesOperational: boolean;
}

/** The fault of one write; whatever else went wrong ends the import. */
export function asRefusal(thrown: unknown): DirectoryFault {
  // A server that is gone, or a database that does not write, refuses everything that follows too.
  if (thrown instanceof DirectoryFault && thrown.result !== 'unavailable') return thrown;
  throw thrown;
}
