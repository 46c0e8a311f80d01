/**
 * Entries whose lists in the index (runs of characters, presence, values that many share) are not brought up to date yet.
 *
 * A write only notes the entry: one small record, in its own transaction, with the values the lists were last made for. Searches look at
 * noted entries beside the lists, and the merger (merge.ts) works them off many at a time. So nothing is lost by a crash, and nothing found
 * late.
 */

import type { KeyValue } from '../../storage/index.ts';
import { decodeEntry, decodeText, encodeText } from './codec.ts';
import { keys, lastId } from './keys.ts';

/** Comparable forms of the values of indexed attributes, by lower-case name. */
export type IndexedValues = ReadonlyMap<string, readonly string[]>;

export const noValues: IndexedValues = new Map();

export interface PendingEntry {
  /** Tells this note from a later one about the same entry. */
  readonly version: number;
  /** What the lists hold. */
  readonly listed: IndexedValues;
  /** What the entry has now; nothing for one that was deleted. */
  readonly values: IndexedValues;
  /** Heads that had no room for it, where that is known: of entries that were added and not changed since. */
  readonly beyond?: readonly string[];
}

export function encodePending(version: number, listed: IndexedValues): Uint8Array {
  return encodeText(JSON.stringify([version, [...listed].map(([name, values]) => [name, ...values])]));
}

export function decodePending(octets: Uint8Array): { version: number; listed: IndexedValues } {
  const [version, listed] = JSON.parse(decodeText(octets)) as [number, [string, ...string[]][]];
  return { version, listed: new Map(listed.map(([name, ...values]) => [name, values])) };
}

export class Pending {
  readonly #entries = new Map<number, PendingEntry>();

  get size(): number {
    return this.#entries.size;
  }

  /** Reads what an earlier run has left. */
  async load(keyValue: KeyValue, valuesOf: (octets: ReturnType<typeof decodeEntry>) => IndexedValues): Promise<void> {
    for await (const [key, octets] of keyValue.scan(keys.allPending)) {
      const id = lastId(key);
      const entry = keyValue.getNow(keys.entry(id));
      this.#entries.set(id, { ...decodePending(octets), values: entry ? valuesOf(decodeEntry(entry)) : noValues });
    }
  }

  note(entries: ReadonlyMap<number, PendingEntry>): void {
    for (const [id, entry] of entries) {
      const known = this.#entries.get(id);
      // Notes come in after their commits, which may be out of order.
      if (!known || known.version < entry.version) this.#entries.set(id, entry);
    }
  }

  /** The lists now hold these values, which the entry had at this version. */
  merged(id: number, version: number, values: IndexedValues): void {
    const known = this.#entries.get(id);
    if (known?.version === version) this.#entries.delete(id);
    else if (known) this.#entries.set(id, { ...known, listed: values });
  }

  /** The oldest notes. */
  oldest(most: number): [number, PendingEntry][] {
    const found: [number, PendingEntry][] = [];
    for (const each of this.#entries) {
      if (found.length >= most) break;
      found.push(each);
    }
    return found;
  }

  /** Noted entries with a value of this attribute that passes. To be asked before the lists are read, or one may slip through between. */
  matching(attribute: string, test: (value: string) => boolean): number[] {
    const found: number[] = [];
    for (const [id, { values }] of this.#entries) if (values.get(attribute)?.some(test)) found.push(id);
    return found;
  }

  /** Noted entries that have the attribute. */
  having(attribute: string): number[] {
    return [...this.#entries].filter(([, { values }]) => values.has(attribute)).map(([id]) => id);
  }

  clear(): void {
    this.#entries.clear();
  }
}
