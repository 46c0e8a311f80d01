/**
 * Which entries could match a filter, as the indexes tell: a superset, checked entry by entry afterwards.
 *
 * `and` takes its cheapest part and narrows it by others that cost less than looking at the entries, `or` needs every part. What no index can
 * answer is undefined: the caller walks the tree. `idsNow` answers the everyday case without waiting for anything. How values stand in the
 * index is index-reader.ts's business.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Filter } from '../../ldap-wire/index.ts';
import { gramsOf, type Indexes, longGram } from '../records/indexes.ts';
import type { AttributeType } from '../schema/schema.ts';
import { assertion } from './evaluate.ts';
import type { IndexReader } from './index-reader.ts';

/** A set of candidates: how many (about), and a way to get them. */
export interface Candidates {
  readonly estimate: number;
  ids(): Promise<readonly number[]>;
}

/** Parts of a filter that are planned before others have a turn. */
const perTurn = 32;
/** Parts of an `or` that are answered at once, and candidates that are. */
const partsNow = 16;
const mostNow = 64;
/** Fewer candidates than this are looked at rather than narrowed. */
const worthNarrowing = 64;
/** Reading so many ids of a list costs as much as looking at one entry. */
const idsForAnEntry = 20;
/** Runs of characters whose lists are narrowed with, at most. */
const mostGrams = 5;
/** What is Undefined for every entry matches none. */
const nobody: Candidates = { estimate: 0, ids: async () => [] };
/** Beyond these the order of keys is not that of the matching rules. */
const unordered = /[\ud800-\uffff]/;

/** What an item of a filter asks of an index: the attributes, and the value in the form it has there. */
interface Target {
  readonly type: AttributeType;
  readonly names: readonly string[];
  readonly form: string;
}

interface Bound {
  readonly attribute: string;
  readonly value: Uint8Array;
}
type Window = readonly [from: Bound, to: Bound];

export class Planner {
  readonly #indexes: Indexes;
  readonly #reader: IndexReader;

  constructor(parts: { readonly indexes: Indexes; readonly reader: IndexReader }) {
    this.#indexes = parts.indexes;
    this.#reader = parts.reader;
  }

  /** Few candidates, at once; undefined when it takes more than reading a few records. */
  idsNow(filter: Filter): readonly number[] | undefined {
    if (this.#isUndefined(filter)) return [];
    if (filter.type === 'equal') return this.#equalNow(filter.attribute, filter.value);
    if (filter.type === 'and') {
      for (const part of filter.filters) {
        const ids = part.type === 'equal' || part.type === 'or' ? this.idsNow(part) : undefined;
        if (ids) return ids;
      }
    }
    if (filter.type === 'or' && filter.filters.length <= partsNow) {
      const all = new Set<number>();
      for (const part of filter.filters) {
        const ids = part.type === 'equal' ? this.#equalNow(part.attribute, part.value) : undefined;
        if (!ids) return undefined;
        for (const id of ids) all.add(id);
      }
      return [...all];
    }
    return undefined;
  }

  /** The best candidate set the indexes offer, or undefined. */
  async candidates(filter: Filter): Promise<Candidates | undefined> {
    if (this.#isUndefined(filter)) return nobody;
    switch (filter.type) {
      case 'equal':
      case 'approx':
        return this.#equal(filter.attribute, filter.value);
      case 'and':
        return this.#and(filter.filters);
      case 'or':
        return this.#or(filter.filters);
      case 'present':
        return this.#present(filter.attribute);
      case 'greaterOrEqual':
        return this.#between(filter, undefined);
      case 'lessOrEqual':
        return this.#between(undefined, filter);
      case 'substring':
        return this.#substring(filter);
      default:
        return undefined;
    }
  }

  /** Whether an item is Undefined whatever the entry: address books ask for attributes of other servers, and nothing is read for those. */
  #isUndefined(filter: Filter): boolean {
    if (!('attribute' in filter) || filter.attribute === undefined) return false;
    const { schema } = this.#indexes;
    const type = schema.describe(filter.attribute)?.type;
    if (!type) return true;
    const ordering = filter.type === 'greaterOrEqual' || filter.type === 'lessOrEqual';
    return ordering && schema.withSubtypes(type).every((each) => each.ordering === undefined);
  }

  /** The indexed attributes a description stands for, where every one of them has this kind of index. */
  #types(attribute: string, kind: 'equality' | 'substring' | 'presence'): { type: AttributeType; names: string[] } | undefined {
    const { schema, kinds } = this.#indexes;
    const type = schema.describe(attribute)?.type;
    if (!type?.equality) return undefined;
    const types = schema.withSubtypes(type);
    // A derived type may compare in another way than its supertype, and its index with it.
    if (!types.every((each) => each.equality === type.equality && kinds.get(each.lower)?.[kind])) return undefined;
    return { type, names: types.map((each) => each.lower) };
  }

  #target(attribute: string, value: Uint8Array, kind: 'equality' | 'substring'): Target | undefined {
    const types = this.#types(attribute, kind);
    if (!types) return undefined;
    const asserted = assertion(value, types.type.syntax.textual);
    const form = asserted === undefined ? undefined : this.#indexes.form(types.type, asserted);
    // A value that takes part in no match is one that nobody has.
    return form === undefined ? { ...types, names: [], form: '' } : { ...types, form };
  }

  #equalNow(attribute: string, value: Uint8Array): readonly number[] | undefined {
    const target = this.#target(attribute, value, 'equality');
    if (!target) return undefined;
    const [only] = target.names;
    if (only !== undefined && target.names.length === 1) return this.#reader.equalNow(only, target.form, mostNow);
    const found: number[] = [];
    for (const name of target.names) {
      const ids = this.#reader.equalNow(name, target.form, mostNow);
      if (!ids) return undefined;
      found.push(...ids);
    }
    return found;
  }

  #equal(attribute: string, value: Uint8Array): Candidates | undefined {
    const target = this.#target(attribute, value, 'equality');
    if (!target) return undefined;
    const { names, form } = target;
    return {
      estimate: names.reduce((sum, name) => sum + this.#reader.equalCount(name, form), 0),
      ids: () => this.#all(names, (name) => this.#reader.equal(name, form)),
    };
  }

  /** The ids of several attributes together. */
  async #all(names: readonly string[], read: (name: string) => Promise<readonly number[]>): Promise<readonly number[]> {
    if (names.length === 1) return read(names[0] ?? '');
    const all = new Set<number>();
    for (const name of names) for (const id of await read(name)) all.add(id);
    return [...all];
  }

  async #and(filters: readonly Filter[]): Promise<Candidates | undefined> {
    const sets: Candidates[] = [];
    for (const [n, part] of this.#windows(filters).entries()) {
      if (n % perTurn === perTurn - 1) await nextTurn();
      const set = 'type' in part ? await this.candidates(part) : await this.#between(...part);
      if (set) sets.push(set);
    }
    return narrowing(sets);
  }

  /** `>=` and `<=` of one attribute with a single value make one range. */
  #windows(filters: readonly Filter[]): (Filter | Window)[] {
    const found: (Filter | Window)[] = [];
    const taken = new Set<Filter>();
    for (const from of filters) {
      if (from.type !== 'greaterOrEqual') continue;
      const type = this.#indexes.schema.describe(from.attribute)?.type;
      const to = filters.find(
        (each) => each.type === 'lessOrEqual' && !taken.has(each) && this.#indexes.schema.describe(each.attribute)?.type === type,
      );
      if (!type?.single || to?.type !== 'lessOrEqual') continue;
      found.push([from, to]);
      taken.add(from).add(to);
    }
    return [...found, ...filters.filter((each) => !taken.has(each))];
  }

  async #or(filters: readonly Filter[]): Promise<Candidates | undefined> {
    const sets: Candidates[] = [];
    for (const [n, part] of filters.entries()) {
      if (n % perTurn === perTurn - 1) await nextTurn();
      const set = await this.candidates(part);
      if (!set) return undefined;
      sets.push(set);
    }
    return {
      estimate: sets.reduce((sum, set) => sum + set.estimate, 0),
      ids: async () => {
        const all = new Set<number>();
        for (const [n, set] of sets.entries()) {
          if (n % perTurn === perTurn - 1) await nextTurn();
          for (const id of await set.ids()) all.add(id);
        }
        return [...all];
      },
    };
  }

  #present(attribute: string): Candidates | undefined {
    const types = this.#types(attribute, 'presence');
    if (!types) return undefined;
    return {
      estimate: types.names.reduce((sum, name) => sum + this.#reader.presentCount(name), 0),
      ids: () => this.#all(types.names, (name) => this.#reader.present(name)),
    };
  }

  async #between(from: Bound | undefined, to: Bound | undefined): Promise<Candidates | undefined> {
    const low = from && this.#target(from.attribute, from.value, 'equality');
    const high = to && this.#target(to.attribute, to.value, 'equality');
    const either = low ?? high;
    if (!either || (from && !low) || (to && !high) || !this.#indexes.ordered(either.type)) return undefined;
    if ([low, high].some((target) => target && (target.names.length === 0 || unordered.test(target.form)))) return undefined;
    return this.#ranges(either.names, (name) => this.#reader.between(name, low?.form, high?.form));
  }

  async #ranges(names: readonly string[], open: (name: string) => ReturnType<IndexReader['between']>): Promise<Candidates> {
    const ranges = new Map<string, Awaited<ReturnType<IndexReader['between']>>>();
    for (const name of names) ranges.set(name, await open(name));
    return {
      estimate: [...ranges.values()].reduce((sum, range) => sum + range.estimate, 0),
      ids: () => this.#all(names, async (name) => (await ranges.get(name)?.ids()) ?? []),
    };
  }

  async #substring(filter: Extract<Filter, { type: 'substring' }>): Promise<Candidates | undefined> {
    // The indexes hold the forms of the equality rule; a substring rule of another kind finds nothing there.
    const type = this.#indexes.schema.describe(filter.attribute)?.type;
    if (!type || type.substring?.name.replace('Substrings', '') !== type.equality?.name) return undefined;
    const sets: Candidates[] = [];
    const initial = filter.initial && this.#target(filter.attribute, filter.initial, 'equality');
    if (initial && initial.form !== '') sets.push(await this.#ranges(initial.names, (name) => this.#reader.prefixed(name, initial.form)));
    const pieces = [filter.initial, ...filter.any, filter.final].flatMap((piece) => {
      const target = piece && this.#target(filter.attribute, piece, 'substring');
      return target && target.names.length > 0 ? [target] : [];
    });
    const grams = [...new Set(pieces.flatMap(({ form }) => gramsOf(form)))].filter((gram) => gram !== longGram);
    const [first] = pieces;
    if (first && grams.length > 0)
      sets.push(
        this.#withGrams(
          first.names,
          grams,
          pieces.map(({ form }) => form),
        ),
      );
    return narrowing(sets);
  }

  /** Entries with a value that has all these runs of characters, and long ones, of which not all runs are known. */
  #withGrams(names: readonly string[], grams: readonly string[], pieces: readonly string[]): Candidates {
    const counted = new Map(
      names.map((name) => {
        const lists = grams.map((gram) => ({ gram, count: this.#reader.gramCount(name, gram) }));
        return [name, lists.sort((a, b) => a.count - b.count).slice(0, mostGrams)] as const;
      }),
    );
    const read = async (name: string): Promise<readonly number[]> => {
      const noted = this.#reader.noted(name, (value) => pieces.every((piece) => value.includes(piece)));
      const lists = (counted.get(name) ?? []).map(({ gram, count }) => ({ estimate: count, ids: () => this.#reader.gram(name, gram) }));
      const listed = (await narrowing(lists)?.ids()) ?? [];
      return [...new Set([...noted, ...listed, ...(await this.#reader.gram(name, longGram))])];
    };
    const estimate = names.reduce((sum, name) => sum + (counted.get(name)?.[0]?.count ?? 0) + this.#reader.gramCount(name, longGram), 0);
    return { estimate, ids: () => this.#all(names, read) };
  }
}

/** The smallest set, narrowed by others as long as reading them costs less than looking at the entries. */
function narrowing(sets: readonly Candidates[]): Candidates | undefined {
  const [first, ...others] = [...sets].sort((a, b) => a.estimate - b.estimate);
  if (!first || others.length === 0) return first;
  return {
    estimate: first.estimate,
    ids: async () => {
      let ids = await first.ids();
      for (const other of others) {
        if (ids.length <= worthNarrowing || other.estimate > idsForAnEntry * ids.length) break;
        const both = new Set(await other.ids());
        ids = ids.filter((id) => both.has(id));
      }
      return ids;
    },
  };
}
