/**
 * One chunk of a mailbox's index: what is told about up to 256 neighbouring UIDs, about eleven octets each.
 *
 * Octet 0 format; 1–6 lowest mod-sequence, 7–12 highest, 13–18 base of dates (milliseconds); then a row per message in UID order: UID
 * minus the chunk's first, system flags (bit 7: a count and as many keyword numbers follow), mod-sequence minus the lowest, size,
 * date minus the base. A new message is appended to the bytes without reading the rows before it.
 */

import { Fault } from '../base/index.ts';
import { noWords } from './flags.ts';
import type { Uid } from './port.ts';
import { ByteReader, ByteWriter, fixed48, largest48 } from './wire.ts';

export const chunkSize = 256;
export const chunkOf = (uid: Uid): number => Math.floor(uid / chunkSize);
export const firstOf = (chunk: number): Uid => chunk * chunkSize;

/** A message in the index; mutable inside a part. */
export interface Row {
  readonly uid: Uid;
  system: number;
  /** Numbers of keywords, ascending. */
  words: readonly number[];
  modSeq: number;
  readonly size: number;
  readonly internalDate: number;
}

const format = 1;
const header = 19;
const hasWords = 128;

/** Highest mod-sequence in a chunk, without reading its rows. */
export const highestModSeq = (bytes: Uint8Array): number => fixed48(bytes, 7);

function writeRow(to: ByteWriter, row: Row, first: Uid, baseModSeq: number, baseDate: number): void {
  to.byte(row.uid - first);
  if (row.words.length === 0) to.byte(row.system);
  else {
    to.byte(row.system | hasWords);
    to.number(row.words.length);
    for (const word of row.words) to.number(word);
  }
  to.number(row.modSeq - baseModSeq);
  to.number(row.size);
  to.signed(row.internalDate - baseDate);
}

export function encodeChunk(rows: readonly Row[], chunk: number): Uint8Array {
  const to = new ByteWriter(header + rows.length * 16);
  let lowest = largest48;
  let highest = 0;
  for (const row of rows) {
    lowest = Math.min(lowest, row.modSeq);
    highest = Math.max(highest, row.modSeq);
  }
  const baseDate = Math.max(0, rows[0]?.internalDate ?? 0);
  to.byte(format);
  to.fixed48(lowest);
  to.fixed48(highest);
  to.fixed48(baseDate);
  for (const row of rows) writeRow(to, row, firstOf(chunk), lowest, baseDate);
  return to.done();
}

/** The chunk with one more row, which has the highest UID and mod-sequence of all. */
export function appendRow(bytes: Uint8Array | undefined, row: Row, chunk: number): Uint8Array {
  if (!bytes) return encodeChunk([row], chunk);
  const to = new ByteWriter(32 + row.words.length * 8);
  writeRow(to, row, firstOf(chunk), fixed48(bytes, 1), fixed48(bytes, 13));
  const tail = to.done();
  const joined = Buffer.allocUnsafe(bytes.length + tail.length);
  joined.set(bytes);
  joined.set(tail, bytes.length);
  joined.writeUIntBE(row.modSeq, 7, 6);
  return joined;
}

export function decodeChunk(bytes: Uint8Array, chunk: number): Row[] {
  if (bytes[0] !== format) throw new Fault('unavailable', 'a mailbox index is damaged or of a newer version');
  const first = firstOf(chunk);
  const baseModSeq = fixed48(bytes, 1);
  const baseDate = fixed48(bytes, 13);
  const from = new ByteReader(bytes, header);
  const rows: Row[] = [];
  while (from.more) {
    const uid = first + from.byte();
    const flags = from.byte();
    let words = noWords;
    if (flags >= hasWords) words = Array.from({ length: Math.min(from.number(), chunkSize) }, () => from.number());
    rows.push({
      uid,
      system: flags & 31,
      words,
      modSeq: baseModSeq + from.number(),
      size: from.number(),
      internalDate: baseDate + from.signed(),
    });
  }
  return rows;
}
