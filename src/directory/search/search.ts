/**
 * Searching: candidates from the indexes or from walking the tree, checked by filter, scope and rights.
 *
 * Promise: a search that a few index records answer is done before it returns, without leaving the turn; longer ones give the
 * loop back every few hundred entries and stop when asked. Unindexed searches are limited and logged.
 * Spec: RFC 4511 §4.5
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Live, Log } from '../../base/index.ts';
import { type Dn, formatFilter } from '../../ldap-wire/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import type { Judge, Subject, Verdict } from '../access/judge.ts';
import type { Entry } from '../entry.ts';
import { type Actor, DirectoryFault, type SearchRequest } from '../port.ts';
import { decodeNumber } from '../records/codec.ts';
import { keys, lastId, rootId } from '../records/keys.ts';
import type { Stored, View } from '../records/view.ts';
import type { DirectorySettings } from '../settings.ts';
import type { Compiler, Matcher, MaySearch } from './evaluate.ts';
import type { Planner } from './plan.ts';
import type { Selection, Selector } from './select.ts';

export interface SearcherParts {
  readonly keyValue: KeyValue;
  readonly view: View;
  readonly judge: Judge;
  readonly compiler: Compiler;
  readonly planner: Planner;
  readonly selector: Selector;
  readonly settings: Live<DirectorySettings>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Entries between two looks at clock, signal and loop. */
const stride = 100;
/** Candidates that are still worked off in one turn. */
const atOnce = 64;
/** A base below which fewer entries stand than this is walked rather than searched by a large index. */
const smallTree = 256;
/** Levels listed one by one before the walk reads all entries in a row instead. */
const listings = 100;

interface Run {
  readonly request: SearchRequest;
  readonly subject: Subject;
  readonly base: Dn;
  readonly baseId: number;
  readonly matcher: Matcher;
  readonly may: MaySearch | undefined;
  readonly selection: Selection;
  readonly sizeLimit: number;
  readonly lookThrough: number;
  readonly deadline: number;
}

export class Searcher {
  readonly #parts: SearcherParts;

  constructor(parts: SearcherParts) {
    this.#parts = parts;
  }

  search(actor: Actor, request: SearchRequest): AsyncIterable<Entry> {
    return { [Symbol.asyncIterator]: () => this.#begin(actor, request) };
  }

  #begin(actor: Actor, request: SearchRequest): AsyncIterator<Entry> {
    try {
      const run = this.#prepare(actor, request);
      const now = this.#now(run);
      return now ? new Ready(now.entries, now.fault) : this.#slowly(run);
    } catch (thrown) {
      return new Ready([], thrown);
    }
  }

  /** The whole answer where a few records give it, else undefined. Throws what the search would throw. */
  answerNow(actor: Actor, request: SearchRequest): readonly Entry[] | undefined {
    const now = this.#now(this.#prepare(actor, request));
    if (now?.fault) throw now.fault;
    return now?.entries;
  }

  #prepare(actor: Actor, request: SearchRequest): Run {
    const { judge, selector, compiler, settings, clock } = this.#parts;
    const subject = judge.subject(actor);
    const { base } = request;
    const baseId = base.rdns.length === 0 ? rootId : this.#known(subject, base).id;
    const asked = request.sizeLimit ?? 0;
    const { sizeLimit, timeLimit, lookThroughLimit } = settings.value;
    const own = subject.root || sizeLimit === 0 ? Number.POSITIVE_INFINITY : sizeLimit;
    const time = [request.timeLimit ?? 0, subject.system ? 0 : timeLimit].filter((limit) => limit > 0);
    return {
      request,
      subject,
      base,
      baseId,
      matcher: compiler.compile(request.filter),
      may: subject.system ? undefined : (stored, type) => judge.verdict(subject, stored.entry).allows(type, 'search'),
      selection: selector.selection(request.attributes, request.typesOnly ?? false),
      sizeLimit: Math.min(asked > 0 ? asked : Number.POSITIVE_INFINITY, own),
      lookThrough: subject.root || lookThroughLimit === 0 ? Number.POSITIVE_INFINITY : lookThroughLimit,
      deadline: time.length === 0 ? Number.POSITIVE_INFINITY : clock.now() + Math.min(...time) * 1000,
    };
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
    if (!ids || ids.length > atOnce) return undefined;
    const entries: Entry[] = [];
    for (const id of ids) {
      const stored = view.load(id);
      const entry = stored && this.#take(run, stored);
      if (!entry) continue;
      if (entries.length >= run.sizeLimit) return { entries, fault: tooMany(run.sizeLimit) };
      entries.push(entry);
    }
    return { entries, fault: undefined };
  }

  /** The entry as the asker gets it, or undefined where it is out of scope, does not match or may not be known. */
  #take(run: Run, stored: Stored): Entry | undefined {
    const { scope } = run.request;
    const { dn } = stored.entry;
    if (scope === 'base' ? stored.id !== run.baseId : scope === 'one' ? stored.parent !== run.baseId : !dn.isWithin(run.base))
      return undefined;
    if (run.matcher(stored, run.may) !== true) return undefined;
    const { judge, selector } = this.#parts;
    if (!judge.knows(run.subject, stored.entry)) return undefined;
    const verdict: Verdict = judge.verdict(run.subject, stored.entry);
    return selector.select(stored, run.selection, verdict);
  }

  async *#slowly(run: Run): AsyncGenerator<Entry> {
    const { view, clock } = this.#parts;
    let sent = 0;
    let missed = 0;
    let seen = 0;
    for await (const id of this.#candidates(run)) {
      if (++seen % stride === 0) {
        await nextTurn();
        if (run.request.signal?.aborted) throw canceled();
        if (clock.now() > run.deadline) throw new DirectoryFault('timeLimitExceeded', 'the search took too long');
      }
      const stored = view.load(id);
      const entry = stored && this.#take(run, stored);
      if (!entry) {
        if (++missed > run.lookThrough) {
          throw new DirectoryFault(
            'adminLimitExceeded',
            `no index answers this search, and it looked at more than ${run.lookThrough} entries`,
          );
        }
        continue;
      }
      if (sent >= run.sizeLimit) throw tooMany(run.sizeLimit);
      sent += 1;
      yield entry;
      if (run.request.signal?.aborted) throw canceled();
    }
  }

  async *#candidates(run: Run): AsyncGenerator<number> {
    const { planner, log } = this.#parts;
    const { filter, scope } = run.request;
    const set = planner.candidates(filter);
    if (set && set.estimate <= smallTree) return yield* await set.ids();
    if (run.baseId !== rootId) {
      const near = await this.#nearby(run.baseId, scope);
      if (near) return yield* near;
    }
    if (set) return yield* ascending(await set.ids());
    if (scope !== 'one' && log.enabled('informational')) {
      log.info(`no index answers the search ${formatFilter(filter).slice(0, 500)} below "${run.base.toString()}"`);
    }
    yield* scope === 'one' ? this.#children(run.baseId) : this.#walk(run.baseId);
  }

  async *#children(id: number): AsyncGenerator<number> {
    for await (const [, octets] of this.#parts.keyValue.scan(keys.names(id))) yield decodeNumber(octets);
  }

  /** Everything in scope, if that is little; else undefined. */
  async #nearby(baseId: number, scope: 'base' | 'one' | 'sub'): Promise<number[] | undefined> {
    const { view } = this.#parts;
    const found = scope === 'sub' ? [baseId] : [];
    if (view.childCount(baseId) > smallTree) return undefined;
    const open = [baseId];
    for (let at = 0; at < open.length; at++) {
      for await (const id of this.#children(open[at] ?? 0)) {
        found.push(id);
        if (scope === 'sub' && view.childCount(id) > 0) open.push(id);
        if (found.length > smallTree || open.length > listings) return undefined;
      }
    }
    return found;
  }

  /** Level by level; a tree with many inner entries is read in a row instead. */
  async *#walk(baseId: number): AsyncGenerator<number> {
    const { view, keyValue } = this.#parts;
    if (baseId !== rootId) yield baseId;
    const seen = new Set([baseId]);
    const open = [baseId];
    for (let at = 0; at < open.length; at++) {
      if (at >= listings) {
        for await (const [key] of keyValue.scan(keys.entries, { keysOnly: true })) {
          const id = lastId(key);
          if (!seen.has(id)) yield id;
        }
        return;
      }
      for await (const id of this.#children(open[at] ?? 0)) {
        seen.add(id);
        if (view.childCount(id) > 0) open.push(id);
        yield id;
      }
    }
  }
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

const tooMany = (limit: number): DirectoryFault => new DirectoryFault('sizeLimitExceeded', `more than ${limit} entries match`);
const canceled = (): DirectoryFault => new DirectoryFault('canceled', 'the search was given up');
