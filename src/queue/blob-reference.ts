/** The queue's hold on a blob: a key, never a counter. */

import { type BlobId, type Part, segment } from '../storage/index.ts';

const key = (blob: BlobId, holder: string): string => `ref/${blob}/${segment(holder)}`;

export function reference(blob: BlobId, holder: string): Part<void> {
  return async () => ({ puts: [[key(blob, holder), new Uint8Array()]], result: undefined });
}

export function dereference(blob: BlobId, holder: string): Part<void> {
  return async () => ({ deletes: [key(blob, holder)], result: undefined });
}
