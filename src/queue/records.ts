/**
 * What the queue keeps, as keys and bytes.
 *
 *   queue/m/<id>                              the message: envelope, trace header, blob
 *   queue/m/<id>/<slip>                       a slip: recipients that wait together (one queue, one time, one destination)
 *   queue/n/<id>                              number of slips, only where there is or was more than one
 *   queue/d/<queue><lane>/<due>/<id>/<slip>   due index: slips nobody has in hand, in the order they are to be worked; a lane for what is
 *                                             urgent (`+`) and one for what is not (`-`) beside the ordinary one
 *   queue/t/<queue>/<identifier>/<due>/…      the same by destination, all lanes in one; at SMTPC with what decides about the order there
 *   queue/h/<queue>/<due>/<id>/<slip>         slips that an administrator keeps back
 *   queue/o/<queue>/<due>/<id>/<slip>         slips with which something is to be done that an administrator wanted while they were in hand
 *   queue/l/<epoch>-<n>                       a lease: the due (or held) entry it took the place of, and what is to be done when it ends
 *   queue/e/<epoch>                           a process that has the queue open: a number that rises as long as it lives
 *   queue/x/<id>/<slip>                       put aside because it could not be read
 *
 * Pure; what moves between these keys is the business of settle.ts and lease.ts.
 */

import { fromSegment, fromSortable, type Key, segment, sortable } from '../storage/index.ts';
import type { Wish } from './control-port.ts';
import type { QueuedMessage, QueuedRecipient, QueueId, QueueName, RecipientNumber } from './port.ts';

/** Most recipients in one slip: the unit of leasing and of one commit. */
export const slipSize = 256;

export interface Slip {
  readonly name: string;
  /** Rises with every rewrite, so that a stale copy cannot be leased. */
  readonly version: number;
  readonly queue: QueueName;
  readonly due: number;
  /** The message has no other slip and never had. */
  readonly only: boolean;
  readonly recipients: readonly QueuedRecipient[];
}

/** A message with the number of recipients it was submitted with (numbers of further routes are counted on from there). */
export interface Stored {
  readonly message: QueuedMessage;
  readonly count: number;
  /** The next number for a route of a recipient that was put back into the input queue; not set while there was none. */
  readonly next?: number;
}

export const messageKey = (id: QueueId): Key => `queue/m/${id}`;
export const slipKey = (id: QueueId, slip: string): Key => `queue/m/${id}/${slip}`;
export const slipsKey = (id: QueueId): Key => `queue/n/${id}`;
export const asideKey = (id: QueueId, slip: string): Key => `queue/x/${id}/${slip}`;
export const leasePrefix = 'queue/l/';
const dueStart = 'queue/d/'.length;
export const epochPrefix = 'queue/e/';
export const holdPrefix = 'queue/h/';
export const wishPrefix = 'queue/o/';
/** Woken when something comes to stand there. */
export const wishTopic = 'queue/wishes';
export const asidePrefix = 'queue/x/';
/** What is urgent, what is ordinary, what may wait: each an index of its own, so that a long one hides no other. */
export type Lane = '+' | '' | '-';
export const lanes: readonly Lane[] = ['+', '', '-'];
export const duePrefix = (queue: QueueName, lane: Lane = ''): string => `queue/d/${queue}${lane}/`;
export const destinationsPrefix = (queue: QueueName): string => `queue/t/${queue}/`;
export const destinationPrefix = (queue: QueueName, identifier: string): string => `queue/t/${queue}/${segment(identifier)}/`;
export const dueKey = ({ queue, due, id, slip, lane }: DuePlace): Key => `queue/d/${queue}${lane}/${sortable(due)}/${id}/${slip}`;
/** Without a slash: nothing of it needs escaping in a key. */
export const holder = (id: QueueId): string => `queue.${id}`;

export interface DuePlace {
  readonly queue: QueueName;
  readonly lane: Lane;
  readonly due: number;
  readonly id: QueueId;
  readonly slip: string;
}

/** Of a key of the due index, or of one that an administrator keeps back (those have no lane). */
export function placeOf(key: Key): DuePlace {
  const [, , named = '', due, id, slip] = key.split('/');
  const lane = laneOfKey(key);
  const queue = (lane === '' ? named : named.slice(0, -1)) as QueueName;
  return { queue, lane, due: fromSortable(due ?? ''), id: id ?? '', slip: slip ?? '' };
}

/** The lane of a key of the due index, without taking it apart. */
export function laneOfKey(key: Key): Lane {
  const last = key.charCodeAt(key.indexOf('/', dueStart) - 1);
  return last === 43 ? '+' : last === 45 ? '-' : '';
}

export const isWishKey = (key: Key): boolean => key.startsWith(wishPrefix);
/** Where a slip stands that nobody may lease. */
export const isApartKey = (key: Key): boolean => key.startsWith(holdPrefix) || isWishKey(key);
/** Where a slip stands that nobody has in hand. */
export const isPlaceKey = (key: Key): boolean => key.startsWith('queue/d/') || isApartKey(key);
/** Something is still to be done with it before anybody may have it. */
export const isWished = ({ recipients }: Pick<Slip, 'recipients'>): boolean => recipients.some(({ wishes }) => wishes !== undefined);
export const isApart = (slip: Pick<Slip, 'recipients'>): boolean => slip.recipients[0]?.held !== undefined || isWished(slip);

/** What the order at a destination depends on, so that nobody reads a hundred thousand messages to find the first one. */
export interface Traits {
  readonly size: number;
  readonly arrivedAt: number;
  readonly precedence: number;
  /** Milliseconds since 1970; 0: never deferred. */
  readonly deferredSince: number;
  /** Waits for the run of its destination. */
  readonly sleeps: boolean;
  /** The message has no other slip. */
  readonly only: boolean;
}

/** What a due entry says: how many recipients, which version of the slip, and its destination where that is indexed. */
export interface DueEntry {
  readonly count: number;
  readonly version: number;
  readonly identifier: string | undefined;
  /** How often a process ended while the slip was leased, since it was last settled. */
  readonly ends: number;
  readonly traits?: Traits | undefined;
}

function traitsText({ size, arrivedAt, precedence, deferredSince, sleeps, only }: Traits): string {
  const numbers = [size, arrivedAt, precedence, deferredSince].map((n) => n.toString(36));
  return `~${numbers.join(',')}${sleeps || only ? `,${sleeps ? 's' : ''}${only ? 'o' : ''}` : ''}`;
}

function readTraits(text: string | undefined): Traits | undefined {
  if (text === undefined) return undefined;
  const parts = text.split(',');
  const [size = 0, arrivedAt = 0, precedence = 0, deferredSince = 0] = parts.map((part) => Number.parseInt(part, 36) || 0);
  const flags = parts[4] ?? '';
  return { size, arrivedAt, precedence, deferredSince, sleeps: flags.includes('s'), only: flags.includes('o') };
}

/** `<count>:<version>`, with `+<ends>` where there were any, `~<traits>` and `:<identifier>` where it has them. */
export function dueText({ count, version, identifier, ends, traits }: DueEntry): string {
  const text = `${count}:${version}${ends > 0 ? `+${ends}` : ''}${traits ? traitsText(traits) : ''}`;
  return identifier === undefined ? text : `${text}:${identifier}`;
}

/** The entry of a slip that does not wait for a run any more. */
export const awake = (entry: DueEntry): string => dueText({ ...entry, traits: entry.traits && { ...entry.traits, sleeps: false } });

export function readDue(text: string): DueEntry {
  const first = text.indexOf(':');
  const second = text.indexOf(':', first + 1);
  const [numbers = '', traits] = (second < 0 ? text.slice(first + 1) : text.slice(first + 1, second)).split('~');
  const [version, ends = 0] = numbers.split('+');
  const identifier = second < 0 ? undefined : text.slice(second + 1);
  return { count: Number(text.slice(0, first)), version: Number(version), identifier, ends: Number(ends), traits: readTraits(traits) };
}

/** Whether an entry has an identifier, and so a twin in the destination index. */
const hasTwin = (text: string): boolean => text.indexOf(':', text.indexOf(':') + 1) >= 0;

function laneOf(precedence: number | undefined): Lane {
  return precedence === undefined || precedence === 0 ? '' : precedence < 0 ? '+' : '-';
}

/**
 * The destination a slip is indexed by. INPUT has none; in LOCAL recipients of one message are first worked together,
 * whatever their mailbox, and stand apart once they had to wait.
 */
export function destinationOf(queue: QueueName, recipients: readonly QueuedRecipient[]): string | undefined {
  const first = recipients[0];
  if (!first || queue === 'INPUT') return undefined;
  return queue === 'LOCAL' && first.attempts === 0 ? undefined : first.identifier;
}

export function entryOf(slip: Slip, message: QueuedMessage): DueEntry {
  const { queue, recipients, version } = slip;
  const traits = queue === 'SMTPC' ? traitsOf(slip, message) : undefined;
  return { count: recipients.length, version, identifier: destinationOf(queue, recipients), ends: 0, traits };
}

/** Octets of a message, trace header included. */
export function sizeOf({ blob, prefix }: Pick<QueuedMessage, 'blob' | 'prefix'>): number {
  return blob.size + Buffer.byteLength(prefix, 'utf8');
}

function traitsOf({ recipients, only }: Slip, { blob, prefix, arrivedAt }: QueuedMessage): Traits {
  const since = recipients.flatMap(({ deferredSince }) => (deferredSince === undefined ? [] : [deferredSince]));
  return {
    size: sizeOf({ blob, prefix }),
    arrivedAt: Math.floor(arrivedAt),
    precedence: recipients[0]?.precedence ?? 0,
    deferredSince: since.length > 0 ? Math.min(...since) : 0,
    sleeps: recipients[0]?.runAt !== undefined,
    only,
  };
}

/** Where a slip stands while nobody has it in hand. */
export function placeKey(id: QueueId, slip: Slip): Key {
  const { name, queue, due, recipients } = slip;
  const first = recipients[0];
  if (isWished(slip)) return `${wishPrefix}${queue}/${sortable(due)}/${id}/${name}`;
  if (first?.held) return `${holdPrefix}${queue}/${sortable(due)}/${id}/${name}`;
  return dueKey({ queue, due, id, slip: name, lane: laneOf(first?.precedence) });
}

function destinationKey(place: DuePlace, identifier: string): Key {
  return `${destinationPrefix(place.queue, identifier)}${sortable(place.due)}/${place.id}/${place.slip}`;
}

/** What an entry of the destination index says. */
export interface DestinationPlace extends DuePlace {
  readonly identifier: string;
  readonly count: number;
  readonly traits: Traits | undefined;
}

export function placeOfDestination(key: Key, value: Uint8Array): DestinationPlace {
  const [, , queue, identifier, due, id, slip] = key.split('/');
  const [text = '', lane] = textOf(value).split('/');
  const [count, traits] = text.split('~');
  return {
    queue: queue as QueueName,
    lane: (lane ?? '') as Lane,
    count: Number(count),
    traits: readTraits(traits),
    identifier: fromSegment(identifier ?? ''),
    due: fromSortable(due ?? ''),
    id: id ?? '',
    slip: slip ?? '',
  };
}

const decoder = new TextDecoder();
export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const textOf = (value: Uint8Array): string => decoder.decode(value);

export function encodeMessage({ message, count, next }: Stored): Uint8Array {
  return bytes(JSON.stringify({ count, next, message }));
}

export function decodeMessage(value: Uint8Array): Stored {
  const { count, message, next } = JSON.parse(textOf(value)) as Stored;
  if (typeof count !== 'number' || typeof message?.id !== 'string' || typeof message.blob?.id !== 'string') {
    throw new Error('message record without its fields');
  }
  return next === undefined ? { message, count } : { message, count, next };
}

/** Recipient as stored: what the slip says already is left out (undefined is not written). */
type Line = Omit<QueuedRecipient, 'queue' | 'nextAttempt'>;

interface StoredSlip {
  readonly v: number;
  readonly q: QueueName;
  readonly d: number;
  readonly o: number;
  readonly r: Line[];
}

const lineOf = (recipient: QueuedRecipient): object => ({ ...recipient, queue: undefined, nextAttempt: undefined });

export function encodeSlip(slip: Slip): Uint8Array {
  return bytes(JSON.stringify({ v: slip.version, q: slip.queue, d: slip.due, o: slip.only ? 1 : 0, r: slip.recipients.map(lineOf) }));
}

export function decodeSlip(name: string, value: Uint8Array): Slip {
  const { v, q, d, o, r } = JSON.parse(textOf(value)) as StoredSlip;
  const recipients = r.map((line) => ({ ...line, queue: q, nextAttempt: d }));
  return { name, version: v, queue: q, due: d, only: o === 1, recipients };
}

/** What is to be done with some recipients of a lease when it ends. */
export interface Noted {
  readonly numbers: readonly RecipientNumber[];
  readonly wish: Wish;
}

/** A lease record: the due entry it took, whether the slip shrank since, and what is to be done with what is left of it in the end. */
export interface LeaseRecord {
  readonly due: Key;
  readonly entry: string;
  readonly shrunk: boolean;
  readonly noted?: readonly Noted[];
}

export function encodeLease({ due, entry, shrunk, noted = [] }: LeaseRecord): Uint8Array {
  return bytes(`${shrunk ? 1 : 0}${noted.length > 0 ? JSON.stringify(noted) : ''}\n${due}\n${entry}`);
}

export function decodeLease(value: Uint8Array): LeaseRecord {
  const text = textOf(value);
  const first = text.indexOf('\n');
  const end = text.indexOf('\n', first + 1);
  const record = { shrunk: text.startsWith('1'), due: text.slice(first + 1, end), entry: text.slice(end + 1) };
  return first === 1 ? record : { ...record, noted: JSON.parse(text.slice(1, first)) as Noted[] };
}

/** A recipient with what is to be done with it. */
export function wishing(recipient: QueuedRecipient, number: RecipientNumber, noted: readonly Noted[] | undefined): QueuedRecipient {
  const wishes = (noted ?? []).filter(({ numbers }) => numbers.includes(number)).map(({ wish }) => wish);
  return wishes.length === 0 ? recipient : { ...recipient, wishes: [...(recipient.wishes ?? []), ...wishes] };
}

/** What lies aside: the due (or held) entry it had, since when, and why. */
export interface Aside {
  readonly due: Key;
  readonly entry: string;
  /** Milliseconds since 1970. */
  readonly since?: number;
  readonly problem?: string;
}

export function encodeAside({ due, entry, since, problem = '' }: Aside): Uint8Array {
  return bytes(`${due}\n${entry}\n${since ?? ''}\n${problem}`);
}

/** The identifier in an entry may hold line ends; nothing behind it does. */
export function decodeAside(value: Uint8Array): Aside {
  const lines = textOf(value).split('\n');
  const due = lines.shift() ?? '';
  if (lines.length < 3) return { due, entry: lines.join('\n') };
  const problem = lines.pop() ?? '';
  const since = Number(lines.pop());
  return { due, entry: lines.join('\n'), since, problem };
}

/** Recipients of an entry of an index: the figures at its beginning, and nothing else of it is looked at. */
export function countOf(value: Uint8Array): number {
  let n = 0;
  for (let at = 0; at < value.length; at++) {
    const figure = (value[at] as number) - 48;
    if (figure < 0 || figure > 9) break;
    n = n * 10 + figure;
  }
  return n;
}

/** A due entry and, where it has one, its twin in the destination index. What is kept back has none. */
export function putDue(due: Key, entry: string): [Key, Uint8Array][] {
  const own: [Key, Uint8Array] = [due, bytes(entry)];
  if (!hasTwin(entry) || isApartKey(due)) return [own];
  const { identifier = '', count, traits } = readDue(entry);
  const place = placeOf(due);
  const value = `${count}${traits ? traitsText(traits) : ''}${place.lane === '' ? '' : `/${place.lane}`}`;
  return [own, [destinationKey(place, identifier), bytes(value)]];
}

export function deleteDue(due: Key, entry: string): Key[] {
  if (!hasTwin(entry) || isApartKey(due)) return [due];
  return [due, destinationKey(placeOf(due), readDue(entry).identifier ?? '')];
}

/** Everything a waiting slip consists of. */
export function putSlip(id: QueueId, slip: Slip, entry: string): [Key, Uint8Array][] {
  return [[slipKey(id, slip.name), encodeSlip(slip)], ...putDue(placeKey(id, slip), entry)];
}

/** What a lease's token carries, so that a lease stays a plain value that any holder can settle. */
export interface Token {
  /** Key of the lease record below `queue/l/`. */
  readonly lease: string;
  readonly slip: string;
  readonly only: boolean;
  readonly count: number;
}

export const tokenText = (token: Token): string => `${token.lease} ${token.slip} ${token.only ? 1 : 0} ${token.count}`;

export function readToken(text: string): Token {
  const [lease = '', slip = '', only, count] = text.split(' ');
  return { lease, slip, only: only === '1', count: Number(count) };
}
