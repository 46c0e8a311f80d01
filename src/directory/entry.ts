/**
 * A directory entry as everybody after the directory sees it: a name and attributes with values.
 *
 * Text is text: a value whose syntax is textual and whose octets are valid UTF-8 is a string, anything else is bytes.
 * Attribute names compare without regard to case; options (`;lang-en`) are part of the name.
 * An Entry is never changed after it was made, so it can be shared and anything derived from it cached beside it.
 */

import type { Dn } from '../ldap-wire/index.ts';

export type AttributeValue = string | Uint8Array;

export interface Attribute {
  /** As the schema spells it. */
  readonly name: string;
  readonly values: readonly AttributeValue[];
}

export class Entry {
  readonly dn: Dn;
  /** By lower-case name, in the order of the entry. */
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** Its encoding, which the door that made it keeps here. Says nothing that the entry does not say. */
  beside: Uint8Array | undefined;

  constructor(dn: Dn, attributes: Iterable<Attribute>) {
    this.dn = dn;
    const map = new Map<string, Attribute>();
    for (const attribute of attributes) map.set(attribute.name.toLowerCase(), attribute);
    this.attributes = map;
    this.beside = undefined;
  }

  values(name: string): readonly AttributeValue[] {
    return this.attributes.get(name.toLowerCase())?.values ?? [];
  }

  /** All textual values. */
  texts(name: string): string[] {
    return this.values(name).filter((value) => typeof value === 'string');
  }

  /** The first textual value. */
  text(name: string): string | undefined {
    for (const value of this.values(name)) if (typeof value === 'string') return value;
    return undefined;
  }

  has(name: string): boolean {
    return this.attributes.has(name.toLowerCase());
  }

  /** Whether one of `objectClass` is this class, by name without regard to case. Superclasses are stored, so they match too. */
  isA(objectClass: string): boolean {
    const wanted = objectClass.toLowerCase();
    // Asked many times in every write: lengths tell most of them apart.
    for (const name of this.attributes.get('objectclass')?.values ?? []) {
      if (typeof name === 'string' && name.length === wanted.length && name.toLowerCase() === wanted) return true;
    }
    return false;
  }
}
