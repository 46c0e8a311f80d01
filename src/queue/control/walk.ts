/**
 * Going through the messages of the queue with the state of every recipient.
 *
 * Promise: one message at a time in memory, in pages that yield to the event loop; a record that cannot be read is passed over (leasing it
 * puts it aside). What a worker has in hand is as it was when the walk began.
 */

import { below, type Key, type KeyValue } from '../../storage/index.ts';
import type { FoundMessage, FoundRecipient, RecipientState, Weighed } from '../control-port.ts';
import type { QueueId } from '../port.ts';
import { decodeLease, decodeMessage, decodeSlip, leasePrefix, messageKey, placeOf, type Slip, type Stored, sizeOf } from '../records.ts';
import type { Matcher } from './filter.ts';

/** A message with its slips. */
export interface Walked {
  readonly stored: Stored;
  readonly slips: readonly Slip[];
}

/** `<id>/<slip>` of everything a worker has in hand, with the entry of its lease. */
export type InHand = ReadonlyMap<string, { readonly due: Key; readonly entry: string }>;

export async function readInHand(keyValue: KeyValue): Promise<InHand> {
  const all = new Map<string, { due: Key; entry: string }>();
  for await (const [, value] of keyValue.scan(below(leasePrefix))) {
    const { due, entry } = decodeLease(value);
    const { id, slip } = placeOf(due);
    all.set(`${id}/${slip}`, { due, entry });
  }
  return all;
}

export function stateOf(slip: Slip, leased: boolean, now: number): RecipientState {
  if (leased) return 'leased';
  return slip.recipients[0]?.held ? 'held' : slip.due > now ? 'deferred' : 'pending';
}

/** All messages behind (or, in reverse, before) `after`, one after the other. */
export async function* walk(keyValue: KeyValue, after: QueueId | undefined, reverse: boolean): AsyncIterable<Walked> {
  const { from, to } = below('queue/m/');
  // `0` follows `/`: behind all slips of that message.
  const range = after === undefined ? { from, to } : reverse ? { from, to: messageKey(after) } : { from: `${messageKey(after)}0`, to };
  yield* reverse ? backward(keyValue.scan(range, { reverse: true })) : forward(keyValue.scan(range));
}

export async function walkOne(keyValue: KeyValue, id: QueueId): Promise<Walked | undefined> {
  const key = messageKey(id);
  for await (const walked of forward(keyValue.scan({ from: key, to: `${key}0` }))) return walked;
  return undefined;
}

type Records = AsyncIterable<[Key, Uint8Array]>;

async function* forward(records: Records): AsyncIterable<Walked> {
  let stored: Stored | undefined;
  let slips: Slip[] = [];
  for await (const [key, value] of records) {
    const [, , id = '', name] = key.split('/');
    if (name === undefined) {
      if (stored && slips.length > 0) yield { stored, slips };
      slips = [];
      stored = readable(() => decodeMessage(value));
    } else if (stored?.message.id === id) {
      const slip = readable(() => decodeSlip(name, value));
      if (slip) slips.push(slip);
    }
  }
  if (stored && slips.length > 0) yield { stored, slips };
}

async function* backward(records: Records): AsyncIterable<Walked> {
  let of = '';
  let slips: Slip[] = [];
  for await (const [key, value] of records) {
    const [, , id = '', name] = key.split('/');
    if (id !== of) slips = [];
    of = id;
    const slip = name === undefined ? undefined : readable(() => decodeSlip(name, value));
    if (slip) slips.unshift(slip);
    const stored = name === undefined && slips.length > 0 ? readable(() => decodeMessage(value)) : undefined;
    if (stored) yield { stored, slips };
  }
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** What of a message matches. Undefined where nothing does. */
export function found(
  { stored, slips }: Walked,
  matcher: Matcher,
  inHand: InHand,
  now: number,
  weigh: (message: Weighed) => number,
): FoundMessage | undefined {
  const { message } = stored;
  if (!matcher.message(message)) return undefined;
  const recipients: FoundRecipient[] = [];
  let waiting = 0;
  for (const slip of slips) {
    waiting += slip.recipients.length;
    const state = stateOf(slip, inHand.has(`${message.id}/${slip.name}`), now);
    if (!matcher.state(state)) continue;
    for (const recipient of slip.recipients) if (matcher.recipient(recipient)) recipients.push({ ...recipient, state });
  }
  if (recipients.length === 0) return undefined;
  recipients.sort((a, b) => a.number - b.number);
  return { message, recipients, waiting, weight: weigh(weighed(sizeOf(message), message.arrivedAt, recipients)) };
}

function weighed(size: number, arrivedAt: number, recipients: readonly FoundRecipient[]): Weighed {
  let precedence = Number.POSITIVE_INFINITY;
  let since = Number.POSITIVE_INFINITY;
  for (const one of recipients) {
    precedence = Math.min(precedence, one.precedence ?? 0);
    since = Math.min(since, one.deferredSince ?? since);
  }
  return { precedence, size, arrivedAt, ...(Number.isFinite(since) ? { deferredSince: since } : {}) };
}
