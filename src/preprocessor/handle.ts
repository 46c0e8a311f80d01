/** The message handle given to modules: header and structure are read when asked for, once. */

import { MessageIndexer, type MessageStructure } from '../mail/index.ts';
import type { QueuedMessage } from '../queue/index.ts';
import type { BlobInfo, Blobs } from '../storage/index.ts';
import type { MessageHandle } from './module.ts';

const firstLook = 16 * 1024;
const headerAtMost = 1024 * 1024;

/** Length of the header in these bytes, without the empty line; undefined where it goes on behind them. */
function headerLength(bytes: Uint8Array): number | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (buffer[0] === 10 || (buffer[0] === 13 && buffer[1] === 10)) return 0;
  const crlf = buffer.indexOf('\n\r\n');
  const lf = (crlf < 0 ? buffer : buffer.subarray(0, crlf)).indexOf('\n\n');
  const found = lf < 0 ? crlf : lf;
  return found < 0 ? undefined : found + 1;
}

export function messageHandle(
  blobs: Pick<Blobs, 'read' | 'stream' | 'whole'>,
  message: QueuedMessage,
  blob: BlobInfo,
  prefix: string,
): MessageHandle {
  let header: Promise<Uint8Array> | undefined;
  let structure: Promise<MessageStructure> | undefined;
  const readHeader = async (): Promise<Uint8Array> => {
    for (const look of [firstLook, headerAtMost]) {
      const bytes = await blobs.read(blob.id, 0, Math.min(look, blob.size));
      const length = headerLength(bytes) ?? (look >= blob.size ? bytes.length : undefined);
      if (length !== undefined) return bytes.subarray(0, length);
      if (look === headerAtMost) return bytes;
    }
    return new Uint8Array(0);
  };
  const readStructure = async (): Promise<MessageStructure> => {
    const indexer = new MessageIndexer();
    for await (const chunk of blobs.whole(blob.id)) indexer.push(chunk);
    return indexer.end();
  };
  return {
    message,
    size: blob.size,
    prefix,
    header() {
      header ??= readHeader();
      return header;
    },
    structure() {
      structure ??= readStructure();
      return structure;
    },
    read: (start, end) => blobs.read(blob.id, start, end),
    stream: (start, end) => blobs.stream(blob.id, start, end),
  };
}
