/**
 * The port of those who follow what a search would find: content synchronisation and persistent search, without their wire.
 *
 * Promise: whoever follows pulls, one event after the other, at their own pace: nothing is kept for them but their place in the change log.
 * What is handed out is what the actor may see, judged when it is handed out.
 * The bundled directory implements it; a directory elsewhere has its own.
 * Spec: RFC 4533; draft-ietf-ldapext-psearch-03
 */

import type { Dn } from '../../ldap-wire/index.ts';
import type { Entry } from '../entry.ts';
import { type Actor, type Change, DirectoryFault, type Position, type SearchRequest } from '../port.ts';

export type FollowedSearch = Pick<
  SearchRequest,
  'base' | 'scope' | 'filter' | 'attributes' | 'typesOnly' | 'sizeLimit' | 'timeLimit' | 'signal'
>;

export interface SyncRequest extends FollowedSearch {
  /** What the last synchronisation gave; undefined or empty for the first one. */
  readonly cookie: Uint8Array | undefined;
  /** What to do where the cookie leads nowhere: true sends everything anew, false says `syncRefreshRequired`. */
  readonly reloadHint: boolean;
  /** Whether changes follow the refresh. */
  readonly persist: boolean;
}

export type SyncEvent =
  /** An entry of the content: `add` also where the asker has an older copy of it (refresh). */
  | { readonly kind: 'entry'; readonly state: 'add' | 'modify'; readonly uuid: string; readonly entry: Entry; readonly cookie?: Uint8Array }
  /** No longer in the content, one by one in the order of the changes; the name is the one it had there. */
  | { readonly kind: 'delete'; readonly uuid: string; readonly dn: Dn; readonly cookie?: Uint8Array }
  /** Many at once: entries that are gone, or that are there as they were (refresh). */
  | { readonly kind: 'ids'; readonly deletes: boolean; readonly uuids: readonly string[] }
  /** The end of the refresh. `deletes`: what was not mentioned is as it was; otherwise it is no longer there. */
  | { readonly kind: 'refreshed'; readonly deletes: boolean; readonly cookie: Uint8Array }
  /** Nothing to tell, but a later place to go on from (persist). */
  | { readonly kind: 'cookie'; readonly cookie: Uint8Array };

export interface NotifyRequest extends FollowedSearch {
  readonly kinds: ReadonlySet<Change['kind']>;
  /** Leaves out the entries there are at the beginning. */
  readonly changesOnly: boolean;
}

export interface NotifyEvent {
  /** For a deleted entry: as it was. */
  readonly entry: Entry;
  /** Undefined for an entry that was there at the beginning. */
  readonly change?: {
    readonly kind: Change['kind'];
    readonly position: Position;
    /** The old name of a renamed entry, where the asker could know it. */
    readonly previous: Dn | undefined;
  };
}

/** The end of a synchronisation that can be taken up again. */
export class SyncRefreshRequired extends DirectoryFault {
  /** Where to take it up; undefined where everything must be sent anew. */
  readonly cookie: Uint8Array | undefined;

  constructor(say: string, cookie?: Uint8Array) {
    super('syncRefreshRequired', say);
    this.name = 'SyncRefreshRequired';
    this.cookie = cookie;
  }
}

export interface Followed {
  /**
   * The refresh, then (with `persist`) changes until the signal ends it. Throws SyncRefreshRequired, noSuchObject where the
   * base is no longer what it was, and whatever a search throws.
   */
  synchronise(actor: Actor, request: SyncRequest): AsyncIterable<SyncEvent>;
  /** Entries, then changes until the signal ends it. Throws `unavailable` where changes are missing from the log. */
  notify(actor: Actor, request: NotifyRequest): AsyncIterable<NotifyEvent>;
}
