/**
 * The change feed: every committed change to everybody who watches, in order, each once.
 *
 * Promise: a change is delivered after it is durable; a slow or failing listener harms only itself; where the log no longer
 * reaches back far enough, `lost` is called and the watch is over: whoever keeps a view reads afresh and watches again.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { asFault, type Log } from '../../base/index.ts';
import type { KeyValue } from '../../storage/index.ts';
import type { Change, Position, Watch } from '../port.ts';
import { changed, keys } from '../records/keys.ts';
import type { View } from '../records/view.ts';
import { decodeChange } from './change-record.ts';

const perTurn = 100;
const kept = 256;

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
  readonly #recent = new Map<Position, Change>();
  readonly #unsubscribe: () => void;

  constructor(parts: { readonly keyValue: KeyValue; readonly view: View; readonly log: Log }) {
    this.#keyValue = parts.keyValue;
    this.#view = parts.view;
    this.#log = parts.log;
    this.#unsubscribe = parts.keyValue.subscribe(changed, () => {
      for (const watcher of this.#watchers) this.#start(watcher);
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
    this.#unsubscribe();
    for (const watcher of this.#watchers) this.#end(watcher);
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
      for (let delivered = 1; !watcher.stopped; delivered++) {
        const last = this.#view.change();
        if (watcher.position > last) return this.#lose(watcher);
        if (watcher.position === last) return;
        const change = this.#change(watcher.position + 1);
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

  #change(position: Position): Change | undefined {
    const known = this.#recent.get(position);
    if (known) return known;
    const octets = this.#keyValue.getNow(keys.log(position));
    if (!octets) return undefined;
    // An import tells of no single change: whoever keeps a view reads afresh.
    const decoded = decodeChange(position, octets);
    if (!decoded) return undefined;
    const { change, id } = decoded;
    // Whoever hears of the change and reads the entry must not get what the cache had before.
    this.#view.forget({
      ids: [id],
      names: change.before && change.kind !== 'modify' ? [change.before.dn] : [],
      all: change.kind === 'rename' && this.#view.childCount(id) > 0,
    });
    this.#recent.set(position, change);
    if (this.#recent.size > kept)
      for (const oldest of this.#recent.keys()) {
        this.#recent.delete(oldest);
        break;
      }
    return change;
  }
}
