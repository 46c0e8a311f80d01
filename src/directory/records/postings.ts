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

export const noHead: Head = { ids: [], more: false };

export function decodeHead(octets: Uint8Array | undefined): Head {
  if (!octets) return noHead;
  const ids: number[] = [];
  for (let at = 1; at < octets.length; at += width) ids.push(numberAt(octets, at));
  return { ids, more: octets[0] === 1 };
}

/** Ascending numbers, each as the difference to the one before, seven bits to an octet. */
export function encodeIds(ids: readonly number[], before: readonly number[] = []): Uint8Array {
  // Eight octets hold 2^53.
  const octets = Buffer.allocUnsafe((ids.length + before.length) * 8);
  let at = 0;
  const write = (number: number): void => {
    let left = number;
    for (; left >= 0x80; left = Math.floor(left / 0x80)) octets[at++] = (left % 0x80) | 0x80;
    octets[at++] = left;
  };
  for (const number of before) write(number);
  let last = 0;
  for (const id of ids) {
    write(id - last);
    last = id;
  }
  // A copy of the right size: this one has room to spare.
  return Uint8Array.from(octets.subarray(0, at));
}

/** Reads `count` plain numbers (the rest as ascending ids). */
function decodeNumbers(octets: Uint8Array, plain: number): { plain: number[]; ids: number[] } {
  const found: { plain: number[]; ids: number[] } = { plain: [], ids: [] };
  let last = 0;
  let at = 0;
  while (at < octets.length) {
    let number = 0;
    let scale = 1;
    for (; (octets[at] ?? 0) >= 0x80; at++) {
      number += ((octets[at] ?? 0) & 0x7f) * scale;
      scale *= 0x80;
    }
    number += (octets[at++] ?? 0) * scale;
    if (found.plain.length < plain) {
      found.plain.push(number);
    } else {
      last += number;
      found.ids.push(last);
    }
  }
  return found;
}

export const decodeIds = (octets: Uint8Array | undefined): number[] => (octets ? decodeNumbers(octets, 0).ids : []);

/** The root of a list: all its ids, or where its pieces begin. */
export interface Root {
  readonly count: number;
  readonly ids: readonly number[] | undefined;
  readonly pieces: readonly number[];
}

export function decodeRoot(octets: Uint8Array | undefined): Root | undefined {
  if (!octets) return undefined;
  const { plain, ids } = decodeNumbers(octets, 2);
  const [count = 0, cut] = plain;
  return cut === 1 ? { count, ids: undefined, pieces: ids } : { count, ids, pieces: [] };
}

const encodeRoot = ({ count, ids, pieces }: Root): Uint8Array => encodeIds(ids ?? pieces, [count, ids ? 0 : 1]);

/** Ids in a root, and in a piece, at most. */
const mostInRoot = 128;
const mostInPiece = 256;

/** Reads and writes the records of lists; `undefined` removes one. */
export interface ListRecords {
  get(key: string): Uint8Array | undefined;
  put(key: string, value: Uint8Array | undefined): void;
}

export const pieceKey = (list: string, first: string): string => `${list}\u0000${first}`;

/** Adds ids to a list and removes others. Ids that are there, or not there, already are passed over. */
export function editList(
  records: ListRecords,
  list: string,
  idText: (id: number) => string,
  add: readonly number[],
  remove: readonly number[],
): void {
  const root = decodeRoot(records.get(list));
  if (!root && add.length === 0) return;
  if (!root || root.ids) {
    const ids = changed(root?.ids ?? [], add, remove);
    if (ids.length === 0) records.put(list, undefined);
    else if (ids.length <= mostInRoot) records.put(list, encodeRoot({ count: ids.length, ids, pieces: [] }));
    else {
      const pieces = writePieces(records, list, idText, ids, ids[0] ?? 0, mostInPiece);
      records.put(list, encodeRoot({ count: ids.length, ids: undefined, pieces }));
    }
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
    if (ids.length === 0) records.put(key, undefined);
    // Ids grow: what comes behind the last piece leaves it full.
    const size = last ? mostInPiece : mostInPiece / 2;
    const made = ids.length > mostInPiece ? writePieces(records, list, idText, ids, first, size) : ids.length > 0 ? [first] : [];
    if (ids.length > 0 && ids.length <= mostInPiece) records.put(key, encodeIds(ids));
    pieces.splice(place, 1, ...made);
  }
  if (pieces.length === 0) records.put(list, undefined);
  else records.put(list, encodeRoot({ count, ids: undefined, pieces }));
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
