/**
 * Makes the newest segment fit for going on after a crash.
 *
 * Promise: what was torn at the end is cut off; a record that is there in full length is never cut, even if its checksum is
 * wrong, and neither is anything in front of one. Says what it did.
 */

import type { Disk } from './disk.ts';
import { type Segment, type SegmentTable, segmentHeader } from './segment-table.ts';
import { segmentHeaderSize, walkSegment } from './segment-walk.ts';

export async function recoverSegment(table: SegmentTable, disk: Disk, segment: Segment): Promise<string[]> {
  const report: string[] = [];
  const name = `segment ${segment.number}`;
  const fd = await disk.open(table.path(segment), 'r+');
  try {
    if (segment.size < segmentHeaderSize) {
      await disk.write(fd, [segmentHeader(segment.number)], 0);
      await disk.sync(fd);
      segment.size = segmentHeaderSize;
      return [`${name}: was just being made; made again`];
    }
    let end = segmentHeaderSize;
    for await (const found of walkSegment(disk, fd, segment.number, segment.size, true)) {
      if (found.kind === 'gap') {
        if (found.position + found.span < segment.size) report.push(`${name}: ${found.span} octets at ${found.position} cannot be read`);
        continue;
      }
      if (!found.intact()) report.push(`${name}: the record at ${found.position} does not match its checksum`);
      end = found.position + found.span;
    }
    if (end < segment.size) {
      report.push(`${name}: cut off ${segment.size - end} octets of an unfinished write`);
      await disk.truncate(fd, end);
      segment.size = end;
    }
    // What was found here will be answered for from now on, so it has to be on disk.
    await disk.sync(fd);
    return report;
  } finally {
    await disk.close(fd);
  }
}
