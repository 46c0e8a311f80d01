/**
 * Takes the octets of one blob as they come: in memory while they are few, then in a file of their own.
 *
 * Promise: nothing can be seen before `commit` resolves; after `abort` or a failure nothing is left. Chunks are copied, the
 * caller may use its buffer again.
 */

import { Fault } from '../base/index.ts';
import { encodeDescription, longestDescription } from './blob-record.ts';
import { diskFault } from './disk.ts';
import type { LargeFile } from './large-files.ts';
import type { BlobDescription, BlobInfo, BlobWriter } from './port.ts';
import { RecordBuffer } from './record-buffer.ts';
import { largestInSegment } from './segment-walk.ts';

/** What a writer needs of the store. */
export interface WriterTarget {
  putSmall(record: RecordBuffer, description: Buffer): Promise<BlobInfo>;
  createLarge(): Promise<LargeFile>;
  now(): number;
}

/** JSON of the description; Fault `too-large` beyond 64 KiB. */
export function checkedDescription(description: BlobDescription | undefined): Buffer {
  const bytes = encodeDescription(description);
  if (bytes.length > longestDescription) throw new Fault('too-large', 'the description of a message is too long');
  return bytes;
}

const misused = (what: string): Fault => new Fault('bug', 'internal error', { cause: new Error(`${what} after commit or abort`) });

export class FileBlobWriter implements BlobWriter {
  readonly #target: WriterTarget;
  #buffer = new RecordBuffer();
  #size = 0;
  #spilled = false;
  #large: LargeFile | undefined;
  #closed = false;
  /** The last step under way; steps happen one after the other. */
  #step: Promise<void> = Promise.resolve();
  #failure: Fault | undefined;

  constructor(target: WriterTarget) {
    this.#target = target;
  }

  get size(): number {
    return this.#size;
  }

  write(chunk: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(misused('write'));
    this.#buffer.add(chunk);
    this.#size += chunk.byteLength;
    return this.#buffer.size > largestInSegment ? this.#spill() : this.#step;
  }

  async commit(description?: BlobDescription): Promise<BlobInfo> {
    if (this.#closed) throw misused('commit');
    this.#closed = true;
    try {
      const bytes = checkedDescription(description);
      if (!this.#spilled) return await this.#target.putSmall(this.#buffer, bytes);
      await this.#spill();
      const large = this.#large!;
      this.#large = undefined;
      return await large.finish(bytes, this.#target.now());
    } catch (thrown) {
      await this.#drop();
      throw diskFault(thrown);
    }
  }

  async abort(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#drop();
  }

  /** Moves what is in memory to the file, behind what is on its way there already. */
  #spill(): Promise<void> {
    const { data } = this.#buffer;
    this.#buffer = new RecordBuffer();
    this.#spilled = true;
    this.#step = this.#step.then(async () => {
      if (this.#failure) throw this.#failure;
      try {
        this.#large ??= await this.#target.createLarge();
        await this.#large.write([data]);
      } catch (thrown) {
        this.#failure = diskFault(thrown);
        throw this.#failure;
      }
    });
    // Whoever awaits the write, or the commit, hears of it.
    this.#step.catch(() => undefined);
    return this.#step;
  }

  async #drop(): Promise<void> {
    await this.#step.catch(() => undefined);
    const large = this.#large;
    this.#large = undefined;
    await large?.discard();
  }
}
