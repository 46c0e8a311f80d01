/** Reference keys of blobs as storage lays them out: `ref/<blob>/<holder>`. */

import { type BlobId, below, type KeyRange, type Part } from '../storage/index.ts';

const nothing = new Uint8Array(0);

export function reference(blob: BlobId, holder: string): Part<void> {
  return async () => ({ puts: [[`ref/${blob}/${holder}`, nothing]], result: undefined });
}

export function dereference(blob: BlobId, holder: string): Part<void> {
  return async () => ({ deletes: [`ref/${blob}/${holder}`], result: undefined });
}

/** Our references to a blob. */
export function references(blob: BlobId, holders: string): KeyRange {
  return below(`ref/${blob}/${holders}`);
}
