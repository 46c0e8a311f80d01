/**
 * Flags: system flags as five bits, keywords as numbers of a table of their mailbox; outside they are sorted, shared arrays.
 *
 * Promise: equal sets are the same array; keywords are compared without regard to case and keep the spelling they had when they
 * were first used in the mailbox; a keyword's number is never used for another one.
 * Spec: RFC 3501 §2.3.2, §9 (flag-keyword); RFC 5788 §2
 */

import { Fault } from '../base/index.ts';
import type { Flags } from './port.ts';
import { fromJson, jsonBytes } from './wire.ts';

/** In sorted order; bit n stands for number n. */
export const systemFlags = ['\\Answered', '\\Deleted', '\\Draft', '\\Flagged', '\\Seen'] as const;
export const deletedBit = 2;
export const seenBit = 16;
const bitOf = new Map(systemFlags.map((flag, n) => [flag.toLowerCase(), 1 << n]));

const systemSets: readonly Flags[] = Array.from({ length: 32 }, (_, bits) =>
  Object.freeze(systemFlags.filter((_flag, n) => bits & (1 << n))),
);

// Sets with keywords are remembered only as long as somebody holds one, so strangers cannot fill the table.
const interned = new Map<string, WeakRef<Flags>>();
const forgotten = new FinalizationRegistry<string>((name) => {
  if (!interned.get(name)?.deref()) interned.delete(name);
});

function intern(system: number, words: readonly string[]): Flags {
  if (words.length === 0) return systemSets[system & 31] ?? [];
  const all = [...(systemSets[system & 31] ?? []), ...words].sort();
  const name = all.join(' ');
  const known = interned.get(name)?.deref();
  if (known) return known;
  const fresh: Flags = Object.freeze(all);
  interned.set(name, new WeakRef(fresh));
  forgotten.register(fresh, name);
  return fresh;
}

/** Flags taken apart: bits and distinct keywords as they were spelled. */
export interface FlagSet {
  readonly system: number;
  readonly words: readonly string[];
}

const longestKeyword = 100;
const mostKeywords = 64;
const keyword = /^[!#$&'+,\-./0-9:;<=>?@A-Z[^_`a-z|}~]+$/;

/** Faults: malformed (not a flag, or one that a client cannot set), too-many. */
export function parseFlags(flags: Flags): FlagSet {
  if (flags.length === 0) return noFlags;
  let system = 0;
  const words = new Map<string, string>();
  for (const flag of flags) {
    const lower = flag.toLowerCase();
    const bit = bitOf.get(lower);
    if (bit) system |= bit;
    else if (flag.length > longestKeyword || !keyword.test(flag))
      throw new Fault('malformed', `not a flag that can be set: ${flag.slice(0, 100)}`);
    else if (!words.has(lower)) words.set(lower, flag);
  }
  if (words.size > mostKeywords) throw new Fault('too-many', `more than ${mostKeywords} keywords on one message`);
  return { system, words: [...words.values()] };
}
const noFlags: FlagSet = { system: 0, words: [] };

/** A row's keywords where it has none; shared. */
export const noWords: readonly number[] = [];

/** Keywords in use at once in one mailbox. */
export const keywordLimit = 250;

interface KeywordRecord {
  readonly next: number;
  readonly words: readonly (readonly [slot: number, word: string])[];
}

/** The keywords of one mailbox and their numbers. */
export class KeywordTable {
  readonly #words = new Map<number, string>();
  readonly #slots = new Map<string, number>();
  readonly #sets = new Map<string, Flags>();
  #next = 0;
  #changed = false;

  constructor(bytes: Uint8Array | undefined) {
    if (!bytes) return;
    const record = fromJson<KeywordRecord>(bytes);
    this.#next = record.next;
    for (const [slot, word] of record.words) this.#set(slot, word);
  }

  #set(slot: number, word: string): void {
    this.#words.set(slot, word);
    this.#slots.set(word.toLowerCase(), slot);
  }

  get changed(): boolean {
    return this.#changed;
  }

  bytes(): Uint8Array {
    return jsonBytes({ next: this.#next, words: [...this.#words] } satisfies KeywordRecord);
  }

  /** The numbers of these keywords, ascending. Without `create`, unknown ones are left out. Fault too-many when the table is full. */
  slots(words: readonly string[], create: boolean): readonly number[] {
    if (words.length === 0) return noWords;
    const slots: number[] = [];
    for (const word of words) {
      const known = this.#slots.get(word.toLowerCase());
      if (known !== undefined) slots.push(known);
      else if (create) slots.push(this.#add(word));
    }
    return slots.sort((a, b) => a - b);
  }

  #add(word: string): number {
    if (this.#words.size >= keywordLimit) throw new KeywordsFull();
    const slot = this.#next++;
    this.#set(slot, word);
    this.#changed = true;
    return slot;
  }

  /** The spelling of these numbers; one that is no longer known is left out. */
  names(slots: readonly number[]): string[] {
    return slots.map((slot) => this.#words.get(slot)).filter((word) => word !== undefined);
  }

  flags(system: number, slots: readonly number[]): Flags {
    if (slots.length === 0) return systemSets[system & 31] ?? [];
    const name = `${system} ${slots.join()}`;
    let set = this.#sets.get(name);
    if (!set) {
      set = intern(system, this.names(slots));
      this.#sets.set(name, set);
    }
    return set;
  }

  /** Forgets keywords that no message carries. Returns whether there were any. */
  keepOnly(used: ReadonlySet<number>): boolean {
    const unused = [...this.#words].filter(([slot]) => !used.has(slot));
    for (const [slot, word] of unused) {
      this.#words.delete(slot);
      this.#slots.delete(word.toLowerCase());
    }
    this.#changed ||= unused.length > 0;
    return unused.length > 0;
  }
}

/** The table has no room; whoever wanted a new keyword may make room (keywords.ts) and try once more. */
export class KeywordsFull extends Fault {
  constructor() {
    super('too-many', `more than ${keywordLimit} keywords in this mailbox`);
  }
}
