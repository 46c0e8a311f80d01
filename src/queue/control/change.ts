/**
 * Changing recipients that wait: the part of one message.
 *
 * Promise: only what nobody has in hand at the moment of the commit is changed; a recipient is in exactly one slip before and after; the
 * last one gone frees the message. What was found a moment ago is looked at again here, in the commit. Of what is in hand it is noted in
 * its lease what shall be done when that ends.
 */

import type { Key, Part, PartReader } from '../../storage/index.ts';
import type { FoundRecipient, RecipientState, Wish } from '../control-port.ts';
import type { Lease, QueuedMessage, QueuedRecipient, QueueId } from '../port.ts';
import {
  decodeLease,
  decodeMessage,
  decodeSlip,
  deleteDue,
  dueText,
  encodeLease,
  entryOf,
  type LeaseRecord,
  leasePrefix,
  messageKey,
  placeKey,
  placeOf,
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
  /** In hand of a worker, and noted. */
  readonly later: readonly QueuedRecipient[];
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

/** Notes what shall be done with some of a slip when whoever has it in hand lets go of it. */
export interface Noting {
  readonly wish: Wish;
  /** The lease of a slip, as it was a moment ago. */
  readonly leaseOf: (id: QueueId, slip: string) => Key | undefined;
}

/** Of what is in hand at most so much is noted. */
const notesAtMost = 16;

type Noted = 'noted' | 'nothing' | 'missed';

async function note(
  read: PartReader,
  id: QueueId,
  name: string,
  recipients: readonly QueuedRecipient[],
  noting: Noting | undefined,
  puts: Written['puts'],
): Promise<Noted> {
  const key = noting?.leaseOf(id, name);
  const value = key === undefined ? undefined : await read.get(key);
  if (!noting || key === undefined || !value || recipients.length === 0) return recipients.length === 0 ? 'nothing' : 'missed';
  const record = decodeLease(value);
  const place = placeOf(record.due);
  if (place.id !== id || place.slip !== name) return 'missed';
  const numbers = recipients.map(({ number }) => number);
  const before = record.noted ?? [];
  const noted = noting.wish.operation.do === 'release' ? withoutHolds(before, numbers) : [...before, { numbers, wish: noting.wish }];
  if (!noted) return 'nothing';
  if (noted.length > notesAtMost) return 'missed';
  puts.push([key, encodeLease({ ...record, noted })]);
  return 'noted';
}

/** Without what would have kept these back; undefined where nothing would. */
function withoutHolds(noted: NonNullable<LeaseRecord['noted']>, numbers: readonly number[]): LeaseRecord['noted'] {
  const left = noted.map(({ numbers: of, wish }) => ({
    wish,
    numbers: wish.operation.do === 'hold' ? of.filter((one) => !numbers.includes(one)) : of,
  }));
  const same = left.every(({ numbers: of }, n) => of.length === noted[n]?.numbers.length);
  return same ? undefined : left.filter(({ numbers: of }) => of.length > 0);
}

/** `stem` names new slips: unique for this call. Undefined where the message is gone. */
export function changePart(
  { stored, slips: walked }: Walked,
  matcher: Matcher,
  change: Change,
  stem: string,
  now: number,
  noting?: Noting,
): Part<Changed | undefined> {
  const { id } = stored.message;
  return async (read) => {
    const value = await read.get(messageKey(id));
    if (!value) return { result: undefined };
    const { message } = decodeMessage(value);
    const written: Written = { puts: [], deletes: [] };
    const changed: FoundRecipient[] = [];
    const later: QueuedRecipient[] = [];
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
        const meant = slip.recipients.filter((one) => matcher.recipient(one));
        const outcome = await note(read, id, name, meant, noting, written.puts);
        if (outcome === 'nothing') unchanged += meant.length;
        else (outcome === 'noted' ? later : missed).push(...meant);
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
    return { puts: written.puts, deletes, result: { message, changed, later, missed, unchanged, held, slips: made } };
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
  readonly later: readonly QueuedRecipient[];
  readonly missed: readonly QueuedRecipient[];
}

export function takePart({ stored, slips }: Walked, matcher: Matcher, names: readonly string[], now: number, noting?: Noting): Part<Taken> {
  const { message, count: recipients } = stored;
  return async (read) => {
    const puts: Written['puts'] = [];
    const deletes: Key[] = [];
    const leases: { lease: Lease; meant: readonly QueuedRecipient[] }[] = [];
    const later: QueuedRecipient[] = [];
    const missed: QueuedRecipient[] = [];
    for (const [n, { name }] of slips.entries()) {
      const standing = await standingOf(read, message.id, name, now);
      if (!standing) continue;
      const { slip, place, state } = standing;
      const meant = slip.recipients.filter((one) => (!place || matcher.state(state)) && matcher.recipient(one));
      if (!place && meant.length > 0)
        ((await note(read, message.id, name, meant, noting, puts)) === 'noted' ? later : missed).push(...meant);
      if (!place || meant.length === 0) continue;
      const lease = names[n] as string;
      deletes.push(...deleteDue(place.key, place.entry));
      puts.push([`${leasePrefix}${lease}`, encodeLease({ due: place.key, entry: place.entry, shrunk: false })]);
      const token = tokenText({ lease, slip: name, only: slip.only, count: recipients });
      leases.push({ lease: { token, queue: slip.queue, message, recipients: slip.recipients }, meant });
    }
    return { puts, deletes, result: { leases, later, missed } };
  };
}
