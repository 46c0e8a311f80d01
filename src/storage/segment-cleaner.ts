/**
 * Gives the space of removed records back.
 *
 * A removal is noted in the segment's `.dead` file. A closed segment without live records is deleted; one that is mostly dead
 * is written anew with its live records only (the next generation), under the same ids. Every step can be cut short: the new
 * file counts from its renaming on, and the old one is deleted after that.
 */

import type { Log } from '../base/index.ts';
import { errorCode } from '../base/index.ts';
import { type BlobPlace, decodeHeader, formatId, headerSize, samePlace, spanOf } from './blob-record.ts';
import type { Disk } from './disk.ts';
import type { OpenFiles } from './open-files.ts';
import type { BlobId } from './port.ts';
import type { SegmentAppender } from './segment-appender.ts';
import { encodeDead, encodeIndex, type Relocations, readIndex, type Segment, type SegmentTable, segmentHeader } from './segment-table.ts';
import { segmentHeaderSize, walkSegment } from './segment-walk.ts';

/** A closed segment is written anew when less than this share of it is live. */
const worthKeeping = 0.5;
const copyOctets = 1024 * 1024;

export class SegmentCleaner {
  readonly #table: SegmentTable;
  readonly #disk: Disk;
  readonly #files: OpenFiles;
  readonly #appender: SegmentAppender;
  readonly #log: Log;
  #work: Promise<void> = Promise.resolve();
  #closing = false;

  constructor(table: SegmentTable, disk: Disk, files: OpenFiles, appender: SegmentAppender, log: Log) {
    this.#table = table;
    this.#disk = disk;
    this.#files = files;
    this.#appender = appender;
    this.#log = log;
  }

  /** Where in the segment's file the record is that was first written at `offset`; undefined when it is there no more. */
  async position(segment: Segment, offset: number): Promise<number | undefined> {
    if (segment.generation === 0) return offset;
    segment.relocations ??= this.#relocations(segment);
    try {
      return (await segment.relocations).get(offset);
    } catch (thrown) {
      segment.relocations = undefined;
      throw thrown;
    }
  }

  /** The live blobs of a segment that were written before `before` (milliseconds since 1970). */
  async *list(segment: Segment, before: number): AsyncGenerator<BlobId> {
    const { generation, size, dead } = segment;
    let file: { fd: number; release: () => void };
    try {
      file = await this.#files.acquire(this.#table.path(segment));
    } catch (thrown) {
      // Compacted or deleted since: look again.
      const now = this.#table.get(segment.number);
      if (errorCode(thrown) !== 'ENOENT' || now?.generation === generation) throw thrown;
      if (now) yield* this.list(now, before);
      return;
    }
    try {
      for await (const found of walkSegment(this.#disk, file.fd, segment.number, size, generation === 0)) {
        if (found.kind === 'record' && !dead.has(found.header.offset) && found.header.writtenAt < before) yield formatId(found.header);
      }
    } finally {
      file.release();
    }
  }

  /** The removal is on disk when it resolves, and what space it was worth giving back is given back. */
  remove(places: readonly BlobPlace[]): Promise<void> {
    const bySegment = new Map<number, BlobPlace[]>();
    for (const place of places) {
      const same = bySegment.get(place.segment);
      if (same) same.push(place);
      else bySegment.set(place.segment, [place]);
    }
    const work = this.#work.then(async () => {
      const touched = [...bySegment].flatMap(([number, list]) => {
        const segment = this.#table.get(number);
        return segment ? [{ segment, list }] : [];
      });
      for (const { segment, list } of touched) await this.#note(segment, list);
      for (const { segment } of touched) await this.#tidy(segment);
    });
    this.#work = work.catch(() => undefined);
    return work;
  }

  /** Waits for the step under way; a compaction is given up. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#work;
  }

  /** Writes down which of these records are dead now. */
  async #note(segment: Segment, places: readonly BlobPlace[]): Promise<void> {
    const dying = new Map<number, number>();
    await this.#files.use(this.#table.path(segment), async (fd) => {
      const bytes = Buffer.alloc(headerSize);
      for (const place of places) {
        if (segment.dead.has(place.offset)) continue;
        const position = await this.position(segment, place.offset);
        if (position === undefined) continue;
        const count = await this.#disk.read(fd, bytes, position);
        const header = decodeHeader(bytes.subarray(0, count));
        if (header && samePlace(header, place)) dying.set(place.offset, spanOf(header));
      }
    });
    if (dying.size === 0) return;
    const lines = Buffer.concat([...dying].map(([offset, span]) => encodeDead(offset, span)));
    const fd = await this.#openDead(segment);
    try {
      await this.#disk.write(fd, [lines], segment.deadLength);
      await this.#disk.sync(fd);
      if (segment.deadLength === 0) await this.#disk.syncDirectory(this.#table.folder);
    } finally {
      await this.#disk.close(fd);
    }
    segment.deadLength += lines.length;
    for (const [offset, span] of dying) {
      segment.dead.add(offset);
      segment.deadOctets += span;
    }
  }

  async #openDead(segment: Segment): Promise<number> {
    try {
      return await this.#disk.open(this.#table.deadPath(segment), 'r+');
    } catch (thrown) {
      if (errorCode(thrown) !== 'ENOENT') throw thrown;
      return this.#disk.open(this.#table.deadPath(segment), 'wx+');
    }
  }

  /** A failure here costs space, not data: it is logged and tried again after the next removal. */
  async #tidy(segment: Segment): Promise<void> {
    if (this.#closing || segment.number === this.#appender.activeNumber) return;
    const live = segment.size - segmentHeaderSize - segment.deadOctets;
    if (live >= (segment.size - segmentHeaderSize) * worthKeeping) return;
    try {
      await this.#compact(segment);
    } catch (thrown) {
      this.#log.warning(`segment ${segment.number} cannot be compacted`, thrown);
    }
  }

  async #compact(segment: Segment): Promise<void> {
    const next = { number: segment.number, generation: segment.generation + 1 };
    const temporary = this.#table.path(next, 'tmp');
    const fd = await this.#disk.open(temporary, 'wx+');
    let size: number;
    let relocations: Relocations;
    try {
      const copied = await this.#copyLive(segment, fd);
      if (!copied) return await this.#undo(fd, temporary);
      relocations = copied.relocations;
      if (relocations.size === 0) {
        await this.#undo(fd, temporary);
        return await this.#delete(segment);
      }
      const index = encodeIndex(relocations);
      await this.#disk.write(fd, [index], copied.end);
      size = copied.end + index.length;
      await this.#disk.sync(fd);
    } catch (thrown) {
      await this.#undo(fd, temporary);
      throw thrown;
    }
    await this.#disk.close(fd);
    await this.#disk.rename(temporary, this.#table.path(next));
    await this.#disk.syncDirectory(this.#table.folder);
    const old = { path: this.#table.path(segment), dead: this.#table.deadPath(segment), hadDead: segment.deadLength > 0 };
    segment.generation = next.generation;
    segment.size = size;
    segment.dead = new Set();
    segment.deadOctets = 0;
    segment.deadLength = 0;
    segment.relocations = Promise.resolve(relocations);
    void this.#files.drop(old.path);
    await this.#disk.unlink(old.path);
    if (old.hadDead) await this.#disk.unlink(old.dead);
  }

  /** Copies header and live records; undefined when given up. */
  async #copyLive(segment: Segment, to: number): Promise<{ relocations: Relocations; end: number } | undefined> {
    const relocations = new Map<number, number>();
    await this.#disk.write(to, [segmentHeader(segment.number)], 0);
    return this.#files.use(this.#table.path(segment), async (fd) => {
      let end = segmentHeaderSize;
      let held: Buffer[] = [];
      let octets = 0;
      const write = async (): Promise<void> => {
        await this.#disk.write(to, held, end - octets);
        held = [];
        octets = 0;
      };
      for await (const found of walkSegment(this.#disk, fd, segment.number, segment.size, segment.generation === 0)) {
        if (this.#closing) return undefined;
        if (found.kind === 'gap' || segment.dead.has(found.header.offset)) continue;
        relocations.set(found.header.offset, end);
        held.push(Buffer.from(found.bytes));
        end += found.span;
        octets += found.span;
        if (octets >= copyOctets) await write();
      }
      await write();
      return { relocations, end };
    });
  }

  async #undo(fd: number, temporary: string): Promise<undefined> {
    await this.#disk.close(fd).catch(() => undefined);
    await this.#disk.unlink(temporary).catch(() => undefined);
    return undefined;
  }

  async #delete(segment: Segment): Promise<void> {
    this.#table.forget(segment);
    void this.#files.drop(this.#table.path(segment));
    await this.#disk.unlink(this.#table.path(segment));
    await this.#disk.syncDirectory(this.#table.folder);
    await this.#disk.unlink(this.#table.deadPath(segment));
  }

  /** The index of a compacted segment; when it is damaged, made anew from the records. */
  #relocations(segment: Segment): Promise<Relocations> {
    return this.#files.use(this.#table.path(segment), async (fd) => {
      const index = await readIndex(this.#disk, fd, segment.size);
      if (index) return index;
      this.#log.warning(`the index of segment ${segment.number} is damaged and was made anew`);
      const found = new Map<number, number>();
      for await (const record of walkSegment(this.#disk, fd, segment.number, segment.size, false)) {
        if (record.kind === 'record') found.set(record.header.offset, record.position);
      }
      return found;
    });
  }
}
