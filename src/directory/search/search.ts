/**
 * Searching: candidates from the indexes or from walking the tree, checked by filter, scope and rights.
 *
 * Promise: a search that a few index records answer is done before it returns, without leaving the turn; longer ones give the
 * loop back every few hundred entries and stop when asked. Unindexed searches are limited and logged.
 * Spec: RFC 4511 §4.5
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Live, Log } from '../../base/index.ts';
import { type Dn, type Filter, formatFilter } from '../../ldap-wire/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import type { Judge, Subject } from '../access/judge.ts';
import type { Entry } from '../entry.ts';
import { type Actor, DirectoryFault, type SearchRequest, type SortKey } from '../port.ts';
import { decodeNumber } from '../records/codec.ts';
import { keys, lastId, rootId } from '../records/keys.ts';
import type { Stored, View } from '../records/view.ts';
import type { Schema } from '../schema/schema.ts';
import type { DirectorySettings } from '../settings.ts';
import { checkAssertion } from '../write/around.ts';
import type { Compiler, Matcher, MaySearch } from './evaluate.ts';
import { boundsOf, canceled, effortOf, looked, type SearchBounds, stride, strideOf, tooLong, tooMany } from './limits.ts';
import type { Planner } from './plan.ts';
import type { Selection, Selector } from './select.ts';
import { orderOf, Sorting, SortMemory } from './sort.ts';

export interface SearcherParts {
  readonly keyValue: KeyValue;
  readonly view: View;
  readonly schema: Schema;
  readonly judge: Judge;
  readonly compiler: Compiler;
  readonly planner: Planner;
  readonly selector: Selector;
  readonly settings: Live<DirectorySettings>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Candidates that are still worked off in one turn; fewer where the filter is long. */
const atOnce = 64;
/** A base below which fewer entries stand than this is walked rather than searched by a large index. */
const smallTree = 256;
/** Children that are read before the others. */
const firstListed = 128;
/** Levels listed one by one before the walk reads all entries in a row instead. */
const listings = 100;

export interface Limits {
  /** Entries at most. */
  readonly sizeLimit: number;
  /** Throws timeLimitExceeded once the time is over. */
  check(): void;
}

interface Run extends SearchBounds {
  readonly request: SearchRequest;
  readonly subject: Subject;
  readonly base: Dn;
  readonly baseId: number;
  readonly matcher: Matcher;
  /** What looking at an entry costs: 1 with a filter as people write them. */
  readonly effort: number;
  readonly may: MaySearch | undefined;
  readonly selection: Selection;
  readonly onTotal: ((about: number) => void) | undefined;
  /** About how many entries are looked at, where that is known. */
  candidates: number | undefined;
}

export class Searcher {
  readonly #parts: SearcherParts;
  readonly #sortMemory = new SortMemory();

  constructor(parts: SearcherParts) {
    this.#parts = parts;
  }

  search(actor: Actor, request: SearchRequest): AsyncIterable<Entry> {
    return { [Symbol.asyncIterator]: () => this.#begin(actor, request) };
  }

  #begin(actor: Actor, request: SearchRequest): AsyncIterator<Entry> {
    try {
      const run = this.#prepare(actor, request);
      if (request.sort && request.sort.length > 0) return this.#inOrder(run, this.#sorting(run, request.sort));
      const now = this.#now(run);
      if (!now) return this.#slowly(run, (stored) => this.#shown(run, stored));
      request.onTotal?.(now.entries.length);
      return new Ready(now.entries, now.fault);
    } catch (thrown) {
      return new Ready([], thrown);
    }
  }

  /** The whole answer where a few records give it, else undefined. Throws what the search would throw. */
  answerNow(actor: Actor, request: SearchRequest): readonly Entry[] | undefined {
    if (request.sort && request.sort.length > 0) return undefined;
    const now = this.#now(this.#prepare(actor, request));
    if (now?.fault) throw now.fault;
    return now?.entries;
  }

  /** Like `search`, the entries as they stand. `may` is what the filter may ask of them. All limits are in force. */
  async *stored(actor: Actor, request: SearchRequest, may: MaySearch): AsyncGenerator<Stored> {
    yield* this.#slowly({ ...this.#prepare(actor, request), may }, (stored) => stored);
  }

  /** The limits a search would have. Throws noSuchObject where it would. */
  limits(actor: Actor, request: SearchRequest): Limits {
    const { sizeLimit, deadline } = this.#prepare(actor, request);
    const { clock } = this.#parts;
    return {
      sizeLimit,
      check: () => {
        if (clock.now() > deadline) throw tooLong();
      },
    };
  }

  #prepare(actor: Actor, request: SearchRequest): Run {
    const { judge, selector, compiler, settings, clock } = this.#parts;
    const subject = judge.subject(actor);
    const { base } = request;
    const baseId = base.rdns.length === 0 ? rootId : this.#known(subject, base).id;
    if (request.assertion) this.#assert(subject, baseId, request.assertion);
    return {
      request,
      subject,
      base,
      baseId,
      matcher: compiler.compile(request.filter),
      effort: effortOf(request.filter),
      may: subject.system ? undefined : (stored, type) => judge.verdict(subject, stored.entry).allows(type, 'search'),
      selection: selector.selection(request.attributes, request.typesOnly ?? false),
      ...boundsOf(subject, request, settings.value, clock),
      onTotal: request.onTotal,
      candidates: undefined,
    };
  }

  /** RFC 4528 §3: the base is found, and asked before anything is searched. Above all contexts there is no entry to match. */
  #assert(subject: Subject, baseId: number, assertion: Filter): void {
    const { view, judge, compiler } = this.#parts;
    const base = view.load(baseId);
    const matcher = compiler.compile(assertion);
    if (!base) throw new DirectoryFault('assertionFailed', 'there is no entry at the base to match the assertion');
    checkAssertion(judge, subject, matcher, base);
  }

  /** The entry, or noSuchObject naming what of the way to it exists and may be known. */
  #known(subject: Subject, dn: Dn): Stored {
    const { view, judge } = this.#parts;
    const found = view.find(dn);
    if (found && judge.knows(subject, found.entry)) return found;
    throw noSuchEntry(dn, view, judge, subject);
  }

  #now(run: Run): { entries: Entry[]; fault: DirectoryFault | undefined } | undefined {
    const { planner, view } = this.#parts;
    const { scope, filter, signal } = run.request;
    if (signal?.aborted) return { entries: [], fault: canceled() };
    const ids = scope === 'base' ? [run.baseId] : planner.idsNow(filter);
    if (!ids || ids.length * run.effort > atOnce) return undefined;
    const entries: Entry[] = [];
    for (const id of ids) {
      const stored = view.load(id);
      if (!stored || !this.#fits(run, stored)) continue;
      if (entries.length >= run.sizeLimit) return { entries, fault: tooMany(run.sizeLimit) };
      entries.push(this.#shown(run, stored));
    }
    return { entries, fault: undefined };
  }

  /** Whether the entry is in scope, matches and may be known. */
  #fits(run: Run, stored: Stored): boolean {
    const { scope } = run.request;
    const { dn } = stored.entry;
    if (scope === 'base' ? stored.id !== run.baseId : scope === 'one' ? stored.parent !== run.baseId : !dn.isWithin(run.base)) return false;
    return run.matcher(stored, run.may) === true && this.#parts.judge.knows(run.subject, stored.entry);
  }

  /** The entry as the asker gets it. */
  #shown(run: Run, stored: Stored): Entry {
    const { judge, selector } = this.#parts;
    return selector.select(stored, run.selection, judge.verdict(run.subject, stored.entry));
  }

  /** Throws SortFault. */
  #sorting(run: Run, sort: readonly SortKey[]): Sorting {
    const { schema, compiler, settings } = this.#parts;
    // One more than is sent: that there are more must be known.
    return new Sorting(orderOf(schema, compiler, sort), run.may, this.#sortMemory, {
      wanted: run.sizeLimit + 1,
      most: settings.value.sortLimit,
    });
  }

  async *#inOrder(run: Run, sorting: Sorting): AsyncGenerator<Entry> {
    try {
      const all: Run = { ...run, sizeLimit: Number.POSITIVE_INFINITY, onTotal: undefined };
      for await (const stored of this.#slowly(all, (found) => found)) sorting.add(stored);
      const { count } = sorting;
      let sent = 0;
      for (const id of await sorting.ids()) {
        const stored = this.#parts.view.load(id);
        // It may have changed since it was found.
        if (!stored || !this.#fits(run, stored)) continue;
        if (sent >= run.sizeLimit) throw tooMany(run.sizeLimit);
        if (++sent % stride === 0) await nextTurn();
        run.onTotal?.(count);
        yield this.#shown(run, stored);
        if (run.request.signal?.aborted) throw canceled();
      }
    } finally {
      sorting.release();
    }
  }

  async *#slowly<T>(run: Run, show: (stored: Stored) => T): AsyncGenerator<T> {
    const { view, clock } = this.#parts;
    const { onTotal } = run;
    let sent = 0;
    let missed = 0;
    let seen = 0;
    const step = strideOf(run.effort);
    for await (const ids of this.#candidates(run)) {
      for (const id of ids) {
        if (++seen % step === 0) {
          await nextTurn();
          if (run.request.signal?.aborted) throw canceled();
          if (clock.now() > run.deadline) throw tooLong();
        }
        const stored = view.load(id);
        if (!stored || !this.#fits(run, stored)) {
          if (++missed > run.lookThrough) throw looked(run.lookThrough);
          continue;
        }
        if (sent >= run.sizeLimit) throw tooMany(run.sizeLimit);
        sent += 1;
        // As many of the rest as of those that were looked at. For those who see everything alone: an index counts what others may not see.
        if (onTotal && run.subject.root && run.candidates !== undefined)
          onTotal(sent + Math.round((Math.max(run.candidates - seen, 0) * sent) / seen));
        yield show(stored);
        if (run.request.signal?.aborted) throw canceled();
      }
    }
  }

  /** Some at a time: a promise for each would cost as much as the entry. */
  async *#candidates(run: Run): AsyncGenerator<Iterable<number>, void> {
    const { planner, log } = this.#parts;
    const { filter, scope } = run.request;
    const counted = (ids: readonly number[]): readonly number[] => {
      run.candidates = ids.length;
      return ids;
    };
    // A base is one entry, whatever the indexes say.
    if (scope === 'base') return yield counted([run.baseId]);
    const set = await planner.candidates(filter);
    if (set && set.estimate <= smallTree) return yield counted(await set.ids());
    if (run.baseId !== rootId) {
      const near = await this.#nearby(run.baseId, scope);
      if (near) return yield counted(near);
    }
    if (set) return yield ascending(counted(await set.ids()));
    if (scope !== 'one' && log.enabled('informational')) {
      log.info(`no index answers the search ${formatFilter(filter).slice(0, 500)} below "${run.base.toString()}"`);
    }
    if (scope === 'one' && run.baseId !== rootId) run.candidates = this.#parts.view.childCount(run.baseId);
    yield* scope === 'one' ? this.#children(run.baseId) : this.#walk(run.baseId);
  }

  /** The first few are read alone: who asks for a page may never want the rest. */
  async *#children(id: number): AsyncGenerator<readonly number[]> {
    const { keyValue } = this.#parts;
    const range = keys.names(id);
    const first: number[] = [];
    let last = range.from;
    for await (const [key, octets] of keyValue.scan(range, { limit: firstListed })) {
      first.push(decodeNumber(octets));
      last = key;
    }
    yield first;
    if (first.length < firstListed) return;
    const given = new Set(first);
    // From the least key behind the last one.
    yield* inStrides(keyValue.scan({ from: `${last}\u0000`, to: range.to }), ([, octets]) => decodeNumber(octets), given);
  }

  /** Everything in scope, if that is little; else undefined. */
  async #nearby(baseId: number, scope: 'base' | 'one' | 'sub'): Promise<number[] | undefined> {
    const { view } = this.#parts;
    const found = scope === 'sub' ? [baseId] : [];
    if (view.childCount(baseId) > smallTree) return undefined;
    const open = [baseId];
    for (let at = 0; at < open.length; at++) {
      for await (const ids of this.#children(open[at] ?? 0)) {
        for (const id of ids) {
          found.push(id);
          if (scope === 'sub' && view.childCount(id) > 0) open.push(id);
          if (found.length > smallTree || open.length > listings) return undefined;
        }
      }
    }
    return found;
  }

  /** Level by level; a tree with many inner entries is read in a row instead. */
  async *#walk(baseId: number): AsyncGenerator<readonly number[]> {
    const { view, keyValue } = this.#parts;
    if (baseId !== rootId) yield [baseId];
    const seen = new Set([baseId]);
    const open = [baseId];
    for (let at = 0; at < open.length; at++) {
      if (at >= listings) {
        yield* inStrides(keyValue.scan(keys.entries, { keysOnly: true }), ([key]) => lastId(key), seen);
        return;
      }
      for await (const ids of this.#children(open[at] ?? 0)) {
        for (const id of ids) {
          seen.add(id);
          if (view.childCount(id) > 0) open.push(id);
        }
        yield ids;
      }
    }
  }
}

/** The ids of records, but those that were given already. */
async function* inStrides<R>(
  records: AsyncIterable<R>,
  idOf: (record: R) => number,
  given: ReadonlySet<number>,
): AsyncGenerator<readonly number[], void> {
  let some: number[] = [];
  for await (const record of records) {
    const id = idOf(record);
    if (given.has(id)) continue;
    some.push(id);
    if (some.length < stride) continue;
    yield some;
    some = [];
  }
  yield some;
}

/** One range of an index is in order already; a million numbers are sorted as numbers, in some 50 ms, and not by a function. */
function ascending(ids: readonly number[]): Iterable<number> {
  for (let n = 1; n < ids.length; n++) if ((ids[n - 1] ?? 0) > (ids[n] ?? 0)) return Float64Array.from(ids).sort();
  return ids;
}

/** An answer that is there already. */
class Ready implements AsyncIterator<Entry> {
  readonly #entries: readonly Entry[];
  readonly #fault: unknown;
  #at = 0;

  constructor(entries: readonly Entry[], fault: unknown) {
    this.#entries = entries;
    this.#fault = fault;
  }

  next(): Promise<IteratorResult<Entry>> {
    const value = this.#entries[this.#at++];
    if (value) return Promise.resolve({ value, done: false });
    if (this.#fault !== undefined && this.#at === this.#entries.length + 1) return Promise.reject(this.#fault);
    return Promise.resolve({ value: undefined, done: true });
  }
}

export function noSuchEntry(dn: Dn, view: View, judge: Judge, subject: Subject): DirectoryFault {
  let above = view.deepest(dn);
  while (above && !judge.knows(subject, above.entry)) above = above.parent === rootId ? undefined : view.load(above.parent);
  return new DirectoryFault('noSuchObject', 'there is no such entry', { matched: above?.entry.dn });
}
