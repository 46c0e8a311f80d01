/**
 * Changing recipients that wait: the part of one message.
 *
 * Promise: only what nobody has in hand at the moment of the commit is changed; a recipient is in exactly one slip before and after; the
 * last one gone frees the message. What was found a moment ago is looked at again here, in the commit.
 */

import type { Key, Part, PartReader } from '../../storage/index.ts';
import type { FoundRecipient, RecipientState } from '../control-port.ts';
import type { Lease, QueuedMessage, QueuedRecipient } from '../port.ts';
import {
  decodeMessage,
  decodeSlip,
  deleteDue,
  dueText,
  encodeLease,
  entryOf,
  leasePrefix,
  messageKey,
  placeKey,
  putSlip,
  type Slip,
  slipKey,
  textOf,
  tokenText,
} from '../records.ts';
import { count, slipsFor, type Written } from '../settle.ts';
import type { Matcher } from './filter.ts';
import { stateOf, type Walked } from './walk.ts';

/** What becomes of a recipient: another form of it, the same object where nothing is to be done, or nothing. */
export type Change = (recipient: QueuedRecipient, state: RecipientState) => QueuedRecipient | undefined;

export interface Changed {
  readonly message: QueuedMessage;
  /** As they were. */
  readonly changed: readonly FoundRecipient[];
  /** In hand of a worker. */
  readonly missed: readonly QueuedRecipient[];
  readonly unchanged: number;
  /** Of those, how many are kept back. */
  readonly held: number;
  /** Slips that wait anew. */
  readonly slips: readonly Slip[];
}

/** One slip as it stands in the commit, and where it waits; no place: a worker has it in hand. */
interface Standing {
  readonly slip: Slip;
  readonly place: { readonly key: Key; readonly entry: string } | undefined;
  readonly state: RecipientState;
}

async function standingOf(read: PartReader, id: string, name: string, now: number): Promise<Standing | undefined> {
  const value = await read.get(slipKey(id, name));
  if (!value) return undefined;
  const slip = decodeSlip(name, value);
  const key = placeKey(id, slip);
  const entry = await read.get(key);
  return { slip, place: entry && { key, entry: textOf(entry) }, state: stateOf(slip, !entry, now) };
}

interface Split {
  readonly rest: QueuedRecipient[];
  readonly changed: FoundRecipient[];
  readonly moved: QueuedRecipient[];
  unchanged: number;
  held: number;
}

/** Who of a slip stays, and who becomes what. */
function split({ slip, state }: Standing, matcher: Matcher, change: Change): Split {
  const all: Split = { rest: [], changed: [], moved: [], unchanged: 0, held: 0 };
  for (const recipient of slip.recipients) {
    const meant = matcher.state(state) && matcher.recipient(recipient);
    const after = meant ? change(recipient, state) : recipient;
    if (after === recipient) {
      all.rest.push(recipient);
      if (meant) all.unchanged++;
      if (meant && recipient.held) all.held++;
      continue;
    }
    all.changed.push({ ...recipient, state });
    if (after) all.moved.push(after);
  }
  return all;
}

/** `stem` names new slips: unique for this call. Undefined where the message is gone. */
export function changePart(
  { stored, slips: walked }: Walked,
  matcher: Matcher,
  change: Change,
  stem: string,
  now: number,
): Part<Changed | undefined> {
  const { id } = stored.message;
  return async (read) => {
    const value = await read.get(messageKey(id));
    if (!value) return { result: undefined };
    const { message } = decodeMessage(value);
    const written: Written = { puts: [], deletes: [] };
    const changed: FoundRecipient[] = [];
    const missed: QueuedRecipient[] = [];
    const made: Slip[] = [];
    let [unchanged, held] = [0, 0];
    let more = 0;
    let only = true;
    for (const [n, { name }] of walked.entries()) {
      const standing = await standingOf(read, id, name, now);
      if (!standing) continue;
      const { slip, place } = standing;
      only &&= slip.only;
      if (!place) {
        missed.push(...slip.recipients.filter((one) => matcher.recipient(one)));
        continue;
      }
      const parts = split(standing, matcher, change);
      unchanged += parts.unchanged;
      held += parts.held;
      if (parts.changed.length === 0) continue;
      changed.push(...parts.changed);
      const slips = rewrite(slip, parts, `${stem}-${n}`);
      written.deletes.push(...deleteDue(place.key, place.entry));
      if (slips.every((one) => one.name !== slip.name)) written.deletes.push(slipKey(id, slip.name));
      for (const one of slips) written.puts.push(...putSlip(id, one, dueText(entryOf(one, message))));
      made.push(...slips);
      more += slips.length - 1;
    }
    if (changed.length > 0) await count(read, message, only, more, written);
    const again = new Set(written.puts.map(([key]) => key));
    const deletes = written.deletes.filter((key) => !again.has(key));
    return { puts: written.puts, deletes, result: { message, changed, missed, unchanged, held, slips: made } };
  };
}

/** The slips that take the place of one. */
function rewrite(slip: Slip, { rest, moved }: Split, stem: string): Slip[] {
  if (rest.length === 0) return slipsFor(moved, stem, slip, slip.only);
  const slips = slipsFor(moved, stem, undefined, false);
  return [{ ...slip, version: slip.version + 1, only: slip.only && slips.length === 0, recipients: rest }, ...slips];
}

/** Leases for an administrator: what waits of these slips and matches, kept back or not, due or not. */
export interface Taken {
  readonly leases: readonly { readonly lease: Lease; readonly meant: readonly QueuedRecipient[] }[];
  readonly missed: readonly QueuedRecipient[];
}

export function takePart({ stored, slips }: Walked, matcher: Matcher, names: readonly string[], now: number): Part<Taken> {
  const { message, count: recipients } = stored;
  return async (read) => {
    const puts: [Key, Uint8Array][] = [];
    const deletes: Key[] = [];
    const leases: { lease: Lease; meant: readonly QueuedRecipient[] }[] = [];
    const missed: QueuedRecipient[] = [];
    for (const [n, { name }] of slips.entries()) {
      const standing = await standingOf(read, message.id, name, now);
      if (!standing) continue;
      const { slip, place, state } = standing;
      const meant = slip.recipients.filter((one) => (!place || matcher.state(state)) && matcher.recipient(one));
      if (!place) missed.push(...meant);
      if (!place || meant.length === 0) continue;
      const lease = names[n] as string;
      deletes.push(...deleteDue(place.key, place.entry));
      puts.push([`${leasePrefix}${lease}`, encodeLease({ due: place.key, entry: place.entry, shrunk: false })]);
      const token = tokenText({ lease, slip: name, only: slip.only, count: recipients });
      leases.push({ lease: { token, queue: slip.queue, message, recipients: slip.recipients }, meant });
    }
    return { puts, deletes, result: { leases, missed } };
  };
}
