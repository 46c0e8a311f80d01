/**
 * The changes of several parts that are written together, and the callers who wait for it.
 *
 * Callers hear the outcome only when the group is written, refusals included: a part may have been refused because of
 * something that is not on disk yet.
 */

import type { Durability, Key, Part } from './port.ts';

/** A caller of `transact`, from arrival to answer. */
export interface Member {
  readonly part: Part<unknown>;
  readonly durability: Durability;
  readonly resolve: (result: unknown) => void;
  readonly reject: (thrown: unknown) => void;
  result: unknown;
  refusal: unknown;
}

/** A group is closed to further parts beyond these, so that building the batch stays short. */
const fullChanges = 4096;
const fullOctets = 4 * 1024 * 1024;

export class CommitGroup {
  readonly changes = new Map<Key, Uint8Array | null>();
  readonly topics = new Set<string>();
  durable = false;
  #members: Member[] = [];
  #octets = 0;

  get empty(): boolean {
    return this.#members.length === 0;
  }

  get full(): boolean {
    return this.changes.size >= fullChanges || this.#octets >= fullOctets;
  }

  /** Takes the caller in, whose part is done or refused. */
  join(member: Member): void {
    this.#members.push(member);
    if (member.durability === 'durable') this.durable = true;
  }

  put(key: Key, value: Uint8Array): void {
    this.changes.set(key, value);
    this.#octets += key.length + value.byteLength;
  }

  delete(key: Key): void {
    this.changes.set(key, null);
    this.#octets += key.length;
  }

  answer(): void {
    for (const member of this.#members) {
      if (member.refusal === undefined) member.resolve(member.result);
      else member.reject(member.refusal);
    }
  }

  fail(thrown: unknown): void {
    for (const member of this.#members) member.reject(thrown);
  }
}
