/**
 * Whether the index records say what the entries say.
 *
 * Both sides are summed up, one number for each (value, entry) pair, which takes no memory whatever the size; where the sums differ, every
 * value of every entry is looked up. Entries that are noted as not listed yet (pending.ts) are in the lists as they were noted.
 * Only reads, for a directory that nobody writes to meanwhile.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KeyValue } from '../../storage/index.ts';
import { decodeEntry } from './codec.ts';
import type { Indexes } from './indexes.ts';
import { idOf, idText, keys, lastId } from './keys.ts';
import { decodePending, type IndexedValues } from './pending.ts';
import { decodeHead, decodeIds, decodeRoot, pieceKey, type Root } from './postings.ts';

const mostReported = 100;
const perTurn = 200;

/** Sums stay whole numbers: no addend has more than 49 bits. */
const modulus = 2 ** 52;

/** A sum over pairs in any order. */
class Sum {
  count = 0;
  #a = 0;
  #b = 0;

  add(list: string, id: number): void {
    let hash = 0x811c9dc5 ^ (id % 0x1_0000_0000);
    for (let at = 0; at < list.length; at++) hash = Math.imul(hash ^ list.charCodeAt(at), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    this.count += 1;
    this.#a = (this.#a + (hash >>> 0)) % modulus;
    this.#b = (this.#b + (Math.imul(hash ^ (hash >>> 13), 0x297a2d39) >>> 0) * ((id % 65_521) + 1)) % modulus;
  }

  same(other: Sum): boolean {
    return this.count === other.count && this.#a === other.#a && this.#b === other.#b;
  }
}

/** What is wrong with the indexes, one sentence each (at most 100); an empty list is a sound directory. */
export async function checkIndexes(keyValue: KeyValue, indexes: Indexes): Promise<string[]> {
  const check = new Check(keyValue, indexes);
  await check.readNotes();
  const [entries, records] = [await check.entries(), await check.records()];
  if (!entries.same(records) && check.wrong.length === 0) {
    await check.missing();
    await check.surplus();
    if (check.wrong.length === 0)
      check.blame(
        `the indexes hold ${records.count} values, the entries have ${entries.count}: entries are found by values they do not have`,
      );
  }
  return check.wrong;
}

class Check {
  readonly #keyValue: KeyValue;
  readonly #indexes: Indexes;
  readonly wrong: string[] = [];
  readonly #noted = new Map<number, IndexedValues>();

  constructor(keyValue: KeyValue, indexes: Indexes) {
    this.#keyValue = keyValue;
    this.#indexes = indexes;
  }

  blame(text: string): void {
    if (this.wrong.length < mostReported) this.wrong.push(text);
  }

  async readNotes(): Promise<void> {
    for await (const [key, octets] of this.#keyValue.scan(keys.allPending)) this.#noted.set(lastId(key), decodePending(octets).listed);
  }

  async *#each(): AsyncGenerator<[id: number, values: IndexedValues]> {
    let count = 0;
    for await (const [key, octets] of this.#keyValue.scan(keys.entries)) {
      yield [lastId(key), this.#indexes.values(decodeEntry(octets).attributes)];
      if (++count % perTurn === 0) await nextTurn();
    }
  }

  *#lists(values: IndexedValues): Generator<string> {
    for (const [attribute, forms] of values) yield* this.#indexes.lists(attribute, forms);
  }

  /** Lists of equal values an entry is found by, in its head or in the list. */
  *#equal(values: IndexedValues): Generator<[attribute: string, form: string]> {
    for (const [attribute, forms] of values) {
      if (this.#indexes.kinds.get(attribute)?.equality) for (const form of forms) yield [attribute, form];
    }
  }

  /** What should be there. Equal values of noted entries may stand in heads, in lists, or nowhere yet: those are looked up. */
  async entries(): Promise<Sum> {
    const sum = new Sum();
    for (const [id, listed] of this.#noted) for (const list of this.#lists(listed)) sum.add(list, id);
    for await (const [id, values] of this.#each()) {
      if (this.#noted.has(id)) {
        for (const [attribute, form] of this.#equal(values)) this.#look(id, attribute, form, true);
        continue;
      }
      for (const list of this.#lists(values)) sum.add(list, id);
      for (const [attribute, form] of this.#equal(values)) sum.add(keys.list('=', attribute, form), id);
    }
    return sum;
  }

  /** What is there. */
  async records(): Promise<Sum> {
    const sum = new Sum();
    for await (const [key, octets] of this.#keyValue.scan(keys.allHeads)) {
      for (const id of decodeHead(octets).ids) if (!this.#noted.has(id)) sum.add(keys.listOfHead(key), id);
    }
    let list = '';
    let root: Root | undefined;
    let pieces = 0;
    let ids = 0;
    const finish = (): void => {
      if (root && (root.count !== ids || root.pieces.length !== pieces))
        this.blame(`index list ${printed(list)}: says ${root.count}, holds ${ids}`);
    };
    for await (const [key, octets] of this.#keyValue.scan(keys.allLists)) {
      const cut = key.lastIndexOf('\u0000');
      const piece = cut >= 0 && key[cut + 1] !== '~';
      if (!piece) {
        finish();
        [list, root, pieces, ids] = [key, decodeRoot(octets), 0, 0];
      } else if (key.slice(0, cut) !== list || !root?.pieces.includes(idOf(key.slice(cut + 1)))) {
        this.blame(`index list ${printed(key)}: nothing leads to this piece`);
        continue;
      } else pieces += 1;
      const found = piece ? decodeIds(octets) : (root?.ids ?? []);
      ids += found.length;
      const equal = list.startsWith('directory/y/=');
      for (const id of found) if (!equal || !this.#noted.has(id)) sum.add(list, id);
    }
    finish();
    return sum;
  }

  /** Looks every value up. */
  async missing(): Promise<void> {
    const blameList = (id: number, list: string): void => {
      if (this.#holds(list, id)) return;
      const [kind, rest = ''] = [list['directory/y/'.length], list.slice('directory/y/'.length + 1)];
      this.blame(`entry ${id}: not in the ${kind === '+' ? 'presence' : 'substring'} index of ${rest.slice(0, rest.indexOf('/'))}`);
    };
    for (const [id, listed] of this.#noted) for (const list of this.#lists(listed)) blameList(id, list);
    for await (const [id, values] of this.#each()) {
      if (this.#noted.has(id)) continue;
      for (const list of this.#lists(values)) blameList(id, list);
      for (const [attribute, form] of this.#equal(values)) this.#look(id, attribute, form, false);
      if (this.wrong.length >= mostReported) return;
    }
  }

  /** Looks up whether the entries have what they are listed for. */
  async surplus(): Promise<void> {
    let heads: ReadonlySet<number> = new Set();
    for await (const [key, octets] of this.#keyValue.scan(keys.allHeads)) {
      heads = new Set(decodeHead(octets).ids);
      const list = keys.listOfHead(key);
      for (const id of heads) this.#has(id, list, 'is found by');
      const root = decodeRoot(this.#keyValue.getNow(list));
      const pieces = root?.pieces.flatMap((first) => decodeIds(this.#keyValue.getNow(pieceKey(list, idText(first))))) ?? [];
      for (const id of [...(root?.ids ?? []), ...pieces]) {
        if (heads.has(id)) this.blame(`entry ${id}: is found twice by ${printed(list)}`);
        else this.#has(id, list, 'is found by');
      }
      if (this.wrong.length >= mostReported) return;
    }
  }

  #has(id: number, list: string, say: string): void {
    if (this.#noted.has(id)) return;
    const octets = this.#keyValue.getNow(keys.entry(id));
    const values: IndexedValues = octets ? this.#indexes.values(decodeEntry(octets).attributes) : new Map();
    for (const [attribute, form] of this.#equal(values)) if (keys.list('=', attribute, form) === list) return;
    this.blame(`entry ${id}: ${say} ${printed(list)}, which it does not have`);
  }

  #look(id: number, attribute: string, form: string, noted: boolean): void {
    const head = decodeHead(this.#keyValue.getNow(keys.head(attribute, form)));
    if (head.ids.includes(id) || (head.more && (noted || this.#holds(keys.list('=', attribute, form), id)))) return;
    this.blame(`entry ${id}: not in the equality index of ${attribute}`);
  }

  #holds(list: string, id: number): boolean {
    const root = decodeRoot(this.#keyValue.getNow(list));
    if (!root) return false;
    if (root.ids) return root.ids.includes(id);
    const piece = root.pieces.findLast((first) => first <= id) ?? root.pieces[0];
    return piece !== undefined && decodeIds(this.#keyValue.getNow(pieceKey(list, idText(piece)))).includes(id);
  }
}

const printed = (key: string): string => JSON.stringify(key.slice('directory/y/'.length, 200));
