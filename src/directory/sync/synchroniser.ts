/**
 * Content synchronisation and persistent search on the change log.
 *
 * docs/directory-sync.md tells the states, and why each is what it is.
 * Spec: RFC 4533; draft-ietf-ldapext-psearch-03
 */

import { createHash } from 'node:crypto';
import { formatFilter } from '../../ldap-wire/index.ts';
import { nearest } from '../history/csn.ts';
import { type Actor, DirectoryFault, type Position } from '../port.ts';
import { subschemaEntry } from '../schema/publish.ts';
import type { Searcher } from '../search/search.ts';
import { Content, type ContentParts } from './content.ts';
import { type Cookie, formatCookie, parseCookie } from './cookie.ts';
import { batches, checkBase, coalesced, type FollowParts, Missed, type Step } from './follow.ts';
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
import { below, changes, changesSince, initial, present, type RefreshParts, type Told, uuidOf } from './refresh.ts';
import { descendantsMatter } from './tree.ts';

export interface SynchroniserParts extends ContentParts, RefreshParts, FollowParts {
  readonly searcher: Searcher;
  readonly lineage: Lineage;
}

/** After so many changes that said nothing to a follower, a new cookie does. */
const silentChanges = 256;

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
    // What is read from here on is not older than this; what is newer comes again, and does no harm.
    const to = this.#parts.feed.settle();
    const at = this.#parts.view.changeStamp();
    const run = this.#begin(actor, request);
    const refresh = await this.#refresh(run, to);
    yield* refresh.told;
    if (request.signal?.aborted) return;
    yield { kind: 'refreshed', deletes: refresh.deletes, cookie: this.#cookie(run, to, at) };
    if (request.persist) yield* this.#persist(run, to, at);
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
  async #refresh(run: Run, to: Position): Promise<{ told: AsyncGenerator<Told>; deletes: boolean }> {
    const { content, actor, request, cookie } = run;
    const { searcher, view } = this.#parts;
    const limits = searcher.limits(actor, request);
    const entries = () => searcher.stored(actor, { ...request, filter: content.filter }, content.may);
    const since = cookie.initial ? undefined : this.#since(run, to);
    // OpenLDAP's consumers ask again with the same cookie when they are told to refresh: they get everything at once.
    if (since === undefined && !cookie.initial && !request.reloadHint && cookie.replica === undefined)
      throw new SyncRefreshRequired('the cookie does not lead on from here: start without it');
    if (since === undefined || since < view.imported()) return { told: initial(content, entries()), deletes: false };
    const touched = await changesSince(this.#parts, content, { since, to });
    if (!touched) return { told: present(this.#parts, content, entries(), since), deletes: false };
    return { told: changes(this.#parts, content, touched, limits), deletes: true };
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

  #cookie({ cookie, scope }: Run, position: Position, at: number): Uint8Array {
    return formatCookie(cookie.replica, at, position, this.#parts.lineage.seal(position, at, scope));
  }

  async *#persist(run: Run, from: Position, fromStamp: number): AsyncGenerator<SyncEvent> {
    let told = from;
    let last = { position: from, at: fromStamp };
    try {
      for await (const batch of batches(this.#parts, from, run.request.signal)) {
        this.#checkRights(run);
        for (const step of coalesced(batch)) {
          const { position } = step.change;
          for await (const event of this.#tell(run, step, last)) {
            told = position;
            yield event;
          }
          last = { position, at: step.stamped };
        }
        const end = batch.at(-1);
        if (end) last = { position: end.change.position, at: end.stamped };
        if (last.position - told < silentChanges) continue;
        told = last.position;
        yield { kind: 'cookie', cookie: this.#cookie(run, last.position, last.at) };
      }
    } catch (thrown) {
      if (!(thrown instanceof Missed)) throw thrown;
      throw new SyncRefreshRequired('changes are missing from the history', this.#cookie(run, last.position, last.at));
    }
  }

  /** RFC 4533 §4.4: other rights are another content, which is started afresh. */
  #checkRights(run: Run): void {
    const { judge } = this.#parts;
    const subject = judge.subject(run.actor);
    if (judge.fingerprint(subject) !== run.rights) throw new SyncRefreshRequired('the access rights have changed');
    run.content.subject = subject;
  }

  /** What one change means to the content. `last` is where the asker stands before it. */
  async *#tell(run: Run, step: Step, last: { position: Position; at: number }): AsyncGenerator<SyncEvent> {
    const { content } = run;
    const { change, id, tree, stamped } = step;
    checkBase(content, change);
    const { before, after } = change;
    const matter = tree && before && after ? descendantsMatter(content, before.dn, after.dn) : false;
    if (matter === 'unknown') throw new SyncRefreshRequired('a subtree was moved: refresh', this.#cookie(run, last.position, last.at));
    const cookie = this.#cookie(run, change.position, stamped);
    const event = changeOf(content, step);
    // OpenLDAP's consumers pass over whatever comes with a cookie they have had: it stands on the last message of a change.
    if (!matter) {
      if (event) yield { ...event, cookie };
      return;
    }
    if (event) yield event;
    for await (const stored of below(this.#parts, id)) {
      if (!content.holds(stored.entry)) continue;
      yield { kind: 'entry', state: 'modify', uuid: uuidOf(stored), entry: content.shown(stored.entry) };
    }
    yield { kind: 'cookie', cookie };
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
          checkBase(content, change);
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

type Changed = Extract<SyncEvent, { kind: 'entry' | 'delete' }>;

/** What one change does to the content, or undefined where the asker sees no difference. */
function changeOf(content: Content, { change: { uuid, after }, first }: Step): Changed | undefined {
  const was = content.holds(first);
  if (!content.holds(after)) return was ? { kind: 'delete', uuid, dn: first.dn } : undefined;
  if (was && !content.differs(first, after, false)) return undefined;
  return { kind: 'entry', state: was ? 'modify' : 'add', uuid, entry: content.shown(after) };
}

/** Everything that decides about the content but sizeLimit and timeLimit (RFC 4533 §3.5). */
function parametersOf({ base, scope, filter, attributes, typesOnly }: FollowedSearch): unknown[] {
  return [base.key, scope, formatFilter(filter), typesOnly ?? false, [...(attributes ?? [])].map((name) => name.toLowerCase()).sort()];
}

/** What a persistent search tells of a change: of an entry that matches before or after it, as far as it may be known then. */
function notice(content: Content, { kind, before, after, position }: Step['change']): NotifyEvent | undefined {
  const was = content.holds(before);
  const is = content.holds(after);
  if (!was && !is) return undefined;
  if (!after) return before && { entry: content.shown(before), change: { kind, position, previous: undefined } };
  if (!content.knows(after)) return undefined;
  if (kind === 'modify' && before && !content.differs(before, after, true)) return undefined;
  const previous = kind === 'rename' && before && content.knows(before) ? before.dn : undefined;
  return { entry: content.shown(after), change: { kind, position, previous } };
}
