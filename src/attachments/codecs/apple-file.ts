/**
 * AppleSingle, and the header file of AppleDouble: a file of a Macintosh, or all of it but the data, in one.
 *
 * Promise: a file is one whose entries all lie inside it and say each thing once. Memory is the table of entries and the small ones.
 * Spec: RFC 1740 appendices A and B
 */

import { type Bytes, bytesOf, joined, noBytes, octetsOf, stretch } from '../bytes.ts';
import { fromMacRoman, type MacFile, macName, type Read, since2000, to2000 } from './mac-file.ts';

const singleMagic = 0x0005_1600;
const doubleMagic = 0x0005_1607;
const version2 = 0x0002_0000;
const [dataFork, resourceFork, realName, fileDates, finder] = [1, 2, 3, 8, 9];
const headLength = 26;
const entryLength = 12;
const entriesAtMost = 100;

export type AppleKind = 'applesingle' | 'appledouble';

/** What these octets begin; undefined where it is neither. */
export function appleKind(head: Uint8Array): AppleKind | undefined {
  if (head.length < headLength) return undefined;
  const magic = Buffer.from(head.buffer, head.byteOffset, 4).readUInt32BE();
  if (magic === singleMagic) return 'applesingle';
  return magic === doubleMagic ? 'appledouble' : undefined;
}

/** `data`: of AppleDouble, whose data stands beside it. */
export async function readAppleFile(source: Bytes, kind: AppleKind, data?: Bytes): Promise<Read> {
  const head = await octetsOf(source, 0, headLength);
  if (appleKind(head) !== kind) return { flaw: `it is no ${kind === 'applesingle' ? 'AppleSingle' : 'AppleDouble'} file` };
  const version = head.readUInt32BE(4);
  if (version !== version2 && version !== 0x0001_0000) return { flaw: 'it is an Apple file of a version that is not known' };
  const count = head.readUInt16BE(24);
  if (count > entriesAtMost) return { flaw: 'it is an Apple file with too many entries' };
  const table = await octetsOf(source, headLength, headLength + count * entryLength);
  if (table.length < count * entryLength) return { flaw: 'the Apple file is cut off' };
  const entries = new Map<number, Bytes>();
  for (let n = 0; n < count; n++) {
    const [id, from, size] = [0, 4, 8].map((at) => table.readUInt32BE(n * entryLength + at)) as [number, number, number];
    if (from + size > source.size || (size > 0 && from < headLength)) return { flaw: 'the Apple file is cut off' };
    if (entries.has(id)) return { flaw: 'the Apple file says something twice' };
    entries.set(id, stretch(source, from, from + size));
  }
  const small = async (id: number, most: number): Promise<Buffer> => {
    const entry = entries.get(id);
    return entry ? octetsOf(entry, 0, most) : Buffer.alloc(0);
  };
  const dates = await small(fileDates, 16);
  const info = Buffer.alloc(32);
  (await small(finder, 32)).copy(info);
  return {
    file: {
      name: fromMacRoman(await small(realName, 255)),
      finder: info,
      created: dates.length >= 8 ? since2000(dates.readInt32BE(0)) : undefined,
      modified: dates.length >= 8 ? since2000(dates.readInt32BE(4)) : undefined,
      data: data ?? entries.get(dataFork) ?? noBytes,
      resource: entries.get(resourceFork) ?? noBytes,
    },
  };
}

/** Of AppleDouble all but the data, which goes beside it. */
export function appleFile(kind: AppleKind, file: MacFile): Bytes {
  const dates = Buffer.alloc(16);
  for (const [n, at] of [file.created, file.modified, undefined, undefined].entries()) dates.writeInt32BE(to2000(at), n * 4);
  const entries: [id: number, content: Bytes][] = [
    [realName, bytesOf(macName(file.name, 255))],
    [fileDates, bytesOf(dates)],
    [finder, bytesOf(file.finder)],
  ];
  if (kind === 'applesingle') entries.push([dataFork, file.data]);
  entries.push([resourceFork, file.resource]);
  const head = Buffer.alloc(headLength + entries.length * entryLength);
  head.writeUInt32BE(kind === 'applesingle' ? singleMagic : doubleMagic, 0);
  head.writeUInt32BE(version2, 4);
  head.writeUInt16BE(entries.length, 24);
  let at = head.length;
  for (const [n, [id, content]] of entries.entries()) {
    for (const [k, value] of [id, at, content.size].entries()) head.writeUInt32BE(value, headLength + n * entryLength + k * 4);
    at += content.size;
  }
  return joined([bytesOf(head), ...entries.map(([, content]) => content)]);
}
