/**
 * Which attributes are indexed, and how: one table. And what an entry's attributes mean for the index records.
 *
 * Promise: adding or removing one entry writes few small records, whatever the size of the directory and the length of its values. Values
 * that few entries have are in the index with the entry's own transaction; what belongs into long lists is noted there (pending.ts) and
 * listed by the merger.
 */

import type { KeyRange } from '../../storage/index.ts';
import type { Attribute, Entry } from '../entry.ts';
import { formsVersion } from '../schema/matching.ts';
import type { AttributeType, Schema } from '../schema/schema.ts';
import { decodeEntry } from './codec.ts';
import { idText, keys, lastId } from './keys.ts';
import { decodePending, encodePending, type IndexedValues, noValues, Pending } from './pending.ts';
import { decodeHead, decodeIds, decodeRoot, encodeHead, type Head, inlineIds, pieceKey } from './postings.ts';
import type { Transaction } from './transaction.ts';
import { TwoAges } from './two-ages.ts';

export interface IndexKinds {
  /** For `=`, prefixes and, where the attribute has an order, `>=` and `<=`. */
  readonly equality?: true;
  readonly presence?: true;
  /** For `*any*`, by runs of three characters. */
  readonly substring?: true;
}
export type IndexTable = Readonly<Record<string, IndexKinds>>;

const equality: IndexKinds = { equality: true };
const names: IndexKinds = { equality: true, substring: true };
const listed: IndexKinds = { equality: true, presence: true };

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
  memberUid: equality,
  uidNumber: equality,
  gidNumber: equality,
  owner: equality,
  manager: equality,
  secretary: equality,
  seeAlso: equality,
  roleOccupant: equality,
  mailForwardingAddress: listed,
  mailRoutingAddress: listed,
  rfc822MailMember: equality,
  associatedDomain: equality,
  mtMailAddress: names,
  mtChannel: equality,
  mtIdentifier: equality,
  mtDomainAlias: equality,
};

/** Values that are compared one by one; more go by a set. */
const few = 16;
/** The optional identifier behind a name (RFC 4517 §3.3.21). */
const uid = /#'[01]*'B$/;
/** Raised when the records of the indexes change. */
const recordsVersion = '3';

const gramLength = 3;
/** Characters of a value that are cut up, at most. */
export const longestIndexed = 256;

/** Stands for every value too long to be cut up whole: a search always looks at those too. */
export const longGram = '!long';

/** All runs of three characters. */
export function gramsOf(text: string): string[] {
  const found: string[] = text.length > longestIndexed ? [longGram] : [];
  const end = Math.min(text.length, longestIndexed) - gramLength;
  for (let at = 0; at <= end; at++) found.push(text.slice(at, at + gramLength));
  return found;
}

/** The table with what the schema knows, by lower-case name. */
export class Indexes {
  readonly kinds: ReadonlyMap<string, IndexKinds>;
  readonly schema: Schema;
  /** Tells one set of indexes from another: stored beside them. */
  readonly signature: string;
  readonly pending = new Pending();
  /** Attributes whose heads are sorted as numbers. */
  readonly #numbers = new Set<string>();

  /** Heads that are known to be full for good, and so need not be read. */
  readonly #full = new TwoAges<string, true>({ limit: 20_000, weight: Number.POSITIVE_INFINITY });

  constructor(schema: Schema, table: IndexTable) {
    this.schema = schema;
    const found = new Map<string, IndexKinds>();
    for (const [name, kinds] of Object.entries(table)) {
      const type = schema.attribute(name);
      if (!type?.equality) continue;
      found.set(type.lower, kinds);
      if (type.equality.name === 'integerMatch') this.#numbers.add(type.lower);
    }
    this.kinds = found;
    this.signature = JSON.stringify([recordsVersion, formsVersion, ...[...found].sort(([a], [b]) => (a < b ? -1 : 1))]);
  }

  /** The form in which a value stands in the index; undefined for one that takes part in no match. */
  form(type: AttributeType, value: string | Uint8Array): string | undefined {
    // By the name alone, so that whoever looks for references to an entry finds those with an identifier behind it as well.
    if (type.equality?.name === 'uniqueMemberMatch' && typeof value === 'string') return type.equality.normalise(value.replace(uid, ''));
    const normal = type.equality?.normalise(value);
    return normal !== undefined && this.#numbers.has(type.lower) ? sortableInteger(normal) : normal;
  }

  /** Whether `>=` and `<=` follow the order of the index. */
  ordered(type: AttributeType): boolean {
    return type.ordering !== undefined && type.ordering.name.replace('Ordering', '') === type.equality?.name;
  }

  /** A committed head says that there are more. */
  noteFull(head: string): void {
    this.#full.set(head, true, 1);
  }

  /** After all records were made anew. */
  forget(): void {
    this.#full.clear();
    this.pending.clear();
  }

  /** What of these attributes the indexes hold; of those of these lower-case names, if given. */
  values(attributes: Iterable<Attribute>, names?: ReadonlySet<string>): IndexedValues {
    const found = new Map<string, string[]>();
    for (const attribute of attributes) {
      const type = this.schema.describe(attribute.name)?.type;
      if (!type || !(names ?? this.kinds).has(type.lower)) continue;
      const forms = found.get(type.lower) ?? [];
      // A group may have a hundred thousand members.
      const seen = attribute.values.length > few ? new Set(forms) : undefined;
      for (const value of attribute.values) {
        const form = this.form(type, value);
        if (form === undefined || (seen ? seen.has(form) : forms.includes(form))) continue;
        seen?.add(form);
        forms.push(form);
      }
      // An attribute is present even where none of its values can be compared.
      found.set(type.lower, forms);
    }
    return found;
  }

  /** The lists an entry belongs into by its values of one attribute, but for those of equal values. */
  lists(attribute: string, forms: readonly string[] | undefined): Set<string> {
    const found = new Set<string>();
    const kinds = this.kinds.get(attribute);
    if (!forms || !kinds) return found;
    if (kinds.presence) found.add(keys.list('+', attribute, ''));
    if (kinds.substring) for (const form of forms) for (const gram of gramsOf(form)) found.add(keys.list('~', attribute, gram));
    return found;
  }

  /**
   * Brings the index records of one entry from what it was (undefined: it is new) to what it is (undefined: it goes). `version` is another
   * one for each write to the entry.
   */
  update(tx: Transaction, id: number, before: Entry | undefined, after: Entry | undefined, version: number): void {
    const names = this.#changed(before, after);
    if (names.size === 0) return;
    const some = (entry: Entry | undefined): IndexedValues => (entry ? this.values(entry.attributes.values(), names) : noValues);
    const [old, now] = [some(before), some(after)];
    let lists = false;
    const beyond: string[] = [];
    for (const attribute of names) {
      const [was, is] = [old.get(attribute), now.get(attribute)];
      if (sameValues(was, is)) continue;
      const kinds = this.kinds.get(attribute);
      if (kinds?.substring || (kinds?.presence && (was === undefined) !== (is === undefined))) lists = true;
      if (!kinds?.equality) continue;
      for (const value of without(was, is)) if (this.#removeFromHead(tx, attribute, value, id)) lists = true;
      for (const value of without(is, was)) if (this.#addToHead(tx, attribute, value, id)) beyond.push(keys.head(attribute, value));
    }
    lists ||= beyond.length > 0;
    // A note that is there already must not bring back a value the entry has just left.
    if (!lists && !(before && tx.get(keys.pending(id)))) return;
    const all = (entry: Entry): IndexedValues => this.values(entry.attributes.values());
    if (before) this.#note(tx, id, all(before), after ? all(after) : noValues, version);
    else this.#note(tx, id, undefined, now, version, beyond);
  }

  /** Indexed attributes that are not the same objects: whoever changes an entry leaves the others as they are. */
  #changed(before: Entry | undefined, after: Entry | undefined): Set<string> {
    const found = new Set<string>();
    const note = (one: Entry | undefined, other: Entry | undefined): void => {
      one?.attributes.forEach((attribute, name) => {
        if (other?.attributes.get(name) === attribute) return;
        const lower = this.schema.describe(attribute.name)?.type.lower;
        if (lower !== undefined && this.kinds.has(lower)) found.add(lower);
      });
    };
    note(before, after);
    note(after, before);
    return found;
  }

  #note(
    tx: Transaction,
    id: number,
    old: IndexedValues | undefined,
    after: IndexedValues,
    version: number,
    beyond?: readonly string[],
  ): void {
    const noted = old ? tx.get(keys.pending(id)) : undefined;
    const listed = noted ? decodePending(noted).listed : (old ?? noValues);
    tx.put(keys.pending(id), encodePending(version, listed));
    tx.pending.set(id, { version, listed, values: after, ...(beyond ? { beyond } : {}) });
  }

  /**
   * Takes over records that were written to a copy of this database. Lists go on here as they are: the copy's are left out, and every
   * entry is noted instead.
   */
  adopt(tx: Transaction, changes: Iterable<readonly [key: string, value: Uint8Array | undefined]>, version: number): void {
    const within = (key: string, range: KeyRange): boolean => key >= range.from && key < range.to;
    const valuesOf = (octets: Uint8Array | undefined): IndexedValues | undefined => octets && this.values(decodeEntry(octets).attributes);
    for (const [key, value] of changes) {
      if (within(key, keys.allLists) || within(key, keys.allPending)) continue;
      if (within(key, keys.entries)) this.#note(tx, lastId(key), valuesOf(tx.get(key)), valuesOf(value) ?? noValues, version);
      if (value) tx.put(key, value);
      else tx.delete(key);
    }
  }

  /** True where it belongs into the list instead. */
  #addToHead(tx: Transaction, attribute: string, value: string, id: number): boolean {
    const key = keys.head(attribute, value);
    if (this.#full.get(key)) return true;
    const head = decodeHead(tx.get(key));
    if (head.more || head.ids.length >= inlineIds) {
      if (!head.more) putHead(tx, key, { ids: head.ids, more: true });
      return true;
    }
    putHead(tx, key, { ids: [...head.ids, id], more: false });
    return false;
  }

  /** True where it may be in the list instead. */
  #removeFromHead(tx: Transaction, attribute: string, value: string, id: number): boolean {
    const key = keys.head(attribute, value);
    const head = decodeHead(tx.get(key));
    const left = head.ids.filter((each) => each !== id);
    if (left.length === head.ids.length) return head.more;
    putHead(tx, key, { ids: left, more: head.more });
    return false;
  }

  /** The ids of one index value as a transaction sees them, at most `limit`. */
  async idsWith(tx: Transaction, attribute: string, value: string, limit: number): Promise<number[]> {
    const head = decodeHead(tx.get(keys.head(attribute, value)));
    if (!head.more) return head.ids.slice(0, limit);
    const list = keys.list('=', attribute, value);
    const root = decodeRoot(tx.get(list));
    const found = new Set(head.ids);
    for (const [key] of await tx.scan(keys.allPending)) found.add(lastId(key));
    for (const id of root?.ids ?? []) found.add(id);
    // The list and the notes may name entries that have the value no more.
    const has: number[] = [];
    const take = (ids: Iterable<number>): void => {
      for (const id of ids) {
        if (has.length >= limit) return;
        const octets = tx.get(keys.entry(id));
        if (octets && this.values(decodeEntry(octets).attributes).get(attribute)?.includes(value)) has.push(id);
      }
    };
    take(found);
    for (const first of root?.pieces ?? []) {
      if (has.length >= limit) break;
      take(decodeIds(tx.get(pieceKey(list, idText(first)))).filter((id) => !found.has(id)));
    }
    return has;
  }
}

function putHead(tx: Transaction, key: string, head: Head): void {
  tx.heads.push(key);
  if (head.ids.length === 0 && !head.more) tx.delete(key);
  else tx.put(key, encodeHead(head));
}

export function sameValues(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((value, n) => value === b[n]);
}

/** A whole number as text that sorts as it counts: the number of digits, two characters each, then the digits; negative ones turned round. */
export function sortableInteger(text: string): string {
  const digits = text.startsWith('-') ? text.slice(1) : text;
  const size = digits.length.toString(36).padStart(3, '0');
  if (digits === text) return `1${size}${digits}`;
  const turned = (part: string): string => [...part].map((c) => (35 - Number.parseInt(c, 36)).toString(36)).join('');
  return `0${turned(size + digits)}`;
}

/** The id of the entry with this UUID as a transaction sees it: one for each, so it is in the head. */
export function idWithUuid(tx: Transaction, uuid: string): number | undefined {
  return decodeHead(tx.get(keys.head('entryuuid', uuid.toLowerCase()))).ids[0];
}

/** The values of one list that are not in the other. */
export function without(values: readonly string[] | undefined, others: readonly string[] | undefined): readonly string[] {
  if (!values || !others) return values ?? [];
  if (values.length <= few || others.length <= few) return values.filter((value) => !others.includes(value));
  const there = new Set(others);
  return values.filter((value) => !there.has(value));
}
