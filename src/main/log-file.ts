/**
 * The log file `iemta.log`: appended to in batches, put aside by size.
 *
 * Promise: a line handed over before `close` resolves is in the file; a full disk costs lines, never the process, and is
 * told on standard error once. An old file is named day + month, sequence, `---`, size: `13dec023---50109`.
 * Source: manual chapter 10, "Filename Conventions"; checklist SRV-06, SRV-07
 */

import { appendFileSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Live } from '../base/index.ts';

const current = 'iemta.log';
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** Lines wait this long for company. */
const gatherMs = 50;
/** More than this many octets waiting are written at once. */
const gatherMax = 65_536;
const leastSize = 10_240;

export interface LogFile {
  write(line: string): void;
  flush(): void;
}

export function openLogFile(folder: string, maxSize: Live<number>, complain: (text: string) => void): LogFile {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, current);
  let size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  let sequence = Math.max(0, ...readdirSync(folder).map((name) => Number(/^\d{2}[a-z]{3}(\d{3,})---\d+$/.exec(name)?.[1] ?? 0)));
  let waiting: string[] = [];
  let octets = 0;
  let timer: NodeJS.Timeout | undefined;
  let failing = false;

  const rotate = (): void => {
    const limit = maxSize.value === 0 ? Number.POSITIVE_INFINITY : Math.max(leastSize, maxSize.value);
    if (size < limit) return;
    const now = new Date();
    const day = `${String(now.getDate()).padStart(2, '0')}${months[now.getMonth()]}`;
    renameSync(path, join(folder, `${day}${String(sequence + 1).padStart(3, '0')}---${size}`));
    sequence++;
    size = 0;
  };

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0) return;
    const text = waiting.join('');
    waiting = [];
    octets = 0;
    try {
      // A log write is a copy into the page cache: cheaper than a trip through the thread pool, and in order.
      appendFileSync(path, text, { mode: 0o600 });
      size += Buffer.byteLength(text);
      rotate();
      failing = false;
    } catch (thrown) {
      if (!failing) complain(`log file ${path} cannot be written: ${(thrown as Error).message}`);
      failing = true;
    }
  };

  return {
    write(line) {
      waiting.push(`${line}\n`);
      octets += line.length;
      if (octets >= gatherMax) flush();
      else timer ??= setTimeout(flush, gatherMs).unref();
    },
    flush,
  };
}
