/** Where LDIF comes from: a file or standard input, with how far it has been read; and values from files that it names. */

import { closeSync, createReadStream, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '../../base/index.ts';

export interface LdifSource {
  /** For messages. */
  readonly name: string;
  /** Octets; undefined where nobody knows. */
  readonly size: number | undefined;
  /** Octets read so far. */
  readonly read: () => number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** `-` is standard input. Fault `not-found` for what cannot be read. */
export function openSource(path: string): LdifSource {
  const stdin = path === '-';
  let size: number | undefined;
  if (!stdin) {
    try {
      const found = statSync(path);
      if (found.isDirectory()) throw new Error('it is a directory');
      if (found.isFile()) size = found.size;
    } catch (cause) {
      throw new Fault('not-found', `${path} cannot be read: ${reasonOf(cause)}`, { cause });
    }
  }
  let octets = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const stream: AsyncIterable<Buffer> = stdin ? process.stdin : createReadStream(path, { highWaterMark: 262_144 });
    try {
      for await (const chunk of stream) {
        octets += chunk.length;
        yield chunk;
      }
    } catch (cause) {
      throw new Fault('not-found', `${path} cannot be read: ${reasonOf(cause)}`, { cause });
    }
  }
  return { name: stdin ? 'standard input' : path, size, read: () => octets, chunks: chunks() };
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
};

export function reasonOf(thrown: unknown): string {
  const { code, message } = thrown as NodeJS.ErrnoException;
  return (code && reasons[code]) || message;
}

/** More than an entry may have. */
const largestValue = 8 * 1024 * 1024;

/** Gives values of `attr:< file:///…` lines: regular files in `directory` or below it alone. */
export function fileUrls(directory: string): (url: string) => Uint8Array {
  let root: string;
  try {
    root = realpathSync(directory);
  } catch (cause) {
    throw new Fault('not-found', `${directory} cannot be read: ${reasonOf(cause)}`, { cause });
  }
  return (url) => {
    const path = pathOf(url);
    let real: string;
    try {
      real = realpathSync(path);
    } catch (cause) {
      throw new Fault('refused', `${url.slice(0, 200)} cannot be read: ${reasonOf(cause)}`, { cause });
    }
    if (!real.startsWith(root.endsWith(sep) ? root : root + sep))
      throw new Fault('refused', `${url.slice(0, 200)} is not below ${directory}, the directory that is allowed`);
    return readWhole(real, url);
  };
}

function pathOf(url: string): string {
  try {
    const parsed = new URL(url);
    if (parsed.protocol !== 'file:') throw new Fault('refused', `values are read from file: URLs alone, not from ${parsed.protocol}`);
    if (parsed.host === 'localhost') parsed.host = '';
    return fileURLToPath(parsed);
  } catch (thrown) {
    if (thrown instanceof Fault) throw thrown;
    throw new Fault('refused', `"${url.slice(0, 200)}" is not the URL of a file on this host`, { cause: thrown });
  }
}

function readWhole(path: string, url: string): Uint8Array {
  if (!statSync(path).isFile()) throw new Fault('refused', `${url.slice(0, 200)} is not a regular file`);
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    if (size > largestValue) throw new Fault('refused', `${url.slice(0, 200)} is larger than ${largestValue / 1_048_576} MB`);
    const octets = Buffer.alloc(size);
    let at = 0;
    while (at < size) {
      const count = readSync(fd, octets, at, size - at, at);
      if (count === 0) break;
      at += count;
    }
    return octets.subarray(0, at);
  } finally {
    closeSync(fd);
  }
}
