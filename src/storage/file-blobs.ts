/**
 * Blobs in the file system: small ones appended to segments in groups, large ones in files of their own.
 *
 * Promise: as the port says; ids stay valid through compaction. Which blobs are still needed is the callers' business, and
 * the reclaimer's on their behalf.
 */

import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Clock, errorCode, Fault, type Log, type Random, silentLog } from '../base/index.ts';
import { type BlobHeader, decodeDescription, decodeHeader, formatId, headerSize, parseId, samePlace } from './blob-record.ts';
import { checkedDescription, FileBlobWriter, type WriterTarget } from './blob-writer.ts';
import { type Disk, diskFault, isLost, realDisk } from './disk.ts';
import { type LargeFile, LargeFiles } from './large-files.ts';
import { OpenFiles } from './open-files.ts';
import { type BlobDescription, type BlobId, type BlobInfo, type Blobs, type BlobWriter, UnreadableBlob } from './port.ts';
import { RecentBytes } from './recent-bytes.ts';
import { RecordBuffer } from './record-buffer.ts';
import { SegmentAppender } from './segment-appender.ts';
import { SegmentCleaner } from './segment-cleaner.ts';
import { recoverSegment } from './segment-recovery.ts';
import { SegmentTable } from './segment-table.ts';
import { largestInSegment } from './segment-walk.ts';

export interface BlobsOptions {
  /** Directory; made when missing. */
  readonly path: string;
  readonly clock: Clock;
  readonly log?: Log;
  readonly random?: Random;
  /** A segment is closed beyond this many octets. Default 64 MiB. */
  readonly segmentSize?: number;
  /** Octets of recently written records kept in memory. Default 32 MiB. */
  readonly recentSize?: number;
  readonly disk?: Disk;
}

const chunkSize = 64 * 1024;
/** Octets read on the chance that the record is no longer. */
const guess = 16 * 1024;
const openAtMost = 128;

/** Where a record can be read: from memory, or at a position of an open file. */
interface Found {
  readonly header: BlobHeader;
  /** Octets of data from its start, as far as they were read along. */
  readonly data: Buffer;
}

export class FileBlobs implements Blobs {
  /** What was put right when it was opened. */
  readonly recovered: readonly string[];
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #table: SegmentTable;
  readonly #appender: SegmentAppender;
  readonly #large: LargeFiles;
  readonly #cleaner: SegmentCleaner;
  readonly #files: OpenFiles;
  readonly #recent: RecentBytes;
  readonly #target: WriterTarget;
  #closed = false;

  constructor(
    options: BlobsOptions,
    parts: { disk: Disk; table: SegmentTable; appender: SegmentAppender; large: LargeFiles; recovered: string[] },
  ) {
    this.recovered = parts.recovered;
    this.#clock = options.clock;
    this.#disk = parts.disk;
    this.#table = parts.table;
    this.#appender = parts.appender;
    this.#large = parts.large;
    this.#files = new OpenFiles(parts.disk, openAtMost);
    this.#recent = new RecentBytes(options.recentSize ?? 32 * 1024 * 1024);
    this.#cleaner = new SegmentCleaner(parts.table, parts.disk, this.#files, parts.appender, options.log ?? silentLog);
    this.#target = {
      putSmall: (record, description) => this.#putSmall(record, description),
      createLarge: () => this.#createLarge(),
      now: () => this.#clock.now(),
    };
  }

  create(): BlobWriter {
    return new FileBlobWriter(this.#target);
  }

  async put(bytes: Uint8Array, description?: BlobDescription): Promise<BlobInfo> {
    if (bytes.byteLength <= largestInSegment) {
      const record = new RecordBuffer();
      record.add(bytes);
      return this.#putSmall(record, checkedDescription(description));
    }
    const writer = this.create();
    try {
      for (let at = 0; at < bytes.byteLength; at += largestInSegment) {
        await writer.write(bytes.subarray(at, at + largestInSegment));
      }
      return await writer.commit(description);
    } catch (thrown) {
      await writer.abort();
      throw thrown;
    }
  }

  async read(id: BlobId, start = 0, end = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
    const recent = this.#recent.get(id);
    if (recent) return recent.bytes.subarray(headerSize, headerSize + recent.header.size).subarray(...within(recent.header, start, end));
    return this.#at(id, end <= guess ? Math.max(0, end) : guess, async (found, fd, position) => {
      const [from, to] = within(found.header, start, end);
      if (to <= found.data.length) return found.data.subarray(from, to);
      const bytes = Buffer.allocUnsafe(to - from);
      const known = from < found.data.length ? found.data.copy(bytes, 0, from) : 0;
      const count = await this.#disk.read(fd, bytes.subarray(known), position + headerSize + from + known);
      if (known + count < bytes.length) throw damaged(id);
      return bytes;
    });
  }

  stream(id: BlobId, start = 0, end = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
    return this.#stream(id, start, end, false);
  }

  whole(id: BlobId): AsyncGenerator<Uint8Array> {
    return this.#stream(id, 0, Number.POSITIVE_INFINITY, true);
  }

  /** What is in memory was never anywhere else: only what comes from the disk needs its checksum looked at. */
  async *#stream(id: BlobId, start: number, end: number, checked: boolean): AsyncGenerator<Uint8Array> {
    const recent = this.#recent.get(id);
    const open = recent ? undefined : await this.#open(id, 0);
    try {
      const header = recent?.header ?? open!.found.header;
      const [from, to] = within(header, start, end);
      let checksum = 0;
      for (let at = from; at < to; at += chunkSize) {
        const stop = Math.min(at + chunkSize, to);
        if (recent) {
          yield recent.bytes.subarray(headerSize + at, headerSize + stop);
          continue;
        }
        const chunk = Buffer.allocUnsafe(stop - at);
        if ((await this.#disk.read(open!.fd, chunk, open!.position + headerSize + at)) < chunk.length) throw damaged(id);
        if (checked) checksum = crc32(chunk, checksum);
        if (checked && stop === to && checksum !== header.checksum) throw damaged(id);
        yield chunk;
      }
      // Whoever reads a message to its end delivers it. Kept any longer its memory would grow old, and only a whole collection gives that back.
      if (recent && from === 0 && to === header.size) this.#recent.delete(id);
    } catch (thrown) {
      throw readFault(id, thrown);
    } finally {
      open?.release();
    }
  }

  async info(id: BlobId): Promise<(BlobInfo & { readonly description: BlobDescription; readonly writtenAt: number }) | undefined> {
    const recent = this.#recent.get(id);
    if (recent) {
      const { size, descriptionSize, writtenAt } = recent.header;
      const bytes = recent.bytes.subarray(headerSize + size, headerSize + size + descriptionSize);
      return { id, size, description: decodeDescription(bytes, recent.header), writtenAt };
    }
    try {
      return await this.#at(id, 0, async ({ header }, fd, position) => {
        const bytes = Buffer.alloc(header.descriptionSize);
        await this.#disk.read(fd, bytes, position + headerSize + header.size);
        return { id, size: header.size, description: decodeDescription(bytes, header), writtenAt: header.writtenAt };
      });
    } catch (thrown) {
      if (thrown instanceof Fault && thrown.kind === 'not-found') return undefined;
      throw thrown;
    }
  }

  verify(id: BlobId): Promise<boolean> {
    return this.#at(id, 0, async ({ header }, fd, position) => {
      let checksum = 0;
      for (let at = 0; at < header.size; at += chunkSize) {
        const chunk = Buffer.allocUnsafe(Math.min(chunkSize, header.size - at));
        if ((await this.#disk.read(fd, chunk, position + headerSize + at)) < chunk.length) return false;
        checksum = crc32(chunk, checksum);
      }
      const description = Buffer.alloc(header.descriptionSize);
      await this.#disk.read(fd, description, position + headerSize + header.size);
      return checksum === header.checksum && crc32(description) === header.descriptionChecksum;
    });
  }

  async remove(ids: readonly BlobId[]): Promise<void> {
    this.#assertOpen();
    const places = ids.flatMap((id) => parseId(id) ?? []);
    for (const id of ids) this.#recent.delete(id);
    const large = places.filter((place) => place.kind === 'large').map(formatId);
    try {
      for (const id of large) void this.#files.drop(this.#large.path(id));
      await this.#large.remove(large);
      await this.#cleaner.remove(places.filter((place) => place.kind === 'segment'));
    } catch (thrown) {
      throw diskFault(thrown);
    }
  }

  async *list(options: { readonly writtenBefore?: number } = {}): AsyncGenerator<BlobId> {
    const before = options.writtenBefore ?? Number.POSITIVE_INFINITY;
    for (const segment of this.#table.all()) yield* this.#cleaner.list(segment, before);
    for await (const id of this.#large.list()) {
      if (before === Number.POSITIVE_INFINITY || ((await this.info(id))?.writtenAt ?? before) < before) yield id;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#cleaner.close();
    await this.#appender.close();
    this.#files.closeAll();
  }

  #assertOpen(): void {
    if (this.#closed) throw new Fault('unavailable', 'message storage is closed');
  }

  async #putSmall(buffer: RecordBuffer, description: Buffer): Promise<BlobInfo> {
    this.#assertOpen();
    const record = buffer.finish(description, this.#clock.now());
    const { id, header } = await this.#appender.append(record);
    this.#recent.add(id, { header, bytes: record.bytes });
    return { id, size: record.size };
  }

  #createLarge(): Promise<LargeFile> {
    this.#assertOpen();
    return this.#large.create(this.#appender.activeNumber ?? 0);
  }

  async #at<T>(id: BlobId, along: number, run: (found: Found, fd: number, position: number) => Promise<T>): Promise<T> {
    const open = await this.#open(id, along);
    try {
      return await run(open.found, open.fd, open.position);
    } catch (thrown) {
      throw readFault(id, thrown);
    } finally {
      open.release();
    }
  }

  /** Finds and opens the record, reading up to `along` octets of data with its header. */
  async #open(id: BlobId, along: number): Promise<{ found: Found; fd: number; position: number; release: () => void }> {
    this.#assertOpen();
    const place = parseId(id);
    if (!place) throw missing(id);
    for (;;) {
      const segment = place.kind === 'segment' ? this.#table.get(place.segment) : undefined;
      if (place.kind === 'segment' && (!segment || segment.dead.has(place.offset))) throw missing(id);
      const generation = segment?.generation;
      try {
        const path = segment ? this.#table.path(segment) : this.#large.path(id);
        const position = segment ? await this.#cleaner.position(segment, place.offset) : 0;
        if (position === undefined) throw missing(id);
        const { fd, release } = await this.#files.acquire(path);
        const buffer = Buffer.allocUnsafe(headerSize + along);
        const bytes = buffer.subarray(0, await this.#disk.read(fd, buffer, position));
        const header = decodeHeader(bytes);
        if (header && samePlace(header, place)) {
          return { found: { header, data: bytes.subarray(headerSize, headerSize + Math.min(along, header.size)) }, fd, position, release };
        }
        release();
      } catch (thrown) {
        // A compaction may have moved the segment on between the look at the table and the opening.
        if (errorCode(thrown) !== 'ENOENT') throw readFault(id, thrown);
      }
      if (segment === undefined || segment.generation === generation) throw missing(id);
    }
  }
}

const missing = (id: BlobId): UnreadableBlob => new UnreadableBlob(id, 'not-found', 'no such message');
const damaged = (id: BlobId, cause?: unknown): UnreadableBlob =>
  new UnreadableBlob(id, 'unavailable', 'a stored message is damaged', cause);
const readFault = (id: BlobId, thrown: unknown): Fault => (isLost(thrown) ? damaged(id, thrown) : diskFault(thrown));

/** The part of a blob from `start` to `end`, cut to what there is. */
function within(header: BlobHeader, start: number, end: number): [number, number] {
  const from = Math.min(Math.max(0, start), header.size);
  return [from, Math.max(from, Math.min(end, header.size))];
}

/** Opens or makes the store. Recovers what a crash left; `recovered` of the result tells. Fault `unavailable` when it cannot be read. */
export async function openBlobs(options: BlobsOptions): Promise<FileBlobs> {
  const disk = options.disk ?? realDisk;
  const random = options.random ?? Math.random;
  const table = new SegmentTable(join(options.path, 'segments'), disk);
  const large = new LargeFiles(join(options.path, 'large'), disk, random);
  const appender = new SegmentAppender(table, disk, random, options.segmentSize ?? 64 * 1024 * 1024);
  const recovered: string[] = [];
  try {
    const unfinished = await large.load();
    if (unfinished > 0) recovered.push(`deleted ${unfinished} unfinished large files`);
    await table.load();
    const newest = table.all().at(-1);
    if (newest) {
      recovered.push(...(await recoverSegment(table, disk, newest)));
      await appender.resume(newest);
    }
  } catch (thrown) {
    throw diskFault(thrown);
  }
  for (const line of recovered) options.log?.warning(`message storage: ${line}`);
  return new FileBlobs(options, { disk, table, appender, large, recovered });
}
