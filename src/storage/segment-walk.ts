/**
 * Reading a segment from front to back without trusting it.
 *
 * Promise: every whole record is found, whatever lies between; memory stays at one window.
 */

import { crc32 } from 'node:zlib';
import { type BlobHeader, decodeHeader, headerSize, longestDescription, recordMagic, spanOf } from './blob-record.ts';
import type { Disk } from './disk.ts';

/** The file begins with this many octets of its own. */
export const segmentHeaderSize = 16;
/** Octets of a blob that goes into a segment; a larger one has a file of its own. */
export const largestInSegment = 256 * 1024;

const window = 1024 * 1024;
const longestSpan = spanOf({ size: largestInSegment, descriptionSize: longestDescription });

export interface FoundRecord {
  readonly kind: 'record';
  readonly position: number;
  readonly span: number;
  readonly header: BlobHeader;
  /** The whole record; valid until the next step. */
  readonly bytes: Buffer;
  /** Whether both checksums match. */
  readonly intact: () => boolean;
}

/** Octets that are no record. */
export interface Gap {
  readonly kind: 'gap';
  readonly position: number;
  readonly span: number;
}

function isIntact(header: BlobHeader, record: Buffer): boolean {
  const data = record.subarray(headerSize, headerSize + header.size);
  const description = record.subarray(headerSize + header.size, headerSize + header.size + header.descriptionSize);
  return crc32(data) === header.checksum && crc32(description) === header.descriptionChecksum;
}

/** Where a record may begin at or after `from` (aligned to eight octets), or the end of the buffer. */
function nextMagic(buffer: Buffer, from: number, base: number): number {
  for (let at = from; ; at++) {
    at = buffer.indexOf(recordMagic, at);
    if (at < 0) return Math.max(from, buffer.length - ((base + buffer.length) % 8 || 8) + 8);
    if ((base + at) % 8 === 0) return at;
  }
}

/**
 * Walks from `from` to `size`. `firstOffset` says whether records must still be where they were first written (a segment that
 * was never compacted), which makes a false find impossible even if a message contains copies of records.
 */
export async function* walkSegment(
  disk: Disk,
  fd: number,
  segment: number,
  size: number,
  firstOffset: boolean,
): AsyncGenerator<FoundRecord | Gap> {
  let buffer: Buffer = Buffer.alloc(0);
  let base = 0;
  let position = segmentHeaderSize;
  let gap = -1;
  while (position < size) {
    if (position < base || position + Math.min(longestSpan, size - position) > base + buffer.length) {
      buffer = Buffer.allocUnsafe(Math.min(window, size - position));
      base = position;
      buffer = buffer.subarray(0, await disk.read(fd, buffer, position));
      if (buffer.length === 0) break;
    }
    const at = position - base;
    const header = decodeHeader(buffer, at);
    const fits = header?.kind === 'segment' && header.segment === segment && (!firstOffset || header.offset === position);
    const span = fits ? spanOf(header) : 0;
    if (fits && span <= longestSpan && position + span <= size && at + span <= buffer.length) {
      if (gap >= 0) yield { kind: 'gap', position: gap, span: position - gap };
      gap = -1;
      const bytes = buffer.subarray(at, at + span);
      yield { kind: 'record', position, span, header, bytes, intact: () => isIntact(header, bytes) };
      position += span;
    } else {
      if (gap < 0) gap = position;
      position = base + nextMagic(buffer, at + 8, base);
    }
  }
  if (gap >= 0) yield { kind: 'gap', position: gap, span: size - gap };
}
