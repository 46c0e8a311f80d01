/** Collects the octets of one record behind room for its header, so that they are copied once on their way to the disk. */

import { crc32 } from 'node:zlib';
import { headerSize, spanOf } from './blob-record.ts';

/** A record before it has a place: `bytes` is complete but for the header. */
export interface NewRecord {
  readonly bytes: Buffer;
  readonly size: number;
  readonly descriptionSize: number;
  readonly checksum: number;
  readonly descriptionChecksum: number;
  readonly writtenAt: number;
}

/** Room left for a description of usual length. */
const slack = 1024;

export class RecordBuffer {
  #bytes = Buffer.alloc(0);
  #size = 0;

  /** Octets so far, without the header's room. */
  get size(): number {
    return this.#size;
  }

  get data(): Buffer {
    return this.#bytes.subarray(headerSize, headerSize + this.#size);
  }

  add(chunk: Uint8Array): void {
    this.#reserve(headerSize + this.#size + chunk.byteLength, slack);
    this.#bytes.set(chunk, headerSize + this.#size);
    this.#size += chunk.byteLength;
  }

  /** Nothing may be added afterwards. `writtenAt` is in milliseconds since 1970. */
  finish(description: Buffer, writtenAt: number): NewRecord {
    const size = this.#size;
    const span = spanOf({ size, descriptionSize: description.length });
    this.#reserve(span, 0);
    const bytes = this.#bytes.subarray(0, span);
    bytes.set(description, headerSize + size);
    bytes.fill(0, headerSize + size + description.length);
    const checksum = crc32(bytes.subarray(headerSize, headerSize + size));
    return { bytes, size, descriptionSize: description.length, checksum, descriptionChecksum: crc32(description), writtenAt };
  }

  #reserve(length: number, more: number): void {
    if (this.#bytes.length >= length) return;
    const grown = Buffer.allocUnsafe(Math.max(length + more, this.#size === 0 ? 0 : this.#bytes.length * 2));
    grown.set(this.data, headerSize);
    this.#bytes = grown;
  }
}
