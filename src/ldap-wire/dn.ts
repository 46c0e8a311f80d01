/**
 * Distinguished names: reading and writing their string form (RFC 4514), comparing them.
 *
 * A Dn is immutable. `key` is its comparable form: attribute types lower-case (OIDs of RFC 4514 §3 by name), values
 * prepared as caseIgnoreMatch does (RFC 4518: case folded, spaces folded and trimmed), RDN components sorted; two names
 * of the same entry have the same key. All naming attributes of this product's schema compare that way.
 */

export interface Ava {
  readonly type: string;
  readonly value: string;
}

/** One relative name: one or more attribute-value pairs. */
export type Rdn = readonly Ava[];

export interface Dn {
  /** From the entry up to the root. Empty is the root DSE. */
  readonly rdns: readonly Rdn[];
  /** Comparable form. */
  readonly key: string;
  /** String form of RFC 4514, as it was given in spelling and case. */
  toString(): string;
  readonly parent: Dn | undefined;
  /** True for the entry itself and everything below it. */
  isWithin(ancestor: Dn): boolean;
  child(rdn: Rdn): Dn;
}
