/**
 * One mailbox inside a part: its rows are read chunk by chunk as they are needed, changed, and written back with the counters.
 *
 * Promise: all changes of one part carry the same new mod-sequence; UIDs are given out ascending and never twice.
 * Spec: RFC 3501 §2.3.1.1, RFC 7162 §3.1
 */

import { Fault } from '../base/index.ts';
import { appendRow, chunkOf, decodeChunk, encodeChunk, type Row } from './chunk.ts';
import { type Counters, encodeCounters, noteChunk } from './counters.ts';
import type { Draft } from './draft.ts';
import { deletedBit, type FlagSet, KeywordTable, seenBit } from './flags.ts';
import { chunkKey, countersKey, keywordsKey, lastNumber, vanishedKey, vanishedRange } from './keys.ts';
import type { IndexEntry, MailboxId, Uid } from './port.ts';
import { addExpunge, blockOf, blocksDropped, endOfBlock, mostBlocks } from './vanished.ts';

/** The greatest UID (RFC 3501 §9, nz-number). */
const lastUid = 2 ** 32 - 2;

interface Chunk {
  bytes: Uint8Array | undefined;
  rows: Row[] | undefined;
  changed: boolean;
}

export class MailboxEdit {
  readonly id: MailboxId;
  readonly counters: Counters;
  readonly #draft: Draft;
  readonly #chunks = new Map<number, Chunk>();
  readonly #removed: Uid[] = [];
  #keywords: KeywordTable | undefined;
  #changed = false;

  constructor(draft: Draft, id: MailboxId, counters: Counters) {
    this.#draft = draft;
    this.id = id;
    this.counters = counters;
  }

  get changed(): boolean {
    return this.#changed;
  }

  /** Makes the part write this mailbox, under a new mod-sequence. */
  #change(): void {
    if (this.#changed) return;
    this.#changed = true;
    this.counters.highestModSeq++;
  }

  /** The counters must be written though no message changed; no new mod-sequence, nobody is woken. */
  touchCounters(): void {
    this.#draft.put(countersKey(this.#draft.account, this.id), encodeCounters(this.counters));
  }

  async keywords(): Promise<KeywordTable> {
    this.#keywords ??= new KeywordTable(await this.#draft.read.get(keywordsKey(this.#draft.account, this.id)));
    return this.#keywords;
  }

  /** Numbers for keywords; they are added to the mailbox's table when `create`. */
  async slots(flags: FlagSet, create: boolean): Promise<readonly number[]> {
    return flags.words.length === 0 ? [] : (await this.keywords()).slots(flags.words, create);
  }

  async entry(row: Row): Promise<IndexEntry> {
    const flags = row.words.length === 0 ? plainTable.flags(row.system, row.words) : (await this.keywords()).flags(row.system, row.words);
    return { uid: row.uid, flags, modSeq: row.modSeq, size: row.size, internalDate: row.internalDate };
  }

  async #chunk(no: number): Promise<Chunk> {
    let chunk = this.#chunks.get(no);
    if (!chunk) {
      const bytes = await this.#draft.read.get(chunkKey(this.#draft.account, this.id, no));
      chunk = { bytes, rows: undefined, changed: false };
      this.#chunks.set(no, chunk);
    }
    return chunk;
  }

  /** The messages of one chunk. Change them through `setFlags` and `remove` only. */
  async rows(no: number): Promise<readonly Row[]> {
    const chunk = await this.#chunk(no);
    chunk.rows ??= chunk.bytes ? decodeChunk(chunk.bytes, no) : [];
    return chunk.rows;
  }

  async row(uid: Uid): Promise<Row | undefined> {
    return (await this.rows(chunkOf(uid))).find((row) => row.uid === uid);
  }

  /** Adds a message to the index; returns its UID. */
  async append(flags: FlagSet, size: number, internalDate: number): Promise<Uid> {
    const words = await this.slots(flags, true);
    this.#change();
    const { counters } = this;
    const uid = counters.uidNext++;
    if (uid > lastUid) throw new Fault('too-many', 'this mailbox has used up all message numbers');
    const row: Row = { uid, system: flags.system, words, modSeq: counters.highestModSeq, size, internalDate };
    const no = chunkOf(uid);
    const chunk = await this.#chunk(no);
    if (chunk.rows) chunk.rows.push(row);
    else chunk.bytes = appendRow(chunk.bytes, row, no);
    chunk.changed = true;
    this.#count(row, 1);
    return uid;
  }

  #count(row: Row, one: 1 | -1): void {
    const { counters } = this;
    counters.messages += one;
    counters.size += one * row.size;
    if ((row.system & seenBit) === 0) counters.unseen += one;
    if (row.system & deletedBit) counters.deleted += one;
    this.#draft.use(one * row.size, one);
  }

  /** Gives a row (got from `rows`) these flags. Returns false where it had them already. */
  setFlags(row: Row, system: number, words: readonly number[]): boolean {
    if (row.system === system && row.words.length === words.length && row.words.every((word, n) => word === words[n])) return false;
    this.#change();
    const { counters } = this;
    if ((row.system ^ system) & seenBit) counters.unseen += system & seenBit ? -1 : 1;
    if ((row.system ^ system) & deletedBit) counters.deleted += system & deletedBit ? 1 : -1;
    row.system = system;
    row.words = words;
    row.modSeq = counters.highestModSeq;
    const chunk = this.#chunks.get(chunkOf(row.uid));
    if (chunk) chunk.changed = true;
    return true;
  }

  /** Takes messages out of the index; their records are the caller's business. */
  async remove(uids: ReadonlySet<Uid>): Promise<void> {
    for (const no of new Set([...uids].map(chunkOf))) {
      const rows = await this.rows(no);
      const kept: Row[] = [];
      for (const row of rows) {
        if (!uids.has(row.uid)) kept.push(row);
        else {
          this.#count(row, -1);
          this.#removed.push(row.uid);
        }
      }
      if (kept.length === rows.length) continue;
      this.#change();
      const chunk = await this.#chunk(no);
      chunk.rows = kept;
      chunk.changed = true;
    }
  }

  /** Hands everything that changed to the draft. */
  async finish(): Promise<void> {
    const { account } = this.#draft;
    for (const [no, chunk] of this.#chunks) {
      if (!chunk.changed) continue;
      const key = chunkKey(account, this.id, no);
      if (chunk.rows?.length === 0) {
        this.#draft.delete(key);
        this.counters.recentChunks.delete(no);
        continue;
      }
      const bytes = chunk.rows ? encodeChunk(chunk.rows, no) : chunk.bytes;
      if (bytes) this.#draft.put(key, bytes);
      noteChunk(this.counters, no);
    }
    if (this.#removed.length > 0) await this.#rememberRemoved();
    if (this.#keywords?.changed) this.#draft.put(keywordsKey(account, this.id), this.#keywords.bytes());
    this.touchCounters();
  }

  async #rememberRemoved(): Promise<void> {
    const { account, read } = this.#draft;
    const { counters } = this;
    const block = blockOf(counters.highestModSeq);
    const key = vanishedKey(account, this.id, block);
    const before = await read.get(key);
    const uids = this.#removed.sort((a, b) => a - b);
    this.#draft.put(key, addExpunge(before, block, { modSeq: counters.highestModSeq, uids }));
    if (before) return;
    counters.vanishedBlocks++;
    if (counters.vanishedBlocks <= mostBlocks) return;
    const oldest = await read.scan({ from: vanishedRange(account, this.id).from, to: key }, blocksDropped);
    for (const [old] of oldest) {
      this.#draft.delete(old);
      counters.vanishedSince = endOfBlock(lastNumber(old));
    }
    counters.vanishedBlocks -= oldest.length;
  }
}

const plainTable = new KeywordTable(undefined);
