/**
 * An inbox as it was at log-in: numbered messages, and marks for removal.
 *
 * Promise: one session at a time holds an account's maildrop; numbers stand still whatever happens to the mailbox meanwhile;
 * nothing is removed but by `update`, and that in one commit.
 * Spec: RFC 1939 §4, §5, §6
 */

import { Fault } from '../base/index.ts';
import type { Recipient } from '../dit/index.ts';
import type { IndexEntry } from '../store/index.ts';
import type { Services } from './session.ts';

export class Maildrop {
  readonly account: Recipient;
  readonly #services: Services;
  readonly #mailbox: number;
  readonly #uidValidity: number;
  readonly #messages: readonly IndexEntry[];
  readonly #removed = new Set<number>();
  #count: number;
  #octets: number;
  #open = true;

  private constructor(
    services: Services,
    account: Recipient,
    mailbox: { id: number; uidValidity: number },
    messages: readonly IndexEntry[],
  ) {
    this.#services = services;
    this.account = account;
    this.#mailbox = mailbox.id;
    this.#uidValidity = mailbox.uidValidity;
    this.#messages = messages;
    this.#count = messages.length;
    this.#octets = messages.reduce((sum, { size }) => sum + size, 0);
  }

  /** Fault `busy` when another session holds it. */
  static async open(services: Services, account: Recipient): Promise<Maildrop> {
    const { store, held } = services;
    if (held.has(account.uuid)) throw new Fault('busy', 'another POP3 session has this mailbox open');
    held.add(account.uuid);
    try {
      await store.ensureAccount(account.uuid);
      const inbox = await store.mailbox(account.uuid, 'INBOX');
      if (!inbox) throw new Fault('unavailable', 'the mailbox is not available');
      return new Maildrop(services, account, inbox, await store.index(account.uuid, inbox.id));
    } catch (thrown) {
      held.delete(account.uuid);
      throw thrown;
    }
  }

  /** Messages without a mark, and their octets. */
  get total(): { readonly count: number; readonly octets: number } {
    return { count: this.#count, octets: this.#octets };
  }

  get marked(): number {
    return this.#removed.size;
  }

  /** The unmarked message of that number. */
  entry(number: number): IndexEntry | undefined {
    return this.#removed.has(number) ? undefined : this.#messages[number - 1];
  }

  *entries(): Iterable<readonly [number: number, entry: IndexEntry]> {
    for (let number = 1; number <= this.#messages.length; number++) {
      const entry = this.entry(number);
      if (entry) yield [number, entry];
    }
  }

  /** RFC 1939 §7: 1 to 70 characters from 0x21 to 0x7e, never used again. */
  uniqueId(entry: IndexEntry): string {
    return `${this.#uidValidity}.${entry.uid}`;
  }

  /**
   * The octets of a message; undefined when somebody removed it meanwhile. Throws where they cannot be had: behind `+OK` nothing can be said
   * any more, and a client that is cut off in the middle asks for this message first again, for ever.
   */
  async octets(entry: IndexEntry): Promise<AsyncIterable<Uint8Array> | undefined> {
    const { store } = this.#services;
    const message = await store.source(this.account.uuid, this.#mailbox, entry.uid);
    if (message) await store.read(message, entry.size - 1, entry.size);
    return message && store.stream(message);
  }

  mark(number: number): boolean {
    const entry = this.entry(number);
    if (!entry) return false;
    this.#removed.add(number);
    this.#count -= 1;
    this.#octets -= entry.size;
    return true;
  }

  unmarkAll(): void {
    for (const number of this.#removed) this.#octets += this.#messages[number - 1]!.size;
    this.#count = this.#messages.length;
    this.#removed.clear();
  }

  /** Removes what is marked, all of it or nothing. */
  async update(): Promise<void> {
    if (this.#removed.size === 0) return;
    const uids = [...this.#removed].sort((a, b) => a - b).map((number) => this.#messages[number - 1]!.uid);
    await this.#services.store.remove(this.account.uuid, this.#mailbox, uids);
  }

  /** Lets the next session have it. */
  close(): void {
    if (this.#open) this.#services.held.delete(this.account.uuid);
    this.#open = false;
  }
}
