/**
 * How a blob is written: header, octets, description, padding to eight octets.
 *
 * A record says which blob it is, how long, when written and by which checksums to tell that it is whole, so that it can be
 * found again without any index. Numbers are little-endian. The id of a blob in a segment is the place it was first written
 * to (segment, offset) and a random tag that keeps an id from ever naming other octets; one in a file of its own has an `x`
 * where the offset would begin.
 */

import { crc32 } from 'node:zlib';
import type { BlobDescription, BlobId } from './port.ts';

/** Where a blob was first written. In a file of its own, `offset` is random. */
export interface BlobPlace {
  readonly kind: 'segment' | 'large';
  readonly segment: number;
  readonly offset: number;
  readonly tag: number;
}

export interface BlobHeader extends BlobPlace {
  /** Octets. */
  readonly size: number;
  readonly writtenAt: number;
  readonly descriptionSize: number;
  readonly checksum: number;
  readonly descriptionChecksum: number;
}

export const headerSize = 48;
/** Octets of JSON. */
export const longestDescription = 64 * 1024;
export const recordMagic = Buffer.from('MTB1');
const magic = recordMagic.readUInt32LE(0);

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');

export function formatId(place: BlobPlace): BlobId {
  const offset = place.kind === 'large' ? `x${hex(place.offset, 7)}` : hex(place.offset, 8);
  return `${hex(place.segment, 8)}${offset}${hex(place.tag, 8)}`;
}

const idPattern = /^([0-9a-f]{8})(x[0-9a-f]{7}|[0-9a-f]{8})([0-9a-f]{8})$/;

/** Undefined for what cannot be the id of a blob. */
export function parseId(id: BlobId): BlobPlace | undefined {
  const match = idPattern.exec(id);
  if (!match) return undefined;
  const [, segment, offset, tag] = match as unknown as [string, string, string, string];
  const large = offset.startsWith('x');
  return {
    kind: large ? 'large' : 'segment',
    segment: Number.parseInt(segment, 16),
    offset: Number.parseInt(large ? offset.slice(1) : offset, 16),
    tag: Number.parseInt(tag, 16),
  };
}

/** Octets a record takes, padding included. */
export function spanOf(header: Pick<BlobHeader, 'size' | 'descriptionSize'>): number {
  return Math.ceil((headerSize + header.size + header.descriptionSize) / 8) * 8;
}

/** Writes the header to the first `headerSize` octets of `to`. */
export function encodeHeader(header: BlobHeader, to: Buffer): void {
  to.writeUInt32LE(magic, 0);
  to.writeUInt32LE(header.segment, 4);
  to.writeUInt32LE(header.offset, 8);
  to.writeUInt32LE(header.tag, 12);
  to.writeUIntLE(header.size, 16, 6);
  to.writeUInt16LE(header.kind === 'large' ? 1 : 0, 22);
  to.writeDoubleLE(header.writtenAt, 24);
  to.writeUInt32LE(header.descriptionSize, 32);
  to.writeUInt32LE(header.checksum, 36);
  to.writeUInt32LE(header.descriptionChecksum, 40);
  to.writeUInt32LE(crc32(to.subarray(0, 44)), 44);
}

/** The header at `at`, or undefined when there is none that is whole. */
export function decodeHeader(from: Buffer, at = 0): BlobHeader | undefined {
  if (at + headerSize > from.length || from.readUInt32LE(at) !== magic) return undefined;
  if (crc32(from.subarray(at, at + 44)) !== from.readUInt32LE(at + 44)) return undefined;
  return {
    segment: from.readUInt32LE(at + 4),
    offset: from.readUInt32LE(at + 8),
    tag: from.readUInt32LE(at + 12),
    size: from.readUIntLE(at + 16, 6),
    kind: from.readUInt16LE(at + 22) === 1 ? 'large' : 'segment',
    writtenAt: from.readDoubleLE(at + 24),
    descriptionSize: from.readUInt32LE(at + 32),
    checksum: from.readUInt32LE(at + 36),
    descriptionChecksum: from.readUInt32LE(at + 40),
  };
}

export function samePlace(a: BlobPlace, b: BlobPlace): boolean {
  return a.segment === b.segment && a.offset === b.offset && a.tag === b.tag && a.kind === b.kind;
}

export function encodeDescription(description: BlobDescription | undefined): Buffer {
  return description === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(description));
}

/** An unreadable description is an empty one: the octets of the blob count more. */
export function decodeDescription(bytes: Buffer, header: BlobHeader): BlobDescription {
  if (bytes.length === 0 || crc32(bytes) !== header.descriptionChecksum) return {};
  return JSON.parse(bytes.toString('utf8')) as BlobDescription;
}
