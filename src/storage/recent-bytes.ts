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
    for (const oldest of this.#records.keys()) {
      if (this.#octets <= this.#limit) break;
      this.delete(oldest);
    }
  }

  delete(id: BlobId): void {
    const record = this.#records.get(id);
    if (!record) return;
    this.#records.delete(id);
    this.#octets -= record.bytes.length;
  }
}
