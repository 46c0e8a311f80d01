/**
 * A mailbox that a session has open: what the client has been told, and what it has still to be told.
 *
 * Promise: sequence numbers change only in `report`; between two reports the messages stand still, so a command may walk over
 * positions across waits. What others did is fetched by `sync` (cheap when nothing happened) and told by `report`: EXPUNGE where
 * the command allows it, EXISTS, RECENT, FLAGS, FETCH.
 * Spec: RFC 3501 §5.2, §7.3, §7.4; RFC 7162 §3.1
 */

import type { AccountId, FlagChange, Flags, IndexEntry, MailboxInfo, Store, Uid } from '../../store/index.ts';
import { expectedFlags, flagList, sameFlags } from './flags.ts';
import { MessageTable } from './table.ts';

const mostRecentSteps = 64;

/** Where reports go. */
export interface ReportSink {
  text(text: string): void;
}

export class SelectedMailbox {
  readonly account: AccountId;
  readonly info: MailboxInfo;
  readonly readOnly: boolean;
  readonly table = new MessageTable();
  /** UIDs of the last SEARCH RETURN (SAVE), ascending (RFC 5182). */
  saved: readonly Uid[] = [];
  readonly #store: Store;
  readonly #unwatch: () => void;
  readonly #keywords = new Map<string, string>();
  readonly #knownSets = new Set<Flags>();
  #toldKeywords = 0;
  #modSeq: number;
  #dirty = true;
  #gone = false;
  #onChange: (() => void) | undefined;
  #expunged = new Set<Uid>();
  #changed = new Set<Uid>();
  #toldLength = 0;
  /** Ascending: from this UID on up to the next entry's, messages are recent for this session or not. */
  #recent: { from: Uid; mine: boolean }[] = [];

  private constructor(store: Store, account: AccountId, info: MailboxInfo, readOnly: boolean) {
    this.#store = store;
    this.account = account;
    this.info = info;
    this.readOnly = readOnly;
    this.#modSeq = info.highestModSeq;
    this.#unwatch = store.watch(account, info.id, () => {
      this.#dirty = true;
      this.#onChange?.();
    });
  }

  /** Opens it; the caller must `close` it. `info` was read just before. */
  static async open(store: Store, account: AccountId, info: MailboxInfo, readOnly: boolean): Promise<SelectedMailbox> {
    const selected = new SelectedMailbox(store, account, info, readOnly);
    try {
      const entries = await store.index(account, info.id);
      selected.table.append(entries);
      for (const entry of entries) selected.#learn(entry.flags);
      await selected.#claimRecent(info.recentFrom);
    } catch (thrown) {
      selected.close();
      throw thrown;
    }
    selected.#toldLength = selected.table.length;
    selected.#toldKeywords = selected.#keywords.size;
    return selected;
  }

  close(): void {
    this.#onChange = undefined;
    this.#unwatch();
  }

  /** The mailbox was deleted by somebody. */
  get gone(): boolean {
    return this.#gone;
  }

  get highestModSeq(): number {
    return this.#modSeq;
  }

  /** Keywords in use, as they are spelled. */
  get keywords(): readonly string[] {
    return [...this.#keywords.values()];
  }

  /** A keyword as this mailbox spells it already. */
  spelling(keyword: string): string {
    return this.#keywords.get(keyword.toLowerCase()) ?? keyword;
  }

  isRecent(uid: Uid): boolean {
    let mine = false;
    for (const step of this.#recent) {
      if (step.from > uid) break;
      mine = step.mine;
    }
    return mine;
  }

  get recentCount(): number {
    let count = 0;
    this.#recent.forEach((step, n) => {
      const next = this.#recent[n + 1]?.from ?? Number.POSITIVE_INFINITY;
      if (step.mine) count += this.table.lowerBound(next) - this.table.lowerBound(step.from);
    });
    return count;
  }

  /** True when the client was told that this message exists and not yet that it is gone. */
  expungedUnreported(uid: Uid): boolean {
    return this.#expunged.has(uid);
  }

  /** Takes over what a command of this session did; the client is told by that command. */
  apply(entry: IndexEntry): void {
    const at = this.table.positionOf(entry.uid);
    if (at < 0) return;
    this.table.update(at, entry);
    this.#changed.delete(entry.uid);
    this.#learn(entry.flags);
  }

  /** The same for a change the client is not told of: it is told all the same where somebody else's change is in it (RFC 3501 §6.4.6). */
  applySilently(entry: IndexEntry, change: FlagChange): void {
    const at = this.table.positionOf(entry.uid);
    if (at < 0) return;
    const others = this.#changed.has(entry.uid) || !sameFlags(entry.flags, expectedFlags(this.table.flags(at), change));
    this.apply(entry);
    if (others) this.#changed.add(entry.uid);
  }

  /** Something may have changed. */
  touch(): void {
    this.#dirty = true;
  }

  /** Resolves at the next change, at once where one is waiting. One waiter at a time. */
  changed(): Promise<void> {
    if (this.#dirty) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onChange = () => {
        this.#onChange = undefined;
        resolve();
      };
    });
  }

  /** Fetches what happened; nothing is told yet. */
  async sync(): Promise<void> {
    if (!this.#dirty || this.#gone) return;
    this.#dirty = false;
    const delta = await this.#store.changes(this.account, this.info.id, this.#modSeq).catch((thrown) => {
      this.#dirty = true;
      throw thrown;
    });
    this.#gone = delta.gone;
    for (const uid of delta.expunged) if (this.table.positionOf(uid) >= 0) this.#expunged.add(uid);
    const last = this.table.length === 0 ? 0 : this.table.uid(this.table.length - 1);
    const arrived: IndexEntry[] = [];
    for (const entry of delta.changed) {
      if (entry.uid > last) arrived.push(entry);
      else this.#merge(entry);
    }
    for (const entry of arrived) this.#learn(entry.flags);
    this.table.append(arrived);
    this.#modSeq = Math.max(this.#modSeq, delta.highestModSeq);
    if (arrived.length > 0) await this.#claimRecent(arrived[0]!.uid);
  }

  #merge(entry: IndexEntry): void {
    const at = this.table.positionOf(entry.uid);
    if (at < 0 || entry.modSeq <= this.table.modSeq(at)) return;
    this.table.update(at, entry);
    this.#changed.add(entry.uid);
    this.#learn(entry.flags);
  }

  /** Tells the client what it has not been told. `expunge`: sequence numbers may change now. */
  report(out: ReportSink, options: { expunge: boolean; modSeq: boolean }): void {
    if (options.expunge && this.#expunged.size > 0) this.#reportExpunged(out);
    if (this.table.length > this.#toldLength) out.text(`* ${this.table.length} EXISTS\r\n* ${this.recentCount} RECENT\r\n`);
    this.#toldLength = this.table.length;
    if (this.#keywords.size > this.#toldKeywords) {
      this.#toldKeywords = this.#keywords.size;
      out.text(`* FLAGS ${flagList(this.keywords)}\r\n`);
    }
    for (const uid of this.#changed) {
      const at = this.table.positionOf(uid);
      if (at >= 0)
        out.text(`* ${at + 1} FETCH (${this.flagsItem(at)} UID ${uid}${options.modSeq ? ` MODSEQ (${this.table.modSeq(at)})` : ''})\r\n`);
    }
    this.#changed.clear();
  }

  /** `FLAGS (…)` of the message at a position. */
  flagsItem(position: number): string {
    const flags = this.table.flags(position);
    return this.isRecent(this.table.uid(position)) ? `FLAGS (${[...flags, '\\Recent'].join(' ')})` : `FLAGS (${flags.join(' ')})`;
  }

  #reportExpunged(out: ReportSink): void {
    const gone = [...this.#expunged].map((uid) => this.table.positionOf(uid)).filter((at) => at >= 0);
    gone.sort((a, b) => a - b);
    const before = this.#toldLength;
    // From the end: no number given changes one still to be given.
    for (const at of gone.toReversed()) if (at < before) out.text(`* ${at + 1} EXPUNGE\r\n`);
    for (const uid of this.#expunged) this.#changed.delete(uid);
    this.table.remove(gone);
    this.#toldLength -= gone.filter((at) => at < before).length;
    this.#expunged.clear();
  }

  #learn(flags: Flags): void {
    if (this.#knownSets.has(flags)) return;
    if (this.#knownSets.size < 10_000) this.#knownSets.add(flags);
    for (const flag of flags)
      if (!flag.startsWith('\\') && !this.#keywords.has(flag.toLowerCase())) this.#keywords.set(flag.toLowerCase(), flag);
  }

  /** Messages from `from` on are new to this session: whose are they to call recent? */
  async #claimRecent(from: Uid): Promise<void> {
    const mineFrom = this.readOnly ? from : await this.#store.claimRecent(this.account, this.info.id);
    const start = Math.max(from, mineFrom);
    const last = this.#recent.at(-1);
    if (start > from && last?.mine !== false) this.#recent.push({ from, mine: false });
    if (this.#recent.at(-1)?.mine !== true) this.#recent.push({ from: start, mine: true });
    // Two sessions taking turns would grow this for ever; the oldest messages cease to be recent.
    if (this.#recent.length > mostRecentSteps) this.#recent.splice(0, this.#recent.length - mostRecentSteps);
  }
}
