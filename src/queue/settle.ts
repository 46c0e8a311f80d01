/**
 * Ending (parts of) a lease: what is filed, done or deferred in one commit.
 *
 * Promise: a recipient is in exactly one slip at any time; settling under a lease that does not hold any more throws
 * CheckFailed and changes nothing; the last recipient done frees message and blob reference in the same commit.
 * Whatever an outcome does not mention stays leased.
 */

import { Fault } from '../base/index.ts';
import { type Changes, CheckFailed, dereference, type Key, type PartReader } from '../storage/index.ts';
import type { Deferral, Filing, Lease, Outcome, QueuedMessage, QueuedRecipient, QueueName, Route } from './port.ts';
import {
  asideKey,
  bytes,
  decodeLease,
  decodeMessage,
  decodeSlip,
  destinationOf,
  dueText,
  encodeAside,
  encodeLease,
  encodeMessage,
  encodeSlip,
  entryOf,
  holder,
  isPlaceKey,
  isWishKey,
  type LeaseRecord,
  leasePrefix,
  messageKey,
  placeOf,
  putDue,
  putSlip,
  readDue,
  readToken,
  type Slip,
  slipKey,
  slipSize,
  slipsKey,
  type Token,
  textOf,
  wishing,
  wishTopic,
} from './records.ts';

/** The slips that wait anew after a settlement. */
export interface Settled {
  readonly slips: readonly Slip[];
  readonly count: number;
}

const longestReason = 500;
/** Other routes of a recipient that are remembered. */
const routesRemembered = 20;

interface Sorted {
  readonly remaining: QueuedRecipient[];
  readonly waiting: QueuedRecipient[];
}

/** Numbers for further routes of a recipient: no other recipient of the message has, had or will have them. */
type Numbers = (recipient: QueuedRecipient, n: number) => number;

/** More routes than this have numbers of their own making. */
const routesCounted = 1024;

/** Where a recipient goes now: not where another route of it went already when it was routed before. */
function routesOf(recipient: QueuedRecipient, to: Filing['to']): Filing['to'] {
  const { also } = recipient;
  if (!also) return to;
  return to.filter((route) => !also.some((other) => sameRoute(other, route)));
}

const sameRoute = (a: Route, b: Route): boolean => a.queue === b.queue && a.identifier === b.identifier && a.address === b.address;
const bare = ({ address, queue, identifier }: Route): Route => ({ address, queue, identifier });

function filedRecipients(recipient: QueuedRecipient, to: Filing['to'], numbers: Numbers, now: number): QueuedRecipient[] {
  const { precedence, heldFor, delayNotified, told, also = [] } = recipient;
  const kept = { ...(precedence ? { precedence } : {}), ...(heldFor ? { heldFor } : {}), ...(delayNotified ? { delayNotified } : {}) };
  // Since when it is to go stays: what is found out about its destination after that holds for it.
  const due = told ? { nextAttempt: Math.min(now, recipient.nextAttempt), told } : { nextAttempt: now };
  const routes = routesOf(recipient, to);
  return routes.map(({ address, queue, identifier, dsn = recipient.dsn }, n) => {
    const others =
      routes.length + also.length > 1 && routes.length <= routesRemembered
        ? [...also, ...routes.filter((_, m) => m !== n).map(bare)]
        : also;
    const wishes = dsn ? { dsn } : {};
    const filed = { number: numbers(recipient, n), address, queue, identifier, attempts: 0, ...wishes, ...kept, ...due };
    return others.length > 0 ? { ...filed, also: others.slice(-routesRemembered) } : filed;
  });
}

function deferredRecipient(recipient: QueuedRecipient, deferral: Deferral, now: number): QueuedRecipient {
  const told = deferral.delayNotified || recipient.delayNotified ? { delayNotified: true } : {};
  const sleeps = deferral.runAt === undefined ? {} : { runAt: deferral.runAt };
  const { runAt: _before, told: _done, ...rest } = recipient;
  return {
    ...rest,
    attempts: recipient.attempts + (deferral.untried ? 0 : 1),
    nextAttempt: Math.max(0, Math.floor(deferral.nextAttempt)),
    reason: deferral.reason.slice(0, longestReason),
    deferredSince: recipient.deferredSince ?? now,
    ...told,
    ...sleeps,
  };
}

/** Every recipient of the slip by what the outcome says about it. */
function sortOut(slip: Slip, outcome: Outcome, numbers: Numbers, now: number, noted: LeaseRecord['noted']): Sorted {
  const filed = new Map(outcome.filed?.map((filing) => [filing.from, filing.to]));
  const done = new Set(outcome.done);
  const deferred = new Map(outcome.deferred?.map((deferral) => [deferral.number, deferral]));
  if (filed.size > 0 && slip.queue !== 'INPUT') throw new Fault('wrong-moment', 'only recipients of the input queue can be filed');
  const remaining: QueuedRecipient[] = [];
  const waiting: QueuedRecipient[] = [];
  for (const recipient of slip.recipients) {
    const to = filed.get(recipient.number);
    const deferral = deferred.get(recipient.number);
    const { number } = recipient;
    if (to && to.length > 0) waiting.push(...filedRecipients(recipient, to, numbers, now).map((one) => wishing(one, number, noted)));
    else if (deferral) waiting.push(wishing(deferredRecipient(recipient, deferral, now), number, noted));
    else if (!done.has(recipient.number)) remaining.push(recipient);
  }
  return { remaining, waiting };
}

/**
 * Numbers of further routes: recipient n of N has n + N, n + 2N … What was put back into the input queue, and may have such a number
 * already, gets the message's next ones beyond all of those; then the message's record says so.
 */
async function numbering(
  read: PartReader,
  lease: Lease,
  count: number,
  outcome: Outcome,
): Promise<{ numbers: Numbers; puts: Written['puts'] }> {
  const puts: Written['puts'] = [];
  const again = new Set(lease.recipients.filter(({ requeued }) => requeued).map(({ number }) => number));
  const apart = outcome.filed?.some(({ from, to }) => (to.length > 1 && again.has(from)) || to.length > routesCounted) ?? false;
  if (!apart) return { numbers: ({ number }, n) => number + n * count, puts };
  const key = messageKey(lease.message.id);
  const value = await read.get(key);
  if (!value) throw new CheckFailed(key);
  const stored = decodeMessage(value);
  let next = stored.next ?? count * (routesCounted + 1) + 1;
  const numbers: Numbers = ({ number, requeued }, n) => {
    if (n === 0 || (!requeued && n < routesCounted)) return number + n * count;
    next++;
    // The record is written with the last of them.
    puts[0] = [key, encodeMessage({ ...stored, next })];
    return next - 1;
  };
  return { numbers, puts };
}

/** Recipients that may wait together, at most `slipSize` of them. */
export function groups(recipients: readonly QueuedRecipient[]): (readonly QueuedRecipient[])[] {
  const open = new Map<string, QueuedRecipient[]>();
  const all: QueuedRecipient[][] = [];
  for (const recipient of recipients) {
    const { queue, nextAttempt } = recipient;
    const apart = `${recipient.held ? 'h' : ''}${recipient.wishes ? 'o' : ''}${recipient.precedence ?? ''}`;
    const key = `${queue} ${nextAttempt} ${recipient.runAt ?? ''} ${apart} ${destinationOf(queue, [recipient]) ?? ''}`;
    let group = open.get(key);
    if (!group || group.length >= slipSize) {
      group = [];
      open.set(key, group);
      all.push(group);
    }
    group.push(recipient);
  }
  return all;
}

async function slipOf(read: PartReader, lease: Lease, token: Token, record: LeaseRecord): Promise<Slip> {
  const { count, version } = readDue(record.entry);
  if (record.shrunk || lease.recipients.length !== count) {
    const key = slipKey(lease.message.id, token.slip);
    const value = await read.get(key);
    if (!value) throw new CheckFailed(key);
    return decodeSlip(token.slip, value);
  }
  const { due } = placeOf(record.due);
  return { name: token.slip, version, queue: lease.queue, due, only: token.only, recipients: lease.recipients };
}

export interface Written {
  puts: (readonly [Key, Uint8Array])[];
  deletes: Key[];
}

/** Counts the message's slips; the last one gone frees the message. `only`: of the slip that was. */
export async function count(
  read: PartReader,
  { id, blob }: Pick<QueuedMessage, 'id' | 'blob'>,
  only: boolean,
  more: number,
  written: Written,
): Promise<void> {
  const counter = slipsKey(id);
  const before = only ? 1 : Number(textOf((await read.get(counter)) ?? bytes('1')));
  const after = before + more;
  if (after > 0) {
    if (more !== 0) written.puts.push([counter, bytes(`${after}`)]);
    return;
  }
  const freed = dereference(blob.id, holder(id));
  written.puts.push(...freed.puts);
  written.deletes.push(messageKey(id), ...freed.deletes);
  if (!only) written.deletes.push(counter);
}

async function held(read: PartReader, token: Token): Promise<LeaseRecord> {
  const key = `${leasePrefix}${token.lease}`;
  const value = await read.get(key);
  if (!value) throw new CheckFailed(key);
  return decodeLease(value);
}

/** Slips for the recipients that wait anew; `reuse` is the name of a slip that is free again. */
export function slipsFor(waiting: readonly QueuedRecipient[], stem: string, reuse: Slip | undefined, only: boolean): Slip[] {
  const parts = groups(waiting);
  return parts.map((recipients, n): Slip => {
    const first = recipients[0] as QueuedRecipient;
    const known = n === 0 ? reuse : undefined;
    return {
      name: known?.name ?? `${stem}.${n}`,
      version: known ? known.version + 1 : 0,
      queue: first.queue,
      due: first.nextAttempt,
      only: only && parts.length === 1,
      recipients,
    };
  });
}

/** `stem` makes the names of new slips: unique for this call, made before the part runs. */
export async function settle(
  read: PartReader,
  lease: Lease,
  outcome: Outcome,
  stem: string,
  now: number,
): Promise<Changes<Settled> & Written> {
  const token = readToken(lease.token);
  const { id } = lease.message;
  const record = await held(read, token);
  const slip = await slipOf(read, lease, token, record);
  const { numbers, puts } = await numbering(read, lease, token.count, outcome);
  const { remaining, waiting } = sortOut(slip, outcome, numbers, now, record.noted);
  const written: Written = { puts, deletes: [] };
  if (remaining.length === slip.recipients.length) return { result: { slips: [], count: token.count }, ...written };
  const ends = remaining.length === 0;
  const slips = slipsFor(waiting, stem, ends ? slip : undefined, slip.only && ends);
  for (const made of slips) written.puts.push(...putSlip(id, made, dueText(entryOf(made, lease.message))));
  if (ends) {
    written.deletes.push(`${leasePrefix}${token.lease}`);
    if (slips.length === 0) written.deletes.push(slipKey(id, slip.name));
  } else {
    const rest: Slip = { ...slip, version: slip.version + 1, only: slip.only && slips.length === 0, recipients: remaining };
    written.puts.push([slipKey(id, slip.name), encodeSlip(rest)]);
    // The destination of the entry stays what it was: its keys in both indexes depend on it.
    const entry = dueText({ ...entryOf(rest, lease.message), identifier: readDue(record.entry).identifier });
    written.puts.push([`${leasePrefix}${token.lease}`, encodeLease({ ...record, entry, shrunk: true })]);
  }
  await count(read, lease.message, slip.only, slips.length - (ends ? 1 : 0), written);
  const wake = record.noted && slips.length > 0 ? { wake: [wishTopic] } : {};
  return { ...written, ...wake, result: { slips, count: token.count } };
}

/** What is left of a lease lies aside. Resolves to the entry that it had. */
export async function layAside(read: PartReader, lease: Lease, problem: string, since: number): Promise<Changes<string> & Written> {
  const token = readToken(lease.token);
  const { due, entry } = await held(read, token);
  return {
    puts: [[asideKey(lease.message.id, token.slip), encodeAside({ due, entry, since, problem })]],
    deletes: [`${leasePrefix}${token.lease}`],
    result: entry,
  };
}

/**
 * Where the slip of a lease that ends unsettled stands then: where it stood, or where what an administrator wanted meanwhile is done. What
 * cannot be read stands where it stood: leasing it puts it aside.
 */
export async function standing(read: PartReader, { due, entry, noted }: LeaseRecord): Promise<readonly (readonly [Key, Uint8Array])[]> {
  if (!noted && !isWishKey(due)) return putDue(due, entry);
  const { id, slip: name } = placeOf(due);
  const [message, value] = [await read.get(messageKey(id)), await read.get(slipKey(id, name))];
  if (!message || !value) return putDue(due, entry);
  try {
    const stood = decodeSlip(name, value);
    const recipients = stood.recipients.map((one) => wishing(one, one.number, noted));
    const slip: Slip = { ...stood, version: stood.version + 1, recipients };
    return putSlip(id, slip, dueText(entryOf(slip, decodeMessage(message).message)));
  } catch {
    return putDue(due, entry);
  }
}

/** Gives a lease back: its slip is due as it was before. Resolves to where it stands. */
export async function giveBack(read: PartReader, lease: Lease): Promise<Changes<{ due: Key; queue: QueueName }> & Written> {
  const token = readToken(lease.token);
  const record = await held(read, token);
  const puts = await standing(read, record);
  const due = puts.find(([key]) => isPlaceKey(key))?.[0] ?? record.due;
  return {
    puts: [...puts],
    deletes: [`${leasePrefix}${token.lease}`],
    ...(isWishKey(due) ? { wake: [wishTopic] } : {}),
    result: { due, queue: lease.queue },
  };
}
