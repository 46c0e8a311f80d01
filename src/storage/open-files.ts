/** Descriptors kept open between reads: the most recently used ones, and those in use. */

import { isShortage } from '../base/index.ts';
import type { Disk } from './disk.ts';

interface OpenFile {
  readonly fd: Promise<number>;
  users: number;
  /** To be closed by its last user. */
  dropped: boolean;
}

export class OpenFiles {
  readonly #disk: Disk;
  readonly #most: number;
  readonly #files = new Map<string, OpenFile>();

  constructor(disk: Disk, most: number) {
    this.#disk = disk;
    this.#most = most;
  }

  /** Opens for reading, or takes one that is open. Every `acquire` needs its `release`. */
  async acquire(path: string): Promise<{ fd: number; release: () => void }> {
    let file = this.#files.get(path);
    if (file) {
      this.#files.delete(path);
    } else {
      file = { fd: this.#openFile(path), users: 0, dropped: false };
    }
    this.#files.set(path, file);
    file.users++;
    const used = file;
    try {
      const fd = await used.fd;
      this.#shrink();
      return { fd, release: () => this.#release(used) };
    } catch (thrown) {
      if (this.#files.get(path) === used) this.#files.delete(path);
      throw thrown;
    }
  }

  /** Where no descriptor is free those kept for later are given up. */
  async #openFile(path: string): Promise<number> {
    try {
      return await this.#disk.open(path, 'r');
    } catch (thrown) {
      const idle = [...this.#files].filter(([, { users }]) => users === 0);
      if (!isShortage(thrown) || idle.length === 0) throw thrown;
      await Promise.all(idle.map(([other]) => this.drop(other)));
      return await this.#disk.open(path, 'r');
    }
  }

  async use<T>(path: string, run: (fd: number) => Promise<T>): Promise<T> {
    const { fd, release } = await this.acquire(path);
    try {
      return await run(fd);
    } finally {
      release();
    }
  }

  /** The file is gone or has changed: who reads it now may finish, the next `acquire` opens anew. */
  async drop(path: string): Promise<void> {
    const file = this.#files.get(path);
    if (!file) return;
    this.#files.delete(path);
    file.dropped = true;
    if (file.users === 0) await this.#close(file);
  }

  closeAll(): void {
    for (const path of [...this.#files.keys()]) void this.drop(path);
  }

  #release(file: OpenFile): void {
    file.users--;
    if (file.users === 0 && file.dropped) void this.#close(file);
  }

  #shrink(): void {
    if (this.#files.size <= this.#most) return;
    for (const [path, file] of this.#files) {
      if (file.users > 0) continue;
      void this.drop(path);
      if (this.#files.size <= this.#most) return;
    }
  }

  async #close(file: OpenFile): Promise<void> {
    // Nothing was written through it: a failing close loses nothing.
    await file.fd.then((fd) => this.#disk.close(fd)).catch(() => undefined);
  }
}
