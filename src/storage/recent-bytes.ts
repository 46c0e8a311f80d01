/** The records written last, in memory: who delivers what was just accepted reads nothing from disk. Bounded by octets. */

import type { BlobHeader } from './blob-record.ts';
import type { BlobId } from './port.ts';

export interface RecentRecord {
  readonly header: BlobHeader;
  /** The whole record: header, octets, description. */
  readonly bytes: Buffer;
}

export class RecentBytes {
  /**
   * In an object of its own each, which is emptied: a Map that comes and goes makes its table anew again and again, and as long as one of those
   * before has grown old in the heap, it keeps what was in all that came after it.
   */
  readonly #records = new Map<BlobId, { record: RecentRecord | undefined }>();
  readonly #limit: number;
  #octets = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(id: BlobId): RecentRecord | undefined {
    return this.#records.get(id)?.record;
  }

  add(id: BlobId, record: RecentRecord): void {
    this.#records.set(id, { record });
    this.#octets += record.bytes.length;
    for (const oldest of this.#records.keys()) {
      if (this.#octets <= this.#limit) break;
      this.delete(oldest);
    }
  }

  delete(id: BlobId): void {
    const kept = this.#records.get(id);
    if (!kept) return;
    this.#records.delete(id);
    this.#octets -= kept.record?.bytes.length ?? 0;
    kept.record = undefined;
  }
}
