/**
 * Who needs a blob: one key per holder, never a counter.
 *
 * A holder (a queue entry, a message in a mailbox) adds its reference in the commit that makes it, and takes it away in the
 * commit that ends it. Adding one to a blob that is being reclaimed is refused with `CheckFailed`; the holder then puts the
 * octets anew. A blob that lost a reference is noted as an orphan, for the reclaimer to look at.
 *
 *     const added = reference(blob.id, `store/${account}/${uid}`);
 *     return { checks: [...added.checks], puts: [...added.puts, …], result };
 */

import { below, segment } from './keys.ts';
import type { BlobId, Changes, Key, KeyRange } from './port.ts';

const nothing = new Uint8Array(0);

export const references: KeyRange = below('ref/');
export const orphans: KeyRange = below('orphan/');
export const marks: KeyRange = below('reclaim/');

/** All references to one blob. */
export function referencesTo(blob: BlobId): KeyRange {
  return below(`ref/${blob}/`);
}

export const referenceKey = (blob: BlobId, holder: string): Key => `ref/${blob}/${segment(holder)}`;
export const orphanKey = (blob: BlobId): Key => `orphan/${blob}`;
export const markKey = (blob: BlobId): Key => `reclaim/${blob}`;

/** The blob a reference, orphan or mark is about. */
export function blobOf(key: Key): BlobId {
  return key.split('/', 2)[1] ?? '';
}

/** What goes into the changes that begin to need the blob. Adding the same reference twice is one reference. */
export function reference(blob: BlobId, holder: string): Required<Pick<Changes<void>, 'checks' | 'puts'>> {
  return { checks: [{ absent: markKey(blob) }], puts: [[referenceKey(blob, holder), nothing]] };
}

/** What goes into the changes that no longer need the blob. */
export function dereference(blob: BlobId, holder: string): Required<Pick<Changes<void>, 'deletes' | 'puts'>> {
  return { deletes: [referenceKey(blob, holder)], puts: [[orphanKey(blob), nothing]] };
}
