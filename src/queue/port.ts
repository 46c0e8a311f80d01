/**
 * The shared message queue as its users see it.
 *
 * A message is accepted once (`submit`, durable before it resolves) into the input queue with all its recipients. The
 * preprocessor files every recipient under an output channel; channel processors lease work, and finish each recipient
 * exactly once: completed, deferred or bounced. What must happen together (deliver into the store and complete the
 * recipient) is joined by the Parts below.
 * Source: manual chapter 3 "MTA Queue Management"; checklist MTA-06
 */

import type { InputChannel, OutputChannel } from '../base/index.ts';
import type { BlobInfo, Part } from '../storage/index.ts';
import type { Wish } from './control-port.ts';

/** Where a recipient waits: not yet routed, or at a channel. */
export type QueueName = 'INPUT' | OutputChannel;

/** Opaque, sortable by time of arrival, safe in file names and headers. */
export type QueueId = string;

/** RFC 3461 §4: what the sender wants to hear about this recipient. Undefined means the default (failure, and delay). */
export interface DsnRequest {
  readonly notify?: readonly ('never' | 'success' | 'failure' | 'delay')[];
  /** `ORCPT` as given: `rfc822;user@host` (xtext decoded). */
  readonly originalRecipient?: string;
}

export interface NewRecipient {
  /** As in RCPT TO: local part as given, domain lower-case A-label. */
  readonly address: string;
  readonly dsn?: DsnRequest;
  /** Filed already: waits at this channel and not in the input queue. For changed copies that the preprocessor makes. */
  readonly filed?: { readonly queue: OutputChannel; readonly identifier: string };
}

/** The client a message came from; for Received, logs and policy. */
export interface Origin {
  readonly address?: string;
  readonly port?: number;
  readonly helo?: string;
  /** DN of the authenticated sender. */
  readonly user?: string;
  /** Address of the authenticated sender's account. */
  readonly login?: string;
  readonly protocol?: string;
  readonly tls?: boolean;
}

export interface NewMessage {
  readonly id: QueueId;
  /** Envelope sender; empty string is the null sender. */
  readonly sender: string;
  readonly recipients: readonly NewRecipient[];
  readonly blob: BlobInfo;
  /** Trace header written by the accepting door; goes in front of the blob's bytes everywhere. CRLF lines. */
  readonly prefix: string;
  readonly inputChannel: InputChannel;
  readonly origin: Origin;
  /** RFC 6531: an address or header is not ASCII. */
  readonly smtputf8: boolean;
  /** RFC 6152: the content has octets above 127. */
  readonly eightBit: boolean;
  /** RFC 3461 RET and ENVID. */
  readonly ret?: 'full' | 'hdrs';
  readonly envelopeId?: string;
  /** Milliseconds since 1970. */
  readonly arrivedAt: number;
  /** Of its header, as given; for logs and searches. */
  readonly messageId?: string;
  /** How urgent its sender says it is (`mail/precedence.ts`): -2 (first) … 2 (last); not set: 0, ordinary. */
  readonly precedence?: number;
  /** A line of the content has more than 998 octets: it must be converted before it goes to another host. RFC 5321 §4.5.3.1.6 */
  readonly longLines?: boolean;
  /** A report about a message that was taken for spam: it is not tried for long. */
  readonly spam?: boolean;
  /**
   * What mail authentication found out at the door. `trusted`: not asked, as a user who had logged in or a host that may relay handed it
   * in. `fail`: the sender is likely not who is said, and hears nothing from us. Absent: nobody asked.
   */
  readonly authentication?: 'trusted' | 'pass' | 'fail' | 'none';
  /** Why it goes into the folder for unwanted mail and not into INBOX. */
  readonly quarantine?: string;
  /** The message that this one came of: of a report, what it reports about; of a changed copy, the original. */
  readonly parent?: QueueId;
}

/** A message in the queue, whoever its recipients are. */
export type QueuedMessage = Omit<NewMessage, 'recipients'>;

/** A recipient's number within its message: stays the same as long as it is queued. With the queue id it is the delivery id. */
export type RecipientNumber = number;

export interface QueuedRecipient {
  readonly number: RecipientNumber;
  readonly address: string;
  readonly dsn?: DsnRequest;
  readonly queue: QueueName;
  /** Channel identifier: mailbox key (entryUUID) for LOCAL, next-hop domain for SMTPC, decoder address for BSMTPOUT … */
  readonly identifier: string;
  readonly attempts: number;
  /** Not before this time; milliseconds since 1970. */
  readonly nextAttempt: number;
  /** Why it waits, for people. */
  readonly reason?: string;
  /** Set once the sender was told of a delay. */
  readonly delayNotified?: boolean;
  /** When it was deferred for the first time; milliseconds since 1970. */
  readonly deferredSince?: number;
  /**
   * Goes with the next run of its destination, which was expected then; `nextAttempt` is when it has to be looked at in any case. In
   * listings `nextAttempt` is the run.
   */
  readonly runAt?: number;
  /** An administrator wants it to go, as of `nextAttempt`, whatever was known of its destination then. */
  readonly told?: true;
  /** -2 (first) … 2 (last): the message's own, or what an administrator made of it. Not set: 0, ordinary. */
  readonly precedence?: number;
  /** An administrator keeps it back. */
  readonly held?: Hold;
  /** Milliseconds it was kept back altogether: time that does not count towards giving up. */
  readonly heldFor?: number;
  /** An administrator put it back into the input queue. */
  readonly requeued?: boolean;
  /** What an administrator wanted done while it was in hand: to be done in this order before anybody has it in hand again. */
  readonly wishes?: readonly Wish[];
  /** The other routes of a recipient that has several. */
  readonly also?: readonly Route[];
}

/** Who keeps mail back, and why. */
export interface Hold {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly by: string;
  readonly note?: string;
}

/** Work handed to one processor: the message and those of its recipients that wait in one queue and are due. */
export interface Lease {
  readonly token: string;
  readonly queue: QueueName;
  readonly message: QueuedMessage;
  readonly recipients: readonly QueuedRecipient[];
}

/** A place where a recipient goes. */
export interface Route {
  readonly address: string;
  readonly queue: OutputChannel;
  readonly identifier: string;
}

/** Where the preprocessor wants a recipient to go. One recipient may get several routes; the address may be rewritten. */
export interface Filing {
  readonly from: RecipientNumber;
  /** `dsn`: what the sender wants to hear about this route, where that is not what it was about the recipient (RFC 3461 §5.2.7). */
  readonly to: readonly (Route & { readonly dsn?: DsnRequest })[];
}

export interface Deferral {
  readonly number: RecipientNumber;
  readonly nextAttempt: number;
  readonly reason: string;
  readonly delayNotified?: boolean;
  /** Nobody was asked: not counted as an attempt. */
  readonly untried?: boolean;
  /** As of a recipient. */
  readonly runAt?: number;
}

/** Names of destinations; `size` is 0 where there are none, else it need not be exact. */
export type Excepted = Pick<ReadonlySet<string>, 'has' | 'size'>;

export interface LeaseOptions {
  /** Only this destination's. Recipients of one message that just came to LOCAL are leased together, whatever their mailbox. */
  readonly identifier?: string;
  /** Not these destinations' (they are busy); the others get their turn however much waits for these. */
  readonly except?: readonly string[] | Excepted;
}

/** What becomes of recipients of a lease, in one commit. Those it does not mention stay leased. */
export interface Outcome {
  readonly filed?: readonly Filing[];
  readonly done?: readonly RecipientNumber[];
  readonly deferred?: readonly Deferral[];
}

export interface QueueSummary {
  readonly queue: QueueName;
  /** Recipients due or leased. */
  readonly pending: number;
  readonly deferred: number;
  /** Recipients that an administrator keeps back. */
  readonly held: number;
  /** Recipients of records that cannot be read and were put aside. */
  readonly aside: number;
}

/** What waits for a destination, as its index has it: nothing else is read for it. */
export interface WaitingSlip {
  /** For `leaseWaiting`. */
  readonly key: string;
  readonly id: QueueId;
  readonly recipients: number;
  /** Not before this time; milliseconds since 1970. */
  readonly due: number;
  /** Octets of the message. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly arrivedAt: number;
  /** When the first of them was put off for the first time; undefined while none was. */
  readonly deferredSince?: number;
  /** -2 (first) … 2 (last). */
  readonly precedence: number;
  /** Goes with the next run of its destination. */
  readonly sleeps: boolean;
}

/** A record or message that could not be read, so that it was put aside. */
export interface NewlyAside {
  readonly id: QueueId;
  readonly slip: string;
  readonly queue: QueueName;
  readonly recipients: number;
  readonly problem: string;
}

export interface QueueListing {
  readonly message: QueuedMessage;
  readonly recipients: readonly QueuedRecipient[];
}

export interface Queue {
  /** A fresh id; the door puts it into its Received line before it submits. */
  newId(): QueueId;
  /** Durable when it resolves. */
  submit(message: NewMessage): Promise<void>;
  /** The same as a part, to be joined with the completion of what caused the message (bounce, forward). */
  submitPart(message: NewMessage): Part<void>;
  /**
   * Up to `limit` messages that have due recipients in this queue, oldest due first, grouped by message; with `identifier` only
   * that destination's. Nobody else gets them until the lease ends. A lease lasts as long as its process lives and says so; what a dead one
   * had goes to others within two minutes, at the next start at once.
   */
  lease(queue: QueueName, limit: number, options?: LeaseOptions): Promise<Lease[]>;
  /** Moves recipients of an INPUT lease to their channels and ends the lease. Recipients with no route stay with the caller (bounce them). */
  file(lease: Lease, filings: readonly Filing[]): Promise<void>;
  filePart(lease: Lease, filings: readonly Filing[]): Part<void>;
  /** These recipients are done (delivered, bounced, discarded); the last one done frees the message. Checks that the lease still holds. */
  completePart(lease: Lease, numbers: readonly RecipientNumber[]): Part<void>;
  complete(lease: Lease, numbers: readonly RecipientNumber[]): Promise<void>;
  /** File, complete and defer recipients of one lease together; to be joined with what caused it (store delivery, bounce). */
  settlePart(lease: Lease, outcome: Outcome): Part<void>;
  /** The same at once, together with messages it gives rise to (bounces, changed copies). Durable when it resolves. */
  settle(lease: Lease, outcome: Outcome, submissions?: readonly NewMessage[]): Promise<void>;
  defer(lease: Lease, deferrals: readonly Deferral[]): Promise<void>;
  /**
   * Puts what is left of a lease aside, as it cannot be read (`problem` says why, in a line): it waits for an administrator and hinders
   * nobody. Durable when it resolves.
   */
  putAside(lease: Lease, problem: string): Promise<void>;
  /** Gives unfinished recipients back, due at once. */
  release(lease: Lease): Promise<void>;
  /** Gives back everything of a queue that this process has leased: its worker is no more. Returns how many leases. */
  giveBack(queue: QueueName): Promise<number>;
  /** Calls `listener` for every record that cannot be read and was put aside. */
  onAside(listener: (entry: NewlyAside) => void): () => void;
  /** Calls `listener` whenever this queue may have due work: on filing, release, and when a deferred recipient's time comes. */
  onWork(queue: QueueName, listener: () => void): () => void;
  /** What waits for a destination, due or not, in the order it falls due; without what is leased or kept back. */
  waiting(queue: QueueName, identifier: string): AsyncIterable<WaitingSlip>;
  /** Destinations for which anything waits, and when the first of it is due. Costs a look for each destination, not for each message. */
  identifiers(queue: QueueName): AsyncIterable<{ readonly identifier: string; readonly nextAttempt: number }>;
  /** Leases these, due or not, as far as they still wait. */
  leaseWaiting(queue: QueueName, keys: readonly string[]): Promise<Lease[]>;
  /**
   * While somebody listens, `retryNow` tells them and changes nothing: whoever looks after destinations knows what to do. What is due counts,
   * too: it may wait for its turn.
   */
  onRetry(queue: QueueName, listener: (identifier: string | undefined) => void): () => void;
  /** Makes deferred recipients due now (all, or one destination's). Returns how many. */
  retryNow(queue: QueueName, identifier?: string): Promise<number>;
  /**
   * Makes due what waits for longer than `ms` from now: a time that nobody means, written while the clock was wrong. Returns how many
   * recipients.
   */
  retryFar(queue: QueueName, ms: number): Promise<number>;
  summary(): Promise<QueueSummary[]>;
  list(options?: { queue?: QueueName; limit?: number; after?: QueueId }): AsyncIterable<QueueListing>;
  get(id: QueueId): Promise<QueueListing | undefined>;
  /** What is deferred by destination, for status: of one, or of at most 10,000, those for which most waits. */
  destinations(
    queue: QueueName,
    identifier?: string,
  ): Promise<{ identifier: string; messages: number; recipients: number; nextAttempt: number; reason?: string }[]>;
}
