/**
 * Where new records go: appended to the newest segment in groups, one call each that writes and flushes.
 *
 * Promise: a record is on disk when its `append` resolves; while one group is flushed, everybody else joins the next. A
 * group that cannot be written fails as a whole and is cut off again; the next one tries anew.
 */

import { type BlobHeader, encodeHeader, formatId } from './blob-record.ts';
import { type Disk, diskFault } from './disk.ts';
import type { BlobId } from './port.ts';
import type { NewRecord } from './record-buffer.ts';
import { type Segment, type SegmentTable, segmentHeader } from './segment-table.ts';
import { segmentHeaderSize } from './segment-walk.ts';

export interface Appended {
  readonly id: BlobId;
  readonly header: BlobHeader;
}

interface Waiting {
  readonly record: NewRecord;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (thrown: unknown) => void;
}

const groupOctets = 8 * 1024 * 1024;
const groupRecords = 1000;

export class SegmentAppender {
  readonly #table: SegmentTable;
  readonly #disk: Disk;
  readonly #random: () => number;
  readonly #segmentSize: number;
  #active: Segment | undefined;
  #fd = -1;
  #lastNumber = 0;
  /** What is in the active segment can no longer be trusted to be cut: go on in a new one. */
  #spoilt = false;
  #waiting: Waiting[] = [];
  #work: Promise<void> | undefined;

  constructor(table: SegmentTable, disk: Disk, random: () => number, segmentSize: number) {
    this.#table = table;
    this.#disk = disk;
    this.#random = random;
    this.#segmentSize = segmentSize;
  }

  /** The number new records carry; undefined before the first. */
  get activeNumber(): number | undefined {
    return this.#active?.number;
  }

  /** Goes on at the end of this segment. */
  async resume(segment: Segment): Promise<void> {
    this.#fd = await this.#disk.open(this.#table.path(segment), 'r+', 'through');
    this.#active = segment;
  }

  append(record: NewRecord): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record, resolve, reject });
      this.#work ??= this.#run();
    });
  }

  /** Waits for what was appended, then lets go of the file. */
  async close(): Promise<void> {
    await this.#work;
    if (this.#fd >= 0) await this.#disk.close(this.#fd);
    this.#fd = -1;
  }

  async #run(): Promise<void> {
    // One turn of the loop: whoever arrives in the same one joins the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#room();
        await this.#writeGroup(group, this.#active!);
      } catch (thrown) {
        const fault = diskFault(thrown);
        for (const waiting of group) waiting.reject(fault);
      }
    }
    this.#work = undefined;
  }

  #takeGroup(): Waiting[] {
    let octets = 0;
    let count = 0;
    while (count < this.#waiting.length && count < groupRecords && octets < groupOctets)
      octets += this.#waiting[count++]!.record.bytes.length;
    return this.#waiting.splice(0, count);
  }

  async #writeGroup(group: readonly Waiting[], segment: Segment): Promise<void> {
    const start = segment.size;
    let offset = start;
    const placed = group.map(({ record }) => {
      const tag = Math.floor(this.#random() * 0x100000000);
      const { size, descriptionSize, checksum, descriptionChecksum, writtenAt } = record;
      const header: BlobHeader = {
        kind: 'segment',
        segment: segment.number,
        offset,
        tag,
        size,
        descriptionSize,
        checksum,
        descriptionChecksum,
        writtenAt,
      };
      encodeHeader(header, record.bytes);
      offset += record.bytes.length;
      return { id: formatId(header), header };
    });
    try {
      const buffers = group.map(({ record }) => record.bytes);
      await this.#disk.write(this.#fd, buffers, start);
    } catch (thrown) {
      // Where more than room is missing nobody knows what the system will still write: never flush this file again.
      if (diskFault(thrown).kind !== 'no-space') this.#spoilt = true;
      await this.#cut(segment);
      throw thrown;
    }
    segment.size = offset;
    for (const [n, waiting] of group.entries()) waiting.resolve(placed[n]!);
  }

  /** Takes back what a failed write may have left behind the last flushed record. */
  async #cut(segment: Segment): Promise<void> {
    try {
      await this.#disk.truncate(this.#fd, segment.size);
    } catch {
      this.#spoilt = true;
    }
  }

  /** Makes sure that there is a segment with room. */
  async #room(): Promise<void> {
    if (this.#active && !this.#spoilt && this.#active.size < this.#segmentSize) return;
    // Every attempt has a number of its own: a file that could not be taken back is not in the way of the next.
    this.#lastNumber = Math.max(this.#lastNumber, this.#active?.number ?? 0) + 1;
    const number = this.#lastNumber;
    const path = this.#table.path({ number, generation: 0 });
    const fd = await this.#disk.open(path, 'wx+', 'through');
    try {
      await this.#disk.write(fd, [segmentHeader(number)], 0);
      await this.#disk.syncDirectory(this.#table.folder);
    } catch (thrown) {
      await this.#disk.close(fd).catch(() => undefined);
      await this.#disk.unlink(path).catch(() => undefined);
      throw thrown;
    }
    if (this.#spoilt && this.#active) await this.#cut(this.#active);
    if (this.#fd >= 0) await this.#disk.close(this.#fd).catch(() => undefined);
    this.#fd = fd;
    this.#active = this.#table.add(number);
    this.#active.size = segmentHeaderSize;
    this.#spoilt = false;
  }
}
