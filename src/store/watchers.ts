/**
 * Who wants to hear of which mailbox.
 *
 * Promise: one subscription of the engine per watched mailbox, however many sessions have it open, and none once nobody has; one listener's
 * failure does not keep the others from hearing.
 */

import type { Log } from '../base/index.ts';
import type { KeyValue } from '../storage/index.ts';
import { mailboxTopic } from './keys.ts';
import type { AccountId, MailboxId } from './port.ts';

interface Watched {
  readonly listeners: Set<{ readonly run: () => void }>;
  readonly stop: () => void;
}

export class Watchers {
  readonly #keyValue: KeyValue;
  readonly #log: Log;
  readonly #watched = new Map<string, Watched>();

  constructor(keyValue: KeyValue, log: Log) {
    this.#keyValue = keyValue;
    this.#log = log;
  }

  watch(account: AccountId, mailbox: MailboxId, listener: () => void): () => void {
    const topic = mailboxTopic(account, mailbox);
    let watched = this.#watched.get(topic);
    if (!watched) {
      const listeners: Watched['listeners'] = new Set();
      watched = { listeners, stop: this.#keyValue.subscribe(topic, () => this.#tell(listeners)) };
      this.#watched.set(topic, watched);
    }
    const { listeners, stop } = watched;
    const entry = { run: listener };
    listeners.add(entry);
    return () => {
      if (!listeners.delete(entry) || listeners.size > 0) return;
      stop();
      this.#watched.delete(topic);
    };
  }

  #tell(listeners: Watched['listeners']): void {
    for (const listener of [...listeners]) {
      try {
        listener.run();
      } catch (thrown) {
        this.#log.error('a listener of the message store failed', thrown);
      }
    }
  }

  close(): void {
    for (const { stop } of this.#watched.values()) stop();
    this.#watched.clear();
  }
}
