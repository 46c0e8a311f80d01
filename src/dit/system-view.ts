/**
 * The system context in memory: every settings entry, forwarding, policy. Small by nature (hundreds of entries), so it is
 * held whole; users and domains are looked up instead.
 */

import type { Cancel } from '../base/index.ts';
import { type Change, type DirectoryReader, Entry, system } from '../directory/index.ts';
import { type Dn, parseFilter } from '../ldap-wire/index.ts';

type Listener = () => void;

export class SystemView {
  readonly #base: Dn;
  readonly #directory: DirectoryReader;
  #entries = new Map<string, Entry>();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #treeListeners = new Set<Listener>();

  constructor(directory: DirectoryReader, base: Dn) {
    this.#directory = directory;
    this.#base = base;
  }

  /** Reads everything afresh. Changes that arrive meanwhile must be applied after it resolves. */
  async load(): Promise<void> {
    const entries = new Map<string, Entry>();
    const request = { base: this.#base, scope: 'sub', filter: parseFilter('(objectClass=*)'), attributes: ['*', '+'] } as const;
    for await (const entry of this.#directory.search(system('dit'), request)) entries.set(entry.dn.key, entry);
    this.#entries = entries;
    for (const listeners of this.#listeners.values()) for (const listener of listeners) listener();
    for (const listener of this.#treeListeners) listener();
  }

  apply(change: Change): void {
    const before = change.before?.dn;
    const after = change.after;
    const touched = new Set<string>();
    if (before?.isWithin(this.#base)) touched.add(before.key);
    if (after?.dn.isWithin(this.#base)) touched.add(after.dn.key);
    if (touched.size === 0) return;
    if (change.kind === 'rename' && before) this.#move(change, before, touched);
    else if (after) this.#entries.set(after.dn.key, after);
    else if (before) this.#entries.delete(before.key);
    for (const key of touched) for (const listener of this.#listeners.get(key) ?? []) listener();
    for (const listener of this.#treeListeners) listener();
  }

  /** A rename carries everything below it along: those entries are not in the change and keep their attributes. */
  #move(change: Change, before: Dn, touched: Set<string>): void {
    const after = change.after;
    if (!after) return;
    this.#entries.delete(before.key);
    for (const [key, entry] of [...this.#entries]) {
      if (!entry.dn.isWithin(before)) continue;
      this.#entries.delete(key);
      touched.add(key);
      const kept = entry.dn.rdns.slice(0, entry.dn.rdns.length - before.rdns.length);
      const dn = [...kept].reverse().reduce((parent, rdn) => parent.child(rdn), after.dn);
      touched.add(dn.key);
      if (dn.isWithin(this.#base)) this.#entries.set(dn.key, new Entry(dn, entry.attributes.values()));
    }
    if (after.dn.isWithin(this.#base)) this.#entries.set(after.dn.key, after);
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

  /** Calls when anything in the context changes. */
  onAny(listener: Listener): Cancel {
    this.#treeListeners.add(listener);
    return () => this.#treeListeners.delete(listener);
  }
}
