/**
 * Changes as messages, one after the other: in the persist stage, and in a refresh that goes through the log again.
 *
 * Promise: in the order of the changes, which is what consumers need that carry each of them out under its name. Entries below a renamed one
 * have new names too; they are told when there is nothing else to tell, as they are at just that moment: for those who have moved them
 * along nothing is new then.
 * Spec: RFC 4533 §3.4.2, §4.1
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KeyValue } from '../../storage/index.ts';
import type { Feed } from '../history/feed.ts';
import { DirectoryFault, type Position } from '../port.ts';
import { decodeNumber } from '../records/codec.ts';
import { keys } from '../records/keys.ts';
import type { View } from '../records/view.ts';
import type { Content } from './content.ts';
import type { Step } from './follow.ts';
import type { SyncEvent } from './port.ts';
import { mostChanges, uuidOf } from './refresh.ts';
import { descendantsMatter, endsBase } from './tree.ts';

export interface TellParts {
  readonly keyValue: KeyValue;
  readonly view: View;
  readonly feed: Feed;
}

export type Changed = Extract<SyncEvent, { kind: 'entry' | 'delete' }>;

/** A change that cannot be told by itself: the asker has to refresh from where they are. */
export class Untold extends Error {}

const stride = 100;

export class Teller {
  readonly #parts: TellParts;
  readonly #content: Content;
  /** Entries whose names have changed with one above them, by number. */
  readonly #moved: number[] = [];
  #next = 0;
  /** Everything up to here was told, but for what is `pending`. */
  position: Position;
  /** The time in its CSN. */
  stamped: number;

  constructor(parts: TellParts, content: Content, from: { readonly position: Position; readonly stamped: number }) {
    this.#parts = parts;
    this.#content = content;
    this.position = from.position;
    this.stamped = from.stamped;
  }

  get pending(): boolean {
    return this.#next < this.#moved.length;
  }

  /**
   * What one change means, or undefined where the asker sees no difference. `how`: only differences; always, for they may be behind by more
   * than this change; as the entry is now, for they may be ahead of it.
   */
  async tell(step: Step, how: 'differences' | 'always' | 'now'): Promise<Changed | undefined> {
    const { change, id, tree, first, stamped } = step;
    const { uuid, before, after } = change;
    if (endsBase(this.#content, change)) throw new DirectoryFault('noSuchObject', 'the base of the search is no longer there');
    const below = tree && before && after ? descendantsMatter(this.#content, before.dn, after.dn) : false;
    if (below === 'unknown') throw new Untold();
    if (below) await this.#collect(id);
    this.position = change.position;
    this.stamped = stamped;
    const image = how === 'now' ? this.#parts.view.load(id)?.entry : after;
    // They may have got it in between, where it was in the content only then.
    const was = [first, how === 'now' ? after : first].find((entry) => this.#content.holds(entry));
    if (!this.#content.holds(image)) return was && { kind: 'delete', uuid, dn: was.dn };
    if (how === 'differences' && was && !this.#content.differs(was, image, false)) return undefined;
    return { kind: 'entry', state: was ? 'modify' : 'add', uuid, entry: this.#content.shown(image) };
  }

  /** Entries that have moved along with others; ends when there is a change to tell before the next one. */
  *movedAlong(): Generator<Changed> {
    const { feed, view } = this.#parts;
    for (; this.pending; this.#next += 1) {
      if (feed.settle() !== this.position) return;
      const stored = view.load(this.#moved[this.#next] ?? 0);
      if (stored && this.#content.holds(stored.entry))
        yield { kind: 'entry', state: 'modify', uuid: uuidOf(stored), entry: this.#content.shown(stored.entry) };
    }
    this.#moved.length = 0;
    this.#next = 0;
  }

  /** Everything below an entry. What comes and goes there meanwhile has changes of its own. */
  async #collect(id: number): Promise<void> {
    const { keyValue, view } = this.#parts;
    const open = [id];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for await (const [, octets] of keyValue.scan(keys.names(next))) {
        const found = decodeNumber(octets);
        this.#moved.push(found);
        if (this.#moved.length > mostChanges) throw new Untold();
        if (this.#moved.length % stride === 0) await nextTurn();
        if (view.childCount(found) > 0) open.push(found);
      }
    }
  }
}
