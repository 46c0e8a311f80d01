/**
 * A subtree whose entries are made when they are asked for: `cn=monitor`.
 *
 * Who makes it says what there is; rights, filters, selection, limits and order are the directory's business, as for any entry.
 */

import { type Dn, type Filter, parseDn } from '../../ldap-wire/index.ts';
import type { Entry } from '../entry.ts';

/** The top of the computed subtree. It belongs to the system tree as far as access rules are concerned. */
export const monitorName = 'cn=monitor';
export const monitorBase: Dn = parseDn(monitorName);

export interface ComputedEntry {
  readonly entry: Entry;
  /** Whether entries stand below it. */
  readonly subordinates: boolean;
  /** Nothing can stand below it. */
  readonly leaf?: true;
}

export interface ComputedTree {
  /** The entry of this name, or undefined where there is none. The name is at or below `monitorBase`. */
  find(dn: Dn): Promise<ComputedEntry | undefined>;
  /**
   * Those directly below an entry, each time in the same order, made as they are taken. What cannot match the filter, with all below
   * it, may be left out.
   */
  children(dn: Dn, filter: Filter): AsyncIterable<ComputedEntry>;
}

/** What entries of one kind can be asked for. Names in lower case. */
export interface EntryKind {
  /** Superclasses too. */
  readonly classes: ReadonlySet<string>;
  /** The own attributes (`mt…`) such an entry can have. */
  readonly attributes: ReadonlySet<string>;
}

/**
 * Whether a filter can be true of an entry of this kind; false only where it certainly is not. Attributes of standard schemas have
 * supertypes and other names: what is asked of them is left open.
 */
export function couldMatch(filter: Filter, kind: EntryKind): boolean {
  switch (filter.type) {
    case 'and':
      return filter.filters.every((part) => couldMatch(part, kind));
    case 'or':
      return filter.filters.some((part) => couldMatch(part, kind));
    case 'not':
    case 'extensible':
      return true;
    default: {
      const name = filter.attribute.toLowerCase();
      if (name === 'objectclass' && filter.type === 'equal') return couldBe(Buffer.from(filter.value).toString('utf8'), kind);
      return !name.startsWith('mt') || kind.attributes.has(name);
    }
  }
}

/** Numbers of classes are left open. */
function couldBe(objectClass: string, kind: EntryKind): boolean {
  const name = objectClass.trim().toLowerCase();
  return /^\d/.test(name) || kind.classes.has(name);
}
