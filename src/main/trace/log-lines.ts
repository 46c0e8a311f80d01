/**
 * Reads the lines of all log files, oldest first: text and JSON, current and old.
 *
 * Promise: a file is streamed, a line longer than 64 KiB is cut; an event that stands in both forms comes once; what cannot be read as a
 * line of ours is left out. The text form has no year: it is that of the file's last change, or the one before.
 */

import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, logStamp } from '../../base/index.ts';
import { currentLogs, oldLogName, sequenceOf } from '../log-file.ts';

export interface LogEvent {
  /** Milliseconds since 1970; whole seconds in the text form. */
  readonly at: number;
  readonly component: string;
  readonly level: string;
  readonly text: string;
}

const longest = 65_536;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const textForm =
  /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d\d) (\d\d):(\d\d):(\d\d) ([^:[\]]{1,60}): (?:\[(Error|Warning|SMTP|Informational|Diagnosis)\] )?(.*)$/s;
const day = 86_400_000;

export interface LogPlace {
  readonly path: string;
  readonly json: boolean;
  /** Milliseconds since 1970. */
  readonly changed: number;
}

/** All files of the folder, oldest first; a file whose last line is older than `since` is left out. Fault `not-found` without a folder. */
export async function logPlaces(folder: string, since = 0): Promise<LogPlace[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    throw new Fault('not-found', `the log folder ${folder} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const current: readonly string[] = Object.values(currentLogs);
  const sequence = (name: string): number => sequenceOf(name) ?? Number.POSITIVE_INFINITY;
  const wanted = names.filter((name) => oldLogName.test(name) || current.includes(name));
  wanted.sort((a, b) => sequence(a) - sequence(b) || (a < b ? 1 : -1));
  const places: LogPlace[] = [];
  for (const name of wanted) {
    const path = join(folder, name);
    const info = await stat(path).catch(() => undefined);
    if (info?.isFile() && info.mtimeMs >= since) places.push({ path, json: name.endsWith('.json'), changed: info.mtimeMs });
  }
  return places;
}

/** The events of these files whose line `wanted` lets through; it sees every raw line and should be quick. */
export async function* logEvents(places: readonly LogPlace[], wanted: (line: string) => boolean): AsyncGenerator<LogEvent> {
  const seen = new Seen();
  const both = places.some(({ json }) => json) && places.some(({ json }) => !json);
  for (const place of places) {
    for await (const line of linesOf(place.path)) {
      if (!wanted(line)) continue;
      const event = place.json ? fromJson(line) : fromText(line, place.changed);
      if (event && !(both && seen.before(event, place.json))) yield event;
    }
  }
}

/** The same event from the other form; lines that are there twice in one form are two. */
class Seen {
  readonly #counts = new Map<string, number>();

  before(event: LogEvent, json: boolean): boolean {
    const key = `${logStamp(event.at)} ${event.component} ${event.text}`;
    const mine = `${json ? 'j' : 't'}${key}`;
    const other = `${json ? 't' : 'j'}${key}`;
    const count = (this.#counts.get(mine) ?? 0) + 1;
    this.#counts.set(mine, count);
    if (this.#counts.size > 200_000) this.#counts.clear();
    return count <= (this.#counts.get(other) ?? 0);
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  let skipping = false;
  try {
    for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 262_144 })) {
      const lines = (rest + (chunk as string)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (!skipping) yield line;
        skipping = false;
      }
      if (rest.length > longest) {
        if (!skipping) yield rest.slice(0, longest);
        skipping = true;
        rest = '';
      }
    }
  } catch (cause) {
    // Put aside or deleted while we read.
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new Fault('unavailable', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  // Without its line end it is not finished yet, or was cut off by a crash.
}

const levels: Readonly<Record<string, string>> = {
  Error: 'error',
  Warning: 'warning',
  SMTP: 'smtp',
  Informational: 'informational',
  Diagnosis: 'diagnostic',
};

function fromText(line: string, changed: number): LogEvent | undefined {
  const found = textForm.exec(line);
  if (!found) return undefined;
  const [, month = '', date, hour, minute, second, component = '', tag, text = ''] = found;
  const m = months.indexOf(month);
  if (m < 0) return undefined;
  const in_ = (year: number): number => new Date(year, m, Number(date), Number(hour), Number(minute), Number(second)).getTime();
  const year = new Date(changed).getFullYear();
  const at = in_(year) > changed + day ? in_(year - 1) : in_(year);
  return { at, component, level: tag === undefined ? 'message' : (levels[tag] ?? tag), text };
}

function fromJson(line: string): LogEvent | undefined {
  try {
    const { time, component, level, text } = JSON.parse(line) as Record<string, unknown>;
    const at = Date.parse(String(time));
    if (Number.isNaN(at) || typeof component !== 'string' || typeof level !== 'string' || typeof text !== 'string') return undefined;
    return { at, component, level, text };
  } catch {
    return undefined;
  }
}
