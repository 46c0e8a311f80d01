/**
 * The queue as an administrator works it: looking for mail, and what can be done with it.
 *
 * Promise: an operation takes hold of a recipient only while nobody works on it; what a worker has in hand at that moment is left alone
 * and said (`inHand`), so that of a delivery and an operation exactly one happens. Every message an operation changed has a line in the
 * log that names who did it. Nothing here loads the queue into memory.
 * Source: manual chapter 3 "MTA Queue Management", chapter 6 "Queue Status"; checklist MTA-07, MTA-10, SMTPC-13
 */

import type { QueuedMessage, QueuedRecipient, QueueId, QueueName } from './port.ts';

/**
 * `pending`: due, nobody works on it yet. `deferred`: waits for its time. `leased`: a worker has it in hand. `held`: an administrator
 * keeps it back; it is neither worked nor does it expire.
 */
export type RecipientState = 'pending' | 'deferred' | 'leased' | 'held';

/** A recipient somebody found, with the state it was in then. */
export interface FoundRecipient extends QueuedRecipient {
  readonly state: RecipientState;
}

/** A message with those of its recipients that were looked for. */
export interface FoundMessage {
  readonly message: QueuedMessage;
  readonly recipients: readonly FoundRecipient[];
  /** Recipients of the message that wait, found or not. */
  readonly waiting: number;
  /** What decides the order by `weight`; low goes first. */
  readonly weight: number;
}

/**
 * What is looked for; everything given must hold. Of the addresses: `<>` is the null sender, `@example.com` a whole domain, `user@` that name
 * in any, a pattern with `*` stands for the whole address, `user@example.com` for that address, anything else for a part of it. Case does not
 * count.
 */
export interface QueueFilter {
  /** Queue ids, at most 1,000. */
  readonly ids?: readonly QueueId[];
  readonly queue?: QueueName;
  /** Channel identifier: the destination's domain for SMTPC, the mailbox's key for LOCAL. */
  readonly identifier?: string;
  readonly sender?: string;
  readonly recipient?: string;
  /** Recipients by their number within the message. */
  readonly numbers?: readonly number[];
  /** The Message-ID of its header, with or without brackets. */
  readonly messageId?: string;
  /** Octets of the message, both bounds included. */
  readonly minSize?: number;
  readonly maxSize?: number;
  /** Milliseconds since it arrived, both bounds included. */
  readonly minAge?: number;
  readonly maxAge?: number;
  readonly states?: readonly RecipientState[];
  /** Part of the reason it waits for. */
  readonly reason?: string;
}

/** `priority`: of the message, most urgent first. `weight`: as the caller weighs it; without that the same as `priority`. */
export type QueueOrder = 'time' | 'size' | 'sender' | 'priority' | 'weight';

/** What a message is weighed by. */
export interface Weighed {
  readonly precedence: number;
  /** Octets. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly arrivedAt: number;
  /** When its first recipient that was found was put off for the first time. */
  readonly deferredSince?: number;
}

export interface SearchOptions {
  /** By default the oldest first. */
  readonly order?: QueueOrder;
  readonly descending?: boolean;
  /** Messages of a page: 1 to 1,000, 100 by default. Fewer where they have 20,000 recipients together. */
  readonly limit?: number;
  /** `next` of the page before, of the same search. */
  readonly after?: string;
  readonly weigh?: (message: Weighed) => number;
}

export interface SearchPage {
  readonly messages: readonly FoundMessage[];
  /** There are more: hand it to the next search as `after`. */
  readonly next?: string;
}

/**
 * `hold` keeps mail back, `release` lets it go again. `retry` makes it due now ("process now"). `requeue` puts it back into the input
 * queue: it is routed anew, with the directory as it is then. `delete` tells nobody; `bounce` tells the sender, as NOTIFY asks.
 * `priority` -2 (first) … 2 (last), 0 is ordinary.
 */
export type Operation =
  | { readonly do: 'hold'; readonly note?: string }
  | { readonly do: 'release' }
  | { readonly do: 'retry' }
  | { readonly do: 'requeue' }
  | { readonly do: 'delete' }
  | { readonly do: 'bounce'; readonly reason: string; readonly status?: string }
  | { readonly do: 'priority'; readonly precedence: number };

/** An operation on what was in hand then: done when the attempt in hand has ended without success. */
export interface Wish {
  readonly operation: Operation;
  readonly by: string;
}

export interface OperateOptions {
  /** Who does it: a DN, or the command line's user. Stands in the log. */
  readonly by: string;
  /** A filter without any condition means everything that waits; that must be said. */
  readonly all?: boolean;
  /** Messages at most; the rest is left as it is. */
  readonly limit?: number;
}

/** A recipient that an operation could not have. */
export interface Missed {
  readonly id: QueueId;
  readonly address: string;
}

export interface OperationReport {
  /** What was changed. */
  readonly messages: number;
  readonly recipients: number;
  /** Recipients that a worker has in hand: it is noted, and done when the attempt in hand has ended without success. */
  readonly later?: number;
  /** Recipients that a worker had in hand, and for which nothing could be noted: to be tried again. */
  readonly inHand: number;
  /** The first hundred of those. */
  readonly missed: readonly Missed[];
  /** Recipients that were already as the operation would have them. */
  readonly unchanged: number;
  /** Of `retry` alone: recipients that are kept back, with which nothing was done; they are to be released first. */
  readonly held?: number;
  /** Messages that could not be changed because of an error, which stands in the log. */
  readonly failed: number;
  /** `limit` was reached: there may be more. */
  readonly more: boolean;
}

/** What could not be read and was put aside, so that it blocks nobody. */
export interface AsideEntry {
  readonly id: QueueId;
  readonly slip: string;
  readonly queue: QueueName;
  readonly recipients: number;
  /** Milliseconds since 1970; unknown for what an older version put aside. */
  readonly since?: number;
  /** Why it cannot be read. */
  readonly problem?: string;
  /** Whatever of it can be read. */
  readonly message?: QueuedMessage;
  /** The beginning of the slip's record as it stands there, for people. */
  readonly record?: string;
}

export interface QueueControl {
  /** A page of what matches, sorted. Fault `malformed` for a filter or cursor that makes no sense. */
  search(filter: QueueFilter, options?: SearchOptions): Promise<SearchPage>;
  /** Everything that matches, one message after the other; oldest first unless the filter names ids, a destination or states. */
  find(filter: QueueFilter): AsyncIterable<FoundMessage>;
  /** The header of a message, with the trace header of ours: its octets, at most 256 KiB. Undefined where there is no such message. */
  header(id: QueueId): Promise<Uint8Array | undefined>;
  operate(operation: Operation, filter: QueueFilter, options: OperateOptions): Promise<OperationReport>;
  aside(): AsyncIterable<AsideEntry>;
  /** Puts it back into its queue; it is put aside again where it still cannot be read. False where it does not lie aside. */
  retryAside(id: QueueId, slip: string, by: string): Promise<boolean>;
  /** Deletes what lies aside, and the message with its last recipient. False where it does not lie aside. */
  deleteAside(id: QueueId, slip: string, by: string): Promise<boolean>;
}
