/**
 * File descriptors, of which a process has a limited number (`ulimit -n`): connections must leave enough of them for files.
 *
 * Why: without one no message can be read, no name looked up, no table of a database opened, no line of the log written; a connection too
 * many is turned away and comes again.
 */

import { readFileSync } from 'node:fs';
import { errorCode } from './error-code.ts';

/** What files, name look-ups and outgoing connections have at least and at most; in between it is a third. */
const leastKept = 96;
const mostKept = 2_048;
const leastConnections = 16;

/** Connections that may be open together where a process may have so many descriptors. */
export function connectionsWithin(limit: number): number {
  const kept = Math.min(mostKept, Math.max(leastKept, Math.floor(limit / 3)));
  return Math.max(leastConnections, limit - kept);
}

/** The soft limit in the text of `/proc/<pid>/limits`; undefined where there is none or it cannot be told. */
export function limitIn(text: string): number | undefined {
  const digits = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

let limit: number | undefined | 'unknown' = 'unknown';

/** Descriptors this process may have. Node.js raises the soft limit to the hard one at its start, and nothing changes it after that. */
export function descriptorLimit(): number | undefined {
  if (limit === 'unknown') {
    try {
      limit = limitIn(readFileSync('/proc/self/limits', 'utf8'));
    } catch {
      limit = undefined;
    }
  }
  return limit;
}

/** What a failed call says that wanted descriptors or memory of which there were none left: it may go well the next time. */
const shortages = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN']);
export function isShortage(thrown: unknown): boolean {
  return shortages.has(errorCode(thrown) ?? '');
}
