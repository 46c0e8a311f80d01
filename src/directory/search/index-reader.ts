/**
 * Reading the index: the entries with a value, a run of characters, an attribute, or a value in a range.
 *
 * Promise: whatever was acknowledged is found, in the lists or among the notes of what is not listed yet. Notes are read first: an entry
 * leaves them when it is in the lists.
 */

import type { KeyValue } from '../../storage/index.ts';
import { longestIndexed, longGram } from '../records/indexes.ts';
import { idText, keys } from '../records/keys.ts';
import type { Pending } from '../records/pending.ts';
import { decodeHead, decodeIds, pieceKey, type Root } from '../records/postings.ts';
import type { View } from '../records/view.ts';

/** Pieces of a list that are read at once rather than by walking. */
const piecesNow = 32;
/** Values of a range that are read to know how many entries they stand for. */
const sampled = 256;
/** What a range with more values than that is taken for. */
const manyInRange = 10_000;

export interface ValueRange {
  readonly estimate: number;
  ids(): Promise<readonly number[]>;
}

export class IndexReader {
  readonly #keyValue: KeyValue;
  readonly #view: View;
  readonly #pending: Pending;

  constructor(parts: { readonly keyValue: KeyValue; readonly view: View; readonly pending: Pending }) {
    this.#keyValue = parts.keyValue;
    this.#view = parts.view;
    this.#pending = parts.pending;
  }

  /** Entries that are not listed yet and have a value of this attribute that passes. */
  noted(attribute: string, test: (value: string) => boolean): number[] {
    return this.#pending.matching(attribute, test);
  }

  /** The entries with this value, if they are no more than `most` and a few records tell. */
  equalNow(attribute: string, form: string, most: number): readonly number[] | undefined {
    const head = this.#view.head(attribute, form);
    if (!head.more) return head.ids;
    const root = this.#view.root(keys.list('=', attribute, form));
    if (root && root.count + head.ids.length > most) return undefined;
    return this.#join(
      head.ids,
      this.noted(attribute, (value) => value === form),
      root ? this.#listNow(keys.list('=', attribute, form), root) : [],
    );
  }

  equalCount(attribute: string, form: string): number {
    const head = this.#view.head(attribute, form);
    return head.ids.length + (head.more ? this.#view.count(keys.list('=', attribute, form)) : 0);
  }

  async equal(attribute: string, form: string): Promise<readonly number[]> {
    const noted = this.noted(attribute, (value) => value === form);
    const head = this.#view.head(attribute, form);
    return head.more ? this.#join(head.ids, noted, await this.#list(keys.list('=', attribute, form))) : head.ids;
  }

  presentCount(attribute: string): number {
    return this.#view.count(keys.list('+', attribute, ''));
  }

  async present(attribute: string): Promise<readonly number[]> {
    const noted = this.#pending.having(attribute);
    return this.#join(noted, await this.#list(keys.list('+', attribute, '')));
  }

  gramCount(attribute: string, gram: string): number {
    return this.#view.count(keys.list('~', attribute, gram));
  }

  /** Listed entries only; `longGram` with the noted ones. */
  async gram(attribute: string, gram: string): Promise<readonly number[]> {
    const noted = gram === longGram ? this.noted(attribute, (value) => value.length > longestIndexed) : [];
    return this.#join(noted, await this.#list(keys.list('~', attribute, gram)));
  }

  prefixed(attribute: string, prefix: string): Promise<ValueRange> {
    return this.#range(attribute, keys.heads(attribute, prefix), (value) => value.startsWith(prefix));
  }

  /** Values from one to another, both included, in the order of their forms; a few more may be among them. */
  between(attribute: string, from: string | undefined, to: string | undefined): Promise<ValueRange> {
    const within = (value: string): boolean => (from === undefined || value >= from) && (to === undefined || value <= to);
    return this.#range(attribute, keys.headsBetween(attribute, from, to), within);
  }

  async #range(attribute: string, range: ReturnType<typeof keys.heads>, within: (value: string) => boolean): Promise<ValueRange> {
    if (range.from >= range.to) return { estimate: 0, ids: async () => [] };
    let [values, estimate] = [0, 0];
    for await (const [head, octets] of this.#keyValue.scan(range, { limit: sampled })) {
      const { ids, more } = decodeHead(octets);
      estimate += ids.length + (more ? this.#view.count(keys.listOfHead(head)) : 0);
      values += 1;
    }
    return {
      estimate: values < sampled ? estimate : Math.max(manyInRange, estimate * 2),
      ids: async () => {
        const all = new Set(this.noted(attribute, within));
        const lists: string[] = [];
        for await (const [head, octets] of this.#keyValue.scan(range)) {
          const { ids, more } = decodeHead(octets);
          for (const id of ids) all.add(id);
          if (more) lists.push(keys.listOfHead(head));
        }
        for (const list of lists) for (const id of await this.#list(list)) all.add(id);
        return [...all];
      },
    };
  }

  #join(...parts: readonly (readonly number[])[]): readonly number[] {
    const filled = parts.filter((part) => part.length > 0);
    if (filled.length <= 1) return filled[0] ?? [];
    const all = new Set<number>();
    for (const part of filled) for (const id of part) all.add(id);
    return [...all];
  }

  /** All ids of a list as it is at one moment. */
  async #list(list: string): Promise<readonly number[]> {
    const root = this.#view.root(list);
    if (!root) return [];
    if (root.pieces.length <= piecesNow) return this.#listNow(list, root);
    const found: number[] = [];
    for await (const [, octets] of this.#keyValue.scan(keys.pieces(list))) for (const id of decodeIds(octets)) found.push(id);
    return found;
  }

  #listNow(list: string, root: Root): readonly number[] {
    return root.ids ?? root.pieces.flatMap((first) => decodeIds(this.#keyValue.getNow(pieceKey(list, idText(first)))));
  }
}
