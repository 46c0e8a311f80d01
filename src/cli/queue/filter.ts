/** Which messages a command means: options to the filter of the server's interface. */

import type { Command } from 'commander';
import { Fault, parseAge } from '../../base/index.ts';

export interface FilterOptions {
  readonly queue?: string;
  readonly destination?: string;
  readonly sender?: string;
  readonly recipient?: string;
  readonly messageId?: string;
  /** Part of the reason. */
  readonly problem?: string;
  readonly state?: string;
  readonly minSize?: string;
  readonly maxSize?: string;
  readonly olderThan?: string;
  readonly newerThan?: string;
}

/** As the server takes it; values are text. */
export type FilterQuery = Readonly<Record<string, string>>;

export function addFilterOptions(command: Command): Command {
  return command
    .option('--queue <name>', 'INPUT, or an output channel: LOCAL, SMTPC …')
    .option('--destination <domain>', 'what it waits for')
    .option('--sender <address>', 'sender: an address, @domain, user@, a pattern with *, part of an address; <> is nobody')
    .option('--recipient <address>', 'recipient, in the same way')
    .option('--message-id <id>', 'Message-ID of its header')
    .option('--problem <text>', 'part of the reason it waits for')
    .option('--state <states>', 'some of pending,deferred,leased,held')
    .option('--min-size <size>', 'at least so large: 5000, 20k, 3m')
    .option('--max-size <size>', 'at most so large')
    .option('--older-than <age>', 'accepted so long ago, or longer: 15m, 12h, 3d')
    .option('--newer-than <age>', 'accepted since then');
}

/** Fault malformed. */
export function filterOf(ids: readonly string[], options: FilterOptions): FilterQuery {
  const { queue, destination, sender, recipient, messageId, problem, state, minSize, maxSize, olderThan, newerThan } = options;
  const given: Record<string, string | undefined> = {
    ids: ids.length === 0 ? undefined : ids.join(','),
    queue,
    identifier: destination,
    ...{ sender, recipient, messageId, reason: problem },
    states: state,
    minSize: minSize === undefined ? undefined : octets('--min-size', minSize),
    maxSize: maxSize === undefined ? undefined : octets('--max-size', maxSize),
    minAge: olderThan === undefined ? undefined : age('--older-than', olderThan),
    maxAge: newerThan === undefined ? undefined : age('--newer-than', newerThan),
  };
  return Object.fromEntries(Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

const sizes: Readonly<Record<string, number>> = { '': 1, k: 1_024, m: 1_048_576, g: 1_073_741_824 };

function octets(flag: string, text: string): string {
  const [, number = '', unit = ''] = /^(\d{1,12})([kmg]?)$/i.exec(text.trim()) ?? [];
  if (number === '') throw new Fault('malformed', `${flag}: ${text} is not a size like 5000, 20k, 3m`);
  return String(Number(number) * (sizes[unit.toLowerCase()] ?? 1));
}

function age(flag: string, text: string): string {
  const ms = parseAge(text);
  if (ms === undefined) throw new Fault('malformed', `${flag}: ${text} is not an age like 90s, 15m, 12h, 3d`);
  return String(ms);
}
