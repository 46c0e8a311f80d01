/**
 * A log file (`iemta.log`, and `iemta.json` beside or instead of it): appended to in batches, put aside by size.
 *
 * Promise: a line handed over before `close` resolves is in the file; lines stay in order and whole, over any number of files; a full
 * disk costs lines, never the process: it is told on standard error once, and in the log with their number when there is room again.
 * An old file is named day + month, sequence, `---`, size: `13dec023---50109`; the sequence never begins anew, whatever is deleted.
 * Source: manual chapter 10, "Filename Conventions"; checklist SRV-06, SRV-07
 */

import { accessSync, appendFileSync, constants, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { counter, Fault, type Live, makeFolders } from '../base/index.ts';

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** Lines wait this long for company. */
const gatherMs = 50;
/** More than this many octets waiting are written at once. */
const gatherMax = 65_536;
const leastSize = 10_240;
const sequenceFile = 'sequence';

const lostTotal = counter('mailtree_log_lines_lost_total', 'Log lines that could not be written.');

/** `13dec023---50109`, with `.json` where it is of that form. */
export const oldLogName = /^\d{2}[a-z]{3}(\d{3,})---\d+(\.json)?$/;
export const currentLogs = { text: 'iemta.log', json: 'iemta.json' } as const;

/** The sequence number of an old file; undefined for any other name. */
export function sequenceOf(name: string): number | undefined {
  const digits = oldLogName.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export interface LogFile {
  write(line: string): void;
  flush(): void;
}

/** The folder of the log: gives out sequence numbers. */
export interface LogFolder {
  readonly path: string;
  next(): number;
}

export interface LogFileOptions {
  readonly folder: LogFolder;
  readonly form: keyof typeof currentLogs;
  readonly maxSize: Live<number>;
  readonly complain: (text: string) => void;
  /** A file was put aside under this name. */
  readonly onOld?: (name: string) => void;
  /** What is written to the log itself when lines were lost. */
  readonly lostLine?: (lines: number) => string;
}

export function openLogFolder(path: string): LogFolder {
  try {
    makeFolders(path);
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new Fault('unavailable', `the log folder ${path} cannot be used: ${(cause as Error).message}`, { cause });
  }
  const file = join(path, sequenceFile);
  let last = Math.max(storedSequence(file), ...readdirSync(path).map((name) => sequenceOf(name) ?? 0));
  return {
    path,
    next() {
      last += 1;
      // Names of files that are gone must not come again: who keeps copies elsewhere counts on it.
      writeFileSync(`${file}.new`, `${last}\n`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
      return last;
    },
  };
}

function storedSequence(file: string): number {
  try {
    const text = readFileSync(file, 'utf8').trim();
    return /^\d{1,15}$/.test(text) ? Number(text) : 0;
  } catch {
    return 0;
  }
}

export function openLogFile({ folder, form, maxSize, complain, onOld, lostLine }: LogFileOptions): LogFile {
  const path = join(folder.path, currentLogs[form]);
  let size = sizeOf(path);
  let waiting: string[] = [];
  let octets = 0;
  let lost = 0;
  let timer: NodeJS.Timeout | undefined;
  let failing = false;
  let stuck = false;

  /** Whoever reads along finds a file at any time, not only once there is a line. */
  const begin = (): void => appendFileSync(path, '', { mode: 0o600 });
  const rotate = (): void => {
    const limit = maxSize.value === 0 ? Number.POSITIVE_INFINITY : Math.max(leastSize, maxSize.value);
    if (size < limit) return;
    // Somebody else may have cut it or taken it away meanwhile.
    size = sizeOf(path);
    if (size < limit) return;
    const now = new Date();
    const day = `${String(now.getDate()).padStart(2, '0')}${months[now.getMonth()]}`;
    const name = `${day}${String(folder.next()).padStart(3, '0')}---${size}${form === 'json' ? '.json' : ''}`;
    renameSync(path, join(folder.path, name));
    size = 0;
    onOld?.(name);
    begin();
  };
  const append = (lines: readonly string[]): void => {
    // What a full disk let in of a line stays a line of its own.
    const text = `${failing ? '\n' : ''}${lost > 0 && lostLine ? `${lostLine(lost)}\n` : ''}${lines.join('')}`;
    // A log write is a copy into the page cache: cheaper than a trip through the thread pool, and in order.
    appendFileSync(path, text, { mode: 0o600 });
    size += Buffer.byteLength(text);
    lost = 0;
    failing = false;
  };
  const putAside = (): void => {
    try {
      rotate();
      stuck = false;
    } catch (thrown) {
      if (!stuck) complain(`log file ${path} cannot be put aside: ${(thrown as Error).message}`);
      stuck = true;
    }
  };

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0) return;
    const lines = waiting;
    waiting = [];
    octets = 0;
    try {
      append(lines);
    } catch (thrown) {
      if (!failing) complain(`log file ${path} cannot be written: ${(thrown as Error).message}`);
      failing = true;
      lost += lines.length;
      lostTotal.add(lines.length);
      return;
    }
    putAside();
  };

  try {
    begin();
  } catch {
    // The first line says what is wrong.
  }
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

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
