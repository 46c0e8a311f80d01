/**
 * The segments of a store and what is dead in each.
 *
 * A segment is `<number>.<generation>.seg`. Generation 0 is as it was written; compaction makes the next generation, in which
 * the live records have moved up and an index at the end says where to. What was removed since is listed in the `.dead` file
 * of the generation. The segment with the highest number takes new records and is never deleted, so that a number, and with
 * it an id, is never used twice.
 */

import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { errorCode } from '../base/index.ts';
import { type Disk, diskFault } from './disk.ts';
import { segmentHeaderSize } from './segment-walk.ts';

/** Original offset → position, in a compacted segment. */
export type Relocations = ReadonlyMap<number, number>;

export interface Segment {
  readonly number: number;
  generation: number;
  /** Octets. */
  size: number;
  /** Original offsets of removed records. */
  dead: Set<number>;
  deadOctets: number;
  /** Length of the `.dead` file. */
  deadLength: number;
  relocations: Promise<Relocations> | undefined;
}

const fileMagic = Buffer.from('MTS1');
const indexMagic = 0x3149544d;
const deadEntry = 16;
const namePattern = /^([0-9a-f]{8})\.([0-9a-f]{4})\.(seg|dead|tmp)$/;

export function segmentHeader(number: number): Buffer {
  const header = Buffer.alloc(segmentHeaderSize);
  fileMagic.copy(header);
  header.writeUInt32LE(number, 4);
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
  return header;
}

export function encodeIndex(relocations: Relocations): Buffer {
  const index = Buffer.alloc(relocations.size * 8 + 16);
  let at = 0;
  for (const [offset, position] of relocations) {
    index.writeUInt32LE(offset, at);
    index.writeUInt32LE(position, at + 4);
    at += 8;
  }
  index.writeUInt32LE(crc32(index.subarray(0, at)), at);
  index.writeUInt32LE(relocations.size, at + 4);
  index.writeUInt32LE(indexMagic, at + 8);
  index.writeUInt32LE(crc32(index.subarray(at, at + 12)), at + 12);
  return index;
}

/** Undefined when there is no whole index at the end of the file. */
export async function readIndex(disk: Disk, fd: number, size: number): Promise<Relocations | undefined> {
  const trailer = Buffer.alloc(16);
  if (size < 16 || (await disk.read(fd, trailer, size - 16)) < 16) return undefined;
  if (trailer.readUInt32LE(8) !== indexMagic || crc32(trailer.subarray(0, 12)) !== trailer.readUInt32LE(12)) return undefined;
  const count = trailer.readUInt32LE(4);
  if (count * 8 + 16 > size) return undefined;
  const entries = Buffer.alloc(count * 8);
  await disk.read(fd, entries, size - 16 - entries.length);
  if (crc32(entries) !== trailer.readUInt32LE(0)) return undefined;
  const found = new Map<number, number>();
  for (let at = 0; at < entries.length; at += 8) found.set(entries.readUInt32LE(at), entries.readUInt32LE(at + 4));
  return found;
}

/** One line of a `.dead` file. */
export function encodeDead(offset: number, span: number): Buffer {
  const entry = Buffer.alloc(deadEntry);
  entry.writeUInt32LE(offset, 0);
  entry.writeUInt32LE(span, 4);
  entry.writeUInt32LE(crc32(entry.subarray(0, 12)), 12);
  return entry;
}

function decodeDead(bytes: Buffer, into: Segment): void {
  for (let at = 0; at + deadEntry <= bytes.length; at += deadEntry) {
    if (crc32(bytes.subarray(at, at + 12)) !== bytes.readUInt32LE(at + 12)) continue;
    const offset = bytes.readUInt32LE(at);
    if (into.dead.has(offset)) continue;
    into.dead.add(offset);
    into.deadOctets += bytes.readUInt32LE(at + 4);
  }
}

export class SegmentTable {
  readonly folder: string;
  readonly #disk: Disk;
  readonly #segments = new Map<number, Segment>();

  constructor(folder: string, disk: Disk) {
    this.folder = folder;
    this.#disk = disk;
  }

  /** Reads the folder and clears away what an interrupted compaction left. */
  async load(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const files = (await readdir(this.folder)).flatMap((name) => {
      const match = namePattern.exec(name);
      return match ? [{ name, number: Number.parseInt(match[1]!, 16), generation: Number.parseInt(match[2]!, 16), kind: match[3] }] : [];
    });
    const newest = new Map<number, number>();
    for (const { number, generation, kind } of files) {
      if (kind === 'seg') newest.set(number, Math.max(generation, newest.get(number) ?? 0));
    }
    for (const file of files) {
      if (file.kind === 'tmp' || newest.get(file.number) !== file.generation) await this.#disk.unlink(join(this.folder, file.name));
      else if (file.kind === 'seg') await this.#loadSegment(file.number, file.generation);
    }
  }

  async #loadSegment(number: number, generation: number): Promise<void> {
    const segment = this.add(number, generation);
    segment.size = (await stat(this.path(segment))).size;
    let fd: number;
    try {
      fd = await this.#disk.open(this.deadPath(segment), 'r');
    } catch (thrown) {
      if (errorCode(thrown) === 'ENOENT') return;
      throw diskFault(thrown);
    }
    try {
      const bytes = Buffer.alloc((await stat(this.deadPath(segment))).size);
      await this.#disk.read(fd, bytes, 0);
      // A torn last line is written over by the next one.
      segment.deadLength = bytes.length - (bytes.length % deadEntry);
      decodeDead(bytes, segment);
    } finally {
      await this.#disk.close(fd);
    }
  }

  add(number: number, generation = 0): Segment {
    const segment = { number, generation, size: 0, dead: new Set<number>(), deadOctets: 0, deadLength: 0, relocations: undefined };
    this.#segments.set(number, segment);
    return segment;
  }

  get(number: number): Segment | undefined {
    return this.#segments.get(number);
  }

  forget(segment: Segment): void {
    this.#segments.delete(segment.number);
  }

  /** By number. */
  all(): Segment[] {
    return [...this.#segments.values()].sort((a, b) => a.number - b.number);
  }

  path(segment: Pick<Segment, 'number' | 'generation'>, kind: 'seg' | 'dead' | 'tmp' = 'seg'): string {
    const number = segment.number.toString(16).padStart(8, '0');
    return join(this.folder, `${number}.${segment.generation.toString(16).padStart(4, '0')}.${kind}`);
  }

  deadPath(segment: Segment): string {
    return this.path(segment, 'dead');
  }
}
