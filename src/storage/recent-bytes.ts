/** The records written last, in memory: who delivers what was just accepted reads nothing from disk. Bounded by octets. */

import type { BlobHeader } from './blob-record.ts';
import type { BlobId } from './port.ts';

export interface RecentRecord {
  readonly header: BlobHeader;
  /** The whole record: header, octets, description. */
  readonly bytes: Buffer;
}

export class RecentBytes {
  readonly #records = new Map<BlobId, RecentRecord>();
  /** Stands before the oldest: a new one each time would walk over all that was deleted in front. */
  #oldest = this.#records.keys();
  readonly #limit: number;
  #octets = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(id: BlobId): RecentRecord | undefined {
    return this.#records.get(id);
  }

  add(id: BlobId, record: RecentRecord): void {
    this.#records.set(id, record);
    this.#octets += record.bytes.length;
    while (this.#octets > this.#limit) this.#deleteOldest();
  }

  #deleteOldest(): void {
    let next = this.#oldest.next();
    if (next.done) {
      this.#oldest = this.#records.keys();
      next = this.#oldest.next();
    }
    if (!next.done) this.delete(next.value);
  }

  delete(id: BlobId): void {
    const record = this.#records.get(id);
    if (!record) return;
    this.#records.delete(id);
    this.#octets -= record.bytes.length;
  }
}
