/** Descriptors kept open between reads: the most recently used ones, and those in use. */

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
      file = { fd: this.#disk.open(path, 'r'), users: 0, dropped: false };
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

  async use<T>(path: string, run: (fd: number) => Promise<T>): Promise<T> {
    const { fd, release } = await this.acquire(path);
    try {
      return await run(fd);
    } finally {
      release();
    }
  }

  /** The file is gone or has changed: who reads it now may finish, the next `acquire` opens anew. */
  drop(path: string): void {
    const file = this.#files.get(path);
    if (!file) return;
    this.#files.delete(path);
    file.dropped = true;
    if (file.users === 0) this.#close(file);
  }

  closeAll(): void {
    for (const path of [...this.#files.keys()]) this.drop(path);
  }

  #release(file: OpenFile): void {
    file.users--;
    if (file.users === 0 && file.dropped) this.#close(file);
  }

  #shrink(): void {
    if (this.#files.size <= this.#most) return;
    for (const [path, file] of this.#files) {
      if (file.users > 0) continue;
      this.drop(path);
      if (this.#files.size <= this.#most) return;
    }
  }

  #close(file: OpenFile): void {
    // Nothing was written through it: a failing close loses nothing.
    file.fd.then((fd) => this.#disk.close(fd)).catch(() => undefined);
  }
}
