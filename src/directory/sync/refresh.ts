/**
 * The refresh stage: what brings an asker's copy up to date.
 *
 * Three ways, all of which end in the same copy:
 *   initial  every entry; what is not mentioned is gone
 *   present  every entry that has changed since, the UUIDs of the others; what is not mentioned is gone
 *   changes  from the log: UUIDs of what is gone, entries that have changed; what is not mentioned is as it was. Where something was
 *            renamed, the changes are told again one after the other (tell.ts).
 *
 * Promise: memory follows the changes, up to `mostChanges`, never the content.
 * Spec: RFC 4533 §3.3, §3.9
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { nearest, parseCsn } from '../history/csn.ts';
import type { Feed } from '../history/feed.ts';
import { DirectoryFault, type Position } from '../port.ts';
import { rootId } from '../records/keys.ts';
import type { Stored, View } from '../records/view.ts';
import type { Limits } from '../search/search.ts';
import type { Content } from './content.ts';
import type { SyncEvent } from './port.ts';
import { descendantsMatter, endsBase } from './tree.ts';

/** Changes that are gone through one by one; after more, the content is. */
export const mostChanges = 20_000;
/** UUIDs in one message. */
const perSet = 1_000;
const stride = 100;

export interface RefreshParts {
  readonly view: View;
  readonly feed: Feed;
}

export const tooMany = (limit: number): DirectoryFault => new DirectoryFault('sizeLimitExceeded', `more than ${limit} entries match`);

export type Told = Extract<SyncEvent, { kind: 'entry' | 'delete' | 'ids' }>;

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

/** What the log says of a stretch of it. */
export type Stretch =
  /** Nothing was renamed: what has changed can be sent as it is now. */
  | { readonly kind: 'state'; readonly touched: ReadonlyMap<string, Touched> }
  /** Names were given from one to the other: only the order of the changes makes sure that none is taken. `last` change of each UUID. */
  | { readonly kind: 'replay'; readonly last: ReadonlyMap<string, Position> };

interface Touched {
  /** Number of the record. */
  readonly id: number;
  /** Levels of its name. */
  readonly depth: number;
}

/** Looks through (since, to]; undefined where the log does not reach back, or going through the content is better. */
export async function stretchOf(
  parts: RefreshParts,
  content: Content,
  { since, to }: { readonly since: Position; readonly to: Position },
): Promise<Stretch | undefined> {
  if (to - since > mostChanges) return undefined;
  const touched = new Map<string, Touched>();
  const last = new Map<string, Position>();
  let renames = false;
  for (let position = since + 1; position <= to; position++) {
    if (position % stride === 0) await nextTurn();
    const logged = parts.feed.logged(position);
    if (!logged || endsBase(content, logged.change)) return undefined;
    const { change, id, tree } = logged;
    const { uuid, before, after } = change;
    const below = tree && before && after ? descendantsMatter(content, before.dn, after.dn) : false;
    if (below === 'unknown') return undefined;
    // What came and went in between counts too: a search that was slower than both may have sent it.
    const inside = [after, before].find((entry) => content.holds(entry));
    if (!inside && !below) continue;
    renames ||= change.kind === 'rename';
    last.set(uuid, position);
    touched.set(uuid, { id, depth: (inside ?? after)?.dn.rdns.length ?? 0 });
  }
  return renames ? { kind: 'replay', last } : { kind: 'state', touched };
}

/** What is gone, the deepest first; then what has changed, as it is now, an entry after the one above it. */
export async function* state(
  { view }: RefreshParts,
  content: Content,
  touched: ReadonlyMap<string, Touched>,
  limits: Limits,
): AsyncGenerator<Told> {
  const current = ({ id }: Touched): Stored | undefined => {
    const stored = view.load(id);
    return stored && content.holds(stored.entry) ? stored : undefined;
  };
  const gone = [...touched].filter(([, item]) => !current(item)).sort(([, a], [, b]) => b.depth - a.depth);
  for (let n = 0; n < gone.length; n += perSet)
    yield { kind: 'ids', deletes: true, uuids: gone.slice(n, n + perSet).map(([uuid]) => uuid) };
  let sent = 0;
  for (const item of [...touched.values()].sort((a, b) => a.depth - b.depth)) {
    const stored = current(item);
    if (!stored) continue;
    if (++sent % stride === 0) await nextTurn();
    limits.check();
    if (sent > limits.sizeLimit) throw tooMany(limits.sizeLimit);
    yield added(content, stored);
  }
}
