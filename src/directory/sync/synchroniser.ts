/**
 * Content synchronisation and persistent search on the change log.
 *
 * docs/directory-sync.md tells the states, and why each is what it is.
 * Spec: RFC 4533; draft-ietf-ldapext-psearch-03
 */

import { createHash } from 'node:crypto';
import { formatFilter } from '../../ldap-wire/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import { nearest } from '../history/csn.ts';
import { type Actor, type Change, DirectoryFault, type Position } from '../port.ts';
import { subschemaEntry } from '../schema/publish.ts';
import type { Limits, Searcher } from '../search/search.ts';
import { Content, type ContentParts } from './content.ts';
import { type Cookie, formatCookie, parseCookie } from './cookie.ts';
import { batches, coalesced, type FollowParts, Missed } from './follow.ts';
import type { Lineage } from './lineage.ts';
import {
  type Followed,
  type FollowedSearch,
  type NotifyEvent,
  type NotifyRequest,
  type SyncEvent,
  SyncRefreshRequired,
  type SyncRequest,
} from './port.ts';
import { initial, present, type RefreshParts, state, stretchOf, type Told, tooMany } from './refresh.ts';
import { type Changed, Teller, Untold } from './tell.ts';
import { endsBase } from './tree.ts';

export interface SynchroniserParts extends ContentParts, RefreshParts, FollowParts {
  readonly keyValue: KeyValue;
  readonly searcher: Searcher;
  readonly lineage: Lineage;
}

/** After so many changes that said nothing to a follower, a new cookie does. */
const silentChanges = 256;

/** A place in the log: a position, and the time in its CSN. */
interface Place {
  readonly position: Position;
  readonly stamped: number;
}

/** One synchronisation in work. */
interface Run {
  readonly actor: Actor;
  readonly request: SyncRequest;
  readonly content: Content;
  readonly cookie: Cookie;
  /** What the rights of the asker come from; another one is another content. */
  readonly rights: string;
  /** What a cookie is good for. */
  readonly scope: string;
}

export class Synchroniser implements Followed {
  readonly #parts: SynchroniserParts;
  readonly #schema: string;

  constructor(parts: SynchroniserParts) {
    this.#parts = parts;
    const schema = createHash('sha256');
    for (const { values } of subschemaEntry(parts.schema).attributes.values()) schema.update(values.join('\n'));
    this.#schema = schema.digest('hex');
  }

  async *synchronise(actor: Actor, request: SyncRequest): AsyncGenerator<SyncEvent> {
    // What is read from here on is not older than this; what is newer comes again.
    const start = { position: this.#parts.feed.settle(), stamped: this.#parts.view.changeStamp() };
    const run = this.#begin(actor, request);
    const refresh = await this.#refresh(run, start.position);
    let told = await refresh.told.next();
    for (; !told.done; told = await refresh.told.next()) yield told.value;
    if (request.signal?.aborted) return;
    const end = told.value ?? start;
    const seen = told.value ? end.position : this.#parts.view.change();
    yield { kind: 'refreshed', deletes: refresh.deletes, cookie: this.#cookie(run, end) };
    if (request.persist) yield* this.#persist(run, end, seen);
  }

  #begin(actor: Actor, request: SyncRequest): Run {
    const { judge } = this.#parts;
    const subject = judge.subject(actor);
    const content = new Content(this.#parts, subject, request);
    const rights = judge.fingerprint(subject);
    const scope = createHash('sha256')
      .update(JSON.stringify([this.#schema, rights, actor.as, actor.dn?.key, ...parametersOf(request)]))
      .digest('hex');
    return { actor, request, content, cookie: parseCookie(request.cookie), rights, scope };
  }

  /** RFC 4533 §3.3.2: which way the copy is brought up to date. */
  async #refresh(run: Run, to: Position): Promise<{ told: AsyncGenerator<Told, Place | undefined>; deletes: boolean }> {
    const { content, actor, request, cookie } = run;
    const { searcher, view } = this.#parts;
    const limits = searcher.limits(actor, request);
    const entries = () => searcher.stored(actor, { ...request, filter: content.filter }, content.may);
    const since = cookie.initial ? undefined : this.#since(run, to);
    // OpenLDAP's consumers ask again with the same cookie when they are told to refresh: they get everything at once.
    if (since === undefined && !cookie.initial && !request.reloadHint && cookie.replica === undefined)
      throw new SyncRefreshRequired('the cookie does not lead on from here: start without it');
    if (since === undefined || since < view.imported()) return { told: initial(content, entries()), deletes: false };
    const stretch = await stretchOf(this.#parts, content, { since, to });
    if (!stretch) return { told: present(this.#parts, content, entries(), since), deletes: false };
    const told =
      stretch.kind === 'state'
        ? state(this.#parts, content, stretch.touched, limits)
        : this.#replay(run, { since, to }, stretch.last, limits);
    return { told, deletes: true };
  }

  /** The changes of a stretch of the log, told again. What an entry was in between is left out where it has the same name. */
  async *#replay(
    run: Run,
    { since, to }: { readonly since: Position; readonly to: Position },
    last: ReadonlyMap<string, Position>,
    limits: Limits,
  ): AsyncGenerator<Told, Place | undefined> {
    const { content, request } = run;
    const teller = new Teller(this.#parts, content, { position: since, stamped: 0 });
    let sent = 0;
    const told = (event: Changed | undefined): Told | undefined => {
      limits.check();
      if (event?.kind === 'delete') return event;
      if (event && ++sent > limits.sizeLimit) throw tooMany(limits.sizeLimit);
      return event && { ...event, state: 'add' };
    };
    for await (const batch of batches(this.#parts, since, request.signal, () => true)) {
      this.#checkRights(run);
      for (const step of coalesced(batch)) {
        const { kind, uuid, position, after } = step.change;
        const passing = kind === 'modify' && (last.get(uuid) ?? 0) > position && content.holds(step.first) && content.holds(after);
        const event = passing ? undefined : told(await teller.tell(step, 'always'));
        if (event) yield event;
      }
      if (teller.position < to) continue;
      for (const event of teller.movedAlong()) {
        const one = told(event);
        if (one) yield one;
      }
      if (!teller.pending) return { position: teller.position, stamped: teller.stamped };
    }
  }

  /** The position a cookie stands for, if this database has given it to this asker for this search under these rights. */
  #since({ cookie, scope }: Run, last: Position): Position | undefined {
    const { lineage, view, feed } = this.#parts;
    for (const { at, bits, replica, mark } of cookie.numbers) {
      const position = nearest(bits, last);
      if (replica !== 0 || position < 0 || !lineage.sealed(position, at, scope, mark)) continue;
      const stamped = position === last ? view.changeStamp() : feed.logged(position)?.stamped;
      if (stamped === undefined || stamped === at) return position;
    }
    return undefined;
  }

  #cookie({ cookie, scope }: Run, { position, stamped }: Place): Uint8Array {
    return formatCookie(cookie.replica, stamped, position, this.#parts.lineage.seal(position, stamped, scope));
  }

  /** `seen`: up to here the refresh may have read what `from` did not cover; that is told as it is now, not as it was in between. */
  async *#persist(run: Run, from: Place, seen: Position): AsyncGenerator<SyncEvent> {
    const { content, request } = run;
    const teller = new Teller(this.#parts, content, from);
    /** Where the asker stands: behind the teller as long as names are pending. */
    let sure = { position: from.position, cookie: this.#cookie(run, from) };
    const stand = (): Uint8Array => {
      sure = { position: teller.position, cookie: this.#cookie(run, teller) };
      return sure.cookie;
    };
    try {
      for await (const batch of batches(this.#parts, from.position, request.signal, () => teller.pending)) {
        this.#checkRights(run);
        for (const step of coalesced(batch)) {
          const event = await teller.tell(step, step.change.position <= seen ? 'now' : 'differences');
          // OpenLDAP's consumers pass over what comes with a cookie that they have had: each has one of its own, or none.
          if (event) yield teller.pending ? event : { ...event, cookie: stand() };
        }
        const waited = teller.pending;
        if (batch.length === 0) yield* teller.movedAlong();
        if ((waited && !teller.pending) || (!teller.pending && teller.position - sure.position >= silentChanges))
          yield { kind: 'cookie', cookie: stand() };
      }
    } catch (thrown) {
      if (thrown instanceof Missed) throw new SyncRefreshRequired('changes are missing from the history', sure.cookie);
      if (thrown instanceof Untold) throw new SyncRefreshRequired('a subtree was moved', sure.cookie);
      throw thrown;
    }
  }

  /** RFC 4533 §4.4: other rights are another content, which is started afresh. */
  #checkRights(run: Run): void {
    const { judge } = this.#parts;
    const subject = judge.subject(run.actor);
    if (judge.fingerprint(subject) !== run.rights) throw new SyncRefreshRequired('the access rights have changed');
    run.content.subject = subject;
  }

  async *notify(actor: Actor, request: NotifyRequest): AsyncGenerator<NotifyEvent> {
    const { judge, feed, searcher } = this.#parts;
    const from = feed.settle();
    const content = new Content(this.#parts, judge.subject(actor), request);
    searcher.limits(actor, request);
    if (!request.changesOnly) {
      const entries = searcher.stored(actor, { ...request, filter: content.filter }, content.may);
      for await (const stored of entries) yield { entry: content.shown(stored.entry) };
    }
    try {
      for await (const batch of batches(this.#parts, from, request.signal)) {
        content.subject = judge.subject(actor);
        for (const { change } of batch) {
          if (endsBase(content, change)) throw new DirectoryFault('noSuchObject', 'the base of the search is no longer there');
          const event = request.kinds.has(change.kind) ? notice(content, change) : undefined;
          if (event) yield event;
        }
      }
    } catch (thrown) {
      if (!(thrown instanceof Missed)) throw thrown;
      throw new DirectoryFault('unavailable', 'changes are missing from the history: search again');
    }
  }
}

/** Everything that decides about the content but sizeLimit and timeLimit (RFC 4533 §3.5). */
function parametersOf({ base, scope, filter, attributes, typesOnly }: FollowedSearch): unknown[] {
  return [base.key, scope, formatFilter(filter), typesOnly ?? false, [...(attributes ?? [])].map((name) => name.toLowerCase()).sort()];
}

/** What a persistent search tells of a change: of an entry that matches before or after it, as far as it may be known then. */
function notice(content: Content, { kind, before, after, position }: Change): NotifyEvent | undefined {
  const was = content.holds(before);
  const is = content.holds(after);
  if (!was && !is) return undefined;
  if (!after) return before && { entry: content.shown(before), change: { kind, position, previous: undefined } };
  if (!content.knows(after)) return undefined;
  if (kind === 'modify' && before && !content.differs(before, after, true)) return undefined;
  const previous = kind === 'rename' && before && content.knows(before) ? before.dn : undefined;
  return { entry: content.shown(after), change: { kind, position, previous } };
}
