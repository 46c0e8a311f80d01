/** A disk that remembers what has been flushed, counts its calls and fails when told to. */

import { cp, mkdir, stat, truncate } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { realDisk } from '../../src/storage/disk.ts';
import type { BlobsOptions } from '../../src/storage/index.ts';

type Disk = NonNullable<BlobsOptions['disk']>;
type Call = keyof Disk;

export class TestDisk implements Disk {
  /** Called before every call; what it throws, the call throws. */
  before: (call: Call, path: string) => void = () => {};
  calls = 0;
  /** Octets of each file that are surely on disk. */
  readonly #flushed = new Map<string, number>();
  readonly #paths = new Map<number, string>();
  readonly #through = new Set<number>();

  #call(call: Call, path: string): void {
    this.calls++;
    this.before(call, path);
  }

  #path(fd: number): string {
    return this.#paths.get(fd) ?? '';
  }

  async open(path: string, flags: 'r' | 'r+' | 'wx+', through?: 'through'): Promise<number> {
    this.#call('open', path);
    const fd = await realDisk.open(path, flags, through);
    this.#paths.set(fd, path);
    if (through) this.#through.add(fd);
    else this.#through.delete(fd);
    if (flags === 'wx+') this.#flushed.set(path, 0);
    else if (!this.#flushed.has(path)) this.#flushed.set(path, (await stat(path)).size);
    return fd;
  }

  close(fd: number): Promise<void> {
    return realDisk.close(fd);
  }

  read(fd: number, buffer: Uint8Array, position: number): Promise<number> {
    return realDisk.read(fd, buffer, position);
  }

  async write(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void> {
    try {
      this.#call('write', this.#path(fd));
    } catch (thrown) {
      // A failing write leaves a part of itself behind.
      const bytes = Buffer.concat(buffers);
      await realDisk.write(fd, [bytes.subarray(0, Math.ceil(bytes.length / 2))], position);
      throw thrown;
    }
    await realDisk.write(fd, buffers, position);
    // Flushing is a step of its own that can fail, or be what the power failure comes before.
    if (this.#through.has(fd)) await this.sync(fd);
  }

  async truncate(fd: number, length: number): Promise<void> {
    this.#call('truncate', this.#path(fd));
    await realDisk.truncate(fd, length);
  }

  async sync(fd: number): Promise<void> {
    const path = this.#path(fd);
    this.#call('sync', path);
    const { size } = await stat(path).catch(() => ({ size: 0 }));
    await realDisk.sync(fd);
    this.#flushed.set(path, size);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#call('syncDirectory', path);
    await realDisk.syncDirectory(path);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#call('rename', from);
    await realDisk.rename(from, to);
    this.#flushed.set(to, this.#flushed.get(from) ?? 0);
    this.#flushed.delete(from);
  }

  async unlink(path: string): Promise<void> {
    this.#call('unlink', path);
    await realDisk.unlink(path);
    this.#flushed.delete(path);
  }

  /** A copy of the folder as a power failure would leave it at the worst: without anything that was not flushed. */
  async copyFlushed(folder: string, to: string): Promise<void> {
    await mkdir(to, { recursive: true });
    await cp(folder, to, { recursive: true });
    for (const [path, size] of this.#flushed) {
      if (path.startsWith(folder)) await truncate(join(to, relative(folder, path)), size).catch(() => undefined);
    }
  }
}

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}
