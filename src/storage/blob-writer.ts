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
import { largestInSegment } from './segment-walk.ts';

/** What a writer needs of the store. */
export interface WriterTarget {
  putSmall(chunks: readonly Uint8Array[], size: number, description: Buffer): Promise<BlobInfo>;
  createLarge(): Promise<LargeFile>;
  now(): number;
}

/** JSON of the description; Fault `too-large` beyond 64 KiB. */
export function checkedDescription(description: BlobDescription | undefined): Buffer {
  const bytes = encodeDescription(description);
  if (bytes.length > longestDescription) throw new Fault('too-large', 'the description of a message is too long');
  return bytes;
}

export class FileBlobWriter implements BlobWriter {
  readonly #target: WriterTarget;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #large: LargeFile | undefined;
  #state: 'open' | 'closed' = 'open';
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
    if (this.#state === 'closed')
      return Promise.reject(new Fault('bug', 'internal error', { cause: new Error('write after commit or abort') }));
    this.#chunks.push(Uint8Array.prototype.slice.call(chunk));
    this.#size += chunk.byteLength;
    if (this.#size <= largestInSegment) return this.#step;
    return this.#then(() => this.#spill());
  }

  async commit(description?: BlobDescription): Promise<BlobInfo> {
    if (this.#state === 'closed') throw new Fault('bug', 'internal error', { cause: new Error('commit after commit or abort') });
    this.#state = 'closed';
    try {
      const bytes = checkedDescription(description);
      await this.#step;
      if (!this.#large) return await this.#target.putSmall(this.#chunks, this.#size, bytes);
      const large = this.#large;
      this.#large = undefined;
      return await large.finish(bytes, this.#target.now());
    } catch (thrown) {
      await this.#drop();
      throw diskFault(thrown);
    } finally {
      this.#chunks = [];
    }
  }

  async abort(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    await this.#step.catch(() => undefined);
    await this.#drop();
  }

  #then(step: () => Promise<void>): Promise<void> {
    this.#step = this.#step.then(async () => {
      if (this.#failure) throw this.#failure;
      await step();
    });
    // Whoever awaits the write, or the commit, hears of it.
    this.#step.catch(() => undefined);
    return this.#step;
  }

  async #spill(): Promise<void> {
    const chunks = this.#chunks;
    this.#chunks = [];
    if (chunks.length === 0) return;
    try {
      this.#large ??= await this.#target.createLarge();
      await this.#large.write(chunks);
    } catch (thrown) {
      this.#failure = diskFault(thrown);
      throw this.#failure;
    }
  }

  async #drop(): Promise<void> {
    const large = this.#large;
    this.#large = undefined;
    this.#chunks = [];
    await large?.discard();
  }
}
