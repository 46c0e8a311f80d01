/**
 * The refresh stage: what brings an asker's copy up to date.
 *
 * Three ways, all of which end in the same copy:
 *   initial  every entry; what is not mentioned is gone
 *   present  every entry that has changed since, the UUIDs of the others; what is not mentioned is gone
 *   changes  from the log: entries that have changed, UUIDs of those that are gone; what is not mentioned is as it was
 *
 * Promise: memory follows the changes, up to `mostChanges`, never the content. An entry comes after the one above it, and after the
 * one that had its name before.
 * Spec: RFC 4533 §3.3, §3.9
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KeyValue } from '../../storage/index.ts';
import { nearest, parseCsn } from '../history/csn.ts';
import type { Feed } from '../history/feed.ts';
import { DirectoryFault, type Position } from '../port.ts';
import { decodeNumber } from '../records/codec.ts';
import { keys, rootId } from '../records/keys.ts';
import type { Stored, View } from '../records/view.ts';
import type { Limits } from '../search/search.ts';
import type { Content } from './content.ts';
import { inOrder, type Touched } from './order.ts';
import type { SyncEvent } from './port.ts';
import { descendantsMatter } from './tree.ts';

/** Changes that are gone through one by one; after more, the content is. */
const mostChanges = 20_000;
/** UUIDs in one message. */
const perSet = 1_000;
const stride = 100;

export interface RefreshParts {
  readonly keyValue: KeyValue;
  readonly view: View;
  readonly feed: Feed;
}

export type Told = Extract<SyncEvent, { kind: 'entry' | 'ids' }>;

export const uuidOf = (stored: Stored): string => stored.entry.text('entryUUID') ?? '';
const added = (content: Content, stored: Stored): Told => ({
  kind: 'entry',
  state: 'add',
  uuid: uuidOf(stored),
  entry: content.shown(stored.entry),
});

/** Everything there is. */
export async function* initial(content: Content, entries: AsyncIterable<Stored>): AsyncGenerator<Told> {
  for await (const stored of entries) yield added(content, stored);
}

/** Entries that are not as they were at `since`; UUIDs of those that are. */
export async function* present(
  parts: RefreshParts,
  content: Content,
  entries: AsyncIterable<Stored>,
  since: Position,
): AsyncGenerator<Told> {
  const above = new Map<number, boolean>();
  let same: string[] = [];
  for await (const stored of entries) {
    if (isChanged(parts.view, stored, since, above)) yield added(content, stored);
    else if (same.push(uuidOf(stored)) >= perSet) {
      yield { kind: 'ids', deletes: false, uuids: same };
      same = [];
    }
  }
  if (same.length > 0) yield { kind: 'ids', deletes: false, uuids: same };
}

/** Whether the entry, or one above it (and so perhaps its name), has changed since. True also where nobody can tell. */
function isChanged(view: View, stored: Stored, since: Position, above: Map<number, boolean>): boolean {
  const made = parseCsn(stored.entry.text('entryCSN') ?? '');
  if (made?.replica !== 0 || nearest(made.bits, view.change()) > since) return true;
  if (stored.parent === rootId) return false;
  const known = above.get(stored.parent);
  if (known !== undefined) return known;
  const parent = view.load(stored.parent);
  const changed = !parent || isChanged(view, parent, since, above);
  above.set(stored.parent, changed);
  return changed;
}

/** What the log says of (since, to]; undefined where it does not reach back or going through the content is better. */
export async function changesSince(
  parts: RefreshParts,
  content: Content,
  { since, to }: { readonly since: Position; readonly to: Position },
): Promise<readonly Touched[] | undefined> {
  if (to - since > mostChanges) return undefined;
  const touched = new Map<string, Touched>();
  const moved: number[] = [];
  for (let position = since + 1; position <= to; position++) {
    if (position % stride === 0) await nextTurn();
    const logged = parts.feed.logged(position);
    if (!logged) return undefined;
    const { change, id, tree } = logged;
    if (tree && change.before && change.after) {
      const matter = descendantsMatter(content, change.before.dn, change.after.dn);
      if (matter === 'unknown') return undefined;
      if (matter) moved.push(id);
    }
    const before = content.holds(change.before) ? change.before : undefined;
    // What came and went in between counts too: a search that was slower than both may have sent it.
    if (!before && !content.holds(change.after)) continue;
    if (!touched.has(change.uuid)) touched.set(change.uuid, touch(change.uuid, id, before?.dn.key));
  }
  for (const id of moved)
    for await (const stored of below(parts, id)) {
      const uuid = uuidOf(stored);
      if (!touched.has(uuid)) touched.set(uuid, touch(uuid, stored.id, undefined));
      if (touched.size > mostChanges) return undefined;
    }
  return [...touched.values()];
}

const touch = (uuid: string, id: number, old: string | undefined): Touched => ({ uuid, id, old, now: undefined, parent: undefined });

/** Entries and UUIDs of what has changed, in an order in which they can be carried out. */
export async function* changes(parts: RefreshParts, content: Content, touched: readonly Touched[], limits: Limits): AsyncGenerator<Told> {
  for (const item of touched) {
    const stored = current(parts.view, content, item);
    item.now = stored?.entry.dn.key;
    item.parent = stored?.entry.dn.parent?.key;
  }
  let gone: string[] = [];
  let sent = 0;
  let seen = 0;
  for (const item of inOrder(touched)) {
    if (++seen % stride === 0) await nextTurn();
    limits.check();
    const stored = item.now === undefined ? undefined : current(parts.view, content, item);
    if (item.now !== undefined && !stored) continue;
    if (!stored) {
      if (gone.push(item.uuid) < perSet) continue;
    }
    if (gone.length > 0) yield { kind: 'ids', deletes: true, uuids: gone };
    gone = [];
    if (!stored) continue;
    if (++sent > limits.sizeLimit) throw new DirectoryFault('sizeLimitExceeded', `more than ${limits.sizeLimit} entries match`);
    yield added(content, stored);
  }
  if (gone.length > 0) yield { kind: 'ids', deletes: true, uuids: gone };
}

function current(view: View, content: Content, item: Touched): Stored | undefined {
  const stored = view.load(item.id);
  return stored && content.holds(stored.entry) ? stored : undefined;
}

/** Every entry below one, as it is now. */
export async function* below({ keyValue, view }: Pick<RefreshParts, 'keyValue' | 'view'>, id: number): AsyncGenerator<Stored> {
  const open = [id];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for await (const [, octets] of keyValue.scan(keys.names(next))) {
      const stored = view.load(decodeNumber(octets));
      if (!stored) continue;
      if (view.childCount(stored.id) > 0) open.push(stored.id);
      yield stored;
    }
  }
}
