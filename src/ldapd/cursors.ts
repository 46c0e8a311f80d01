/**
 * Searches that stand between two pages.
 *
 * Promise: a connection holds few of them, and all connections together so many as memory allows for, for each keeps a part of the database
 * at hand; the oldest gives way, a stranger's to strangers alone. A cookie is good once, for the same search and the same identity, on the
 * connection that got it.
 * Spec: RFC 2696
 */

import type { Entry, SortFault } from '../directory/index.ts';

export interface Cursor {
  readonly entries: AsyncIterator<Entry>;
  /** The entry that was read to know whether there is another page. */
  next: Entry | undefined;
  readonly abort: AbortController;
  /** What was searched for: the same search must go on. */
  readonly search: string;
  /** Whether an order was asked for, and why there is none. */
  readonly sorted: { readonly fault: SortFault | undefined } | undefined;
  /** About how many entries there are in all, as far as it has been told. */
  total: number;
}

const most = 4;
/** Of all connections together. One may keep some 250 KB. */
const mostOfAll = { strangers: 100, others: 300 } as const;

/** Those of all connections. */
export class AllCursors {
  readonly #open = { strangers: new Set<Cursor>(), others: new Set<Cursor>() };

  add(cursor: Cursor, whose: keyof typeof mostOfAll): void {
    const open = this.#open[whose];
    open.add(cursor);
    if (open.size <= mostOfAll[whose]) return;
    for (const oldest of open) {
      open.delete(oldest);
      endCursor(oldest);
      return;
    }
  }

  /** False for one that had to give way. */
  take(cursor: Cursor): boolean {
    return this.#open.strangers.delete(cursor) || this.#open.others.delete(cursor);
  }
}

export class Cursors {
  readonly #all: AllCursors;
  readonly #open = new Map<string, Cursor>();
  #count = 0;

  constructor(all: AllCursors) {
    this.#all = all;
  }

  /** Keeps a cursor; returns its cookie. */
  keep(cursor: Cursor, whose: keyof typeof mostOfAll): Uint8Array {
    const oldest = this.#open.keys().next();
    if (this.#open.size >= most && !oldest.done) this.drop(oldest.value);
    this.#all.add(cursor, whose);
    const cookie = `page-${++this.#count}`;
    this.#open.set(cookie, cursor);
    return Buffer.from(cookie, 'latin1');
  }

  /** Takes a cursor out by its cookie. */
  take(cookie: Uint8Array): Cursor | undefined {
    const name = Buffer.from(cookie).toString('latin1');
    const cursor = this.#open.get(name);
    this.#open.delete(name);
    return cursor && this.#all.take(cursor) ? cursor : undefined;
  }

  drop(name: string): void {
    const cursor = this.#open.get(name);
    this.#open.delete(name);
    if (cursor && this.#all.take(cursor)) endCursor(cursor);
  }

  /** At every bind and at the end of the connection. */
  clear(): void {
    for (const name of [...this.#open.keys()]) this.drop(name);
  }
}

/** Ends a search that nobody will read on. */
export function endCursor(cursor: Cursor): void {
  cursor.abort.abort();
  // What a search says when it is ended early interests nobody any more.
  cursor.entries.return?.().catch(() => {});
}
