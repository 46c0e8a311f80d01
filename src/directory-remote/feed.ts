/**
 * The change feed of an external directory: changes get numbers of ours, whoever watches hears each once and in order.
 *
 * Promise: a position of an earlier run, or one that is too old, makes `lost`, never a gap. A listener that throws harms nobody else.
 * The server's cookies stay in room `sync/`: a position is only good in this process.
 */

import type { Log } from '../base/index.ts';
import type { Change, Position, Watch } from '../directory/index.ts';

/** Changes that can be heard afterwards: whoever starts to watch at a position of a moment ago. */
const kept = 1024;

interface Watcher {
  position: Position;
  readonly listener: (change: Change) => void;
  readonly lost: () => void;
  stopped: boolean;
  running: boolean;
}

export class Feed {
  readonly #log: Log;
  readonly #recent = new Map<Position, Change>();
  readonly #watchers = new Set<Watcher>();
  #position: Position;

  /** `start` is above every position of earlier runs. */
  constructor(start: Position, log: Log) {
    this.#position = start;
    this.#log = log;
  }

  get position(): Position {
    return this.#position;
  }

  emit(change: Omit<Change, 'position'>): void {
    this.#position++;
    this.#recent.set(this.#position, { ...change, position: this.#position });
    this.#recent.delete(this.#position - kept);
    for (const watcher of this.#watchers) if (watcher.running) this.#run(watcher);
  }

  /** Something was missed: everybody starts afresh. */
  lose(): void {
    this.#position++;
    this.#recent.clear();
    for (const watcher of [...this.#watchers]) this.#lose(watcher);
  }

  watch(from: Position | undefined, listener: (change: Change) => void, lost: () => void): Watch {
    const watcher: Watcher = { position: from ?? this.#position, listener, lost, stopped: false, running: false };
    this.#watchers.add(watcher);
    // On its own turn, so that nobody hears a change before `watch` has returned.
    queueMicrotask(() => {
      watcher.running = true;
      this.#run(watcher);
    });
    return {
      get position() {
        return watcher.position;
      },
      stop: () => this.#end(watcher),
    };
  }

  #run(watcher: Watcher): void {
    while (!watcher.stopped && watcher.position !== this.#position) {
      const change = this.#recent.get(watcher.position + 1);
      if (!change) {
        this.#lose(watcher);
        return;
      }
      watcher.position = change.position;
      this.#guard(() => watcher.listener(change));
    }
  }

  #lose(watcher: Watcher): void {
    if (watcher.stopped) return;
    this.#end(watcher);
    this.#guard(watcher.lost);
  }

  #end(watcher: Watcher): void {
    watcher.stopped = true;
    this.#watchers.delete(watcher);
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (thrown) {
      this.#log.error('a reader of the change feed failed', thrown);
    }
  }
}
