/** One who keeps a copy of what a search finds by synchronisation alone, and what it must be equal to. */

import type { BundledDirectory } from '../../src/directory/index.ts';
import {
  type Actor,
  DirectoryFault,
  type Entry,
  type SyncEvent,
  SyncRefreshRequired,
  type SyncRequest,
} from '../../src/directory/index.ts';

export type Search = Omit<SyncRequest, 'cookie' | 'reloadHint' | 'persist' | 'signal'>;

const plain = (entry: Entry): string =>
  JSON.stringify([
    entry.dn.toString(),
    // The server itself reads passwords, and does not hand them on.
    [...entry.attributes.values()]
      .filter(({ name }) => name !== 'userPassword')
      .map(({ name, values }) => [name, values.map((value) => value.toString()).sort()])
      .sort(),
  ]);

/** What it must be: name and attributes of every entry of the content, by UUID. */
export async function contentOf(directory: BundledDirectory, actor: Actor, search: Search): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const entry of directory.search(actor, { ...search, attributes: ['*', '+'] })) {
    const uuid = entry.text('entryUUID') ?? '';
    const shown = await directory.read(actor, entry.dn, search.attributes);
    if (shown) found.set(uuid, plain(shown));
  }
  return found;
}

export class Copy {
  readonly entries = new Map<string, string>();
  /** Everything that was ever sent. */
  readonly heard: SyncEvent[] = [];
  cookie: Uint8Array | undefined;
  #refreshing: Set<string> | undefined = new Set();

  take(event: SyncEvent): void {
    this.heard.push(event);
    if ('cookie' in event && event.cookie) this.cookie = event.cookie;
    switch (event.kind) {
      case 'entry':
        this.entries.set(event.uuid, plain(event.entry));
        this.#refreshing?.add(event.uuid);
        break;
      case 'delete':
        this.entries.delete(event.uuid);
        break;
      case 'ids':
        for (const uuid of event.uuids) {
          if (event.deletes) this.entries.delete(uuid);
          else this.#refreshing?.add(uuid);
        }
        break;
      case 'refreshed':
        if (!event.deletes) for (const uuid of [...this.entries.keys()]) if (!this.#refreshing?.has(uuid)) this.entries.delete(uuid);
        this.#refreshing = undefined;
        break;
      case 'cookie':
        break;
    }
  }

  begin(): void {
    this.#refreshing = new Set();
  }

  /** One refresh; the events of it. */
  async poll(directory: BundledDirectory, actor: Actor, search: Search, more: Partial<SyncRequest> = {}): Promise<SyncEvent[]> {
    this.begin();
    const from = this.heard.length;
    const request = { ...search, cookie: this.cookie, reloadHint: false, persist: false, ...more };
    for await (const event of directory.synchronise(actor, request)) this.take(event);
    return this.heard.slice(from);
  }

  /** Refresh and persist until stopped; starts afresh as often as it is told to, as a client does. */
  persist(directory: BundledDirectory, actor: Actor, search: Search): { stop(): Promise<void>; restarts(): number } {
    const abort = new AbortController();
    let restarts = 0;
    const run = async (): Promise<void> => {
      while (!abort.signal.aborted) {
        this.begin();
        try {
          const request = { ...search, cookie: this.cookie, reloadHint: false, persist: true, signal: abort.signal };
          for await (const event of directory.synchronise(actor, request)) this.take(event);
        } catch (thrown) {
          if (abort.signal.aborted || (thrown instanceof DirectoryFault && thrown.result === 'unavailable')) return;
          if (!(thrown instanceof SyncRefreshRequired)) throw thrown;
          restarts += 1;
          this.cookie = thrown.cookie;
        }
      }
    };
    const running = run();
    return {
      stop: async () => {
        abort.abort();
        await running;
      },
      restarts: () => restarts,
    };
  }
}

/** Lets everything that follows catch up: as long as one of the copies still hears something. */
export async function quiet(copies: readonly Copy[]): Promise<void> {
  let last = -1;
  for (let still = 0; still < 50; ) {
    await new Promise((resolve) => setImmediate(resolve));
    const heard = copies.reduce((sum, copy) => sum + copy.heard.length, 0);
    still = heard === last ? still + 1 : 0;
    last = heard;
  }
}
