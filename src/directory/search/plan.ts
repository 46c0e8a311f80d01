/**
 * Which entries could match a filter, as the indexes tell: a superset, checked entry by entry afterwards.
 *
 * `and` takes its cheapest part (and a second one when both are large), `or` needs every part. What no index can answer
 * is undefined: the caller walks the tree. `idsNow` answers the everyday case without waiting for anything.
 */

import type { Filter } from '../../ldap-wire/index.ts';
import type { KeyRange, KeyValue } from '../../storage/index.ts';
import { decodePosting } from '../records/codec.ts';
import { gramLength, gramsOf, type Indexes, longGram } from '../records/indexes.ts';
import { keys, lastId } from '../records/keys.ts';
import type { View } from '../records/view.ts';
import { assertion } from './evaluate.ts';

/** A set of candidates: how many (about), and a way to get them. */
export interface Candidates {
  readonly estimate: number;
  ids(): Promise<number[]>;
}

const worthIntersecting = 500;
const unknownSize = 100_000;
const gramTries = 4;

export class Planner {
  readonly #keyValue: KeyValue;
  readonly #view: View;
  readonly #indexes: Indexes;

  constructor(parts: { readonly keyValue: KeyValue; readonly view: View; readonly indexes: Indexes }) {
    this.#keyValue = parts.keyValue;
    this.#view = parts.view;
    this.#indexes = parts.indexes;
  }

  /** Few candidates, at once; undefined when it takes more than reading a few records. */
  idsNow(filter: Filter): readonly number[] | undefined {
    if (filter.type === 'equal') return this.#equalNow(filter.attribute, filter.value);
    if (filter.type === 'and') {
      for (const part of filter.filters) {
        const ids = part.type === 'equal' || part.type === 'or' ? this.idsNow(part) : undefined;
        if (ids) return ids;
      }
    }
    if (filter.type === 'or' && filter.filters.length <= 16) {
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

  /** The indexed attributes a description stands for, with the value in its comparable form. */
  #targets(attribute: string, value: Uint8Array, kind: 'equality' | 'substring'): { names: string[]; value: string } | undefined {
    const { schema, kinds } = this.#indexes;
    const type = schema.describe(attribute)?.type;
    if (!type?.equality) return undefined;
    const types = schema.withSubtypes(type);
    // A derived type may compare in another way than its supertype, and its index with it.
    if (!types.every((each) => each.equality === type.equality && kinds.get(each.lower)?.[kind])) return undefined;
    const asserted = assertion(value, type.syntax.textual);
    const normal = asserted === undefined ? undefined : type.equality.normalise(asserted);
    return normal === undefined ? { names: [], value: '' } : { names: types.map((each) => each.lower), value: normal };
  }

  #equalNow(attribute: string, value: Uint8Array): readonly number[] | undefined {
    const targets = this.#targets(attribute, value, 'equality');
    if (!targets) return undefined;
    const found: number[] = [];
    for (const name of targets.names) {
      const posting = this.#view.posting(name, targets.value);
      if ('count' in posting) return undefined;
      found.push(...posting.ids);
    }
    return found;
  }

  /** The best candidate set the indexes offer, or undefined. */
  candidates(filter: Filter): Candidates | undefined {
    switch (filter.type) {
      case 'equal':
      case 'approx':
        return this.#equal(filter.attribute, filter.value);
      case 'and':
        return this.#cheapest(filter.filters);
      case 'or':
        return this.#union(filter.filters);
      case 'present':
        return this.#present(filter.attribute);
      case 'substring':
        return this.#substring(filter);
      default:
        return undefined;
    }
  }

  #equal(attribute: string, value: Uint8Array): Candidates | undefined {
    const targets = this.#targets(attribute, value, 'equality');
    if (!targets) return undefined;
    const postings = targets.names.map((name) => ({ name, posting: this.#view.posting(name, targets.value) }));
    return {
      estimate: postings.reduce((sum, { posting }) => sum + ('ids' in posting ? posting.ids.length : posting.count), 0),
      ids: async () => {
        const found: number[] = [];
        for (const { name, posting } of postings) {
          for (const id of 'ids' in posting ? posting.ids : await this.#scan(keys.spill(name, targets.value))) found.push(id);
        }
        return found;
      },
    };
  }

  #cheapest(filters: readonly Filter[]): Candidates | undefined {
    const sets = filters
      .map((part) => this.candidates(part))
      .filter((set) => set !== undefined)
      .sort((a, b) => a.estimate - b.estimate);
    const [first, second] = sets;
    if (!first || !second || first.estimate < worthIntersecting || second.estimate > 20 * first.estimate) return first;
    return {
      estimate: first.estimate,
      ids: async () => {
        const both = new Set(await second.ids());
        return (await first.ids()).filter((id) => both.has(id));
      },
    };
  }

  #union(filters: readonly Filter[]): Candidates | undefined {
    const sets: Candidates[] = [];
    for (const part of filters) {
      const set = this.candidates(part);
      if (!set) return undefined;
      sets.push(set);
    }
    return {
      estimate: sets.reduce((sum, set) => sum + set.estimate, 0),
      ids: async () => {
        const all = new Set<number>();
        for (const set of sets) for (const id of await set.ids()) all.add(id);
        return [...all];
      },
    };
  }

  #present(attribute: string): Candidates | undefined {
    const { schema, kinds } = this.#indexes;
    const type = schema.describe(attribute)?.type;
    const names = type ? schema.withSubtypes(type).map((each) => each.lower) : [];
    if (names.length === 0 || !names.every((name) => kinds.get(name)?.presence)) return undefined;
    return {
      estimate: unknownSize,
      ids: async () => {
        const all = new Set<number>();
        for (const name of names) for (const id of await this.#scan(keys.presents(name))) all.add(id);
        return [...all];
      },
    };
  }

  #substring(filter: Extract<Filter, { type: 'substring' }>): Candidates | undefined {
    // The indexes hold the forms of the equality rule; a substring rule of another kind finds nothing there.
    const type = this.#indexes.schema.describe(filter.attribute)?.type;
    if (type?.substring?.name.replace('Substrings', '') !== type?.equality?.name) return undefined;
    if (filter.initial && filter.initial.length > 0) {
      const targets = this.#targets(filter.attribute, filter.initial, 'equality');
      if (targets) return { estimate: unknownSize / filter.initial.length, ids: () => this.#prefixed(targets) };
    }
    const pieces = [...filter.any, ...(filter.final ? [filter.final] : [])].sort((a, b) => b.length - a.length);
    const longest = pieces[0];
    const targets = longest && this.#targets(filter.attribute, longest, 'substring');
    if (!targets || [...targets.value].length < gramLength) return undefined;
    return { estimate: unknownSize / targets.value.length, ids: () => this.#withGrams(targets) };
  }

  async #prefixed(targets: { names: string[]; value: string }): Promise<number[]> {
    const all = new Set<number>();
    for (const name of targets.names) {
      for await (const [head, octets] of this.#keyValue.scan(keys.heads(name, targets.value))) {
        const posting = decodePosting(octets);
        for (const id of 'ids' in posting ? posting.ids : await this.#scan(keys.spillOfHead(head))) all.add(id);
      }
    }
    return [...all];
  }

  /** Reads several runs of characters in step and takes the first that comes to its end: the rarest, or nearly. */
  async #withGrams(targets: { names: string[]; value: string }): Promise<number[]> {
    const all = new Set<number>();
    const grams = [...new Set(gramsOf(targets.value))].filter((gram) => gram !== longGram).slice(0, gramTries);
    for (const name of targets.names) {
      for (const id of await this.#rarest(grams.map((gram) => keys.grams(name, gram)))) all.add(id);
      for (const id of await this.#scan(keys.grams(name, longGram))) all.add(id);
    }
    return [...all];
  }

  async #rarest(ranges: readonly KeyRange[]): Promise<number[]> {
    for (let limit = 256; limit <= 65_536; limit *= 16) {
      for (const range of ranges) {
        const ids = await this.#scan(range, limit);
        if (ids.length < limit) return ids;
      }
    }
    return ranges[0] ? this.#scan(ranges[0]) : [];
  }

  async #scan(range: KeyRange, limit?: number): Promise<number[]> {
    const found: number[] = [];
    for await (const [key] of this.#keyValue.scan(range, { keysOnly: true, ...(limit === undefined ? {} : { limit }) }))
      found.push(lastId(key));
    return found;
  }
}
