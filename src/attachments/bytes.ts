/**
 * Octets that can be read as often as is needed, and never stand in memory all at once: a stretch of a message, what is decoded from it, a
 * fork of a file, a part to be written.
 *
 * Promise: memory is a chunk at a time; reading a stretch of what is made anew costs the making of what is before it.
 */

export interface Bytes {
  readonly size: number;
  /** From `start` (inclusive) to `end` (exclusive); all of it where none are given. */
  stream(start?: number, end?: number): AsyncIterable<Uint8Array>;
}

/** Turns octets into others while they go by. */
export interface Codec {
  push(bytes: Uint8Array): Uint8Array;
  end(): Uint8Array;
}

export function bytesOf(content: Uint8Array | string): Bytes {
  const octets = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  return {
    size: octets.length,
    async *stream(start = 0, end = octets.length) {
      if (end > start && start < octets.length) yield octets.subarray(start, end);
    },
  };
}

export const noBytes = bytesOf('');

/** `size` octets that `all` gives in order each time it is called. */
export function made(size: number, all: () => AsyncIterable<Uint8Array>): Bytes {
  return {
    size,
    stream: (start = 0, end = size) => (start === 0 && end >= size ? all() : cut(all(), start, Math.min(end, size))),
  };
}

/** A stretch of others. */
export function stretch(source: Bytes, from: number, to: number): Bytes {
  const first = Math.min(from, source.size);
  const size = Math.max(0, Math.min(to, source.size) - first);
  return { size, stream: (start = 0, end = size) => source.stream(first + Math.min(start, size), first + Math.min(end, size)) };
}

async function* cut(bytes: AsyncIterable<Uint8Array>, start: number, end: number): AsyncIterable<Uint8Array> {
  if (end <= start) return;
  let at = 0;
  for await (const chunk of bytes) {
    const from = Math.max(0, start - at);
    if (from < chunk.length) yield chunk.subarray(from, Math.min(chunk.length, end - at));
    at += chunk.length;
    if (at >= end) return;
  }
}

/** One after the other. */
export function joined(pieces: readonly Bytes[]): Bytes {
  /** Where each begins. */
  const starts: number[] = [];
  let size = 0;
  for (const piece of pieces) {
    starts.push(size);
    size += piece.size;
  }
  return {
    size,
    async *stream(start = 0, end = size) {
      for (let n = lastAtMost(starts, start); n < pieces.length; n++) {
        const [at, piece] = [starts[n] as number, pieces[n] as Bytes];
        if (at >= end) return;
        const [from, to] = [Math.max(0, start - at), Math.min(piece.size, end - at)];
        if (to > from) yield* piece.stream(from, to);
      }
    },
  };
}

/** The place of the last number that is no larger; 0 where all are. */
function lastAtMost(rising: readonly number[], number: number): number {
  let [low, high] = [0, rising.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((rising[middle] as number) <= number) low = middle;
    else high = middle;
  }
  return low;
}

export async function* through(bytes: AsyncIterable<Uint8Array>, codec: Codec): AsyncIterable<Uint8Array> {
  for await (const chunk of bytes) {
    const out = codec.push(chunk);
    if (out.length > 0) yield out;
  }
  const rest = codec.end();
  if (rest.length > 0) yield rest;
}

export async function sizeOf(bytes: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of bytes) size += chunk.length;
  return size;
}

/** What codecs made anew each time make of these; counted once. */
export async function coded(source: Bytes, codec: () => Codec): Promise<Bytes> {
  const all = (): AsyncIterable<Uint8Array> => through(source.stream(), codec());
  return made(await sizeOf(all()), all);
}

/** A stretch in memory: for headers, never for whole files. */
export async function octetsOf(source: Bytes, from: number, to: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  // What was read is a view that may not stay.
  for await (const chunk of source.stream(from, Math.min(to, source.size))) pieces.push(Uint8Array.from(chunk));
  return Buffer.concat(pieces);
}
