/**
 * A message's octets: prefix, then the blob's bytes. The only place that joins them.
 *
 * `start` is inclusive, `end` exclusive; both count from the first octet of the prefix and are cut to the message's size.
 */

import type { Blobs } from '../storage/index.ts';
import type { MessageSource } from './port.ts';

interface Slice {
  /** The wanted octets of the prefix. */
  readonly prefix: Uint8Array;
  /** Where the wanted octets of the blob begin and end. */
  readonly start: number;
  readonly end: number;
}

function slice({ blob, prefix }: MessageSource, start = 0, end = Number.POSITIVE_INFINITY): Slice {
  const front = Buffer.from(prefix);
  const from = Math.max(0, start);
  return {
    prefix: front.subarray(Math.min(from, front.length), Math.min(Math.max(from, end), front.length)),
    start: Math.min(blob.size, Math.max(0, from - front.length)),
    end: Math.min(blob.size, Math.max(0, end - front.length)),
  };
}

export async function read(blobs: Blobs, source: MessageSource, start?: number, end?: number): Promise<Uint8Array> {
  const wanted = slice(source, start, end);
  if (wanted.end <= wanted.start) return wanted.prefix;
  const bytes = await blobs.read(source.blob.id, wanted.start, wanted.end);
  return wanted.prefix.length === 0 ? bytes : Buffer.concat([wanted.prefix, bytes]);
}

export async function* stream(blobs: Blobs, source: MessageSource, start?: number, end?: number): AsyncGenerator<Uint8Array> {
  const wanted = slice(source, start, end);
  if (wanted.prefix.length > 0) yield wanted.prefix;
  if (wanted.end > wanted.start) yield* blobs.stream(source.blob.id, wanted.start, wanted.end);
}
