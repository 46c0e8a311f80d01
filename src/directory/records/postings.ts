/**
 * Which entries an index value stands for, as records.
 *
 * A value few entries share has all their ids in one small record, its head. A head that is full stays as it is and says that there are
 * more: those are in a list of their own, as are the ids of runs of characters and of presence. A list is a root (count, and the ids while
 * they are few) and, when it grows, pieces of bounded size, each named by the least id it was made for.
 * Pure: what is read and written goes through the caller.
 */

export interface Head {
  readonly ids: readonly number[];
  /** There may be more in the list of this value. Never taken back. */
  readonly more: boolean;
}

export const inlineIds = 24;
const width = 6;

export function encodeHead(head: Head): Uint8Array {
  const octets = Buffer.alloc(1 + head.ids.length * width);
  octets[0] = head.more ? 1 : 0;
  for (const [n, id] of head.ids.entries()) octets.writeUIntBE(id, 1 + n * width, width);
  return octets;
}

function numberAt(octets: Uint8Array, at: number): number {
  const high = ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
  const low = ((octets[at + 2] ?? 0) << 24) | ((octets[at + 3] ?? 0) << 16) | ((octets[at + 4] ?? 0) << 8) | (octets[at + 5] ?? 0);
  return high * 0x1_0000_0000 + (low >>> 0);
}

const noHead: Head = { ids: [], more: false };

export function decodeHead(octets: Uint8Array | undefined): Head {
  if (!octets) return noHead;
  const ids: number[] = [];
  for (let at = 1; at < octets.length; at += width) ids.push(numberAt(octets, at));
  return { ids, more: octets[0] === 1 };
}

/** Ascending numbers from `last` on, each as the difference to the one before, seven bits to an octet, behind what is there already. */
function append(there: Uint8Array, numbers: readonly number[], from: number): Uint8Array {
  // Eight octets hold 2^53.
  const octets = Buffer.allocUnsafe(there.length + numbers.length * 8);
  octets.set(there);
  let at = there.length;
  let last = from;
  for (const number of numbers) {
    at = writeNumber(octets, at, number - last);
    last = number;
  }
  // A copy of the right size: this one has room to spare.
  return Uint8Array.prototype.slice.call(octets, 0, at);
}

function writeNumber(octets: Uint8Array, from: number, number: number): number {
  let at = from;
  let left = number;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) octets[at++] = (left % 0x80) | 0x80;
  octets[at++] = left;
  return at;
}

const nothing = new Uint8Array(0);
const encodeIds = (ids: readonly number[]): Uint8Array => append(nothing, ids, 0);

/** Reads numbers from `at` on until there are `most`. `at` of what is returned is behind them. */
function readNumbers(octets: Uint8Array, from: number, most: number): { numbers: number[]; at: number } {
  const numbers: number[] = [];
  let at = from;
  while (at < octets.length && numbers.length < most) {
    let number = 0;
    let scale = 1;
    for (; (octets[at] ?? 0) >= 0x80; at++) {
      number += ((octets[at] ?? 0) & 0x7f) * scale;
      scale *= 0x80;
    }
    numbers.push(number + (octets[at++] ?? 0) * scale);
  }
  return { numbers, at };
}

function decodeFrom(octets: Uint8Array, from: number): number[] {
  const { numbers } = readNumbers(octets, from, Number.POSITIVE_INFINITY);
  let last = 0;
  for (let n = 0; n < numbers.length; n++) {
    last += numbers[n] ?? 0;
    numbers[n] = last;
  }
  return numbers;
}

export const decodeIds = (octets: Uint8Array | undefined): number[] => (octets ? decodeFrom(octets, 0) : []);

/** What a root begins with. */
interface Header {
  readonly count: number;
  /** Whether there are pieces. */
  readonly cut: boolean;
  /** The greatest id, and how many are in the last piece: what comes behind them is just put there. */
  readonly last: number;
  readonly tail: number;
}

function readHeader(octets: Uint8Array): Header & { readonly at: number } {
  const { numbers, at } = readNumbers(octets, 0, 4);
  const [count = 0, cut = 0, last = 0, tail = 0] = numbers;
  return { count, cut: cut === 1, last, tail, at };
}

function withHeader({ count, cut, last, tail }: Header, body: Uint8Array): Uint8Array {
  const octets = Buffer.allocUnsafe(32 + body.length);
  let at = 0;
  for (const number of [count, cut ? 1 : 0, last, tail]) at = writeNumber(octets, at, number);
  octets.set(body, at);
  return Uint8Array.prototype.slice.call(octets, 0, at + body.length);
}

/** The root of a list: all its ids, or where its pieces begin. */
export interface Root {
  readonly count: number;
  readonly ids: readonly number[] | undefined;
  readonly pieces: readonly number[];
}

export function decodeRoot(octets: Uint8Array | undefined): Root | undefined {
  if (!octets) return undefined;
  const { count, cut, at } = readHeader(octets);
  const numbers = decodeFrom(octets, at);
  return cut ? { count, ids: undefined, pieces: numbers } : { count, ids: numbers, pieces: [] };
}

/** The number of ids in a list, from its root. */
export const countOf = (root: Uint8Array | undefined): number => (root ? readHeader(root).count : 0);

/** Ids in a root, and in a piece, at most. */
const mostInRoot = 128;
const mostInPiece = 256;

/** Reads and writes the records of lists; `undefined` removes one. */
export interface ListRecords {
  get(key: string): Uint8Array | undefined;
  put(key: string, value: Uint8Array | undefined): void;
}

export const pieceKey = (list: string, first: string): string => `${list}\u0000${first}`;

/** Adds ids to a list (in ascending order) and removes others. Ids that are there, or not there, already are passed over. */
export function editList(
  records: ListRecords,
  list: string,
  idText: (id: number) => string,
  add: readonly number[],
  remove: readonly number[],
): void {
  const octets = records.get(list);
  if (!octets && add.length === 0) return;
  if (octets && remove.length === 0 && putBehind(records, list, idText, octets, add)) return;
  const root = decodeRoot(octets);
  if (!root || root.ids) {
    const ids = changed(root?.ids ?? [], add, remove);
    if (ids.length === 0) records.put(list, undefined);
    else if (ids.length <= mostInRoot) {
      records.put(list, withHeader({ count: ids.length, cut: false, last: ids.at(-1) ?? 0, tail: 0 }, encodeIds(ids)));
    } else putRoot(records, list, idText, ids.length, writePieces(records, list, idText, ids, ids[0] ?? 0, mostInPiece));
    return;
  }
  const pieces = [...root.pieces];
  let { count } = root;
  // From the last to the first, so that places of pieces that are still to come stay right.
  for (const [place, { added, removed }] of [...byPiece(pieces, add, remove)].sort(([a], [b]) => b - a)) {
    const first = pieces[place] ?? 0;
    const key = pieceKey(list, idText(first));
    const before = decodeIds(records.get(key));
    const ids = changed(before, added, removed);
    count += ids.length - before.length;
    const last = place === pieces.length - 1;
    // Ids before all others come into the first piece: named as before, it would stand behind those it is cut into.
    const name = Math.min(first, ids[0] ?? first);
    if (ids.length === 0 || name !== first) records.put(key, undefined);
    // Ids grow: what comes behind the last piece leaves it full.
    const size = last ? mostInPiece : mostInPiece / 2;
    const made = ids.length > 0 ? writePieces(records, list, idText, ids, name, ids.length > mostInPiece ? size : mostInPiece) : [];
    pieces.splice(place, 1, ...made);
  }
  putRoot(records, list, idText, count, pieces);
}

/** The everyday case: ids greater than all that are there, and room for them. False where it is not that. */
function putBehind(records: ListRecords, list: string, idText: (id: number) => string, root: Uint8Array, add: readonly number[]): boolean {
  const { count, cut, last, tail, at } = readHeader(root);
  const greatest = add.at(-1) ?? 0;
  if ((add[0] ?? 0) <= last || (cut ? tail : count) + add.length > (cut ? mostInPiece : mostInRoot)) return false;
  for (let n = 1; n < add.length; n++) if ((add[n - 1] ?? 0) >= (add[n] ?? 0)) return false;
  const body = root.subarray(at);
  if (!cut) {
    records.put(list, withHeader({ count: count + add.length, cut, last: greatest, tail }, append(body, add, last)));
    return true;
  }
  const key = pieceKey(list, idText(decodeFrom(root, at).at(-1) ?? 0));
  records.put(key, append(records.get(key) ?? nothing, add, last));
  records.put(list, withHeader({ count: count + add.length, cut, last: greatest, tail: tail + add.length }, body));
  return true;
}

function putRoot(records: ListRecords, list: string, idText: (id: number) => string, count: number, pieces: readonly number[]): void {
  const tail = pieces.length > 0 ? decodeIds(records.get(pieceKey(list, idText(pieces.at(-1) ?? 0)))) : [];
  if (pieces.length === 0) records.put(list, undefined);
  else records.put(list, withHeader({ count, cut: true, last: tail.at(-1) ?? 0, tail: tail.length }, encodeIds(pieces)));
}

/** Writes ids in pieces of `size`; the first of them is named `first`. Returns their names. */
function writePieces(
  records: ListRecords,
  list: string,
  idText: (id: number) => string,
  ids: readonly number[],
  first: number,
  size: number,
): number[] {
  const names: number[] = [];
  for (let at = 0; at < ids.length; at += size) {
    const some = ids.slice(at, at + size);
    const name = at === 0 ? first : (some[0] ?? 0);
    records.put(pieceKey(list, idText(name)), encodeIds(some));
    names.push(name);
  }
  return names;
}

function byPiece(
  pieces: readonly number[],
  add: readonly number[],
  remove: readonly number[],
): Map<number, { added: number[]; removed: number[] }> {
  const found = new Map<number, { added: number[]; removed: number[] }>();
  const at = (id: number): { added: number[]; removed: number[] } => {
    let [low, high] = [0, pieces.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((pieces[middle] ?? 0) <= id) low = middle;
      else high = middle - 1;
    }
    const known = found.get(low);
    if (known) return known;
    const made = { added: [], removed: [] };
    found.set(low, made);
    return made;
  };
  for (const id of add) at(id).added.push(id);
  for (const id of remove) at(id).removed.push(id);
  return found;
}

function changed(before: readonly number[], add: readonly number[], remove: readonly number[]): number[] {
  const gone = remove.length > 0 ? new Set(remove) : undefined;
  const left = gone ? before.filter((id) => !gone.has(id)) : before;
  if (add.length === 0) return [...left];
  const all = [...left, ...add];
  for (let n = 1; n < all.length; n++) {
    if ((all[n - 1] ?? 0) >= (all[n] ?? 0)) return [...new Set(all)].sort((a, b) => a - b);
  }
  return all;
}
