/** Octets for tests of attachments, in pieces of any size. */

import type { Bytes } from '../../src/attachments/index.ts';

/** Read in pieces of so many octets, each a view that is spoilt as soon as the next one is asked for. */
export function source(content: Uint8Array | string, piece = 61): Bytes {
  const octets = typeof content === 'string' ? Buffer.from(content, 'latin1') : Buffer.from(content);
  return {
    size: octets.length,
    async *stream(start = 0, end = octets.length) {
      for (let at = start; at < Math.min(end, octets.length); at += piece) {
        const chunk = Buffer.from(octets.subarray(at, Math.min(at + piece, end)));
        yield chunk;
        chunk.fill(0x21);
      }
    },
  };
}

export async function all(bytes: AsyncIterable<Uint8Array> | Bytes): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const one of 'stream' in bytes ? bytes.stream() : bytes) pieces.push(Buffer.from(one));
  return Buffer.concat(pieces);
}

export const latin1 = async (bytes: AsyncIterable<Uint8Array> | Bytes): Promise<string> => (await all(bytes)).toString('latin1');
