/**
 * The structure of a message, read once for all its recipients.
 *
 * The bytes go by in chunks; a few structures are kept for the leases that follow. Small by count and by size of message.
 */

import { Lru } from '../base/index.ts';
import { MessageIndexer, type MessageStructure } from '../mail/index.ts';
import type { BlobId, Blobs } from '../storage/index.ts';

const keptAtMost = 64;

export class Structures {
  readonly #blobs: Pick<Blobs, 'whole'>;
  readonly #known = new Lru<BlobId, Promise<MessageStructure>>(keptAtMost);

  constructor(blobs: Pick<Blobs, 'whole'>) {
    this.#blobs = blobs;
  }

  of(blob: BlobId): Promise<MessageStructure> {
    const known = this.#known.get(blob);
    if (known) return known;
    const made = this.#read(blob);
    this.#known.set(blob, made);
    // What failed is read again next time.
    made.catch(() => this.#known.delete(blob));
    return made;
  }

  async #read(blob: BlobId): Promise<MessageStructure> {
    const indexer = new MessageIndexer();
    for await (const chunk of this.#blobs.whole(blob)) indexer.push(chunk);
    return indexer.end();
  }
}
