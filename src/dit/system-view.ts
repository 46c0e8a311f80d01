/**
 * The system context in memory: every settings entry, forwarding, policy. Small by nature (hundreds of entries), so it is
 * held whole; users and domains are looked up instead.
 *
 * An entry is known by its UUID too: an external directory's feed tells what it is called now, not what it was called before.
 */

import { type Cancel, Fault } from '../base/index.ts';
import { type Change, type DirectoryReader, Entry, system } from '../directory/index.ts';
import { type Dn, parseFilter } from '../ldap-wire/index.ts';

type Listener = () => void;

/** Far above what anybody configures: whoever can write there must not be able to fill our memory. */
const mostEntries = 200_000;

const uuidOf = (entry: Entry): string | undefined => entry.text('entryUUID')?.toLowerCase();

export class SystemView {
  readonly #base: Dn;
  readonly #directory: DirectoryReader;
  #entries = new Map<string, Entry>();
  /** Name keys by UUID. */
  #names = new Map<string, string>();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #treeListeners = new Set<Listener>();
  /** By the entry above. */
  readonly #childListeners = new Map<string, Set<Listener>>();

  constructor(directory: DirectoryReader, base: Dn) {
    this.#directory = directory;
    this.#base = base;
  }

  /** Reads everything afresh. Changes that arrive meanwhile must be applied after it resolves. */
  async load(): Promise<void> {
    const fresh = new Map<string, Entry>();
    const request = { base: this.#base, scope: 'sub', filter: parseFilter('(objectClass=*)'), attributes: ['*', '+'] } as const;
    for await (const entry of this.#directory.search(system('dit'), request)) {
      fresh.set(entry.dn.key, entry);
      if (fresh.size > mostEntries) throw new Fault('too-large', `${this.#base.toString()} has more than ${mostEntries} entries`);
    }
    this.#entries = fresh;
    this.#names = new Map([...fresh.values()].flatMap((entry) => (uuidOf(entry) ? [[uuidOf(entry)!, entry.dn.key]] : [])));
    for (const listeners of this.#listeners.values()) for (const listener of listeners) listener();
    for (const listener of this.#treeListeners) listener();
    for (const listeners of this.#childListeners.values()) for (const listener of listeners) listener();
  }

  apply(change: Change): void {
    const known = this.#entries.get(this.#names.get(change.uuid.toLowerCase()) ?? '');
    const before = known?.dn ?? change.before?.dn;
    const after = change.after?.dn.isWithin(this.#base) ? change.after : undefined;
    const touched = new Set<string>();
    if (before?.isWithin(this.#base)) touched.add(before.key);
    if (after) touched.add(after.dn.key);
    if (touched.size === 0) return;
    const moved = before && change.after && change.after.dn.key !== before.key;
    if (before && (moved || !change.after)) this.#remove(before);
    if (moved && change.after) this.#move(before, change.after.dn, touched);
    if (after) this.#put(after);
    for (const key of touched) for (const listener of this.#listeners.get(key) ?? []) listener();
    for (const listener of this.#treeListeners) listener();
    for (const key of new Set([before?.parent?.key, after?.dn.parent?.key]))
      for (const listener of this.#childListeners.get(key ?? '') ?? []) listener();
  }

  #put(entry: Entry): void {
    this.#entries.set(entry.dn.key, entry);
    const uuid = uuidOf(entry);
    if (uuid !== undefined) this.#names.set(uuid, entry.dn.key);
  }

  #remove(dn: Dn): void {
    const entry = this.#entries.get(dn.key);
    this.#entries.delete(dn.key);
    const uuid = entry && uuidOf(entry);
    if (uuid !== undefined && this.#names.get(uuid) === dn.key) this.#names.delete(uuid);
  }

  /** A rename carries everything below it along: those entries are not in the change and keep their attributes. */
  #move(before: Dn, after: Dn, touched: Set<string>): void {
    for (const entry of [...this.#entries.values()]) {
      if (!entry.dn.isWithin(before)) continue;
      this.#remove(entry.dn);
      touched.add(entry.dn.key);
      const kept = entry.dn.rdns.slice(0, entry.dn.rdns.length - before.rdns.length);
      const dn = [...kept].reverse().reduce((parent, rdn) => parent.child(rdn), after);
      touched.add(dn.key);
      if (dn.isWithin(this.#base)) this.#put(new Entry(dn, entry.attributes.values()));
    }
  }

  entry(dn: Dn): Entry | undefined {
    return this.#entries.get(dn.key);
  }

  /** Entries directly below. */
  *children(dn: Dn): IterableIterator<Entry> {
    for (const entry of this.#entries.values()) if (entry.dn.parent?.key === dn.key) yield entry;
  }

  /** Calls when this entry comes, changes or goes. */
  onEntry(dn: Dn, listener: Listener): Cancel {
    const listeners = this.#listeners.get(dn.key) ?? new Set();
    this.#listeners.set(dn.key, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Calls when an entry directly below comes, changes or goes; after those who keep what they have read of the context have heard of it. */
  onChild(dn: Dn, listener: Listener): Cancel {
    const listeners = this.#childListeners.get(dn.key) ?? new Set();
    this.#childListeners.set(dn.key, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Calls when anything in the context changes. */
  onAny(listener: Listener): Cancel {
    this.#treeListeners.add(listener);
    return () => this.#treeListeners.delete(listener);
  }
}
