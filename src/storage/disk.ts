/**
 * File calls as promises on plain descriptors: positioned, complete or failing, flushed when asked.
 *
 * `Disk` is what blobs need of a file system; tests put a failing one in its place.
 */

import { close, constants, fdatasync, fsync, ftruncate, open, read, rename, unlink, writev } from 'node:fs';
import { promisify } from 'node:util';
import { errorCode, Fault } from '../base/index.ts';

export interface Disk {
  /** Mode 0600. With `through` what is written is on disk when the write resolves, as if `sync` came after each. */
  open(path: string, flags: 'r' | 'r+' | 'wx+', through?: 'through'): Promise<number>;
  close(fd: number): Promise<void>;
  /** Fills `buffer` from `position`; fewer octets only at the end of the file. */
  read(fd: number, buffer: Uint8Array, position: number): Promise<number>;
  /** Writes all of them, one behind the other. */
  write(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void>;
  truncate(fd: number, length: number): Promise<void>;
  /** Data and what is needed to find it are on disk when it resolves. */
  sync(fd: number): Promise<void>;
  /** The same for the names in a directory. */
  syncDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
}

const openFile = promisify(open);
const closeFile = promisify(close);
const syncData = promisify(fdatasync);
const syncAll = promisify(fsync);
const truncateFile = promisify(ftruncate);

function readOnce(fd: number, buffer: Uint8Array, offset: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, offset, buffer.byteLength - offset, position, (failed, count) => (failed ? reject(failed) : resolve(count)));
  });
}

function writeOnce(fd: number, buffers: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(fd, buffers, position, (failed, count) => (failed ? reject(failed) : resolve(count)));
  });
}

const flagBits = {
  r: constants.O_RDONLY,
  'r+': constants.O_RDWR,
  'wx+': constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
} as const;

/** What is left of the buffers behind the first `count` octets. */
function rest(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  let skip = count;
  for (const buffer of buffers) {
    if (skip < buffer.byteLength) left.push(skip > 0 ? buffer.subarray(skip) : buffer);
    skip = Math.max(0, skip - buffer.byteLength);
  }
  return left;
}

export const realDisk: Disk = {
  open: (path, flags, through) => openFile(path, flagBits[flags] | (through ? constants.O_DSYNC : 0), 0o600),
  close: (fd) => closeFile(fd),
  async read(fd, buffer, position) {
    let done = 0;
    while (done < buffer.byteLength) {
      const count = await readOnce(fd, buffer, done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  },
  async write(fd, buffers, position) {
    let left = rest(buffers, 0);
    let at = position;
    while (left.length > 0) {
      const count = await writeOnce(fd, left, at);
      at += count;
      left = rest(left, count);
    }
  },
  truncate: (fd, length) => truncateFile(fd, length),
  sync: (fd) => syncData(fd),
  async syncDirectory(path) {
    const fd = await openFile(path, 'r');
    try {
      await syncAll(fd);
    } finally {
      await closeFile(fd);
    }
  },
  rename: promisify(rename),
  unlink: promisify(unlink),
};

/** What the system says of octets that it cannot give any more, however often it is asked. */
const lost = new Set(['EIO', 'EBADMSG', 'EUCLEAN', 'ENODATA', 'EISDIR']);
export const isLost = (thrown: unknown): boolean => lost.has(errorCode(thrown) ?? '');

/** A failed file call in terms that name no path. */
export function diskFault(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  const code = errorCode(thrown);
  if (code === 'ENOSPC' || code === 'EDQUOT') return new Fault('no-space', 'no space left to store messages', { cause: thrown });
  return new Fault('unavailable', `message storage failed (${code ?? 'unknown error'})`, { cause: thrown });
}
