/**
 * The two storage ports: small records by key (KeyValue) and immutable bytes by id (Blobs).
 *
 * Everything above is written against these, so that another engine (PostgreSQL's wire protocol, object storage) can carry
 * the same rooms. One contract suite per port: test/contracts.
 */

import { Fault } from '../base/index.ts';

/**
 * Keys are strings ordered by their UTF-8 bytes. A room owns the keys below its own first segment (`queue/…`, `store/…`).
 */
export type Key = string;

/** Keys k with `from` <= k < `to`. */
export interface KeyRange {
  readonly from: Key;
  readonly to: Key;
}

/** `durable` answers after the flush; `soon` answers once written and is flushed within a second. */
export type Durability = 'durable' | 'soon';

/** What a part sees: the committed state plus every part ahead of it. */
export interface PartReader {
  get(key: Key): Promise<Uint8Array | undefined>;
  /** The same at once. Only for engines in this process; others throw. */
  getNow(key: Key): Uint8Array | undefined;
  /** In key order. Costs an engine call: not for the hot path. */
  scan(range: KeyRange, limit?: number): Promise<[Key, Uint8Array][]>;
}

/** What a part wants to happen, all of it or nothing. */
export interface Changes<T> {
  /** Conditions that must hold at commit; one that does not throws `CheckFailed` to the caller and nothing is written. */
  readonly checks?: readonly Check[];
  readonly puts?: readonly (readonly [Key, Uint8Array])[];
  readonly deletes?: readonly Key[];
  /** Topics whose subscribers are called once the changes can be seen (for `durable`: after the flush). */
  readonly wake?: readonly string[];
  readonly result: T;
}

export type Check = { readonly absent: Key } | { readonly present: Key };

/**
 * A short pure function from what it reads to what should change. It may be run again, so it has no side effect, keeps no
 * state and reads no clock (times and ids are made by the caller, before).
 */
export type Part<T> = (read: PartReader) => Promise<Changes<T>>;

/** A check of a part did not hold. `key` says which. */
export class CheckFailed extends Error {
  readonly key: Key;
  constructor(key: Key) {
    super(`check failed: ${key}`);
    this.name = 'CheckFailed';
    this.key = key;
  }
}

export interface KeyValue {
  /** Runs the part against everything committed or queued before it; resolves by the durability's rule. */
  transact<T>(part: Part<T>, durability: Durability): Promise<T>;
  /** One record, as committed. */
  get(key: Key): Promise<Uint8Array | undefined>;
  /** One small hot record, as committed, at once. Only for engines in this process; others throw. */
  getNow(key: Key): Uint8Array | undefined;
  getMany(keys: readonly Key[]): Promise<(Uint8Array | undefined)[]>;
  /** A consistent walk over a range; reads ahead in pages and yields to the event loop between them. */
  scan(range: KeyRange, options?: { reverse?: boolean; limit?: number; keysOnly?: boolean }): AsyncIterable<[Key, Uint8Array]>;
  /** The committed records as they are now, whatever is written from now on. Only for engines in this process; close it soon. */
  snapshot(): Snapshot;
  /** Calls `listener` after every commit that names the topic in `wake`. Calls are coalesced per flush. */
  subscribe(topic: string, listener: () => void): () => void;
  /** False after a failed write: every `transact` then fails with a Fault `no-space` or `unavailable`, until writing works again. */
  readonly healthy: boolean;
  /** What keeps it from writing, for people; undefined while it is healthy. */
  readonly problem?: string | undefined;
  /** Waits until everything written so far is flushed. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** One moment of a database. */
export interface Snapshot extends Pick<KeyValue, 'getNow' | 'scan'> {
  close(): Promise<void>;
}

/** Identifies immutable bytes; sorts roughly by time of writing. */
export type BlobId = string;

export interface BlobInfo {
  readonly id: BlobId;
  /** Octets. */
  readonly size: number;
}

/**
 * What a blob says about itself beside length, checksum and time, so that a store can be rebuilt from blobs alone: the
 * envelope as it was accepted. Small JSON.
 */
export type BlobDescription = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/**
 * The bytes of this blob cannot be had: they are gone or damaged, and asking again will not help. Kind `not-found` or `unavailable`.
 * What passes (no descriptors, no memory) is a Fault `unavailable` of another class.
 */
export class UnreadableBlob extends Fault {
  readonly blob: BlobId;
  constructor(blob: BlobId, kind: 'not-found' | 'unavailable', say: string, cause?: unknown) {
    super(kind, say, { cause });
    this.name = 'UnreadableBlob';
    this.blob = blob;
  }
}

export interface BlobWriter {
  /** Resolves when more may be written (back-pressure). */
  write(chunk: Uint8Array): Promise<void>;
  /** Octets so far. */
  readonly size: number;
  /** Durable when it resolves; concurrent commits share one flush. */
  commit(description?: BlobDescription): Promise<BlobInfo>;
  /** Forgets what was written. Safe to call at any time, also after commit (then nothing happens). */
  abort(): Promise<void>;
}

export interface Blobs {
  create(): BlobWriter;
  /** `create`, one `write`, `commit`. */
  put(bytes: Uint8Array, description?: BlobDescription): Promise<BlobInfo>;
  /** Bytes from `start` (inclusive) to `end` (exclusive); throws UnreadableBlob, `not-found` for an unknown id. */
  read(id: BlobId, start?: number, end?: number): Promise<Uint8Array>;
  /** The same in chunks of at most 64 KiB. */
  stream(id: BlobId, start?: number, end?: number): AsyncIterable<Uint8Array>;
  /** All of it; throws UnreadableBlob before the last chunk where the checksum of what is on disk is wrong. */
  whole(id: BlobId): AsyncIterable<Uint8Array>;
  info(id: BlobId): Promise<(BlobInfo & { readonly description: BlobDescription; readonly writtenAt: number }) | undefined>;
  /** Recomputes the checksum. */
  verify(id: BlobId): Promise<boolean>;
  /** Gives back the space of these; only for whoever has made sure that nothing refers to them. */
  remove(ids: readonly BlobId[]): Promise<void>;
  /** In no particular order; with `writtenBefore` (milliseconds since 1970) only those written before it. */
  list(options?: { readonly writtenBefore?: number }): AsyncIterable<BlobId>;
  close(): Promise<void>;
}
