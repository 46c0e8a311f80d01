/**
 * Blobs in files of their own: written under a temporary name, flushed, then renamed into one of 256 folders.
 *
 * Promise: under its final name a file is whole and on disk. What a crash leaves under a temporary name is deleted at the
 * next start.
 */

import { mkdir, opendir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { errorCode } from '../base/index.ts';
import { type BlobHeader, type BlobPlace, encodeHeader, formatId, headerSize } from './blob-record.ts';
import type { Disk } from './disk.ts';
import type { BlobId, BlobInfo } from './port.ts';

const namePattern = /^[0-9a-f]{8}x[0-9a-f]{15}$/;
const folderPattern = /^[0-9a-f]{2}$/;

export class LargeFiles {
  readonly #folder: string;
  readonly #disk: Disk;
  readonly #random: () => number;
  readonly #known = new Set<string>();
  #sequence = 0;

  constructor(folder: string, disk: Disk, random: () => number) {
    this.#folder = folder;
    this.#disk = disk;
    this.#random = random;
  }

  /** Returns how many unfinished files were cleared away. */
  async load(): Promise<number> {
    const unfinished = join(this.#folder, 'tmp');
    await mkdir(unfinished, { recursive: true, mode: 0o700 });
    const left = await readdir(unfinished);
    for (const name of left) await this.#disk.unlink(join(unfinished, name));
    return left.length;
  }

  path(id: BlobId): string {
    return join(this.#folder, id.slice(-2), id);
  }

  /** A new file; `segment` places its id in time among the others. */
  async create(segment: number): Promise<LargeFile> {
    const path = join(this.#folder, 'tmp', `${process.pid}-${++this.#sequence}`);
    const fd = await this.#disk.open(path, 'wx+');
    const place: BlobPlace = {
      kind: 'large',
      segment,
      offset: Math.floor(this.#random() * 0x10000000),
      tag: Math.floor(this.#random() * 0x100000000),
    };
    return new LargeFile(this, this.#disk, fd, path, place);
  }

  /** Puts a finished file under its name, for good. */
  async adopt(temporary: string, id: BlobId): Promise<void> {
    const folder = join(this.#folder, id.slice(-2));
    if (!this.#known.has(folder)) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await this.#disk.syncDirectory(this.#folder);
      this.#known.add(folder);
    }
    await this.#disk.rename(temporary, this.path(id));
    await this.#disk.syncDirectory(folder);
  }

  async remove(ids: readonly BlobId[]): Promise<void> {
    const folders = new Set<string>();
    for (const id of ids) {
      try {
        await this.#disk.unlink(this.path(id));
        folders.add(join(this.#folder, id.slice(-2)));
      } catch (thrown) {
        if (errorCode(thrown) !== 'ENOENT') throw thrown;
      }
    }
    for (const folder of folders) await this.#disk.syncDirectory(folder);
  }

  async *list(): AsyncGenerator<BlobId> {
    for (const shard of (await readdir(this.#folder)).sort()) {
      if (!folderPattern.test(shard)) continue;
      for await (const item of await opendir(join(this.#folder, shard))) if (namePattern.test(item.name)) yield item.name;
    }
  }
}

/** One file that is being written. */
export class LargeFile {
  readonly #files: LargeFiles;
  readonly #disk: Disk;
  readonly #fd: number;
  readonly #path: string;
  readonly #place: BlobPlace;
  #size = 0;
  #checksum = 0;
  #open = true;

  constructor(files: LargeFiles, disk: Disk, fd: number, path: string, place: BlobPlace) {
    this.#files = files;
    this.#disk = disk;
    this.#fd = fd;
    this.#path = path;
    this.#place = place;
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    await this.#disk.write(this.#fd, chunks, headerSize + this.#size);
    for (const chunk of chunks) {
      // zlib takes no octets at no address for the wish to begin anew.
      if (chunk.byteLength === 0) continue;
      this.#checksum = crc32(chunk, this.#checksum);
      this.#size += chunk.byteLength;
    }
  }

  /** Durable when it resolves. After a failure the file is gone. */
  async finish(description: Buffer, writtenAt: number): Promise<BlobInfo> {
    const header: BlobHeader = {
      ...this.#place,
      size: this.#size,
      writtenAt,
      descriptionSize: description.length,
      checksum: this.#checksum,
      descriptionChecksum: crc32(description),
    };
    const first = Buffer.alloc(headerSize);
    encodeHeader(header, first);
    const id = formatId(header);
    try {
      await this.#disk.write(this.#fd, [description], headerSize + this.#size);
      await this.#disk.write(this.#fd, [first], 0);
      await this.#disk.sync(this.#fd);
      await this.#close();
    } catch (thrown) {
      await this.discard();
      throw thrown;
    }
    try {
      await this.#files.adopt(this.#path, id);
    } catch (thrown) {
      for (const path of [this.#path, this.#files.path(id)]) await this.#disk.unlink(path).catch(() => undefined);
      throw thrown;
    }
    return { id, size: this.#size };
  }

  async discard(): Promise<void> {
    await this.#close().catch(() => undefined);
    await this.#disk.unlink(this.#path).catch(() => undefined);
  }

  /** Once: the number may be another file's afterwards, even when closing failed. */
  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#disk.close(this.#fd);
  }
}
