/**
 * Searching, reading and comparing the computed subtree, with the rights, filters, limits and orders of any other entry.
 *
 * Promise: nothing is made that was not asked for, or for somebody who may not know of it, who is told that there is no such entry; a
 * search is streamed and gives the loop back. It is read only.
 * Spec: RFC 4511 §4.5, §4.10
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Live } from '../../base/index.ts';
import type { Dn } from '../../ldap-wire/index.ts';
import type { Judge, Subject } from '../access/judge.ts';
import type { Entry } from '../entry.ts';
import { type Actor, DirectoryFault, type SearchRequest, SortFault } from '../port.ts';
import type { Stored } from '../records/view.ts';
import type { Schema } from '../schema/schema.ts';
import type { Compiler, Matcher, MaySearch } from '../search/evaluate.ts';
import { boundsOf, canceled, effortOf, looked, type SearchBounds, strideOf, tooLong, tooMany } from '../search/limits.ts';
import type { Selector } from '../search/select.ts';
import { orderOf, Sorting, SortMemory } from '../search/sort.ts';
import type { DirectorySettings } from '../settings.ts';
import { checkAssertion } from '../write/around.ts';
import { type ComputedEntry, type ComputedTree, monitorBase, monitorName } from './tree.ts';

export interface ComputedParts {
  readonly schema: Schema;
  readonly judge: Judge;
  readonly compiler: Compiler;
  readonly selector: Selector;
  readonly settings: Live<DirectorySettings>;
  readonly clock: Clock;
}

/** What making an entry costs, in terms of matching one by a short filter. */
const making = 4;

interface Run extends SearchBounds {
  readonly request: SearchRequest;
  readonly subject: Subject;
  readonly matcher: Matcher;
  readonly may: MaySearch | undefined;
}

export class ComputedReader {
  readonly #parts: ComputedParts;
  readonly #sortMemory = new SortMemory();
  #tree: ComputedTree | undefined;

  constructor(parts: ComputedParts) {
    this.#parts = parts;
  }

  use(tree: ComputedTree): void {
    this.#tree = tree;
  }

  /** Whether the name is at or below the top of the subtree, and there is one. */
  has(dn: Dn): boolean {
    return this.#tree !== undefined && dn.isWithin(monitorBase);
  }

  async *search(actor: Actor, request: SearchRequest): AsyncGenerator<Entry> {
    const { judge, compiler, selector, settings, clock } = this.#parts;
    const subject = judge.subject(actor);
    const base = await this.#known(subject, request.base);
    if (request.assertion) checkAssertion(judge, subject, compiler.compile(request.assertion), base);
    const run: Run = {
      ...boundsOf(subject, request, settings.value, clock),
      request,
      subject,
      matcher: compiler.compile(request.filter),
      may: subject.system ? undefined : (stored, type) => judge.verdict(subject, stored.entry).allows(type, 'search'),
    };
    const selection = selector.selection(request.attributes, request.typesOnly ?? false);
    const sorted = request.sort && request.sort.length > 0;
    let sent = 0;
    for await (const stored of sorted ? this.#inOrder(run, base) : this.#matching(run, base)) {
      if (++sent > run.sizeLimit) throw tooMany(run.sizeLimit);
      yield selector.select(stored, selection, judge.verdict(subject, stored.entry));
    }
  }

  async read(actor: Actor, dn: Dn, attributes: readonly string[] | undefined): Promise<Entry | undefined> {
    const { judge, selector } = this.#parts;
    const subject = judge.subject(actor);
    const stored = await this.#knownTo(subject, dn);
    return stored && selector.select(stored, selector.selection(attributes, false), judge.verdict(subject, stored.entry));
  }

  /** Throws noSuchObject where the subject may not know of it. */
  stored(subject: Subject, dn: Dn): Promise<Stored> {
    return this.#known(subject, dn);
  }

  /** Throws why nobody writes here; whoever may not know of the subtree hears that there is nothing. */
  async refuseWrite(actor: Actor, names: readonly Dn[]): Promise<void> {
    const inside = names.find((dn) => this.has(dn));
    if (!inside) return;
    await this.#known(this.#parts.judge.subject(actor), monitorBase);
    throw readOnly(inside);
  }

  async #find(dn: Dn): Promise<Stored | undefined> {
    const found = await this.#tree?.find(dn);
    return found && storedOf(found, 0);
  }

  /** Undefined also where the subject may not know of it; then nothing is made, for making costs more than asking. */
  async #knownTo(subject: Subject, dn: Dn): Promise<Stored | undefined> {
    const { judge } = this.#parts;
    const stored = judge.couldKnow(subject, dn) ? await this.#find(dn) : undefined;
    return stored && judge.knows(subject, stored.entry) ? stored : undefined;
  }

  async #known(subject: Subject, dn: Dn): Promise<Stored> {
    const stored = await this.#knownTo(subject, dn);
    if (stored) return stored;
    for (let above = dn.parent; above?.isWithin(monitorBase); above = above.parent)
      if (await this.#knownTo(subject, above)) throw noSuch(above);
    throw noSuch(undefined);
  }

  async *#matching(run: Run, base: Stored): AsyncGenerator<Stored> {
    const { judge, clock } = this.#parts;
    let seen = 0;
    let missed = 0;
    // Making an entry costs more than reading one.
    const step = strideOf(effortOf(run.request.filter) * making);
    for await (const stored of this.#inScope(run.request, base)) {
      if (++seen % step === 0) await nextTurn();
      if (run.request.signal?.aborted) throw canceled();
      if (clock.now() > run.deadline) throw tooLong();
      if (run.matcher(stored, run.may) === true && judge.knows(run.subject, stored.entry)) yield stored;
      else if (++missed > run.lookThrough) throw looked(run.lookThrough);
    }
  }

  async *#inScope({ scope, filter }: SearchRequest, base: Stored): AsyncGenerator<Stored> {
    if (scope !== 'one') yield base;
    if (scope === 'base' || !this.#tree) return;
    for await (const child of this.#tree.children(base.entry.dn, filter)) {
      const stored = storedOf(child, 0);
      if (scope === 'one' || child.leaf) yield stored;
      else yield* this.#inScope({ base: stored.entry.dn, scope, filter }, stored);
    }
  }

  /** Throws SortFault before the first entry. */
  async *#inOrder(run: Run, base: Stored): AsyncGenerator<Stored> {
    const { schema, compiler, settings } = this.#parts;
    const most = settings.value.sortLimit;
    const keys = orderOf(schema, compiler, run.request.sort ?? []);
    const sorting = new Sorting(keys, run.may, this.#sortMemory, { wanted: Math.min(run.sizeLimit, most) + 1, most });
    const names: Dn[] = [];
    try {
      for await (const stored of this.#matching(run, base)) {
        if (names.push(stored.entry.dn) > most) throw new SortFault('adminLimitExceeded', `more than ${most} entries are not put in order`);
        sorting.add({ ...stored, id: names.length - 1 });
      }
      for (const id of await sorting.ids()) {
        const name = names[id];
        // It may have changed since it was found.
        const stored = name && (await this.#find(name));
        if (stored && run.matcher(stored, run.may) === true) yield stored;
        if (run.request.signal?.aborted) throw canceled();
      }
    } finally {
      sorting.release();
    }
  }
}

const storedOf = ({ entry, subordinates }: ComputedEntry, id: number): Stored => ({ id, parent: 0, entry, optioned: false, subordinates });

const noSuch = (matched: Dn | undefined): DirectoryFault => new DirectoryFault('noSuchObject', 'there is no such entry', { matched });

export const readOnly = (dn: Dn): DirectoryFault =>
  new DirectoryFault(
    'unwillingToPerform',
    `${dn.toString().slice(0, 200)}: everything at and below ${monitorName} is computed and can only be read`,
  );

/** For searches that follow changes: nothing records what becomes of these entries. */
export const notFollowed = (): DirectoryFault =>
  new DirectoryFault('unwillingToPerform', `entries at and below ${monitorName} are computed and cannot be followed`);
