/**
 * Which UIDs were expunged at which mod-sequence, so that a session that slept can be told exactly.
 *
 * A block holds the expunges of 32 neighbouring mod-sequences; block n has those from 32n. A mailbox keeps its latest 2,048 blocks
 * (65,536 expunging commits). For older times the answer is every UID that is not there any more: more than was asked for, which
 * RFC 7162 §3.2.5 allows, and nothing has to be kept for it.
 * Spec: RFC 7162 §3.2.7, §3.2.10.2
 */

import type { Uid } from './port.ts';
import { ByteReader, ByteWriter, damaged } from './wire.ts';

const blockSize = 32;
/** Blocks kept per mailbox, and how many of the oldest are dropped when there are more. */
export const mostBlocks = 2048;
export const blocksDropped = 256;

/** No commit expunges more; a longer run is a damaged record. */
const longestRun = 100_000;

export const blockOf = (modSeq: number): number => Math.floor(modSeq / blockSize);
/** The last mod-sequence that belongs to a block. */
export const endOfBlock = (block: number): number => (block + 1) * blockSize - 1;

export interface Expunge {
  readonly modSeq: number;
  /** Ascending. */
  readonly uids: readonly Uid[];
}

/** The block with one more expunge; `uids` ascending. */
export function addExpunge(bytes: Uint8Array | undefined, block: number, expunge: Expunge): Uint8Array {
  const ranges: [from: number, length: number][] = [];
  for (const uid of expunge.uids) {
    const last = ranges.at(-1);
    if (last && last[0] + last[1] === uid) last[1]++;
    else ranges.push([uid, 1]);
  }
  const to = new ByteWriter(16 + ranges.length * 4);
  to.number(expunge.modSeq - block * blockSize);
  to.number(ranges.length);
  let before = 0;
  for (const [from, length] of ranges) {
    to.number(from - before);
    to.number(length);
    before = from + length;
  }
  return bytes ? Buffer.concat([bytes, to.done()]) : to.done();
}

export function readExpunges(bytes: Uint8Array, block: number): Expunge[] {
  const from = new ByteReader(bytes);
  const found: Expunge[] = [];
  while (from.more) {
    const modSeq = block * blockSize + from.number();
    const uids: Uid[] = [];
    let before = 0;
    for (let ranges = from.number(); ranges > 0; ranges--) {
      const start = before + from.number();
      const length = from.number();
      if (length > longestRun || start + length > 2 ** 32) throw damaged();
      for (let n = 0; n < length; n++) uids.push(start + n);
      before = start + length;
    }
    found.push({ modSeq, uids });
  }
  return found;
}
