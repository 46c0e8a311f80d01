/**
 * Going through the messages of the queue with the state of every recipient.
 *
 * Promise: one message at a time in memory, in pages that yield to the event loop; a record that cannot be read is passed over (leasing it
 * puts it aside). What a worker has in hand is as it was when the walk began.
 */

import { below, type Key, type KeyValue } from '../../storage/index.ts';
import type { FoundMessage, FoundRecipient, RecipientState, Weighed } from '../control-port.ts';
import type { QueueId } from '../port.ts';
import {
  decodeLease,
  decodeMessage,
  decodeSlip,
  isWished,
  leasePrefix,
  messageKey,
  placeOf,
  type Slip,
  type Stored,
  sizeOf,
  slipKey,
} from '../records.ts';
import type { Matcher } from './filter.ts';

/** A message with its slips. */
export interface Walked {
  readonly stored: Stored;
  readonly slips: readonly Slip[];
}

/** `<id>/<slip>` of everything a worker has in hand, with its lease. */
export type InHand = ReadonlyMap<string, { readonly due: Key; readonly entry: string; readonly lease: Key }>;

export async function readInHand(keyValue: KeyValue): Promise<InHand> {
  const all = new Map<string, { due: Key; entry: string; lease: Key }>();
  for await (const [lease, value] of keyValue.scan(below(leasePrefix))) {
    const { due, entry } = decodeLease(value);
    const { id, slip } = placeOf(due);
    all.set(`${id}/${slip}`, { due, entry, lease });
  }
  return all;
}

export function stateOf(slip: Slip, leased: boolean, now: number): RecipientState {
  if (leased || isWished(slip)) return 'leased';
  return slip.recipients[0]?.held ? 'held' : slip.due > now ? 'deferred' : 'pending';
}

/** All messages behind (or, in reverse, before) `after` that the needles do not rule out, one after the other. */
export async function* walk(
  keyValue: KeyValue,
  after: QueueId | undefined,
  reverse: boolean,
  needles: Needles = noNeedles,
): AsyncIterable<Walked> {
  const { from, to } = below('queue/m/');
  // `0` follows `/`: behind all slips of that message.
  const range = after === undefined ? { from, to } : reverse ? { from, to: messageKey(after) } : { from: `${messageKey(after)}0`, to };
  for await (const raw of reverse ? backward(keyValue.scan(range, { reverse: true })) : forward(keyValue.scan(range))) {
    const walked = decoded(raw, needles);
    if (walked) yield walked;
  }
}

export async function walkOne(keyValue: KeyValue, id: QueueId): Promise<Walked | undefined> {
  const key = messageKey(id);
  for await (const raw of forward(keyValue.scan({ from: key, to: `${key}0` }))) return decoded(raw, noNeedles);
  return undefined;
}

/** A message, and its slip where it has but one as far as is known. */
export interface Place {
  readonly id: QueueId;
  readonly only: string | undefined;
}

/** Messages read with one asking. */
const atOnce = 64;

/** These messages, in their order. */
export async function* walkThese(keyValue: KeyValue, places: AsyncIterable<Place>): AsyncIterable<Walked> {
  let some: Place[] = [];
  for await (const place of places) {
    some.push(place);
    if (some.length < atOnce) continue;
    yield* readThese(keyValue, some);
    some = [];
  }
  yield* readThese(keyValue, some);
}

async function* readThese(keyValue: KeyValue, places: readonly Place[]): AsyncIterable<Walked> {
  const values = await keyValue.getMany(places.flatMap(({ id, only }) => (only === undefined ? [] : [messageKey(id), slipKey(id, only)])));
  let n = 0;
  for (const { id, only } of places) {
    const [message, slip] = only === undefined ? [] : values.slice(n, n + 2);
    n += only === undefined ? 0 : 2;
    const known = message && slip && only !== undefined ? decoded({ message, slips: [[only, slip]] }, noNeedles) : undefined;
    // It may have others by now.
    const walked = known?.slips[0]?.only ? known : await walkOne(keyValue, id);
    if (walked) yield walked;
  }
}

type Records = AsyncIterable<[Key, Uint8Array]>;

/** Records of one message, not looked into. */
interface Raw {
  readonly message: Uint8Array;
  readonly slips: readonly (readonly [name: string, value: Uint8Array])[];
}

const idEnd = messageKey('').length;
/** Length of a key of a message and, behind the slash, the slip's name. */
const slashOf = (key: Key): number => key.indexOf('/', idEnd);

async function* forward(records: Records): AsyncIterable<Raw> {
  let of = '';
  let message: Uint8Array | undefined;
  let slips: [string, Uint8Array][] = [];
  for await (const [key, value] of records) {
    const slash = slashOf(key);
    if (slash < 0) {
      if (message && slips.length > 0) yield { message, slips };
      of = `${key}/`;
      message = value;
      slips = [];
    } else if (key.startsWith(of)) slips.push([key.slice(slash + 1), value]);
  }
  if (message && slips.length > 0) yield { message, slips };
}

async function* backward(records: Records): AsyncIterable<Raw> {
  let of = '';
  let slips: [string, Uint8Array][] = [];
  for await (const [key, value] of records) {
    const slash = slashOf(key);
    const id = slash < 0 ? key : key.slice(0, slash);
    if (id !== of) slips = [];
    of = id;
    if (slash >= 0) slips.unshift([key.slice(slash + 1), value]);
    else if (slips.length > 0) yield { message: value, slips };
  }
}

/** Letters and digits, in lower case, that must stand in the records of what matches: most need not be looked into. */
export interface Needles {
  readonly message: readonly string[];
  readonly slips: readonly string[];
}

const noNeedles: Needles = { message: [], slips: [] };

function holds(value: Uint8Array, needles: readonly string[]): boolean {
  if (needles.length === 0) return true;
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1').toLowerCase();
  return needles.every((needle) => text.includes(needle));
}

function decoded({ message, slips }: Raw, needles: Needles): Walked | undefined {
  if (!holds(message, needles.message)) return undefined;
  if (needles.slips.length > 0 && !slips.some(([, value]) => holds(value, needles.slips))) return undefined;
  const stored = readable(() => decodeMessage(message));
  if (!stored) return undefined;
  const read = slips.flatMap(([name, value]) => readable(() => decodeSlip(name, value)) ?? []);
  return read.length > 0 ? { stored, slips: read } : undefined;
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
