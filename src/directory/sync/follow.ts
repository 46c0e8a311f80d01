/**
 * Changes as they come, for one who follows.
 *
 * Promise: in order, each once, none before everything it depends on can be seen (names, access rules); whoever is slow is behind in the
 * log, and holds a hundred changes at most, fewer where they are of large entries.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dn } from '../../ldap-wire/index.ts';
import type { Entry } from '../entry.ts';
import type { Logged } from '../history/change-record.ts';
import type { Feed } from '../history/feed.ts';
import { type Change, DirectoryFault, type Position } from '../port.ts';

export interface FollowParts {
  readonly feed: Feed;
  readonly accessBase: Dn;
  /** Reads the access rules anew. */
  readonly refreshRights: () => Promise<void>;
}

/** The log does not have the next change (any more). */
export class Missed extends Error {}

const perBatch = 100;
/** Octets of records in one batch, as soon as there is more than one. */
const batchOctets = 4 * 1_048_576;

/** Changes after `from`. Where there is none at the moment and the follower has other work, an empty batch says so. */
export async function* batches(
  parts: FollowParts,
  from: Position,
  signal: AbortSignal | undefined,
  working: () => boolean = () => false,
): AsyncGenerator<readonly Logged[]> {
  const { feed, accessBase } = parts;
  let position = from;
  while (!signal?.aborted) {
    if (!feed.open) throw new DirectoryFault('unavailable', 'the directory is being closed');
    const last = feed.settle();
    if (position === last) {
      if (working()) yield [];
      else await feed.after(position, signal);
      continue;
    }
    const batch: Logged[] = [];
    for (let octets = 0; position < last && batch.length < perBatch && octets < batchOctets; ) {
      const logged = feed.logged(position + 1);
      if (!logged) break;
      batch.push(logged);
      octets += logged.size;
      position += 1;
    }
    if (batch.length === 0) throw new Missed();
    if (batch.some(({ change }) => touches(change, accessBase))) await parts.refreshRights();
    yield batch;
    await nextTurn();
  }
}

/** Whether a change is about an entry at or below `base`, or moves one above it. */
function touches({ before, after }: Change, base: Dn): boolean {
  return [before, after].some((entry) => entry && (entry.dn.isWithin(base) || base.isWithin(entry.dn)));
}

/** A change, with the image from which the follower has to be brought to `after`. */
export interface Step extends Logged {
  readonly first: Entry | undefined;
}

/**
 * Of modifications in a row, the last one of each entry (RFC 4533 §3.9). Anything else keeps its place: where names come and go, the
 * order of the changes is what makes them possible.
 */
export function coalesced(batch: readonly Logged[]): Step[] {
  const steps: Step[] = [];
  let row = new Map<string, Step>();
  for (const logged of batch) {
    const { change } = logged;
    if (change.kind !== 'modify') {
      steps.push(...row.values(), { ...logged, first: change.before });
      row = new Map();
      continue;
    }
    const first = row.get(change.uuid)?.first ?? change.before;
    // To the end: positions go on rising.
    row.delete(change.uuid);
    row.set(change.uuid, { ...logged, first });
  }
  return [...steps, ...row.values()];
}
