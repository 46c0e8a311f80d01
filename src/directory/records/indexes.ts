/**
 * Which attributes are indexed, and how: one table. And what an entry's attributes mean for the index records.
 *
 * Promise: adding or removing one entry writes a bounded number of small records whatever the size of the directory: a
 * value that many entries share has one key for each of them instead of a growing list.
 */

import type { Attribute } from '../entry.ts';
import { formsVersion } from '../schema/matching.ts';
import type { Schema } from '../schema/schema.ts';
import { decodePosting, encodePosting, inlineIds } from './codec.ts';
import { keys } from './keys.ts';
import type { Transaction } from './transaction.ts';

export interface IndexKinds {
  readonly equality?: true;
  readonly presence?: true;
  readonly substring?: true;
}
export type IndexTable = Readonly<Record<string, IndexKinds>>;

const equality: IndexKinds = { equality: true };
const names: IndexKinds = { equality: true, substring: true };

/** By attribute name as the schema spells it; what the schema does not have is left out. */
export const defaultIndexes: IndexTable = {
  objectClass: equality,
  entryUUID: equality,
  cn: names,
  sn: names,
  givenName: names,
  mail: names,
  mailLocalAddress: names,
  displayName: equality,
  uid: equality,
  dc: equality,
  ou: equality,
  o: equality,
  telephoneNumber: equality,
  member: equality,
  uniqueMember: equality,
  owner: equality,
  manager: equality,
  secretary: equality,
  seeAlso: equality,
  roleOccupant: equality,
  mailForwardingAddress: { equality: true, presence: true },
  mailRoutingAddress: { equality: true, presence: true },
  rfc822MailMember: equality,
  associatedDomain: equality,
  mtMailAddress: names,
  mtChannel: equality,
  mtIdentifier: equality,
  mtDomainAlias: equality,
};

/** The table with what the schema knows, by lower-case name. */
export class Indexes {
  readonly kinds: ReadonlyMap<string, IndexKinds>;
  readonly schema: Schema;
  /** Tells one set of indexes from another: stored beside them. */
  readonly signature: string;

  constructor(schema: Schema, table: IndexTable) {
    this.schema = schema;
    const found = new Map<string, IndexKinds>();
    for (const [name, kinds] of Object.entries(table)) {
      const type = schema.attribute(name);
      if (type?.equality) found.set(type.lower, kinds);
    }
    this.kinds = found;
    this.signature = JSON.stringify(['1', formsVersion, ...[...found].sort(([a], [b]) => (a < b ? -1 : 1))]);
  }

  /** Every index term of these attributes: `=attr value`, `+attr`, `~attr gram`. */
  terms(attributes: Iterable<Attribute>): Map<string, Term> {
    const found = new Map<string, Term>();
    for (const attribute of attributes) {
      const type = this.schema.describe(attribute.name)?.type;
      const kinds = type ? this.kinds.get(type.lower) : undefined;
      if (!type || !kinds) continue;
      if (kinds.presence) found.set(`+${type.lower}`, { kind: 'presence', attribute: type.lower, value: '' });
      for (const value of attribute.values) {
        const normal = type.equality?.normalise(value);
        if (normal === undefined) continue;
        if (kinds.equality) found.set(`=${type.lower} ${normal}`, { kind: 'equality', attribute: type.lower, value: normal });
        if (kinds.substring) {
          for (const gram of gramsOf(normal))
            found.set(`~${type.lower} ${gram}`, { kind: 'substring', attribute: type.lower, value: gram });
        }
      }
    }
    return found;
  }

  /** Brings the index records of one entry from the old terms to the new ones. */
  async update(transaction: Transaction, id: number, before: ReadonlyMap<string, Term>, after: ReadonlyMap<string, Term>): Promise<void> {
    for (const [key, term] of before) if (!after.has(key)) await removeTerm(transaction, id, term);
    for (const [key, term] of after) if (!before.has(key)) await addTerm(transaction, id, term);
  }
}

export interface Term {
  readonly kind: 'equality' | 'presence' | 'substring';
  readonly attribute: string;
  readonly value: string;
}

export const gramLength = 3;
const longestIndexed = 256;

/** Stands for every value too long to be cut up whole: a search always looks at those too. */
export const longGram = '!long';

/** All runs of three characters. */
export function gramsOf(text: string): string[] {
  const found: string[] = text.length > longestIndexed ? [longGram] : [];
  const end = Math.min(text.length, longestIndexed) - gramLength;
  for (let at = 0; at <= end; at++) found.push(text.slice(at, at + gramLength));
  return found;
}

async function addTerm(transaction: Transaction, id: number, term: Term): Promise<void> {
  if (term.kind === 'presence') return transaction.put(keys.present(term.attribute, id));
  if (term.kind === 'substring') return transaction.put(keys.gram(term.attribute, term.value, id));
  const head = keys.head(term.attribute, term.value);
  const octets = await transaction.get(head);
  const posting = octets ? decodePosting(octets) : { ids: [] };
  if ('count' in posting) {
    transaction.put(keys.spilled(term.attribute, term.value, id));
    transaction.put(head, encodePosting({ count: posting.count + 1 }));
  } else if (posting.ids.length < inlineIds) {
    transaction.put(head, encodePosting({ ids: [...posting.ids, id] }));
  } else {
    for (const each of [...posting.ids, id]) transaction.put(keys.spilled(term.attribute, term.value, each));
    transaction.put(head, encodePosting({ count: posting.ids.length + 1 }));
  }
}

async function removeTerm(transaction: Transaction, id: number, term: Term): Promise<void> {
  if (term.kind === 'presence') return transaction.delete(keys.present(term.attribute, id));
  if (term.kind === 'substring') return transaction.delete(keys.gram(term.attribute, term.value, id));
  const head = keys.head(term.attribute, term.value);
  const octets = await transaction.get(head);
  if (!octets) return;
  const posting = decodePosting(octets);
  if ('count' in posting) {
    transaction.delete(keys.spilled(term.attribute, term.value, id));
    if (posting.count <= 1) transaction.delete(head);
    else transaction.put(head, encodePosting({ count: posting.count - 1 }));
    return;
  }
  const left = posting.ids.filter((each) => each !== id);
  if (left.length === 0) transaction.delete(head);
  else transaction.put(head, encodePosting({ ids: left }));
}

/** The ids of one index value as a transaction sees them, at most `limit`. */
export async function idsWith(transaction: Transaction, attribute: string, value: string, limit: number): Promise<number[]> {
  const octets = await transaction.get(keys.head(attribute, value));
  if (!octets) return [];
  const posting = decodePosting(octets);
  if ('ids' in posting) return posting.ids.slice(0, limit);
  return transaction.ids(keys.spill(attribute, value), limit);
}
