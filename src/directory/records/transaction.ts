/**
 * One transaction on the directory's database: reads see its own writes, and at the end it is a list of puts and deletes.
 *
 * Several operations may share one (an import does). Which records mean what is the callers' business.
 */

import type { Dn } from '../../ldap-wire/index.ts';
import type { Changes, KeyRange, PartReader } from '../../storage/index.ts';
import { Entry } from '../entry.ts';
import type { Logged } from '../history/change-record.ts';
import { decodeEntry, decodeNumber, decodeText, type EntryRecord, encodeNumber, encodeText } from './codec.ts';
import type { InFlight } from './in-flight.ts';
import { changed, keys, lastId } from './keys.ts';
import type { PendingEntry } from './pending.ts';
import { dnInside, idInside, type Stored, storedInside } from './view.ts';

/** Next free entry id, last change number, and the time in its CSN (milliseconds since 1970). */
export interface Counters {
  nextId: number;
  change: number;
  at: number;
}

/** An entry as a transaction leaves it, with the octets of its record. */
export interface Fresh {
  readonly parent: number;
  readonly entry: Entry;
  readonly octets: number;
}

const nothing = new Uint8Array(0);
/** Octets of a record that is kept for the rest of the transaction, at most. */
const small = 64;

export class Transaction {
  readonly #read: PartReader;
  readonly #settled: InFlight | undefined;
  readonly #written = new Map<string, Uint8Array | undefined>();
  /** What was read and is small: nothing changes while a transaction runs, but by itself. */
  readonly #seen = new Map<string, Uint8Array | undefined>();
  #counters: Counters | undefined;
  /** Entries whose lists in the index are to be brought up to date. */
  readonly pending = new Map<number, PendingEntry>();
  /** Keys of heads of the index that were written. */
  readonly heads: string[] = [];
  /** Entries whose cached form is out of date once this is committed. */
  readonly touched = new Set<number>();
  /** Names that no longer mean what they meant. */
  readonly gone: Dn[] = [];
  /** Set when an entry with others below it was renamed. */
  renamed = false;
  /** What was done to which entry, in order. */
  readonly made: { readonly id: number; readonly before: Entry | undefined; readonly after: Entry | undefined }[] = [];
  /** Entries that were modified, as they will be committed, by id. */
  readonly fresh = new Map<number, Fresh>();
  /** What stands in the change log of it. */
  readonly logged: Logged[] = [];
  /** The entry whose record was written last, with the text of its attributes: its change record has the same. */
  text: { readonly entry: Entry; readonly text: string } | undefined;
  /** Number of the first change made here: all of them are one operation. */
  firstChange: number | undefined;
  /** Set when an entry without a parent came or went. */
  contexts = false;

  /** `settled`: what need not be read again. */
  constructor(read: PartReader, settled?: InFlight) {
    this.#read = read;
    this.#settled = settled;
  }

  /** Whether names mean something else since. */
  get moves(): boolean {
    return this.renamed || this.contexts || this.gone.length > 0;
  }

  get(key: string): Uint8Array | undefined {
    const written = this.#written.get(key);
    if (written !== undefined || this.#written.has(key)) return written;
    if (this.#seen.has(key)) return this.#seen.get(key);
    const value = this.#read.getNow(key);
    // Rules look for what is then written: the key of an index that is not there yet.
    if (value === undefined || value.length <= small) this.#seen.set(key, value);
    return value;
  }

  put(key: string, value: Uint8Array = nothing): void {
    this.#written.set(key, value);
  }

  delete(key: string): void {
    this.#written.set(key, undefined);
  }

  /** Records of a range with what this transaction has added and removed; at most `limit`. Costs an engine call. */
  async scan(range: KeyRange, limit = Number.POSITIVE_INFINITY): Promise<[string, Uint8Array][]> {
    const found = new Map(await this.#read.scan(range, limit + this.#written.size));
    for (const [key, value] of this.#written) {
      if (key < range.from || key >= range.to) continue;
      if (value === undefined) found.delete(key);
      else found.set(key, value);
    }
    return [...found].slice(0, limit);
  }

  /** Ids at the ends of the keys of a range; at most `limit`. */
  async ids(range: KeyRange, limit: number): Promise<number[]> {
    return (await this.scan(range, limit)).map(([key]) => lastId(key));
  }

  /** Ids of the entries directly below one, as far as this transaction has come; at most `limit`. */
  async childrenOf(id: number, limit: number): Promise<number[]> {
    return (await this.scan(keys.names(id), limit)).map(([, octets]) => decodeNumber(octets));
  }

  counters(): Counters {
    if (!this.#counters) {
      const [nextId = '', change = '', at = ''] = decodeText(this.get(keys.counters) ?? nothing).split(' ');
      this.#counters = { nextId: Number(nextId) || 1, change: Number(change), at: Number(at) };
    }
    return this.#counters;
  }

  entry(id: number): EntryRecord | undefined {
    const octets = this.get(keys.entry(id));
    return octets === undefined ? undefined : decodeEntry(octets);
  }

  /** The entry with its name. */
  stored(id: number): Stored | undefined {
    const settled = this.#settled?.stored(id, this);
    if (settled) return settled;
    const record = this.entry(id);
    return record && storedInside(this, id, record.parent, new Entry(dnInside(this, id), record.attributes));
  }

  /** Id of the entry with this name; `rootId` for the root. */
  idOf(dn: Dn): number | undefined {
    return this.#settled?.idOf(dn, this) ?? idInside(this, dn);
  }

  childCount(id: number): number {
    return decodeNumber(this.get(keys.children(id)));
  }

  addToChildCount(id: number, by: number): void {
    const count = this.childCount(id) + by;
    if (count > 0) this.put(keys.children(id), encodeNumber(count));
    else this.delete(keys.children(id));
  }

  /** Everything as the storage takes it. */
  changes<T>(result: T): Changes<T> {
    if (this.#counters) this.put(keys.counters, encodeText(`${this.#counters.nextId} ${this.#counters.change} ${this.#counters.at}`));
    const puts: [string, Uint8Array][] = [];
    const deletes: string[] = [];
    this.#written.forEach((value, key) => {
      if (value === undefined) deletes.push(key);
      else puts.push([key, value]);
    });
    return { puts, deletes, wake: [changed], result };
  }
}
