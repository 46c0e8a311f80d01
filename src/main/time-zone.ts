/**
 * The time zone that the server's log lines are in: the manual's form has local time without saying whose.
 *
 * Promise: whoever reads the log of a data directory reads it by the clock of the server that wrote it, whatever the zone of their shell.
 * Source: manual appendix B; checklist SRV-06
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const place = (data: string): string => join(data, 'time-zone');

/** Left behind by a server that starts, for the commands. */
export async function keepTimeZone(data: string): Promise<void> {
  await writeFile(place(data), `${process.env['TZ'] || Intl.DateTimeFormat().resolvedOptions().timeZone}\n`);
}

/** This process goes by the server's clock from now on; by its own where no server has ever said. */
export async function useTimeZone(data: string): Promise<void> {
  const kept = (await readFile(place(data), 'utf8').catch(() => '')).trim();
  if (/^[\w:+,./<>-]{1,100}$/.test(kept)) process.env['TZ'] = kept;
}
