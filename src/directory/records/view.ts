/**
 * The committed directory, read at once: entries by id and by name, without leaving the current turn of the loop.
 *
 * Promise: memory has a bound; after `forget` nothing old is given out. A decoded Entry is the same object until its
 * record changes, so what others derive from it can be cached beside it.
 * Who may see what is access's business.
 */

import { type Dn, parseDn, type Rdn, rdnKey, rootDn } from '../../ldap-wire/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import { Entry } from '../entry.ts';
import { decodeEntry, decodeNumber, decodeText } from './codec.ts';
import { keys, rootId } from './keys.ts';
import { countOf, decodeHead, decodeRoot, type Head, type Root } from './postings.ts';
import type { Fresh, Transaction } from './transaction.ts';
import { TwoAges } from './two-ages.ts';

export interface Stored {
  readonly id: number;
  readonly parent: number;
  readonly entry: Entry;
  /** Whether some attribute has options (`cn;lang-en`). */
  readonly optioned: boolean;
  /** Whether entries stand below it, where a transaction has looked already; else the view knows. */
  readonly subordinates?: boolean;
  /** What askers got of it, by rights and selection: kept here by search/select.ts as long as the entry is as it is. */
  shown?: Map<string, Entry> | undefined;
}

export interface ViewLimits {
  readonly entries: number;
  /** Octets of the records behind the entries. */
  readonly octets: number;
}

const names = 50_000;

export class View {
  readonly #keyValue: Pick<KeyValue, 'getNow'>;
  readonly #entries: TwoAges<number, Stored>;
  readonly #ids = new TwoAges<string, number>({ limit: names, weight: Number.POSITIVE_INFINITY });
  readonly #heads = new TwoAges<string, Head>({ limit: names, weight: Number.POSITIVE_INFINITY });

  constructor(keyValue: Pick<KeyValue, 'getNow'>, limits: ViewLimits = { entries: 20_000, octets: 64 * 1024 * 1024 }) {
    this.#keyValue = keyValue;
    this.#entries = new TwoAges({ limit: limits.entries, weight: limits.octets });
  }

  /** The entry with this id, or undefined where there is none (any more). */
  load(id: number): Stored | undefined {
    const cached = this.#entries.get(id);
    if (cached) return cached;
    const octets = this.#keyValue.getNow(keys.entry(id));
    if (!octets) return undefined;
    const record = decodeEntry(octets);
    const above = record.parent === rootId ? nameAbove(this.#keyValue.getNow(keys.above(id))) : this.load(record.parent)?.entry.dn;
    if (!above) return undefined;
    const entry = new Entry(above.child(record.rdn), record.attributes);
    const stored = {
      id,
      parent: record.parent,
      entry,
      optioned: isOptioned(entry),
      shown: undefined,
    };
    this.#entries.set(id, stored, octets.length);
    return stored;
  }

  /** The entry as it has just been committed. */
  keep(id: number, { parent, entry, octets }: Fresh): void {
    this.#entries.set(id, { id, parent, entry, optioned: isOptioned(entry), shown: undefined }, octets);
  }

  child(parent: number, rdn: Rdn): number | undefined {
    return this.#named(keys.name(parent, rdnKey(rdn)));
  }

  #named(key: string): number | undefined {
    const octets = this.#keyValue.getNow(key);
    return octets === undefined ? undefined : decodeNumber(octets);
  }

  /** Id of the entry with this name. The root has none. */
  idOf(dn: Dn): number | undefined {
    const known = this.#ids.get(dn.key);
    if (known !== undefined) return known;
    let id: number | undefined;
    let level = dn.rdns.length;
    while (id === undefined && level > 0) id = this.#named(topKey(dn, --level));
    while (id !== undefined && level > 0) id = this.child(id, dn.rdns[--level] ?? []);
    if (id === undefined) return undefined;
    this.#ids.set(dn.key, id, 1);
    return id;
  }

  find(dn: Dn): Stored | undefined {
    const id = this.idOf(dn);
    return id === undefined ? undefined : this.load(id);
  }

  /** The deepest entry on the way to this name that exists, without the entry itself. */
  deepest(dn: Dn): Stored | undefined {
    for (let above = dn.parent; above && above.rdns.length > 0; above = above.parent) {
      const found = this.find(above);
      if (found) return found;
    }
    return undefined;
  }

  childCount(id: number): number {
    return decodeNumber(this.#keyValue.getNow(keys.children(id)));
  }

  /** The record of what stands below an entry (limits/usage.ts). */
  usage(id: number): Uint8Array | undefined {
    return this.#keyValue.getNow(keys.usage(id));
  }

  head(attribute: string, value: string): Head {
    const key = keys.head(attribute, value);
    const known = this.#heads.get(key);
    if (known) return known;
    const head = decodeHead(this.#keyValue.getNow(key));
    this.#heads.set(key, head, 1);
    return head;
  }

  /** The root of a list, by its key. */
  root(list: string): Root | undefined {
    return decodeRoot(this.#keyValue.getNow(list));
  }

  /** How many ids a list has. */
  count(list: string): number {
    return countOf(this.#keyValue.getNow(list));
  }

  /** Number of the last committed change. */
  change(): number {
    const octets = this.#keyValue.getNow(keys.counters);
    return octets === undefined ? 0 : Number(decodeText(octets).split(' ')[1] ?? 0);
  }

  /** The time in its CSN, in milliseconds since 1970. */
  changeStamp(): number {
    const octets = this.#keyValue.getNow(keys.counters);
    return octets === undefined ? 0 : Number(decodeText(octets).split(' ')[2] ?? 0);
  }

  /** Number of the last change that left no record: an entry's CSN says nothing about what came before it. */
  imported(): number {
    return decodeNumber(this.#keyValue.getNow(keys.imported));
  }

  trimmed(): number {
    return decodeNumber(this.#keyValue.getNow(keys.trimmed));
  }

  /** What was known of these entries and names is out of date; `all`: everything, for a subtree has moved. */
  forget(what: {
    readonly ids: Iterable<number>;
    readonly names: Iterable<Dn>;
    readonly all: boolean;
    /** Keys of heads. */
    readonly heads?: Iterable<string>;
  }): void {
    for (const key of what.heads ?? []) this.#heads.delete(key);
    if (what.all) {
      this.#entries.clear();
      this.#ids.clear();
      this.#heads.clear();
      return;
    }
    for (const dn of what.names) this.#ids.delete(dn.key);
    for (const id of what.ids) this.#entries.delete(id);
  }
}

function isOptioned(entry: Entry): boolean {
  for (const name of entry.attributes.keys()) if (name.includes(';')) return true;
  return false;
}

const nameAbove = (octets: Uint8Array | undefined): Dn => (octets === undefined ? rootDn : parseDn(decodeText(octets)));

/** Where the id of the entry that stands without a parent and bears the levels of this name from `level` up would be found. */
const topKey = (dn: Dn, level: number): string => keys.name(rootId, dn.rdns.slice(level).map(rdnKey).join(','));

/** Where the id of the entry with this name is found, its parent given: naming contexts go by their whole name. */
export function placeOf(parent: number, dn: Dn): string {
  return parent === rootId ? topKey(dn, 0) : keys.name(parent, rdnKey(dn.rdns[0] ?? []));
}

/** Id of the entry with this name as a transaction sees it; `rootId` for the root. */
export function idInside(transaction: Transaction, dn: Dn): number | undefined {
  if (dn.rdns.length === 0) return rootId;
  let octets: Uint8Array | undefined;
  let level = dn.rdns.length;
  while (octets === undefined && level > 0) octets = transaction.get(topKey(dn, --level));
  while (octets !== undefined && level > 0) octets = transaction.get(keys.name(decodeNumber(octets), rdnKey(dn.rdns[--level] ?? [])));
  return octets === undefined ? undefined : decodeNumber(octets);
}

/** An entry as a transaction sees it, in the form that filters and selections take. */
export function storedInside(transaction: Transaction, id: number, parent: number, entry: Entry): Stored {
  return { id, parent, entry, optioned: isOptioned(entry), subordinates: transaction.childCount(id) > 0 };
}

/** Name of an entry as a transaction sees it. */
export function dnInside(transaction: Transaction, id: number): Dn {
  const rdns: Rdn[] = [];
  let top = id;
  for (let at = id; at !== rootId; ) {
    const record = transaction.entry(at);
    if (!record) break;
    rdns.push(record.rdn);
    top = at;
    at = record.parent;
  }
  const above = nameAbove(id === rootId ? undefined : transaction.get(keys.above(top)));
  return rdns.reduceRight<Dn>((dn, rdn) => dn.child(rdn), above);
}
