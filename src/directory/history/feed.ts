/**
 * The change feed: every committed change to everybody who watches, in order, each once.
 *
 * Promise: a change is delivered after it is durable; a slow or failing listener harms only itself; where the log no longer
 * reaches back far enough, `lost` is called and the watch is over: whoever keeps a view reads afresh and watches again.
 * Whoever would rather pull than be called reads the log by position (`logged`) and waits (`after`): then nothing is kept for them.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { asFault, type Log } from '../../base/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import type { Change, Position, Watch } from '../port.ts';
import { changed, keys } from '../records/keys.ts';
import { TwoAges } from '../records/two-ages.ts';
import type { View } from '../records/view.ts';
import { decodeChange, type Logged } from './change-record.ts';

const perTurn = 100;
/** Changes that are remembered for the next one who asks. Those of large groups are left out: they are megabytes each. */
const kept = { limit: 512, weight: 16 * 1_048_576 };
/** So many changes that nobody has read yet are forgotten one by one; more empty the view's memory. */
const oneByOne = 1_000;

interface Watcher {
  position: Position;
  readonly listener: (change: Change) => void;
  readonly lost: () => void;
  stopped: boolean;
  running: boolean;
}

export class Feed {
  readonly #keyValue: KeyValue;
  readonly #view: View;
  readonly #log: Log;
  readonly #watchers = new Set<Watcher>();
  readonly #recent = new TwoAges<Position, Logged>(kept);
  readonly #waiting = new Set<() => void>();
  readonly #unsubscribe: () => void;
  /** Up to here the view has forgotten what it knew from before a change. */
  #settled: Position;
  #closed = false;

  constructor(parts: { readonly keyValue: KeyValue; readonly view: View; readonly log: Log }) {
    this.#keyValue = parts.keyValue;
    this.#view = parts.view;
    this.#log = parts.log;
    this.#settled = parts.view.change();
    this.#unsubscribe = parts.keyValue.subscribe(changed, () => {
      for (const watcher of this.#watchers) this.#start(watcher);
      this.#wake();
    });
  }

  watch(from: Position | undefined, listener: (change: Change) => void, lost: () => void): Watch {
    const watcher: Watcher = { position: from ?? this.#view.change(), listener, lost, stopped: false, running: false };
    this.#watchers.add(watcher);
    this.#start(watcher);
    return {
      get position() {
        return watcher.position;
      },
      stop: () => this.#end(watcher),
    };
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe();
    for (const watcher of this.#watchers) this.#end(watcher);
    this.#wake();
  }

  /** False once no further change will be told of. */
  get open(): boolean {
    return !this.#closed;
  }

  /** Changes that have just been committed, as their records tell them: nobody need read those. The view knows of them. */
  committed(changes: readonly Logged[]): void {
    for (const logged of changes) {
      const { position } = logged.change;
      if (position === this.#settled + 1) this.#settled = position;
      this.#recent.set(position, logged, logged.size);
    }
  }

  /** The change at a position, if the log still has it. */
  logged(position: Position): Logged | undefined {
    const known = this.#recent.get(position);
    if (known) return known;
    const octets = this.#keyValue.getNow(keys.log(position));
    return octets && decodeChange(position, octets);
  }

  /** The position of the last change. What the view gives out from now on is not older. */
  settle(): Position {
    const last = this.#view.change();
    if (last - this.#settled > oneByOne) {
      this.#view.forget({ ids: [], names: [], all: true });
      this.#settled = last;
    }
    while (this.#settled < last) {
      // Where there is no record, an import came: it has changed nothing that was there.
      this.#change(this.#settled + 1);
      this.#settled += 1;
    }
    return last;
  }

  /** Waits until there is a change after `position`, the signal aborts or the feed is closed. */
  async after(position: Position, signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed || signal?.aborted || this.#view.change() !== position) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal?.addEventListener('abort', done);
    });
  }

  #wake(): void {
    for (const resolve of [...this.#waiting]) resolve();
  }

  #end(watcher: Watcher): void {
    watcher.stopped = true;
    this.#watchers.delete(watcher);
  }

  #start(watcher: Watcher): void {
    if (watcher.running || watcher.stopped) return;
    watcher.running = true;
    // On its own turn, so that nobody hears a change before `watch` has returned.
    queueMicrotask(() => {
      this.#run(watcher).catch((thrown: unknown) => {
        this.#log.error('the change feed failed; its reader starts afresh', asFault(thrown));
        this.#lose(watcher);
      });
    });
  }

  async #run(watcher: Watcher): Promise<void> {
    try {
      // What is remembered here may have left the log.
      if (watcher.position < this.#view.trimmed()) return this.#lose(watcher);
      for (let delivered = 1; !watcher.stopped; delivered++) {
        const last = this.#view.change();
        if (watcher.position > last) return this.#lose(watcher);
        if (watcher.position === last) return;
        const change = this.#change(watcher.position + 1)?.change;
        if (!change) return this.#lose(watcher);
        watcher.position = change.position;
        try {
          watcher.listener(change);
        } catch (thrown) {
          this.#log.error('a reader of the change feed failed', thrown);
        }
        if (delivered % perTurn === 0) await nextTurn();
      }
    } finally {
      watcher.running = false;
    }
  }

  #lose(watcher: Watcher): void {
    if (watcher.stopped) return;
    this.#end(watcher);
    try {
      watcher.lost();
    } catch (thrown) {
      this.#log.error('a reader of the change feed failed', thrown);
    }
  }

  /** The change at a position; remembered for the others who are about to ask. */
  #change(position: Position): Logged | undefined {
    const known = this.#recent.get(position);
    if (known) return known;
    const octets = this.#keyValue.getNow(keys.log(position));
    // An import tells of no single change: whoever keeps a view reads afresh.
    const logged = octets && decodeChange(position, octets);
    if (!logged) return undefined;
    // Whoever hears of the change and reads the entry must not get what the cache had before.
    if (position > this.#settled) this.#forget(logged);
    if (position === this.#settled + 1) this.#settled = position;
    this.#recent.set(position, logged, logged.size);
    return logged;
  }

  #forget({ change, id, tree }: Logged): void {
    const names = change.before && change.kind !== 'modify' ? [change.before.dn] : [];
    this.#view.forget({ ids: [id], names, all: change.kind === 'rename' && tree });
  }
}
